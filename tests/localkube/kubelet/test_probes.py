"""Probes: thresholds, periods and delays, and what a pod shows of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bluegreen import clock
from bluegreen.localkube.kubelet.handlers import Place, act
from bluegreen.localkube.kubelet.probes import Counter, Prober
from tests.localkube.kubelet.node import Node, is_ready, is_running, on_node, run, shell, waits_for

Obj = dict[str, Any]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def test_a_threshold_counts_results_in_a_row() -> None:
    counter = Counter(success_threshold=2, failure_threshold=3)
    results = [True, True, False, False, True, False, False, False, None, True, True]
    expected = [None, True, None, None, None, None, None, False, None, None, True]
    assert [counter.add(ok) for ok in results] == expected


class Server:
    """An HTTP server of a few bytes that notes what it was asked."""

    def __init__(self, *answers: bytes) -> None:
        self.answers, self.requests, self.times = list(answers), list[str](), list[float]()

    async def __aenter__(self) -> Server:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:  # a probe that was cancelled
            writer.close()
            return
        self.times.append(clock.now_s())
        self.requests.append(request.decode())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer == b"hang":
            await reader.read()
        writer.write(answer)
        writer.close()

    def place(self) -> Place:
        return Place("127.0.0.1", {"http": self.port}, None, {})


def answered(answer: bytes, timeout_s: float = 5, **action: Any) -> tuple[bool, str, list[str]]:
    async def test() -> tuple[bool, str, list[str]]:
        async with Server(answer) as server:
            found = await act({"httpGet": {"port": "http", **action}}, server.place(), timeout_s)
            return found.ok, found.message.replace(str(server.port), "PORT"), server.requests

    return asyncio.run(asyncio.wait_for(test(), 20))


@pytest.mark.parametrize(
    ("answer", "ok", "message"),
    [
        (OK, True, ""),
        (b"HTTP/1.1 399 Odd\r\n\r\n", True, ""),
        (b"HTTP/1.1 400 Bad\r\n\r\n", False, "HTTP probe failed with statuscode: 400"),
        (b"HTTP/1.1 503 Unavailable\r\n\r\n", False, "HTTP probe failed with statuscode: 503"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example/\r\n\r\n", True, ""),
        (b"", False, 'Get "http://127.0.0.1:PORT/": EOF'),
    ],
)
def test_http_answers(answer: bytes, ok: bool, message: str) -> None:
    assert answered(answer)[:2] == (ok, message)


def test_http_requests_carry_what_the_probe_says() -> None:
    headers = [{"name": "X-Custom", "value": "yes"}, {"name": "Host", "value": "other"}]
    _, _, [request] = answered(OK, path="/healthz?full=1", httpHeaders=headers)
    assert request.startswith("GET /healthz?full=1 HTTP/1.1\r\nHost: other\r\nUser-Agent: kube-probe/1.34\r\n")
    assert "X-Custom: yes\r\n" in request


def test_http_time_out() -> None:
    ok, message, _ = answered(b"hang", timeout_s=0.2, path="/slow")
    why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    assert (ok, message) == (False, f'Get "http://127.0.0.1:PORT/slow": {why}')


def test_redirects_to_the_same_host_are_followed() -> None:
    async def test() -> None:
        async with Server(b"HTTP/1.1 302 Found\r\nLocation: /next\r\n\r\n", b"HTTP/1.1 500 Oops\r\n\r\n") as server:
            found = await act({"httpGet": {"port": server.port}}, server.place(), 5)
        assert not found.ok
        assert server.requests[1].startswith("GET /next ")

    run(test())


def test_a_closed_port_is_refused_in_gos_words() -> None:
    async def test() -> None:
        async with Server(OK) as server:
            place, port = server.place(), server.port
            assert (await act({"tcpSocket": {"port": "http"}}, place, 5)).ok
        refused = f"dial tcp 127.0.0.1:{port}: connect: connection refused"
        assert (await act({"tcpSocket": {"port": port}}, place, 5)).message == refused
        http = await act({"httpGet": {"port": port, "path": "/x"}}, place, 5)
        assert http.message == f'Get "http://127.0.0.1:{port}/x": {refused}'
        assert (await act({"tcpSocket": {"port": "nameless"}}, place, 5)).broken

    run(test())


class Probed:
    """A prober over a server, without a pod."""

    def __init__(self, server: Server, **probes: Obj) -> None:
        container = {name: {"httpGet": {"port": "http"}, **probe} for name, probe in probes.items()}
        self.events: list[str] = []
        self.prober = Prober(
            container, server.place(), changed=lambda: None, event=lambda *event: self.events.append(event[2])
        )

    async def until(self, condition: Callable[[], bool], seconds: float = 10) -> float:
        began_s = clock.now_s()
        task = asyncio.create_task(self.prober.run())
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 -- what changes is a number that the prober counts
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return clock.now_s() - began_s


def test_readiness_follows_its_thresholds() -> None:
    async def test() -> None:
        async with Server(OK, OK, b"HTTP/1.1 500 x\r\n\r\n") as server:
            probed = Probed(server, readinessProbe={"periodSeconds": 1, "successThreshold": 2, "failureThreshold": 2})
            assert not probed.prober.outcome.ready
            await probed.until(lambda: probed.prober.outcome.ready)
            assert len(server.requests) == 2
            await probed.until(lambda: len(probed.events) >= 2)
            assert probed.events[0] == "Readiness probe failed: HTTP probe failed with statuscode: 500"

    run(test())


def test_probes_come_a_period_apart_after_the_initial_delay() -> None:
    async def test() -> None:
        async with Server(OK) as server:
            began_s = clock.now_s()
            probed = Probed(server, readinessProbe={"periodSeconds": 1, "initialDelaySeconds": 1})
            await probed.until(lambda: len(server.times) >= 3)
            offsets = [moment - began_s for moment in server.times]
            assert [round(offset, 1) for offset in offsets] == pytest.approx([1.0, 2.0, 3.0], abs=0.25)

    run(test())


def test_nothing_else_is_probed_before_the_startup_probe_succeeds() -> None:
    async def test() -> None:
        async with Server(b"HTTP/1.1 500 x\r\n\r\n", b"HTTP/1.1 500 x\r\n\r\n", OK) as server:
            once = {"periodSeconds": 1, "failureThreshold": 5}
            probed = Probed(server, startupProbe=once, readinessProbe={"periodSeconds": 1})
            assert (probed.prober.outcome.started, probed.prober.outcome.ready) == (False, False)
            await probed.until(lambda: probed.prober.outcome.ready)
            assert probed.events == ["Startup probe failed: HTTP probe failed with statuscode: 500"] * 2
            assert len(server.requests) == 4

    run(test())


def test_a_startup_probe_that_never_succeeds_makes_it_unhealthy() -> None:
    async def test() -> None:
        async with Server(b"HTTP/1.1 500 x\r\n\r\n") as server:
            probed = Probed(server, startupProbe={"periodSeconds": 1, "failureThreshold": 2}, livenessProbe={})
            await probed.until(probed.prober.outcome.unhealthy.is_set)
            assert probed.prober.outcome.failed == "startupProbe"
            assert len(server.requests) == 2

    run(test())


def test_a_failed_liveness_probe_restarts_the_container(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        probe = {"exec": {"command": ["sh", "-c", "echo why; exit 1"]}, "periodSeconds": 1, "failureThreshold": 1}
        node.pod("p", shell("trap 'exit 0' TERM; while :; do sleep 0.05; done", livenessProbe=probe))
        pod = await node.until("p", lambda p: p["status"].get("containerStatuses", [{}])[0].get("restartCount", 0) >= 1)
        events = node.events("p")
        assert ("Unhealthy", "Liveness probe failed: why\n") in events
        assert ("Killing", "Container app failed liveness probe, will be restarted") in events
        assert pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 0

    on_node(tmp_path, test)


def test_ready_and_started_show_what_the_probes_say(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        probe = {"exec": {"command": ["test", "-e", "/scratch/up"]}, "periodSeconds": 1, "failureThreshold": 1}
        mount = {"volumeMounts": [{"name": "work", "mountPath": "/scratch"}]}
        node.pod("p", shell("sleep 600", readinessProbe=probe, **mount), volumes=[{"name": "work", "emptyDir": {}}])
        pod = await node.until("p", is_running)
        status = pod["status"]["containerStatuses"][0]
        assert (status["started"], status["ready"]) == (True, False)
        up = node.path / "pods" / pod["metadata"]["uid"] / "volumes" / "work" / "up"
        up.touch()
        await node.until("p", is_ready)
        up.unlink()
        pod = await node.until("p", lambda p: not is_ready(p))
        ready = next(c for c in pod["status"]["conditions"] if c["type"] == "Ready")
        assert (ready["reason"], ready["message"]) == ("ContainersNotReady", "containers with unready status: [app]")

    on_node(tmp_path, test)


def test_an_exec_probe_that_hangs_times_out(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        probe = {"exec": {"command": ["sleep", "60"]}, "periodSeconds": 1, "timeoutSeconds": 1}
        node.pod("p", shell("sleep 600", readinessProbe=probe))
        sentence = 'Readiness probe failed: command timed out: "sleep 60" timed out after 1s'
        await node.wait(lambda: ("Unhealthy", sentence) in node.events("p"), lambda: node.events("p"))

    on_node(tmp_path, test)


def test_a_pod_that_goes_is_still_asked_whether_it_is_ready(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        probe = {"exec": {"command": ["true"]}, "periodSeconds": 1}
        alive = {"exec": {"command": ["test", "!", "-e", "/scratch/dead"]}, "periodSeconds": 1, "failureThreshold": 1}
        mount = {"volumeMounts": [{"name": "work", "mountPath": "/scratch"}]}
        hook = {"preStop": {"exec": {"command": ["sh", "-c", "touch /scratch/dead; sleep 2.5"]}}}
        node.pod("p", shell("sleep 600", readinessProbe=probe, livenessProbe=alive, lifecycle=hook, **mount),
                 volumes=[{"name": "work", "emptyDir": {}}], terminationGracePeriodSeconds=6)  # fmt: skip
        await node.until("p", is_ready)
        node.delete("p")
        pod = await node.until("p", lambda p: "deletionTimestamp" in p["metadata"])
        assert is_ready(pod)
        node.delete("p", grace_s=4)
        await node.gone("p")
        assert not [event for event in node.events("p") if "liveness" in event[1].lower()]

    on_node(tmp_path, test)


def test_no_restart_is_promised_where_there_is_none(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        probe = {"tcpSocket": {"port": 1}, "periodSeconds": 1, "failureThreshold": 1}
        node.pod("p", shell("exec sleep 600", startupProbe=probe), restartPolicy="Never")
        await node.wait(lambda: ("Killing", "Container app failed startup probe") in node.events("p"))

    on_node(tmp_path, test)


def test_back_off_follows_liveness_kills_too(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        probe = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
        node.pod("p", shell("trap 'exit 0' TERM; while :; do sleep 0.05; done", livenessProbe=probe))
        await node.until("p", waits_for("CrashLoopBackOff"))

    on_node(tmp_path, test)
