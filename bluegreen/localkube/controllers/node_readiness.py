"""Pods of a node that is not ready are not ready either, so that Services let go of them at once.

Kubernetes' node lifecycle controller does so when a node's condition Ready stops being True; the pods' own kubelet
makes them ready again when it is back. Taints and evictions follow from the same condition (``nodes.py``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bluegreen import clock
from bluegreen.localkube.controllers.base import MANAGER, Context, Key, key_of, kind
from bluegreen.localkube.controllers.conditions import find, is_true, updated_in_place
from bluegreen.localkube.controllers.pods import is_ready
from bluegreen.localkube.store import Change

Obj = dict[str, Any]


@dataclass
class NodeReadiness:
    """Marks pods as not ready."""

    context: Context
    name: str = "node-controller"
    watches: tuple[str, ...] = ("Node", "Pod")
    _told: set[str] = field(default_factory=set)  # nodes of which it has been said

    def keys(self, change: Change) -> Iterable[Key]:
        """A node that stopped being ready; the node of a pod that became ready on one that is not."""
        obj = change.object
        if change.type == "DELETED":
            return ()
        if obj["kind"] == "Node":
            return () if change.previous and lost(change.previous) == lost(obj) else [("", obj["metadata"]["name"])]
        name = obj["spec"].get("nodeName")
        if not name or not is_ready(obj):
            return ()
        node = self.context.get("Node", "", name)
        return [("", name)] if node and lost(node) else ()

    def reconcile(self, key: Key) -> float | None:
        """Mark the node's pods that are ready, and say so."""
        node = self.context.get("Node", *key)
        if node is None or not lost(node):
            self._told.discard(key[1])
            return None
        for pod in self.context.all("Pod"):
            if pod["spec"].get("nodeName") == key[1] and is_ready(pod):
                self._mark(pod)
        if key[1] not in self._told:
            self._told.add(key[1])
            message = f"Node {key[1]} status is now: NodeNotReady"
            self.context.registry.event(node, "Normal", "NodeNotReady", message, self.name)
        return None

    def _mark(self, pod: Obj) -> None:
        def change(copy: Obj) -> None:
            conditions = copy["status"]["conditions"]
            ready = find(conditions, "Ready")
            if ready is not None:
                marked = {**ready, "status": "False", "lastTransitionTime": clock.timestamp()}
                copy["status"]["conditions"] = updated_in_place(conditions, marked)

        self.context.registry.modify(kind("Pod"), *key_of(pod), change, manager=MANAGER)
        self.context.registry.event(pod, "Warning", "NodeNotReady", "Node is not ready", self.name)


def lost(node: Obj) -> bool:
    """Whether a node has said how it is, and that is not ready."""
    conditions = (node.get("status") or {}).get("conditions")
    return find(conditions, "Ready") is not None and not is_true(conditions, "Ready")
