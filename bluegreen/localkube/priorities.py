"""Which priority a new pod has, by its PriorityClass (the Priority plugin)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bluegreen.localkube.kinds import KINDS, Obj
from bluegreen.localkube.status import forbidden
from bluegreen.localkube.store import Store

if TYPE_CHECKING:
    from bluegreen.localkube.admission import Admission

SYSTEM: dict[str, tuple[int, str]] = {
    "system-cluster-critical": (
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
    "system-node-critical": (
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
}
"""The classes every cluster has: their value and description."""


def give(store: Store, name: str, spec: Obj) -> None:
    """The name, number and policy of a new pod's priority class. 403 for one that is not there or not what it says."""
    class_name = spec.get("priorityClassName") or ""
    found = _class(store, class_name) if class_name else _default(store)
    if class_name and found is None:
        raise forbidden("pods", "", name, f"no PriorityClass with name {class_name} was found")
    if found is not None:
        spec["priorityClassName"] = found["metadata"]["name"]
    priority, policy = (found["value"], found["preemptionPolicy"]) if found else (0, "PreemptLowerPriority")
    computed = "must not be provided in pod spec; priority admission controller computed"
    ending = "from the given PriorityClass name"
    if spec.get("priority", priority) != priority:
        raise forbidden(
            "pods", "", name, f"the integer value of priority ({spec['priority']}) {computed} {priority} {ending}"
        )
    if spec.get("preemptionPolicy", policy) != policy:
        stated = f"the string value of PreemptionPolicy ({spec['preemptionPolicy']})"
        raise forbidden("pods", "", name, f"{stated} {computed} {policy} {ending}")
    spec["priority"], spec["preemptionPolicy"] = priority, policy


def _class(store: Store, name: str) -> Obj | None:
    if name in SYSTEM:  # there from the first moment, and for good
        return {"metadata": {"name": name}, "value": SYSTEM[name][0], "preemptionPolicy": "PreemptLowerPriority"}
    return store.get(KINDS["PriorityClass"], "", name)


def _default(store: Store) -> Obj | None:
    """The class of pods that name none; of several the one of least value."""
    found = [each for each in store.list(KINDS["PriorityClass"], "") if each.get("globalDefault")]
    return min(found, key=lambda each: each["value"], default=None)


def admit(store: Store, request: Admission) -> None:
    """403 for a second default."""
    obj = request.obj
    if request.kind.key != "PriorityClass" or request.operation == "DELETE" or not obj.get("globalDefault"):
        return
    default = _default(store)
    if default is None or (request.operation == "UPDATE" and default["metadata"]["name"] == obj["metadata"]["name"]):
        return
    why = f"PriorityClass {default['metadata']['name']} is already marked as default. Only one default can exist"
    raise forbidden(request.kind.plural, request.kind.group, obj["metadata"]["name"], why)
