"""Containers that are added to a pod for debugging: they run once, beside the others, and end with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.status import ApiError
from bluegreen.localkube.store import Store
from tests.localkube.kubelet.node import NAMESPACE, Node, has_ended, is_ready, on_node, run, running, shell, state_of

Obj = dict[str, Any]
POD = KINDS["Pod"]


def add(node: Node, *containers: Obj) -> Obj:
    """As kubectl debug does."""
    body = {"spec": {"ephemeralContainers": list(containers)}}
    pod, _ = node.registry.patch(
        POD, NAMESPACE, "p", "strategic", body, manager="kubectl-debug", subresource="ephemeralcontainers"
    )
    return pod


def debugger(script: str, name: str = "debug", **more: Any) -> Obj:
    return shell(script, name, **more)


def ended(pod: Obj) -> Obj:
    return state_of(pod, field="ephemeralContainerStatuses").get("terminated") or {}


def test_it_runs_once_and_holds_nothing_up(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        node.pod("p", shell("exec sleep 60"))
        before = await node.until("p", is_ready)
        assert (
            add(node, debugger("echo looked; exit 4"))["metadata"]["generation"] == before["metadata"]["generation"] + 1
        )
        pod = await node.until("p", ended)
        (status,) = pod["status"]["ephemeralContainerStatuses"]
        assert (ended(pod)["exitCode"], status["restartCount"], status["ready"]) == (4, 0, False)
        assert is_ready(pod)
        assert await node.log("p", "debug") == "looked\n"
        assert ("Created", "Created container: debug") in node.events("p")

    on_node(tmp_path, test)


def test_it_ends_with_its_pod(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        node.pod("p", shell("exec sleep 60"), initContainers=[shell("true", "init")])
        await node.until("p", is_ready)
        add(node, debugger("exec sleep 60"))
        await node.until("p", lambda pod: "running" in state_of(pod, field="ephemeralContainerStatuses"))
        programs = set(node.kubelet.machine.launched)
        node.delete("p", grace_s=1)
        await node.gone("p")
        assert [program.ended.done() for program in programs] == [True, True]

    on_node(tmp_path, test)


def test_one_that_was_there_before_a_restart_of_the_node_does_not_run_again(tmp_path: Path) -> None:
    async def test() -> None:
        store = Store()
        async with running(tmp_path, store) as node:
            node.pod("p", shell("exec sleep 60"))
            await node.until("p", is_ready)
            add(node, debugger("exit 4"))
            await node.until("p", ended)
        async with running(tmp_path, store) as node:
            pod = await node.until("p", lambda pod: pod["status"]["containerStatuses"][0]["restartCount"] == 1)
            assert ended(pod)["exitCode"] == 4

    run(test())


def test_those_that_are_there_stay_as_they_are(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        node.pod("p", shell("exec sleep 60"))
        add(node, debugger("exit 4"))
        with pytest.raises(ApiError, match='existing ephemeral containers "debug" may not be changed'):
            add(node, debugger("exit 5"))
        with pytest.raises(ApiError, match=r"ports: Forbidden: cannot be set for an Ephemeral Container"):
            add(node, debugger("exit 5", "other", ports=[{"containerPort": 1}]))
        with pytest.raises(ApiError, match='Duplicate value: "app"'):
            add(node, debugger("exit 5", "app"))
        removed = node.registry.get(POD, NAMESPACE, "p")
        removed = {**removed, "spec": {**removed["spec"], "ephemeralContainers": []}}
        with pytest.raises(ApiError, match='existing ephemeral containers "debug" may not be removed'):
            node.registry.update(POD, NAMESPACE, "p", removed, manager="m", subresource="ephemeralcontainers")

    on_node(tmp_path, test)


def test_a_pod_that_ends_by_itself_takes_it_along(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        node.pod("p", shell("sleep 1"), restartPolicy="Never", terminationGracePeriodSeconds=1)
        add(node, debugger("exec sleep 60"))
        pod = await node.until("p", has_ended)
        assert pod["status"]["phase"] == "Succeeded"
        assert ended(pod)["exitCode"] == 137

    on_node(tmp_path, test)
