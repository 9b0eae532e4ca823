"""The node's object, its sign of life, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.store import Store
from tests.localkube.kubelet.node import Node, new_registry, on_node, run, running

LEASE, NODE, NAMESPACE = KINDS["Lease"], KINDS["Node"], KINDS["Namespace"]


def set_unschedulable(node: dict[str, Any]) -> None:
    node["spec"]["unschedulable"] = True


def told(node: Node) -> list[str]:
    events = node.registry.list(KINDS["Event"], "default")
    return [event["reason"] for event in events if event["involvedObject"]["kind"] == "Node"]


def test_the_node_describes_this_machine(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        found = node.registry.get(NODE, "", "localkube")["status"]["nodeInfo"]
        assert len(found["machineID"]) == 32
        assert all(found[key] for key in ("bootID", "systemUUID", "osImage", "kernelVersion"))

    on_node(tmp_path, test)


def test_its_lease_is_renewed(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        def lease() -> Any:
            return node.registry.store.get(LEASE, "kube-node-lease", "localkube")

        node.registry.create(NAMESPACE, "", {"metadata": {"name": "kube-node-lease"}})
        node.kubelet.heartbeat.beat()
        first = lease()
        (owner,) = first["metadata"]["ownerReferences"]
        assert owner["uid"] == node.registry.get(NODE, "", "localkube")["metadata"]["uid"]
        assert (first["spec"]["holderIdentity"], first["spec"]["leaseDurationSeconds"]) == ("localkube", 40)
        node.kubelet.heartbeat.beat()
        assert lease()["spec"]["renewTime"] > first["spec"]["renewTime"]

    on_node(tmp_path, test)


def test_what_happens_to_it_is_told(tmp_path: Path) -> None:
    async def test() -> None:
        store = Store()
        new_registry(store).create(NAMESPACE, "", {"metadata": {"name": "default"}})
        async with running(tmp_path, store) as node:
            assert sorted(told(node)) == [
                "NodeHasNoDiskPressure", "NodeHasSufficientMemory", "NodeHasSufficientPID", "NodeReady", "Starting",
            ]  # fmt: skip
            node.kubelet.faults.ready = False
            node.kubelet.register_node()
            node.registry.modify(NODE, "", "localkube", set_unschedulable, subresource="")
            await node.wait(lambda: {"NodeNotReady", "NodeNotSchedulable"} <= set(told(node)), lambda: told(node))

    run(test())
