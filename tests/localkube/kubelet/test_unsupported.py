"""What is not emulated: gRPC probes are refused, the rest is warned of."""

from __future__ import annotations

from pathlib import Path

import pytest

from bluegreen.localkube.kubelet import unsupported
from bluegreen.localkube.status import ApiError
from tests.localkube.kubelet.node import Node, is_running, on_node, shell


def test_grpc_probes_are_refused_at_the_door(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        node.registry.admission.append(unsupported.refuse)
        with pytest.raises(ApiError, match="gRPC probes are not emulated") as caught:
            node.pod("p", shell("sleep 60", livenessProbe={"grpc": {"port": 9000}}))
        assert caught.value.code == 403
        node.pod("q", shell("sleep 60", livenessProbe={"tcpSocket": {"port": 9000}}))

    on_node(tmp_path, test)


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
