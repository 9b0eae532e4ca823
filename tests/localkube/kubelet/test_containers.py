"""Containers on a real node: what they are given, how they start, end, restart and are stopped."""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bluegreen import clock
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.kubelet.cgroups import Cgroups
from bluegreen.localkube.kubelet.pod_status import LOST
from bluegreen.localkube.kubelet.usage import WATCH_S, processes, totals, trees
from tests.localkube.kubelet.node import (
    NAMESPACE,
    Node,
    has_ended,
    is_ready,
    is_running,
    on_node,
    shell,
    state_of,
    waits_for,
)

Obj = dict[str, Any]


def test_a_container_gets_its_variables_its_address_and_its_name(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        node.create("ConfigMap", "c", data={"FROM_MAP": "map"})
        env = [
            {"name": "NS", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "REF", "value": "$(NS)-$$(X)"},
        ]
        script = 'echo "$FROM_MAP $NS $REF $1"; echo "$IP $POD_IP $HOST"; hostname; echo "$HOSTNAME"; pwd'
        container = shell(script, env=env, envFrom=[{"configMapRef": {"name": "c"}}], args=["sh", "$(NS)!"])
        node.pod("p", container, restartPolicy="Never")
        pod = await node.until("p", has_ended)
        address = pod["status"]["podIP"]
        expected = ["map test test-$(X) test!", f"{address} {address} {address}", "p", "p", "/"]
        assert (await node.log("p")).splitlines() == expected

    on_node(tmp_path, test)


def test_a_container_sees_nothing_of_the_daemons_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAEMONS_SECRET", "hidden")

    async def test(node: Node) -> None:
        node.pod("p", shell("env; cat /proc/1/environ | tr '\\0' '\\n'"), restartPolicy="Never")
        await node.until("p", has_ended)
        assert "DAEMONS_SECRET" not in await node.log("p")

    on_node(tmp_path, test)


@pytest.mark.parametrize(
    ("script", "phase", "code", "reason"),
    [
        ("exit 0", "Succeeded", 0, "Completed"),
        ("exit 7", "Failed", 7, "Error"),
        ("kill -9 $$$$", "Failed", 137, "Error"),
    ],
)
def test_how_a_pod_ends(tmp_path: Path, script: str, phase: str, code: int, reason: str) -> None:
    async def test(node: Node) -> None:
        # process 1 of a PID namespace cannot kill itself: a child shows it; $$$$ is $$ after Kubernetes' expansion
        node.pod("p", shell(f"sh -c '{script}'; exit $?"), restartPolicy="Never")
        pod = await node.until("p", has_ended)
        ended = state_of(pod)["terminated"]
        assert (pod["status"]["phase"], ended["exitCode"], ended["reason"]) == (phase, code, reason)
        assert ended["containerID"] == pod["status"]["containerStatuses"][0]["containerID"]
        assert "@sha256:" in pod["status"]["containerStatuses"][0]["imageID"]

    on_node(tmp_path, test)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (["no-such-program"], 'exec: "no-such-program": executable file not found in $PATH'),
        (["/no/such/program"], 'exec: "/no/such/program": stat /no/such/program: no such file or directory'),
        (["/etc/passwd"], 'exec: "/etc/passwd": permission denied'),
    ],
)
def test_a_program_that_cannot_start_is_a_start_error(tmp_path: Path, command: list[str], why: str) -> None:
    async def test(node: Node) -> None:
        node.pod("p", {"name": "app", "image": "example.org/shell:v1", "command": command}, restartPolicy="Never")
        ended = state_of(await node.until("p", has_ended))["terminated"]
        assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
        assert ended["message"].endswith(f"{why}: unknown")
        assert any(reason == "Failed" and why in message for reason, message in node.events("p"))

    on_node(tmp_path, test)


