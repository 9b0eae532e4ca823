"""ReplicaSets: as many pods of a template as asked for, no matter what becomes of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bluegreen.localkube import quantities
from bluegreen.localkube.controllers.adoption import claim, is_deleting
from bluegreen.localkube.controllers.base import MANAGER, Context, Key, key_of, kind
from bluegreen.localkube.controllers.conditions import Conditions, find, new, without
from bluegreen.localkube.controllers.owners import controller_of
from bluegreen.localkube.controllers.pod_control import PodControl
from bluegreen.localkube.controllers.pods import first_to_go, from_template, is_active, is_ready, until_available_s
from bluegreen.localkube.selectors import selects
from bluegreen.localkube.status import ApiError
from bluegreen.localkube.store import Change

Obj = dict[str, Any]

PODS_PER_PASS = 64
"""Pods created or deleted before other work gets its turn (Kubernetes, which runs several at once: 500). A choice."""


@dataclass
class ReplicaSets:
    """The ReplicaSet controller."""

    context: Context
    name: str = "replicaset-controller"
    watches: tuple[str, ...] = ("ReplicaSet", "Pod", "ResourceQuota")

    def keys(self, change: Change) -> Iterable[Key]:
        """The set itself; a pod's owner before and after, or the sets that may adopt it; those a quota held up."""
        obj = change.object
        if obj["kind"] == "ReplicaSet":
            return [key_of(obj)]
        if obj["kind"] == "ResourceQuota":
            return self._held_up(obj["metadata"]["namespace"]) if _gives_room(change) else ()
        owners = {self._owner(obj), self._owner(change.previous) if change.previous else None} - {None}
        return [owner for owner in owners if owner] or self._adopters(obj)

    def reconcile(self, key: Key) -> float | None:
        """Create or delete the pods that make the difference, and bring the status up to date."""
        rs = self.context.get("ReplicaSet", *key)
        if rs is None:
            return None
        claimed = claim(self.context.registry, self.context.pods, kind("Pod"), kind("ReplicaSet"), rs)
        active = [pod for pod in claimed if is_active(pod)]
        missing = rs["spec"].get("replicas", 1) - len(active)
        refusal = None if is_deleting(rs) else self._manage(rs, active, missing)
        status, soonest_s = counted(rs, active, refusal)
        self._write(rs, status)
        if refusal:
            raise refusal
        return 0.0 if abs(missing) > PODS_PER_PASS else soonest_s

    def _manage(self, rs: Obj, active: Sequence[Obj], missing: int) -> ApiError | None:
        control = PodControl(self.context.registry, rs, self.name)
        if missing > 0:
            template, prefix = rs["spec"]["template"], rs["metadata"]["name"]
            count = min(missing, PODS_PER_PASS)
            return control.create(from_template(template, kind("ReplicaSet"), rs, prefix) for _ in range(count))
        if missing < 0:
            crowds = self._crowds(rs)
            ordered = first_to_go(active, lambda pod: crowds[pod["spec"].get("nodeName", "")])
            return control.delete(ordered[: min(-missing, PODS_PER_PASS)])
        return None

    def _crowds(self, rs: Obj) -> Counter[str]:
        """How many active pods of this set and of its Deployment's others each node has."""
        owner = controller_of(rs)
        siblings = self.context.replica_sets.controlled(owner["uid"]) if owner else [rs]
        related = [pod for each in siblings for pod in self.context.pods.controlled(each["metadata"]["uid"])]
        return Counter(pod["spec"].get("nodeName", "") for pod in related if is_active(pod))

    def _write(self, rs: Obj, status: Obj) -> None:
        """A status whose counts stay is left alone, unless the set has a generation it does not know."""

        def change(copy: Obj) -> None:
            copy["status"] = status

        self.context.registry.modify(kind("ReplicaSet"), *key_of(rs), change, manager=MANAGER)

    @staticmethod
    def _owner(pod: Obj) -> Key | None:
        owner = controller_of(pod)
        named = owner is not None and owner["kind"] == "ReplicaSet"
        return (pod["metadata"]["namespace"], owner["name"]) if owner and named else None

    def _adopters(self, pod: Obj) -> list[Key]:
        if controller_of(pod) or is_deleting(pod):
            return []
        labels = pod["metadata"].get("labels")
        candidates = self.context.all("ReplicaSet", pod["metadata"]["namespace"]) if labels else []
        return [key_of(each) for each in candidates if selects(each["spec"]["selector"], labels)]

    def _held_up(self, namespace: str) -> list[Key]:
        sets = self.context.all("ReplicaSet", namespace)
        return [key_of(rs) for rs in sets if find((rs.get("status") or {}).get("conditions"), "ReplicaFailure")]


def _gives_room(change: Change) -> bool:
    """Whether a quota allows more than before: it went, was changed, or something it counts did."""
    if change.type == "DELETED" or change.previous is None:
        return change.type == "DELETED"
    before, now = change.previous, change.object
    used = [(quota.get("status") or {}).get("used") or {} for quota in (before, now)]
    return bool(before["spec"] != now["spec"]) or any(
        quantities.compare(used[1].get(name, "0"), amount) < 0 for name, amount in used[0].items()
    )


def counted(rs: Obj, active: Sequence[Obj], refusal: ApiError | None) -> tuple[Obj, float | None]:
    """(the status, seconds until the next ready pod counts as available): pods as they were before this pass."""
    waits = [until_available_s(pod, rs["spec"].get("minReadySeconds", 0)) for pod in active]
    template = ((rs["spec"]["template"].get("metadata") or {}).get("labels") or {}).items()
    counts = {
        "fullyLabeledReplicas": sum(template <= (pod["metadata"].get("labels") or {}).items() for pod in active),
        "readyReplicas": sum(is_ready(pod) for pod in active),
        "availableReplicas": sum(wait == 0 for wait in waits),
        "observedGeneration": rs["metadata"].get("generation", 0),
    }
    status: Obj = {"replicas": len(active), **{field: count for field, count in counts.items() if count}}
    conditions = _conditions(rs, len(active), refusal)
    if conditions:
        status["conditions"] = conditions
    return status, min((wait for wait in waits if wait), default=None)


def _conditions(rs: Obj, active: int, refusal: ApiError | None) -> Conditions:
    conditions = (rs.get("status") or {}).get("conditions")
    if refusal is None:
        return without(conditions, "ReplicaFailure")
    if find(conditions, "ReplicaFailure"):
        return list(conditions or ())
    reason = "FailedCreate" if active < rs["spec"].get("replicas", 1) else "FailedDelete"
    return [*without(conditions, "ReplicaFailure"), new("ReplicaFailure", "True", reason, refusal.message)]
