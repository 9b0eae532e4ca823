"""Conditions of a status: found, set as Kubernetes sets them, removed. Pure but for the clock's timestamp."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bluegreen import clock

Obj = dict[str, Any]
Conditions = list[Obj]


def find(conditions: Conditions | None, type_: str) -> Obj | None:
    """The condition of that type."""
    return next((condition for condition in conditions or () if condition["type"] == type_), None)


def is_true(conditions: Conditions | None, type_: str) -> bool:
    """Whether there is such a condition and its status is True."""
    condition = find(conditions, type_)
    return condition is not None and condition["status"] == "True"


def without(conditions: Conditions | None, type_: str) -> Conditions:
    """The conditions but for those of that type."""
    return [condition for condition in conditions or () if condition["type"] != type_]


def replaced(conditions: Conditions | None, condition: Obj) -> Conditions:
    """The conditions with one set: kept as it was when status and reason are the same, its transition time kept
    when only the status is, appended at the end otherwise (what Deployments and ReplicaSets do)."""
    current = find(conditions, condition["type"])
    if current and (current["status"], current.get("reason")) == (condition["status"], condition.get("reason")):
        return list(conditions or ())
    if current and current["status"] == condition["status"]:
        condition = condition | {"lastTransitionTime": current["lastTransitionTime"]}
    return [*without(conditions, condition["type"]), condition]


def updated_in_place(conditions: Conditions | None, condition: Obj) -> Conditions:
    """The conditions with one set in its place; its transition time moves only with its status (what most do)."""
    current = find(conditions, condition["type"])
    if current is None:
        return [*(conditions or ()), condition]
    if current["status"] == condition["status"]:
        condition = condition | {"lastTransitionTime": current.get("lastTransitionTime")}
    return [condition if old["type"] == condition["type"] else old for old in conditions or ()]


def new(type_: str, status: str, reason: str, message: str) -> Obj:
    """A condition that changes now."""
    return {
        "type": type_,
        "status": status,
        "lastTransitionTime": clock.timestamp(),
        "reason": reason,
        "message": message,
    }


def parse_time(timestamp: str) -> datetime:
    """A Kubernetes timestamp, with or without a fraction."""
    return datetime.fromisoformat(timestamp.replace("Z", "+00:00")).astimezone(UTC)


def age_s(timestamp: str) -> float:
    """Seconds since a Kubernetes timestamp; the wall clock's jumps show."""
    return (clock.utc() - parse_time(timestamp)).total_seconds()
