"""Resource requirements, and which resources may be named where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bluegreen.localkube import quantities
from bluegreen.localkube.pod_resources import effective_requests
from bluegreen.localkube.validation import names
from bluegreen.localkube.validation.fields import (
    NEGATIVE,
    Causes,
    Obj,
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    not_found,
    not_supported,
    required,
)

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
_OF_PODS = ("cpu", "memory")
_NO_CLAIMS = "claims cannot be set for Resources at pod-level"


def is_native(name: str) -> bool:
    """A resource of Kubernetes' own."""
    return "/" not in name or "kubernetes.io/" in name


def _is_extended(name: str) -> bool:
    return not is_native(name) and not name.startswith("requests.") and not names.qualified(f"requests.{name}")


def may_overcommit(name: str) -> bool:
    """Whether more of it may be promised than there is."""
    return is_native(name) and not name.startswith(_HUGE)


def resource(name: str, path: str) -> Causes:
    """The name of any resource."""
    causes = each_invalid(path, name, names.qualified(name))
    if not causes and "/" not in name and name not in _STANDARD and not name.startswith((_HUGE, f"requests.{_HUGE}")):
        causes.append(invalid(path, name, "must be a standard resource type or fully qualified"))
    return causes


def container_resource(name: str, path: str) -> Causes:
    """The name of a resource that a container asks for."""
    causes = resource(name, path)
    if "/" not in name:
        if name not in _COMPUTE and not name.startswith(_HUGE):
            causes.append(invalid(path, name, "must be a standard resource for containers"))
    elif not is_native(name) and not _is_extended(name):
        causes.append(invalid(path, name, "doesn't follow extended resource name standard"))
    return causes


def quota_resource(name: str, path: str) -> Causes:
    """The name of a resource that a quota limits."""
    causes = resource(name, path)
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


def pod_resource(name: str, path: str) -> Causes:
    """The name of a resource that a pod as a whole asks for."""
    causes = resource(name, path)
    if not causes and name not in _OF_PODS and not name.startswith(_HUGE):
        causes.append(not_supported(path, name, _OF_PODS))
    return causes


def of_pod(spec: Obj, path: str) -> Causes:
    """What a pod as a whole asks for: no less than all its containers request, no less than any one's limit."""
    given = spec["resources"]
    causes = [] if given.get("claims") is None else [forbidden(f"{path}.claims", _NO_CLAIMS)]
    causes += requirements(given, path, named=pod_resource)
    requests: dict[str, str] = given.get("requests") or {}
    for name, total in sorted(effective_requests(spec).items()):
        stated = requests.get(name, "0")
        if quantities.compare(total, stated) > 0:
            detail = f"must be greater than or equal to aggregate container requests of {total}"
            causes.append(invalid(f"{path}.requests[{name}]", stated, detail))
    limits: dict[str, str] = given.get("limits") or {}
    for place, container in enumerate(spec.get("containers") or ()):
        own: dict[str, str] = (container.get("resources") or {}).get("limits") or {}
        for name in sorted(own.keys() & limits.keys()):
            if quantities.compare(own[name], limits[name]) > 0:
                here = f"{path}.containers[{place}][{name}].limits"
                causes.append(invalid(here, own[name], f"must be less than or equal to pod limits of {limits[name]}"))
    return causes


def requirements(
    given: Obj, path: str, claims: Sequence[str] = (), named: Callable[[str, str], Causes] = container_resource
) -> Causes:
    """What is asked for: known resources, and no more requested than the limit. ``claims``: what the pod may claim."""
    if not given:
        return []
    limits: dict[str, str] = given.get("limits") or {}
    requests: dict[str, str] = given.get("requests") or {}
    causes: Causes = []
    for name in sorted(limits):
        here = f"{path}.limits[{name}]"
        causes += named(name, here) + quantity(name, limits[name], here) + _whole_pages(name, limits[name], here)
    for name in sorted(requests):
        here = f"{path}.requests[{name}]"
        causes += named(name, here) + quantity(name, requests[name], here)
        causes += _against_limit(name, requests[name], limits.get(name), path)
        causes += _whole_pages(name, requests[name], here)
    wanted = {*limits, *requests}
    if any(name.startswith(_HUGE) for name in wanted) and not wanted & {"cpu", "memory"}:
        causes.append(forbidden(path, "HugePages require cpu or memory"))
    return causes + _claimed(given.get("claims") or [], claims, f"{path}.claims")


def _whole_pages(name: str, amount: str, path: str) -> Causes:
    if not name.startswith(_HUGE):
        return []
    try:
        page = quantities.parse(name.removeprefix(_HUGE))
    except ValueError:
        page = 0
    size = quantities.parse(amount)
    if page > 0 and size > 0 and size % page == 0:
        return []
    return [invalid(path, amount, f"{amount} is not positive integer multiple of {name}")] if size else []


def _claimed(given: list[Obj], claims: Sequence[str], path: str) -> Causes:
    causes: Causes = []
    seen: set[str] = set()
    for place, claim in enumerate(given):
        here, name = f"{path}[{place}]", claim.get("name", "")
        if not name:
            causes.append(required(here))
            continue
        key = f"{name}/{claim['request']}" if claim.get("request") else name
        if {key, name} & seen or (key == name and any(other.startswith(f"{name}/") for other in seen)):
            causes.append(duplicate(here, name if name in seen or key == name else key))
        seen.add(key)
        if name not in claims:
            known = f": {', '.join(claims)}" if claims else " which is empty"
            causes.append(not_found(here, name, f"must be one of the names in pod.spec.resourceClaims{known}"))
    return causes


def _against_limit(name: str, requested: str, limit: Any, path: str) -> Causes:
    if limit is None:
        if may_overcommit(name):
            return []
        return [required(f"{path}.limits", "Limit must be set for non overcommitable resources")]
    difference = quantities.compare(requested, limit)
    if difference and not may_overcommit(name):
        return [invalid(f"{path}.requests", requested, f"must be equal to {name} limit of {limit}")]
    if difference > 0:
        return [invalid(f"{path}.requests", requested, f"must be less than or equal to {name} limit of {limit}")]
    return []
