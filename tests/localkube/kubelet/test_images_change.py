"""A pod whose image is changed: the kubelet's computePodActions ("definition changed") and its back-off by image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bluegreen.localkube.kinds import KINDS
from tests.localkube.kubelet.node import NAMESPACE, SHELL, Node, is_running, on_node, shell, state_of, waits_for

Obj = dict[str, Any]
OTHER = "example.org/shell:v2"


def change_image(node: Node, image: str) -> None:
    def change(pod: Obj) -> None:
        pod["spec"]["containers"][0]["image"] = image

    node.registry.modify(KINDS["Pod"], NAMESPACE, "p", change, manager="tests", subresource="")


def restarted(pod: Obj) -> bool:
    return bool(pod["status"]["containerStatuses"][0]["restartCount"] == 1 and "running" in state_of(pod))


def test_a_running_container_is_replaced_whatever_its_restart_policy(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        node.images.add(OTHER, ["sh"])
        node.pod("p", shell("trap 'exit 0' TERM; sleep 60 & wait"), restartPolicy="Never")
        await node.until("p", is_running)
        change_image(node, OTHER)
        pod = await node.until("p", restarted)
        assert pod["status"]["containerStatuses"][0]["image"] == OTHER
        assert ("Killing", "Container app definition changed, will be restarted") in node.events("p")

    on_node(tmp_path, test)


def test_one_that_waits_for_a_bad_image_starts_at_once_with_a_good_one(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        node.pod("p", shell("sleep 60") | {"image": "example.org/absent:v1"})
        await node.until("p", waits_for("ErrImagePull"))
        change_image(node, SHELL)
        pod = await node.until("p", is_running)
        assert pod["status"]["containerStatuses"][0]["restartCount"] == 0

    on_node(tmp_path, test)
