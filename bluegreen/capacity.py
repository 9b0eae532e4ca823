"""Whether the namespace's quotas hold a second colour. Pure arithmetic; a quota that cannot is found before anything is
created, and not by pods that never come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bluegreen.grammar import amount

Obj = dict[str, Any]

_PER_POD = {
    "requests.cpu": ("requests", "cpu"),
    "cpu": ("requests", "cpu"),
    "requests.memory": ("requests", "memory"),
    "memory": ("requests", "memory"),
    "limits.cpu": ("limits", "cpu"),
    "limits.memory": ("limits", "memory"),
}
"""Keys of a ResourceQuota that pods use up by what their containers ask for."""


def needed(deployment: Obj, replicas: int) -> dict[str, float]:
    """What so many pods of a Deployment use up of a quota, by the quota's keys."""
    containers = deployment["spec"]["template"]["spec"].get("containers") or []
    need = {"pods": float(replicas), "count/pods": float(replicas)}
    for key, (side, resource) in _PER_POD.items():
        asked = ((container.get("resources") or {}).get(side, {}).get(resource) for container in containers)
        need[key] = replicas * sum(amount(str(quantity)) for quantity in asked if quantity)
    return need


def shortages(quotas: Iterable[Obj], need: dict[str, float]) -> Iterator[str]:
    """One sentence for each quota that does not hold what is needed on top of what is used."""
    for quota in quotas:
        if quota.get("spec", {}).get("scopes") or quota.get("spec", {}).get("scopeSelector"):
            continue  # whether it counts these pods depends on more than their numbers; the cluster will tell
        status = quota.get("status", {})
        for key, hard in (status.get("hard") or quota.get("spec", {}).get("hard") or {}).items():
            used = (status.get("used") or {}).get(key, "0")
            if key in need and amount(str(used)) + need[key] > amount(str(hard)) + 1e-9:
                name = quota["metadata"]["name"]
                yield f"ResourceQuota {name} allows {key} {hard}, {used} is used and {_shown(need[key])} more is needed"


def _shown(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else f"{value:g}"
