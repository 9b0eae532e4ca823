"""PriorityClasses: values that users may give, and what of one may not change."""

from __future__ import annotations

from bluegreen.localkube.priorities import SYSTEM
from bluegreen.localkube.validation.fields import Causes, Obj, forbidden, immutable, unless_in

_PREFIX = "system-"
_HIGHEST = 1_000_000_000
_POLICIES = ("PreemptLowerPriority", "Never")


def priority_class(obj: Obj) -> Causes:
    """A PriorityClass."""
    causes: Causes = []
    name, value = obj["metadata"].get("name") or "", obj["value"]
    if name.startswith(_PREFIX):
        if why := _unlike_system(name, value, obj.get("globalDefault", False)):
            sentence = f"priority class names with '{_PREFIX}' prefix are reserved for system use only. error: {why}"
            causes.append(forbidden("metadata.name", sentence))
    elif value > _HIGHEST:
        causes.append(forbidden("value", f"maximum allowed value of a user defined priority is {_HIGHEST}"))
    return causes + unless_in("preemptionPolicy", obj.get("preemptionPolicy"), _POLICIES)


def _unlike_system(name: str, value: int, default: bool) -> str:
    if name not in SYSTEM:
        return f"{name} is not a known system priority class"
    if value != SYSTEM[name][0]:
        return f"value of {name} PriorityClass must be {SYSTEM[name][0]}"
    return f"globalDefault of {name} PriorityClass must be false" if default else ""


def priority_class_update(obj: Obj, old: Obj) -> Causes:
    """A changed PriorityClass: pods have been given its value."""
    causes: Causes = []
    if obj["value"] != old["value"]:
        causes.append(forbidden("value", "may not be changed in an update."))
    return causes + immutable("preemptionPolicy", obj.get("preemptionPolicy"), old.get("preemptionPolicy"))
