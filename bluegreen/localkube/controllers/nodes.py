"""Nodes that take no pods: taints that say so, and the end of pods that do not tolerate them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bluegreen import clock
from bluegreen.localkube.controllers.adoption import is_deleting
from bluegreen.localkube.controllers.base import MANAGER, Context, Key, key_of, kind
from bluegreen.localkube.controllers.conditions import find, new, parse_time, updated_in_place
from bluegreen.localkube.controllers.fitting import tolerates
from bluegreen.localkube.status import ApiError
from bluegreen.localkube.store import Change

Obj = dict[str, Any]

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
_PRESSURES = {
    "MemoryPressure": "node.kubernetes.io/memory-pressure",
    "DiskPressure": "node.kubernetes.io/disk-pressure",
    "PIDPressure": "node.kubernetes.io/pid-pressure",
}
_OURS = frozenset([NOT_READY, UNREACHABLE, UNSCHEDULABLE, *_PRESSURES.values()])


@dataclass
class Nodes:
    """The node lifecycle and taint eviction controllers. Whether a node is ready, its kubelet says."""

    context: Context
    name: str = "taint-eviction-controller"
    watches: tuple[str, ...] = ("Node", "Pod")

    def keys(self, change: Change) -> Iterable[Key]:
        """A node whose state changed; the node of a new pod."""
        obj, before = change.object, change.previous
        if obj["kind"] == "Node":
            return [] if before and _facts(before) == _facts(obj) else [("", obj["metadata"]["name"])]
        node = obj["spec"].get("nodeName")
        arrived = before is None or not before["spec"].get("nodeName")
        if not node or change.type == "DELETED" or not arrived:
            return ()
        found = self.context.get("Node", "", node)
        return [("", node)] if found and _evicting(found) else ()

    def reconcile(self, key: Key) -> float | None:
        """Taint the node as its state asks for, and end the pods that may not stay."""
        node = self.context.get("Node", *key)
        if node is None:
            return None
        taints = wanted_taints(node)
        if taints != (node["spec"].get("taints") or []):
            node = self._taint(node, taints)
        return self._evict(key[1], _evicting(node))

    def _taint(self, node: Obj, taints: list[Obj]) -> Obj:
        def change(copy: Obj) -> None:
            copy["spec"]["taints"] = taints
            if not taints:
                del copy["spec"]["taints"]

        written = self.context.registry.modify(kind("Node"), *key_of(node), change, manager=MANAGER, subresource="")
        return written or node

    def _evict(self, node: str, taints: Sequence[Obj]) -> float | None:
        """End the pods that do not tolerate the taints; seconds until the next one's patience ends."""
        if not taints:
            return None
        waits = []
        for pod in self.context.all("Pod"):
            if pod["spec"].get("nodeName") != node or is_deleting(pod):
                continue
            left_s = patience_s(pod, taints)
            if left_s is not None and left_s <= 0:
                self._end(pod)
            elif left_s is not None:
                waits.append(left_s)
        return min(waits, default=None)

    def _end(self, pod: Obj) -> None:
        message = f"Marking for deletion Pod {pod['metadata']['namespace']}/{pod['metadata']['name']}"
        self.context.registry.event(pod, "Normal", "TaintManagerEviction", message, self.name)
        why = "Taint manager: deleting due to NoExecute taint"
        disrupted = new("DisruptionTarget", "True", "DeletionByTaintManager", why)

        def change(copy: Obj) -> None:
            status = copy.setdefault("status", {})
            status["conditions"] = updated_in_place(status.get("conditions"), disrupted)

        try:
            self.context.registry.modify(kind("Pod"), *key_of(pod), change, manager=MANAGER)
            self.context.registry.delete(kind("Pod"), *key_of(pod))
        except ApiError as error:
            if error.code != 404:
                raise


def _facts(node: Obj) -> tuple[Any, ...]:
    conditions = (node.get("status") or {}).get("conditions") or ()
    return node["spec"], [(each["type"], each["status"]) for each in conditions]


def _evicting(node: Obj) -> list[Obj]:
    return [taint for taint in node["spec"].get("taints") or () if taint["effect"] == "NoExecute"]


def wanted_taints(node: Obj) -> list[Obj]:
    """A node's taints: those that others put there, and those that its state asks for, with the time they began."""
    present = node["spec"].get("taints") or []
    asked = _asked(node)
    kept = [taint for taint in present if taint["key"] not in _OURS or (taint["key"], taint["effect"]) in asked]
    known = {(taint["key"], taint["effect"]) for taint in kept}
    return kept + [
        {"key": key, "effect": effect, "timeAdded": clock.timestamp()}
        for key, effect in asked
        if (key, effect) not in known
    ]


def _asked(node: Obj) -> list[tuple[str, str]]:
    conditions = (node.get("status") or {}).get("conditions")
    asked = [(UNSCHEDULABLE, "NoSchedule")] if node["spec"].get("unschedulable") else []
    ready = find(conditions, "Ready")
    if ready is not None and ready["status"] != "True":
        key = NOT_READY if ready["status"] == "False" else UNREACHABLE
        asked += [(key, "NoSchedule"), (key, "NoExecute")]
    for type_, key in _PRESSURES.items():
        pressure = find(conditions, type_)
        if pressure is not None and pressure["status"] == "True":
            asked.append((key, "NoSchedule"))
    return asked


def patience_s(pod: Obj, taints: Iterable[Obj]) -> float | None:
    """Seconds a pod may still stay on a node with these NoExecute taints: 0 for one that does not tolerate one of
    them, None for ever."""
    limits = []
    for taint in taints:
        tolerations = [each for each in pod["spec"].get("tolerations") or () if tolerates(each, taint)]
        if not tolerations:
            return 0.0
        seconds = [each["tolerationSeconds"] for each in tolerations if each.get("tolerationSeconds") is not None]
        if len(seconds) == len(tolerations):
            limits.append(min(seconds) - _age_s(taint))
    return max(0.0, min(limits)) if limits else None


def _age_s(taint: Obj) -> float:
    added = taint.get("timeAdded")
    return (clock.utc() - parse_time(added)).total_seconds() if added else 0.0
