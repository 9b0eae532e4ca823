"""The node's sign of life: a Lease in kube-node-lease that its kubelet renews."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from bluegreen import clock
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.status import ApiError

NAMESPACE = "kube-node-lease"
LEASE = KINDS["Lease"]
DURATION_S = 40  # for which a renewal is good: the kubelet's nodeLeaseDurationSeconds
RENEWAL_S = DURATION_S / 4  # the kubelet renews four times within it


class Heartbeat:
    """Renews one node's Lease while it runs."""

    def __init__(self, registry: Registry, node: str) -> None:
        self._registry, self._node = registry, node
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Renew it now and from now on."""
        self._task = asyncio.create_task(self._run(), name="node lease")

    def stop(self) -> None:
        """Renew it no more."""
        if self._task:
            self._task.cancel()

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(ApiError):  # the namespace is missing or going: it may come back
                self.beat()
            await asyncio.sleep(RENEWAL_S)

    def beat(self) -> None:
        """One renewal; the first makes the Lease, which the node owns."""
        renewed = self._registry.modify(LEASE, NAMESPACE, self._node, self._renew, manager="kubelet", subresource="")
        if renewed is None:
            lease = {"metadata": {"name": self._node, "ownerReferences": self._owners()}, "spec": {}}
            self._renew(lease)
            self._registry.create(LEASE, NAMESPACE, lease, manager="kubelet")

    def _renew(self, lease: dict[str, Any]) -> None:
        held = {"holderIdentity": self._node, "leaseDurationSeconds": DURATION_S, "renewTime": clock.micro_timestamp()}
        lease["spec"] = {**lease["spec"], **held}

    def _owners(self) -> list[dict[str, str]]:
        node = self._registry.store.get(KINDS["Node"], "", self._node)
        if node is None:
            return []
        return [{"apiVersion": "v1", "kind": "Node", "name": self._node, "uid": node["metadata"]["uid"]}]
