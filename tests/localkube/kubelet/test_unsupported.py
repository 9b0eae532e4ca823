"""What is not emulated is warned of."""

from __future__ import annotations

from pathlib import Path

from bluegreen.localkube.kubelet import unsupported
from tests.localkube.kubelet.node import Node, is_running, on_node, shell


def test_what_is_only_ignored_is_said_in_an_event(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        ports = [{"containerPort": 80, "hostPort": 8080}]
        node.pod("p", shell("sleep 60", ports=ports), shareProcessNamespace=True)
        await node.until("p", is_running)
        said = [message for reason, message in node.events("p") if reason == "NotEmulated"]
        assert any("shareProcessNamespace" in message for message in said)
        assert any("hostPort 8080" in message for message in said)

    on_node(tmp_path, test)


def test_an_ordinary_pod_is_not_warned_about() -> None:
    assert unsupported.warnings({"containers": [{"name": "a", "ports": [{"containerPort": 80}]}]}) == []
