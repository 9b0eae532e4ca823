"""Resource requirements, and which resources may be named where."""

from __future__ import annotations

from typing import Any

from bluegreen.localkube import quantities
from bluegreen.localkube.validation import names
from bluegreen.localkube.validation.fields import NEGATIVE, Causes, Obj, each_invalid, forbidden, invalid, required

_COMPUTE = frozenset(("cpu", "memory", "ephemeral-storage"))
_COUNTED = frozenset(
    (
        *("pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps"),
        *("persistentvolumeclaims", "services.nodeports", "services.loadbalancers"),
    )
)
QUOTA = (
    _COMPUTE
    | _COUNTED
    | {f"{part}.{name}" for part in ("requests", "limits") for name in _COMPUTE}
    | {"requests.storage"}
)
"""Standard resources that a quota may limit."""
_STANDARD = QUOTA | {"storage"}
_HUGE = "hugepages-"


def is_native(name: str) -> bool:
    """A resource of Kubernetes' own."""
    return "/" not in name or "kubernetes.io/" in name


def _is_extended(name: str) -> bool:
    return not is_native(name) and not name.startswith("requests.") and not names.qualified(f"requests.{name}")


def _may_overcommit(name: str) -> bool:
    return is_native(name) and not name.startswith(_HUGE)


def _resource_name(name: str, path: str) -> Causes:
    causes = each_invalid(path, name, names.qualified(name))
    if not causes and "/" not in name and name not in _STANDARD and not name.startswith((_HUGE, f"requests.{_HUGE}")):
        causes.append(invalid(path, name, "must be a standard resource type or fully qualified"))
    return causes


def container_resource(name: str, path: str) -> Causes:
    """The name of a resource that a container asks for."""
    causes = _resource_name(name, path)
    if "/" not in name:
        if name not in _COMPUTE and not name.startswith(_HUGE):
            causes.append(invalid(path, name, "must be a standard resource for containers"))
    elif not is_native(name) and not _is_extended(name):
        causes.append(invalid(path, name, "doesn't follow extended resource name standard"))
    return causes


def quota_resource(name: str, path: str) -> Causes:
    """The name of a resource that a quota limits."""
    causes = _resource_name(name, path)
    if "/" not in name and name not in QUOTA and not name.startswith((_HUGE, f"requests.{_HUGE}")):
        causes.append(invalid(path, name, "must be a standard resource for quota"))
    return causes


def quantity(name: str, value: str, path: str) -> Causes:
    """How much of a resource: not negative, and whole where it is counted."""
    nano = quantities.parse(value)
    causes: Causes = []
    if nano < 0:
        causes.append(invalid(path, value, NEGATIVE))
    if (name in _COUNTED or _is_extended(name)) and nano % quantities.NANO:
        causes.append(invalid(path, value, "must be an integer"))
    return causes


def requirements(given: Obj, path: str) -> Causes:
    """What a container asks for: known resources, and no more requested than the limit."""
    if not given:
        return []
    limits: dict[str, str] = given.get("limits") or {}
    requests: dict[str, str] = given.get("requests") or {}
    causes: Causes = []
    for name in sorted(limits):
        here = f"{path}.limits[{name}]"
        causes += container_resource(name, here) + quantity(name, limits[name], here)
    for name in sorted(requests):
        here = f"{path}.requests[{name}]"
        causes += container_resource(name, here) + quantity(name, requests[name], here)
        causes += _against_limit(name, requests[name], limits.get(name), path)
    named = {*limits, *requests}
    if any(name.startswith(_HUGE) for name in named) and not named & {"cpu", "memory"}:
        causes.append(forbidden(path, "HugePages require cpu or memory"))
    return causes


def _against_limit(name: str, requested: str, limit: Any, path: str) -> Causes:
    if limit is None:
        if _may_overcommit(name):
            return []
        return [required(f"{path}.limits", "Limit must be set for non overcommitable resources")]
    difference = quantities.compare(requested, limit)
    if difference and not _may_overcommit(name):
        return [invalid(f"{path}.requests", requested, f"must be equal to {name} limit of {limit}")]
    if difference > 0:
        return [invalid(f"{path}.requests", requested, f"must be less than or equal to {name} limit of {limit}")]
    return []