def test_a_crashing_container_restarts_at_once_and_then_backs_off(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        node.pod("p", shell("echo going down; exit 3"))
        pod = await node.until("p", waits_for("CrashLoopBackOff"))
        status = pod["status"]["containerStatuses"][0]
        assert status["restartCount"] == 1
        assert status["lastState"]["terminated"]["exitCode"] == 3
        title = f"p_test({pod['metadata']['uid']})"
        assert status["state"]["waiting"]["message"] == f"back-off 10s restarting failed container=app pod={title}"
        assert ("BackOff", f"Back-off restarting failed container app in pod {title}") in node.events("p")
        assert pod["status"]["phase"] == "Running"
        assert await node.log("p", previous=True) == "going down\n"

    on_node(tmp_path, test)


def test_on_failure_starts_again_what_failed_and_leaves_what_ended_well(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        flaky = shell("test -e /scratch/seen && exit 0; touch /scratch/seen; exit 1")
        mount = {"volumeMounts": [{"name": "work", "mountPath": "/scratch"}]}
        volumes = [{"name": "work", "emptyDir": {}}]
        node.pod("p", {**flaky, **mount}, restartPolicy="OnFailure", volumes=volumes)
        pod = await node.until("p", has_ended)
        assert pod["status"]["phase"] == "Succeeded"
        assert pod["status"]["containerStatuses"][0]["restartCount"] == 1

    on_node(tmp_path, test)


def test_termination_messages(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        said = shell("echo why > /dev/termination-log; exit 1", name="said")
        fallback = shell("echo from the log; exit 1", name="log", terminationMessagePolicy="FallbackToLogsOnError")
        silent = shell("echo from the log; exit 1", name="silent")
        node.pod("p", said, fallback, silent, restartPolicy="Never")
        pod = await node.until("p", has_ended)
        messages = {s["name"]: s["state"]["terminated"].get("message") for s in pod["status"]["containerStatuses"]}
        assert messages == {"said": "why\n", "log": "from the log\n", "silent": None}

    on_node(tmp_path, test)


def test_a_taken_port_says_what_to_do(tmp_path: Path) -> None:
    code = (
        "import os, socket, time; s = socket.socket(); t = socket.socket();"
        "s.bind((os.environ['POD_IP'], 0)); s.listen(); t.bind(s.getsockname())"
    )

    async def test(node: Node) -> None:
        node.pod("p", {"name": "app", "image": "example.org/python:v1", "args": ["-c", code]}, restartPolicy="Never")
        ended = state_of(await node.until("p", has_ended))["terminated"]
        assert "Address already in use" in ended["message"]
        assert "POD_IP" in ended["message"]
        assert any(reason == "PortTaken" for reason, _ in node.events("p"))

    on_node(tmp_path, test)


def test_an_unknown_image_is_an_err_image_pull_then_a_back_off(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        node.pod("p", {"name": "app", "image": "gremlinsai/backend:absent"})
        pod = await node.until("p", waits_for("ErrImagePull"))
        full = "docker.io/gremlinsai/backend:absent"
        assert f"failed to resolve image: {full}: not found" in state_of(pod)["waiting"]["message"]
        pod = await node.until("p", waits_for("ImagePullBackOff"))
        assert pod["status"]["phase"] == "Pending"
        reasons = [reason for reason, _ in node.events("p")]
        assert {"Pulling", "Failed", "BackOff"} <= set(reasons)

    on_node(tmp_path, test)


@pytest.mark.parametrize(
    ("image", "policy", "reason"),
    [("Bad Name", "Always", "InvalidImageName"), ("none/such:v1", "Never", "ErrImageNeverPull")],
)
def test_images_that_are_refused(tmp_path: Path, image: str, policy: str, reason: str) -> None:
    async def test(node: Node) -> None:
        node.pod("p", {"name": "app", "image": image, "imagePullPolicy": policy})
        pod = await node.until("p", waits_for(reason))
        assert image in state_of(pod)["waiting"]["message"]

    on_node(tmp_path, test)


def test_missing_configuration_heals_once_it_is_there(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        node.pod("p", shell("echo $A; sleep 60", envFrom=[{"configMapRef": {"name": "late"}}]))
        pod = await node.until("p", waits_for("CreateContainerConfigError"))
        assert state_of(pod)["waiting"]["message"] == 'configmap "late" not found'
        node.create("ConfigMap", "late", data={"A": "here"})
        pod = await node.until("p", is_running)
        assert pod["status"]["containerStatuses"][0]["restartCount"] == 0

    on_node(tmp_path, test)


def test_deleting_runs_the_hook_then_signals_then_waits(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        script = "trap 'echo term; exit 0' TERM; while :; do sleep 0.05; done"
        hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo hook > /proc/1/fd/1"]}}}
        node.pod("p", shell(script, lifecycle=hook), terminationGracePeriodSeconds=10)
        pod = await node.until("p", is_running)
        log = node.path / "pods" / pod["metadata"]["uid"] / "logs" / "app"
        [file] = list(log.iterdir())
        with file.open() as kept:
            began_s = clock.now_s()
            node.delete("p")
            await node.gone("p")
            assert clock.now_s() - began_s < 5
            assert [line.split(" ", 3)[3] for line in kept.read().splitlines()] == ["hook", "term"]
        assert ("Killing", "Stopping container app") in node.events("p")
        await node.wait(lambda: not log.exists())

    on_node(tmp_path, test)


def test_what_ignores_the_signal_is_killed_when_the_grace_is_over(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        node.pod("p", shell("trap '' TERM; while :; do sleep 0.05; done"), terminationGracePeriodSeconds=3)
        await node.until("p", is_running)
        began_s = clock.now_s()
        node.delete("p")
        await node.gone("p")
        assert 2.9 <= clock.now_s() - began_s < 6

    on_node(tmp_path, test)


def test_a_second_deletion_shortens_the_grace(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        node.pod("p", shell("trap '' TERM; while :; do sleep 0.05; done"), terminationGracePeriodSeconds=600)
        await node.until("p", is_running)
        node.delete("p")
        began_s = clock.now_s()
        node.delete("p", grace_s=1)
        await node.gone("p")
        assert clock.now_s() - began_s < 5

    on_node(tmp_path, test)


def test_a_forced_deletion_removes_the_object_and_ends_the_program(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        node.pod("p", shell("trap '' TERM; while :; do sleep 0.05; done"), terminationGracePeriodSeconds=600)
        uid = (await node.until("p", is_running))["metadata"]["uid"]
        node.delete("p", grace_s=0)
        assert node.get("p") is None
        await node.wait(lambda: not (node.path / "pods" / uid).exists())

    on_node(tmp_path, test)


def test_init_containers_run_in_order_before_the_others(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        mount = {"volumeMounts": [{"name": "work", "mountPath": "/scratch"}]}
        inits = [shell(f"echo {name} >> /scratch/order", name=name, **mount) for name in ("first", "second")]
        node.pod("p", shell("cat /scratch/order", **mount), initContainers=inits, restartPolicy="Never",
                 volumes=[{"name": "work", "emptyDir": {}}])  # fmt: skip
        pod = await node.until("p", has_ended)
        assert await node.log("p") == "first\nsecond\n"
        shown = [
            (s["name"], s["ready"], s["state"]["terminated"]["reason"]) for s in pod["status"]["initContainerStatuses"]
        ]
        assert shown == [("first", True, "Completed"), ("second", True, "Completed")]

    on_node(tmp_path, test)


def test_a_failing_init_container_holds_the_pod_and_fails_it_where_nothing_restarts(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        inits = [shell("exit 1", name="first")]
        node.pod("always", shell("sleep 60"), initContainers=inits)
        node.pod("never", shell("sleep 60"), initContainers=inits, restartPolicy="Never")
        held = await node.until(
            "always", lambda p: "CrashLoopBackOff" in json.dumps(state_of(p, 0, "initContainerStatuses"))
        )
        assert held["status"]["phase"] == "Pending"
        assert state_of(held) == {"waiting": {"reason": "PodInitializing"}}
        assert (await node.until("never", has_ended))["status"]["phase"] == "Failed"

    on_node(tmp_path, test)


def test_sidecars_start_first_run_on_and_end_last(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        mount = {"volumeMounts": [{"name": "work", "mountPath": "/scratch"}]}
        probe = {"exec": {"command": ["test", "-e", "/scratch/up"]}, "periodSeconds": 1}
        side = shell(
            "touch /scratch/up; trap 'echo side >> /scratch/order; exit 0' TERM; while :; do sleep 0.05; done",
            name="side", restartPolicy="Always", startupProbe=probe, **mount,
        )  # fmt: skip
        main = shell("test -e /scratch/up || exit 9; echo main >> /scratch/order", **mount)
        node.pod("p", main, initContainers=[side], restartPolicy="Never", terminationGracePeriodSeconds=5,
                 volumes=[{"name": "work", "emptyDir": {}}])  # fmt: skip
        pod = await node.until("p", has_ended)
        assert pod["status"]["phase"] == "Succeeded"
        order = node.path / "pods" / pod["metadata"]["uid"] / "volumes" / "work" / "order"
        assert order.read_text() == "main\nside\n"

    on_node(tmp_path, test)


def test_a_pod_that_never_started_has_failed_when_it_is_deleted(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        absent = {"name": "app", "image": "example.org/absent:v1"}
        node.pod("p", absent, metadata={"finalizers": ["example.org/keep"]})
        pod = await node.until("p", waits_for("ErrImagePull"))
        assert "resources" not in pod["status"]["containerStatuses"][0]
        node.delete("p")
        pod = await node.until("p", has_ended)
        assert (pod["status"]["phase"], state_of(pod)) == ("Failed", LOST)
        ready = next(each for each in pod["status"]["conditions"] if each["type"] == "Ready")
        assert ready["reason"] == "ContainersNotReady"

    on_node(tmp_path, test)


def test_a_restart_shows_nothing_between_the_end_and_the_next_start(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        seen: list[list[str]] = []
        node.registry.store.subscribe(KINDS["Pod"], lambda change: seen.append([*state_of(change.object)]))
        hook = {"postStart": {"exec": {"command": ["sleep", "0.3"]}}}
        node.pod("p", shell("sleep 0.4; exit 1", lifecycle=hook))
        await node.until("p", waits_for("CrashLoopBackOff"))
        states = [state for state, _ in itertools.groupby(each[0] for each in seen if each)]
        assert states == ["waiting", "running", "terminated", "running", "terminated", "waiting"]

    on_node(tmp_path, test)


def test_an_active_deadline_ends_a_pod(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        node.pod("p", shell("sleep 600"), activeDeadlineSeconds=3)  # time enough to start on a busy machine
        pod = await node.until("p", lambda pod: has_ended(pod) and "terminated" in state_of(pod))
        assert (pod["status"]["phase"], pod["status"]["reason"]) == ("Failed", "DeadlineExceeded")
        assert state_of(pod)["terminated"]["exitCode"] == 137

    on_node(tmp_path, test)


def test_a_failed_post_start_hook_ends_the_container(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        hook = {"postStart": {"exec": {"command": ["sh", "-c", "exit 1"]}}}
        node.pod("p", shell("sleep 600", lifecycle=hook), restartPolicy="Never")
        await node.until("p", has_ended)
        assert ("FailedPostStartHook", "PostStartHook failed") in node.events("p")

    on_node(tmp_path, test)


def test_too_much_memory_is_an_oom_kill(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        code = "import time; held = [bytearray(1 << 20) for _ in range(200)]; time.sleep(60)"
        limits = {"resources": {"limits": {"memory": "64Mi"}}}
        hungry = {"name": "app", "image": "example.org/python:v1", "args": ["-c", code], **limits}
        node.pod("p", hungry, restartPolicy="Never")
        ended = state_of(await node.until("p", has_ended))["terminated"]
        assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")

    on_node(tmp_path, test)


@pytest.mark.parametrize("watched", [False, True], ids=["as the machine can", "watched"])
def test_a_child_that_takes_too_much_memory_ends_its_whole_container_and_no_other(
    tmp_path: Path, watched: bool
) -> None:
    async def test(node: Node) -> None:
        if watched:
            node.kubelet.machine.cgroups = Cgroups()
        held = "import time; held = [bytearray(1 << 20) for _ in range(200)]; time.sleep(60)"
        hungry = shell(f"{sys.executable} -c '{held}'; echo went on; exec sleep 60")
        hungry["resources"] = {"limits": {"memory": "64Mi"}}
        sidecar = shell("exec sleep 60", "sidecar", restartPolicy="Always")
        node.pod("p", hungry, shell("exec sleep 60", "other"), initContainers=[sidecar], restartPolicy="Never")
        pod = await node.until("p", lambda pod: state_of(pod).get("terminated"))
        ended = state_of(pod)["terminated"]
        assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")
        assert "went on" not in await node.log("p", "app")
        assert "running" in state_of(pod, 1)
        assert "running" in state_of(pod, field="initContainerStatuses")

    on_node(tmp_path, test)


def test_memory_that_processes_share_counts_once(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        node.kubelet.machine.cgroups = Cgroups()
        go = tmp_path / "go"
        code = (
            "import os, time; held = bytearray(b'x') * (50 << 20); forked = [os.fork() for _ in range(2)]\n"
            "print('ready', flush=True)\n"
            f"while not os.path.exists('{go}'): time.sleep(0.05)"
        )
        limits = {"limits": {"memory": "100Mi"}}
        forking = {"name": "app", "image": "example.org/python:v1", "args": ["-c", code], "resources": limits}
        node.pod("p", forking, restartPolicy="Never")
        await node.until("p", is_running)
        await node.wait(lambda: node.raw_log("p").count("ready") == 4)  # each forks
        (container,) = node.kubelet.machine.launched
        every = processes()
        assert totals(every, [container.pid])[container.pid].memory_bytes > 150 << 20
        assert 50 << 20 < node.kubelet.usage()[NAMESPACE, "p"]["app"].memory_bytes < 100 << 20
        seen_s = clock.now_s()
        await node.wait(lambda: clock.now_s() - seen_s > 2 * WATCH_S)
        go.touch()
        assert state_of(await node.until("p", has_ended))["terminated"]["reason"] == "Completed"

    on_node(tmp_path, test)


def test_a_pod_that_takes_too_much_memory_as_a_whole_loses_its_largest_container(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        def holding(name: str, number: int) -> Obj:
            code = f"import time; held = [bytearray(1 << 20) for _ in range({number})]; time.sleep(60)"
            return {"name": name, "image": "example.org/python:v1", "args": ["-c", code]}

        whole = {"limits": {"memory": "128Mi"}}
        node.pod("p", holding("large", 90), holding("small", 60), resources=whole, restartPolicy="Never")
        pod = await node.until("p", lambda pod: state_of(pod).get("terminated"))
        assert state_of(pod)["terminated"]["reason"] == "OOMKilled"
        assert "running" in state_of(pod, 1)

    on_node(tmp_path, test)


def test_an_image_without_a_command_runs_nothing_and_is_ready(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        node.pod("p", {"name": "app", "image": "registry.k8s.io/pause:3.10"})
        await node.until("p", is_ready)
        assert not node.kubelet.usage()
        node.delete("p")
        await node.gone("p")

    on_node(tmp_path, test)


def test_usage_is_measured(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        busy = {"name": "app", "image": "example.org/python:v1", "args": ["-c", "while True: pass"]}
        node.pod("p", busy)
        await node.until("p", is_running)

        def measured() -> Any:
            used = node.kubelet.usage().get(("test", "p"), {}).get("app")
            return used if used and used.cpu_nano > 10**8 and used.memory_bytes > 10**6 else None

        await node.wait(measured)

    on_node(tmp_path, test)


def test_programs_can_be_run_inside(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        node.pod("p", shell("sleep 600", env=[{"name": "A", "value": "1"}]))
        await node.until("p", is_running)
        session = node.kubelet.exec("test", "p", "", ["sh", "-c", "cat; echo $A >&2; exit 4"], stdin=True, tty=False)
        await session.write(b"fed")
        session.close_input()
        assert await session.ended == 4
        assert await session.stdout.get() == b"fed"
        assert await session.stderr.get() == b"1\n"
        session.close()
        terminal = node.kubelet.exec("test", "p", "", ["sh", "-c", "test -t 0 && echo terminal"], stdin=True, tty=True)
        assert await terminal.stdout.get() == b"terminal\r\n"
        assert await terminal.ended == 0
        terminal.close()

    on_node(tmp_path, test)


def test_much_output_waits_for_a_slow_reader(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        node.pod("p", shell("sleep 600"))
        await node.until("p", is_running)
        session = node.kubelet.exec("test", "p", "", ["head", "-c", "8000000", "/dev/zero"], stdin=False, tty=False)
        size = 0
        while piece := await session.stdout.get():
            size += len(piece)
            assert session.stdout.qsize() <= 16
        assert (size, await session.ended) == (8000000, 0)
        session.close()

    on_node(tmp_path, test)


def stopped(pid: int) -> bool:
    """Whether nothing of a program runs: it is stopped (T), or waits (D) for a stopped child that is yet to exec."""
    states = set()
    for one in trees(processes(), [pid])[pid]:
        with contextlib.suppress(FileNotFoundError):  # it ended meanwhile
            states.add(Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()[0])
    return "T" in states and states <= {"T", "D", "Z"}


def test_faults_kill_and_freeze_a_pod(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        script = "i=0; while :; do i=$((i+1)); echo $i > /scratch/i; sleep 0.01; done"
        node.pod("p", shell(script, volumeMounts=[{"name": "work", "mountPath": "/scratch"}]),
                 volumes=[{"name": "work", "emptyDir": {}}])  # fmt: skip
        pod = await node.until("p", is_running)
        counted = node.path / "pods" / pod["metadata"]["uid"] / "volumes" / "work" / "i"
        await node.wait(counted.exists)
        node.kubelet.freeze("test", "p", frozen=True)
        container = node.kubelet._programs_of("test", "p")[0]
        await node.wait(lambda: stopped(container.pid))
        node.kubelet.freeze("test", "p", frozen=False)
        before = counted.read_text()
        await node.wait(lambda: counted.read_text() not in ("", before))
        node.kubelet.kill("test", "p")
        pod = await node.until(
            "p", lambda p: p["status"]["containerStatuses"][0]["restartCount"] == 1 and is_running(p)
        )
        assert pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 137

    on_node(tmp_path, test)


def test_pods_come_back_after_a_restart_of_the_node(tmp_path: Path) -> None:
    from tests.localkube.kubelet.node import Store, run, running

    async def whole() -> None:
        store = Store()
        async with running(tmp_path, store) as node:
            node.pod("always", shell("echo up; sleep 600"))
            node.pod("never", shell("sleep 600"), restartPolicy="Never")
            for name in ("always", "never"):
                await node.until(name, is_running)
        async with running(tmp_path, store) as node:
            pod = await node.until(
                "always", lambda p: is_running(p) and p["status"]["containerStatuses"][0]["restartCount"] == 1
            )
            last = pod["status"]["containerStatuses"][0]["lastState"]["terminated"]
            assert (last["exitCode"], last["reason"]) == (255, "Unknown")
            assert (await node.until("never", has_ended))["status"]["phase"] == "Failed"

    run(whole())


def test_the_interpreter_of_these_tests_is_what_the_image_runs(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        args = ["-c", "import sys; print(sys.executable)"]
        node.pod("p", {"name": "app", "image": "example.org/python:v1", "args": args},
                 restartPolicy="Never")  # fmt: skip
        await node.until("p", has_ended)
        assert (await node.log("p")).strip() == sys.executable

    on_node(tmp_path, test)
