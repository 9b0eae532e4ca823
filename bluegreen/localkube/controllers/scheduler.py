"""The scheduler: gives each pod a node that fits, or says why none does and tries again when something frees up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bluegreen import clock
from bluegreen.localkube.controllers.adoption import is_deleting
from bluegreen.localkube.controllers.base import Context, Key, key_of, kind
from bluegreen.localkube.controllers.conditions import find
from bluegreen.localkube.controllers.fitting import NodeState, best, misfit, refusal
from bluegreen.localkube.controllers.pods import is_finished
from bluegreen.localkube.controllers.requests import Allocations
from bluegreen.localkube.store import Change

Obj = dict[str, Any]

NAME = "default-scheduler"
RETRY: Key = ("", "")
"""The key of all pods that wait for room."""


@dataclass
class Scheduler:
    """The default scheduler. Pods that ask for another scheduler are not its."""

    context: Context
    name: str = NAME
    watches: tuple[str, ...] = ("Pod", "Node")
    _waiting: dict[Key, None] = field(default_factory=dict)
    _allocations: Allocations = field(init=False)

    def __post_init__(self) -> None:
        self._allocations = Allocations(self.context.store)

    def keys(self, change: Change) -> Iterable[Key]:
        """A pod without a node; all that wait when a node changes or a pod frees what it had."""
        obj = change.object
        if obj["kind"] == "Node":
            return [RETRY] if self._waiting and _node_matters(change) else ()
        if obj["spec"].get("nodeName"):
            frees = change.type == "DELETED" or is_finished(obj)
            arrives = change.previous is None or not change.previous["spec"].get("nodeName")  # who wants to be near
            return [RETRY] if self._waiting and (frees or arrives) else ()
        key = key_of(obj)
        if change.type == "DELETED":
            self._waiting.pop(key, None)
            return ()
        return [key] if change.type == "ADDED" or _gates(obj) != _gates(change.previous or obj) else ()

    def reconcile(self, key: Key) -> float | None:
        """Bind one pod, or every one that waits and fits now."""
        for each in list(self._waiting) if key == RETRY else [key]:
            pod = self.context.get("Pod", *each)
            if pod is None or pod["spec"].get("nodeName") or is_deleting(pod):
                self._waiting.pop(each, None)
            elif pod["spec"].get("schedulerName", NAME) == NAME:
                self._schedule(each, pod)
        return None

    def _schedule(self, key: Key, pod: Obj) -> None:
        if _gates(pod):
            return
        states = self._states()
        fitting = [state for state in states if misfit(pod, state, states) is None]
        if fitting:
            self._waiting.pop(key, None)
            self._bind(pod, best(pod, fitting).name)
            return
        self._waiting[key] = None
        message = refusal(pod, states)
        if self._say(pod, "Unschedulable", message):
            self._tell(pod, "Warning", "FailedScheduling", message, "Scheduling")

    def _states(self) -> list[NodeState]:
        return [self._state(node) for node in self.context.all("Node")]

    def _state(self, node: Obj) -> NodeState:
        taken, name = self._allocations, node["metadata"]["name"]
        return NodeState(node, taken.taken[name], taken.pods[name], taken.loners[name], taken.host_ports[name])

    def _bind(self, pod: Obj, node: str) -> None:
        def change(copy: Obj) -> None:
            bind(copy, node)

        self.context.registry.modify(kind("Pod"), *key_of(pod), change, manager="kube-scheduler", subresource="binding")
        namespace, name = key_of(pod)
        self._tell(pod, "Normal", "Scheduled", f"Successfully assigned {namespace}/{name} to {node}", "Binding")

    def _tell(self, pod: Obj, type_: str, reason: str, message: str, action: str) -> None:
        """An event as the scheduler writes it: it runs on the cluster's first node."""
        host = next((node["metadata"]["name"] for node in self.context.all("Node")), "")
        self.context.registry.event(pod, type_, reason, message, self.name, host=host, action=action)

    def _say(self, pod: Obj, reason: str, message: str) -> bool:
        """Write the condition PodScheduled=False; whether it says something new."""
        current = find((pod.get("status") or {}).get("conditions"), "PodScheduled")
        if current and (current.get("reason"), current.get("message")) == (reason, message):
            return False

        def change(copy: Obj) -> None:
            _set_scheduled(copy, "False", reason, message)

        self.context.registry.modify(kind("Pod"), *key_of(pod), change, manager="kube-scheduler")
        return True


def bind(pod: Obj, node: str) -> None:
    """Assign a pod (the caller's copy) to a node, as ``pods/binding`` does."""
    pod["spec"]["nodeName"] = node
    _set_scheduled(pod, "True")


def _set_scheduled(pod: Obj, status: str, reason: str = "", message: str = "") -> None:
    conditions = pod.setdefault("status", {}).setdefault("conditions", [])
    current = find(conditions, "PodScheduled")
    same = current is not None and current["status"] == status
    condition: Obj = {
        "type": "PodScheduled",
        "status": status,
        "lastProbeTime": None,
        "lastTransitionTime": current["lastTransitionTime"] if current and same else clock.timestamp(),
    }
    condition |= {key: value for key, value in (("reason", reason), ("message", message)) if value}
    if pod["metadata"].get("generation"):
        condition["observedGeneration"] = pod["metadata"]["generation"]
    if current is None:
        conditions.append(condition)
    else:
        conditions[conditions.index(current)] = condition


def _gates(pod: Obj) -> list[Obj]:
    return pod["spec"].get("schedulingGates") or []


def _node_matters(change: Change) -> bool:
    """Whether a node changed in something a pod could wait for: not by its heartbeat."""
    before, now = change.previous, change.object
    return before is None or _node_facts(before) != _node_facts(now)


def _node_facts(node: Obj) -> tuple[Any, ...]:
    status = node.get("status") or {}
    ready = find(status.get("conditions"), "Ready") or {}
    return node["metadata"].get("labels"), node["spec"], status.get("allocatable"), ready.get("status")
