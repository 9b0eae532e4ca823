"""What the server fills into Namespaces, Nodes, Secrets, LimitRanges and PriorityClasses."""

from __future__ import annotations

import base64
from typing import Any

Obj = dict[str, Any]
NAME_LABEL = "kubernetes.io/metadata.name"


def namespace(obj: Obj) -> None:
    """A Namespace: its name as a label, and a phase."""
    metadata = obj["metadata"]
    if metadata.get("name"):
        metadata.setdefault("labels", {})[NAME_LABEL] = metadata["name"]
    obj["status"].setdefault("phase", "Active")


def node(obj: Obj) -> None:
    """A Node: everything it has may be allocated unless it says otherwise."""
    status = obj["status"]
    if status.get("capacity") and "allocatable" not in status:
        status["allocatable"] = dict(status["capacity"])


def secret(obj: Obj) -> None:
    """A Secret: Opaque, with stringData merged into data, which is all that is kept of it."""
    obj.setdefault("type", "Opaque")
    plain = obj.pop("stringData", None)
    if plain:
        data = obj.setdefault("data", {})
        for key, text in plain.items():
            data[key] = base64.b64encode((text or "").encode()).decode()


def limit_range(obj: Obj) -> None:
    """A LimitRange: the limits of containers are their maximum, and their requests their limits or the minimum."""
    obj["spec"]["limits"] = obj["spec"].get("limits") or None  # as etcd gives it back: an empty list is none
    for item in obj["spec"]["limits"] or ():
        if item.get("type") != "Container":
            continue
        default = {**(item.get("max") or {}), **(item.get("default") or {})}
        requests = {**(item.get("min") or {}), **default, **(item.get("defaultRequest") or {})}
        for key, amounts in (("default", default), ("defaultRequest", requests)):
            if amounts:
                item[key] = amounts


def priority_class(obj: Obj) -> None:
    """A PriorityClass: its pods preempt others unless it says otherwise."""
    obj.setdefault("preemptionPolicy", "PreemptLowerPriority")
