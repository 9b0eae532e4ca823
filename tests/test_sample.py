"""The bundled backend: what it answers, how it drains, and that each fault shows where it should and nowhere else."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
from websocket import ABNF, WebSocket

from bluegreen.clock import Deadline
from bluegreen.metrics import parse
from bluegreen.sample import faults
from bluegreen.sample.app import App
from bluegreen.sample.http import BODY_LIMIT
from bluegreen.sample.settings import SampleSettings, SettingsError, load
from bluegreen.sample.websocket import GOING_AWAY
from tests.backend import Backend, backend

HEALTH, READY, LIVE = (f"/api/v1/health/{name}" for name in ("health", "ready", "live"))


@pytest.fixture(scope="module")
def sample() -> Iterator[Backend]:
    """A healthy sample, shared by tests that only ask."""
    with backend() as running:
        yield running


@pytest.mark.parametrize(
    ("method", "path", "status", "holds"),
    [
        ("GET", "/", 200, {"status": "running"}),
        ("GET", HEALTH, 200, {"status": "healthy"}),
        ("GET", READY, 200, {"status": "ready"}),
        ("GET", LIVE, 200, {"status": "alive"}),
        ("GET", "/api/v1/capabilities", 200, {"models": ["echo"]}),
        ("GET", "/api/v1/nothing-here", 404, {"error": "no such path: /api/v1/nothing-here"}),
        ("POST", "/", 405, {"error": "POST is not served here"}),
    ],
)
def test_every_answer_states_the_version(
    sample: Backend, method: str, path: str, status: int, holds: dict[str, Any]
) -> None:
    answer = httpx.request(method, sample.url + path)
    assert answer.status_code == status
    assert answer.headers["x-version"] == "v1"
    assert answer.json().items() >= {**holds, "version": "v1"}.items()


def test_conversations_and_chat_answer_what_they_were_given(sample: Backend) -> None:
    with httpx.Client(base_url=sample.url) as client:
        assert client.post("/api/v1/chat", json={"message": "hello there"}).json()["reply"] == "hello there"
        made = client.post("/api/v1/conversations", json={"title": "tea"})
        assert made.status_code == 201
        titles = [conversation["title"] for conversation in client.get("/api/v1/conversations").json()["conversations"]]
    assert "tea" in titles


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/chat", b"{half"),
        ("/api/v1/chat", b"[1]"),
        ("/api/v1/slow?seconds=nan", b""),
        ("/api/v1/slow?seconds=1e9", b""),
    ],
)
def test_input_that_makes_no_sense_is_the_clients_mistake(sample: Backend, path: str, body: bytes) -> None:
    method = "POST" if body else "GET"
    assert httpx.request(method, sample.url + path, content=body).status_code == 400


def test_a_streamed_answer_comes_whole(sample: Backend) -> None:
    answer = httpx.get(sample.url + "/api/v1/stream?chunks=3&interval=0.01")
    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.text.splitlines() == [f"{number} of 3 from v1" for number in (1, 2, 3)]


def raw(port: int, sent: bytes) -> bytes:
    """Everything the sample answers to these bytes, until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200),
        (b"GET / HTTP/1.0\r\n\r\n", 200),
        (b"rubbish\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", 431),
        (b"POST /api/v1/chat HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (BODY_LIMIT + 1), 413),
        (b"POST /api/v1/chat HTTP/1.1\r\nContent-Length: two\r\n\r\n", 400),
        (b"POST /api/v1/chat HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 200),
        (b"POST /api/v1/chat HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    ],
)
def test_requests_good_and_bad_are_told_apart_on_the_wire(sample: Backend, sent: bytes, status: int) -> None:
    assert raw(sample.port, sent).startswith(b"HTTP/1.1 %d " % status)


def test_head_has_no_body_and_pipelined_requests_are_answered_in_turn(sample: Backend) -> None:
    answered = raw(sample.port, b"HEAD / HTTP/1.1\r\n\r\nGET /nope HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n")
    assert re.findall(rb"HTTP/1.1 (\d+)", answered) == [b"200", b"404", b"200"]


def test_metrics_count_what_was_asked_on_both_ports() -> None:
    with backend() as fresh:
        for path in ("/", "/", "/api/v1/capabilities", "/nope", READY):
            httpx.get(fresh.url + path)
        for base in (fresh.url, fresh.metrics_url):
            found = parse(httpx.get(base + "/metrics").text)
            assert found.total("gremlinsai_api_requests_total") == 5
            assert found.total("gremlinsai_api_requests_total", endpoint="/", status="200") == 2
            assert found.total("gremlinsai_api_requests_total", endpoint="unknown", status="404") == 1
            assert found.total("gremlinsai_api_errors_total", error_type="server") == 0
            assert found.server_errors("gremlinsai_api_requests_total") == 0
        assert httpx.get(fresh.metrics_url + "/").status_code == 404


# --- draining ---------------------------------------------------------------------------------------------------------


class Client:
    """A keep-alive client on raw streams: one request at a time."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def __aenter__(self) -> Client:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def ask(self, path: str) -> str:
        """The header of the answer, in lower case; the body is read and dropped."""
        self.writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        await self.reader.readexactly(int(head.partition("content-length: ")[2].split()[0]))
        return head


def drive(test: Coroutine[Any, Any, None]) -> None:
    """Run one test in a loop, ended after 20 s."""
    asyncio.run(asyncio.wait_for(test, 20))


async def serving(**changed: Any) -> App:
    """A sample in this process."""
    app = App(SampleSettings(**{"host": "127.0.0.1", "http_port": 0, "metrics_port": 0, **changed}))
    await app.http.listen(app.settings.host, 0)
    return app


def test_a_kept_connection_is_told_to_close_when_draining_and_not_before() -> None:
    async def test() -> None:
        app = await serving()
        async with Client(app.http.port) as client:
            assert "connection: keep-alive" in await client.ask("/")
            assert "connection: keep-alive" in await client.ask("/")
            app.drain()
            answer = await client.ask(READY)
            assert "503" in answer
            assert "connection: close" in answer
            assert await client.reader.read() == b""
        await app.http.until_no_connections()
        app.http.close()

    drive(test())


def test_an_idle_connection_gets_its_time_for_one_more_request_and_no_longer() -> None:
    async def test() -> None:
        app = await serving(idle_s=0.05)
        async with Client(app.http.port) as client:
            await client.ask("/")
            app.drain()
            assert await client.reader.read() == b""  # closed without an answer: nothing was asked
        await app.http.until_no_connections()
        app.http.close()

    drive(test())


def test_new_connections_are_still_answered_while_draining() -> None:
    async def test() -> None:
        app = await serving()
        app.drain()
        async with Client(app.http.port) as client:
            assert "connection: close" in await client.ask("/")
        app.http.close()

    drive(test())


def test_a_request_in_flight_finishes_and_is_counted() -> None:
    async def test() -> None:
        app = await serving()
        async with Client(app.http.port) as client:
            asking = asyncio.create_task(client.ask("/api/v1/slow?seconds=0.3"))
            while not app.http.in_flight:  # noqa: ASYNC110 - the server has no event for it, nor needs one
                await asyncio.sleep(0)
            assert (app.http.in_flight, app.http.open_connections) == (1, 1)
            app.drain()
            answer = await asking
            assert "200" in answer
            assert "connection: close" in answer
        await app.http.until_no_connections()
        assert app.http.in_flight == 0
        app.http.close()

    drive(test())


def test_drain_can_be_asked_for_and_watched(sample: Backend) -> None:
    with backend() as other:
        with httpx.Client(base_url=other.url) as client:
            client.get("/")
            before = client.get("/api/v1/admin/connections").json()
            assert before.items() >= {"draining": False, "open_connections": 0, "in_flight": 0}.items()
            assert client.post("/api/v1/admin/drain").json()["draining"] is True
            assert client.get(READY).status_code == 503
            assert client.get("/").status_code == 200
        assert other.process.poll() is None


def test_clients_are_counted_by_what_they_do(sample: Backend) -> None:
    def clients() -> dict[str, int]:
        found: dict[str, int] = httpx.get(sample.url + "/api/v1/admin/connections").json()["clients"]
        return found

    with ExitStack() as stack:
        idle = stack.enter_context(httpx.Client(base_url=sample.url))
        idle.get("/")
        for path in ("/api/v1/poll?seconds=30", "/api/v1/stream?chunks=30&interval=1", "/api/v1/slow?seconds=30"):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", sample.port)))
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        stack.enter_context(web_socket(sample.port))
        wanted = {"idle": 1, "requests": 1, "long_polls": 1, "streams": 1, "websockets": 1}
        deadline = Deadline(10)
        while (found := clients()) != wanted:
            assert not deadline.expired, found
    deadline = Deadline(10)
    while clients()["websockets"]:
        assert not deadline.expired


@contextmanager
def web_socket(port: int) -> Iterator[WebSocket]:
    """A client's WebSocket, by a library that is not ours."""
    client = WebSocket()
    client.connect(f"ws://127.0.0.1:{port}/api/v1/socket", timeout=10)
    try:
        yield client
    finally:
        client.shutdown()  # close() leaves the connection open when the other end has said goodbye first


def test_a_web_socket_echoes_and_is_asked_to_close_when_draining() -> None:
    with backend() as running, web_socket(running.port) as client:
        for message in ("short", "m" * 300, "l" * 70_000):
            client.send(message)
            assert client.recv() == message
        client.ping(b"there?")
        assert client.recv_data_frame(True)[1].data == b"there?"
        httpx.post(running.url + "/api/v1/admin/drain")
        opcode, payload = client.recv_data()
        assert (opcode, payload) == (ABNF.OPCODE_CLOSE, GOING_AWAY.to_bytes(2, "big"))


def test_a_web_socket_needs_a_handshake(sample: Backend) -> None:
    assert httpx.get(sample.url + "/api/v1/socket").status_code == 400


def test_a_long_poll_ends_with_news_or_with_its_time(sample: Backend) -> None:
    assert httpx.get(sample.url + "/api/v1/poll?seconds=0.05").json()["conversations"] == []
    answers: list[Any] = []
    asking = threading.Thread(
        target=lambda: answers.append(httpx.get(sample.url + "/api/v1/poll?seconds=20", timeout=30).json())
    )
    asking.start()
    while not httpx.get(sample.url + "/api/v1/admin/connections").json()["clients"]["long_polls"]:
        pass
    made = httpx.post(sample.url + "/api/v1/conversations", json={"title": "news"}).json()
    asking.join()
    assert [one["id"] for one in answers[0]["conversations"]] == [made["id"]]


def test_sigterm_lets_a_request_finish_and_exits_with_0() -> None:
    with backend() as running:
        answers: list[int] = []
        ask = lambda: answers.append(httpx.get(running.url + "/api/v1/slow?seconds=0.5").status_code)  # noqa: E731
        asking = threading.Thread(target=ask)
        asking.start()
        while httpx.get(running.url + "/api/v1/admin/connections").json()["in_flight"] == 0:
            pass
        assert running.stop() == 0
        asking.join()
    assert answers == [200]


def test_a_stop_cuts_what_takes_too_long() -> None:
    with backend(SAMPLE_DRAIN_SECONDS="0.2") as running, httpx.Client(base_url=running.url) as client:
        client.get("/")  # an idle connection, which would get 5 s
        assert running.stop() == 0


# --- faults -----------------------------------------------------------------------------------------------------------

GOOD = {"/": 200, "/api/v1/capabilities": 200, HEALTH: 200, READY: 200, LIVE: 200, "/metrics": 200, "/nope": 404}


@pytest.mark.parametrize(
    ("fault", "differs"),
    [
        ("", {}),
        ("never-ready", {READY: 503}),
        ("slow-start", {READY: 503}),
        ("unhealthy", {}),
        ("http-500", {"/": 500, "/api/v1/capabilities": 500}),
        ("wrong-version", {}),
        ("no-metrics", {}),
        ("deaf", {}),
        ("flaky-10", {}),
        ("dies-under-load", {}),
        ("unready-after-switch", {}),
        ("http-500-after-switch", {}),
    ],
)
def test_a_fault_changes_these_statuses_and_no_other(fault: str, differs: dict[str, int]) -> None:
    with backend(fault) as bad, httpx.Client(base_url=bad.url) as client:
        assert {path: client.get(path).status_code for path in GOOD} == {**GOOD, **differs}


def test_unhealthy_says_so_with_status_200() -> None:
    with backend("unhealthy") as bad:
        assert httpx.get(bad.url + HEALTH).json()["status"] == "unhealthy"


def test_the_wrong_version_is_claimed_everywhere() -> None:
    with backend("wrong-version", version="v2") as bad:
        for path in ("/", HEALTH, "/metrics", "/nope"):
            assert httpx.get(bad.url + path).headers["x-version"] == "v0.0.0-another-build"


def test_metrics_without_the_applications_families_still_parse() -> None:
    with backend("no-metrics") as bad:
        found = parse(httpx.get(bad.url + "/metrics").text)
    assert found.family("process_cpu_seconds_total") is not None
    assert [name for name in found.families if name.startswith("gremlinsai_")] == []


def test_a_deaf_port_takes_connections_and_answers_nothing() -> None:
    with backend("deaf") as bad:
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(bad.metrics_url + "/metrics", timeout=0.3)
        assert bad.stop() == 0


def test_slow_takes_800_ms_for_the_api_and_nothing_else() -> None:
    with backend("slow") as bad:
        assert httpx.get(bad.url + HEALTH).elapsed.total_seconds() < 0.5
        assert httpx.get(bad.url + "/").elapsed.total_seconds() >= 0.8


def test_crash_loop_ends_with_1_and_was_never_ready() -> None:
    with backend("crash-loop") as bad:
        assert httpx.get(bad.url + READY).status_code == 503
        assert bad.process.wait(10) == 1


def test_flaky_10_fails_a_tenth_and_only_above_its_rate() -> None:
    with backend("flaky-10") as bad, httpx.Client(base_url=bad.url) as client:
        statuses = [client.get("/").status_code for _ in range(220)]
    assert statuses[:20] == [200] * 20
    assert 5 <= statuses.count(500) <= 20


def test_dies_under_load_and_not_under_a_few_requests() -> None:
    with backend("dies-under-load") as bad:
        with httpx.Client(base_url=bad.url) as client:
            assert [client.get("/").status_code for _ in range(15)] == [200] * 15
            with pytest.raises(httpx.TransportError):
                [client.get("/") for _ in range(200)]
        assert bad.process.wait(10) == 1


@pytest.fixture
def clock_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that faults see, in seconds; a test moves it."""
    moment = [100.0]
    monkeypatch.setattr(faults, "now_s", lambda: moment[0])
    return moment


def test_after_switch_waits_for_a_user_and_then_5_seconds(clock_s: list[float]) -> None:
    bad = faults.UnreadyAfterSwitch(started_s=clock_s[0])
    clock_s[0] += 1000
    assert bad.ready()
    bad.live_traffic()
    clock_s[0] += 4.9
    bad.live_traffic()  # only the first one counts
    assert bad.ready()
    clock_s[0] += 0.2
    assert not bad.ready()


def test_slow_start_is_ready_20_s_after_the_deployment_gave_up(clock_s: list[float]) -> None:
    bad = faults.SlowStart(start_limit_s=30.0, started_s=clock_s[0])
    clock_s[0] += 49.9
    assert not bad.ready()
    clock_s[0] += 0.2
    assert bad.ready()


@pytest.mark.parametrize(
    ("path", "headers", "user"),
    [
        ("/", {}, True),
        ("/api/v1/capabilities", {"user-agent": "curl"}, True),
        ("/", {"x-bluegreen": "gate"}, False),
        ("/", {"user-agent": "kube-probe/1.34"}, False),
        (READY, {}, False),
        ("/metrics", {}, False),
        ("/api/v1/admin/connections", {}, False),
    ],
)
def test_users_are_told_from_tests_and_kubelets(path: str, headers: dict[str, str], user: bool) -> None:
    from bluegreen.sample.app import is_user
    from bluegreen.sample.http import Request

    assert is_user(Request("GET", path, {}, headers, b"")) is user


# --- starting ---------------------------------------------------------------------------------------------------------


def test_a_taken_port_is_said_and_ends_with_1(sample: Backend) -> None:
    command = [sys.executable, "-m", "bluegreen.sample"]
    env = {**os.environ, "POD_IP": "127.0.0.1", "SAMPLE_HTTP_PORT": str(sample.port), "SAMPLE_METRICS_PORT": "0"}
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 1
    assert "cannot listen on 127.0.0.1" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_settings_that_cannot_be_used_are_named() -> None:
    with pytest.raises(SettingsError, match="SAMPLE_FAULT='gone': no such fault"):
        load({"SAMPLE_FAULT": "gone"})
    with pytest.raises(SettingsError, match="SAMPLE_HTTP_PORT='http': not a number"):
        load({"SAMPLE_HTTP_PORT": "http"})


def test_the_sample_imports_nothing_but_the_standard_library() -> None:
    script = "import sys, bluegreen.sample.__main__; print(*{m.partition('.')[0] for m in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    ours = {name for name in loaded if name not in sys.stdlib_module_names and not name.startswith("_")}
    assert ours <= {"bluegreen", "sitecustomize", "usercustomize", "distutils"}
