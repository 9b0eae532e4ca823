"""What each object uses of a ResourceQuota, which quotas watch it, and when they refuse, in Kubernetes' words. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bluegreen.localkube import quantities
from bluegreen.localkube.controllers.pods import is_finished
from bluegreen.localkube.controllers.requests import pod_requests
from bluegreen.localkube.kinds import KINDS, Kind

Obj = dict[str, Any]
Usage = dict[str, int]
"""Resource name of a quota -> nano units."""

ONE = quantities.NANO
_COUNTED_BY_PLURAL = frozenset(["ConfigMap", "Secret", "ResourceQuota", "Service"])
"""Kinds whose number a quota may also limit by the plain plural."""
_MUST_BE_STATED = frozenset(["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"])
"""Resources that every container must state once a quota limits them."""
_COMPUTE = ("cpu", "memory", "ephemeral-storage")


def count_name(kind: Kind) -> str:
    """The quota resource that counts objects of a kind: ``count/deployments.apps``."""
    return f"count/{kind.plural}.{kind.group}" if kind.group else f"count/{kind.plural}"


def usage_of(kind: Kind, obj: Obj) -> Usage:
    """All that one object uses."""
    used = {count_name(kind): ONE}
    if kind.key in _COUNTED_BY_PLURAL:
        used[kind.plural] = ONE
    extra = _EXTRA.get(kind.key)
    return used | extra(obj) if extra else used


def _of_pod(pod: Obj) -> Usage:
    """A pod that has ended uses nothing but its place in storage."""
    return {} if is_finished(pod) else {"pods": ONE, **_compute(pod_requests(pod), pod_requests(pod, "limits"))}


def _compute(requests: Mapping[str, int], limits: Mapping[str, int]) -> Usage:
    used: Usage = {}
    for name, amount in requests.items():
        used[f"requests.{name}"] = amount
        if name in _COMPUTE or name.startswith("hugepages-"):
            used[name] = amount
    used.update({f"limits.{name}": amount for name, amount in limits.items() if name in _COMPUTE})
    return used


def _of_service(service: Obj) -> Usage:
    spec = service["spec"]
    ports, is_balanced = spec.get("ports") or (), spec.get("type") == "LoadBalancer"
    nodes = 0
    if spec.get("type") == "NodePort" or (is_balanced and spec.get("allocateLoadBalancerNodePorts") is not False):
        nodes = len(ports)
    elif is_balanced:
        nodes = sum(bool(port.get("nodePort")) for port in ports)
    return {"services.loadbalancers": ONE if is_balanced else 0, "services.nodeports": nodes * ONE}


_EXTRA: dict[str, Callable[[Obj], Usage]] = {"Pod": _of_pod, "Service": _of_service}
COUNTED = tuple(kind for kind in KINDS.values() if kind.namespaced and kind.stored and kind.key != "Event")
"""Kinds a quota can limit (in Kubernetes Events too, but by no default)."""


def kinds_of(resources: Iterable[str]) -> list[Kind]:
    """The kinds whose objects use any of these resources."""
    named = set(resources)
    return [kind for kind in COUNTED if named & _possible(kind) or (kind.key == "Pod" and _is_compute(named))]


def _possible(kind: Kind) -> set[str]:
    names = {count_name(kind)}
    if kind.key in _COUNTED_BY_PLURAL or kind.key == "Pod":
        names.add(kind.plural)
    if kind.key == "Service":
        names |= {"services.loadbalancers", "services.nodeports"}
    return names


def _is_compute(names: Iterable[str]) -> bool:
    prefixes = ("requests.", "limits.", "hugepages-")
    return any(name in _COMPUTE or name.startswith(prefixes) for name in names)


def uses_one(kind: Kind) -> bool:
    """Whether every object of a kind uses the same: one of its number."""
    return kind.key not in _EXTRA


def usage_status(
    quota: Obj, objects: Iterable[tuple[Kind, Obj]], numbers: Mapping[Kind, int] | None = None
) -> dict[str, str]:
    """status.used: the sum of all objects within the quota's scopes, for each resource it limits.

    ``numbers``: how many there are of kinds whose objects need not be looked at (``uses_one``).
    """
    hard = quota["spec"].get("hard") or {}
    total: Counter[str] = Counter()
    for kind, number in (numbers or {}).items():
        if in_scope(quota, kind, {}):
            total.update({name: amount * number for name, amount in usage_of(kind, {}).items()})
    for kind, obj in objects:
        if in_scope(quota, kind, obj):
            total.update(usage_of(kind, obj))
    return {name: _written(total[name], name) for name in hard}


def _written(amount: int, name: str) -> str:
    """Memory is written with binary suffixes, as the containers' own requests mostly are."""
    is_bytes = name.rpartition(".")[2] in ("memory", "ephemeral-storage") or "hugepages-" in name
    return quantities.written(amount, "binary" if is_bytes else "decimal")


# -- scopes ------------------------------------------------------------------------------------------------------
def in_scope(quota: Obj, kind: Kind, obj: Obj) -> bool:
    """Whether a quota watches an object at all; scopes are about pods only."""
    spec = quota["spec"]
    terms = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    terms += (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    return not terms or (kind.key == "Pod" and all(_in_scope(term, obj) for term in terms))


def _in_scope(term: Obj, pod: Obj) -> bool:
    if term["scopeName"] == "PriorityClass":
        return _has_priority(term, pod["spec"].get("priorityClassName") or "")
    return _SCOPES[term["scopeName"]](pod)


def _has_priority(term: Obj, name: str) -> bool:
    values = term.get("values") or ()
    outcome = {"In": name in values, "NotIn": name not in values, "Exists": bool(name), "DoesNotExist": not name}
    return outcome[term["operator"]]


def _ends(pod: Obj) -> bool:
    deadline: int | None = pod["spec"].get("activeDeadlineSeconds")
    return deadline is not None and deadline >= 0


def _is_best_effort(pod: Obj) -> bool:
    containers = [*(pod["spec"].get("containers") or ()), *(pod["spec"].get("initContainers") or ())]
    stated = [container.get("resources") or {} for container in containers]
    return not any(each.get("requests") or each.get("limits") for each in stated)


def _reaches_across(pod: Obj) -> bool:
    affinity = pod["spec"].get("affinity") or {}
    terms = [
        term.get("podAffinityTerm", term)
        for name in ("podAffinity", "podAntiAffinity")
        for terms in (affinity.get(name) or {}).values()
        for term in terms
    ]
    return any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms)


_SCOPES: dict[str, Callable[[Obj], bool]] = {
    "Terminating": _ends,
    "NotTerminating": lambda pod: not _ends(pod),
    "BestEffort": _is_best_effort,
    "NotBestEffort": lambda pod: not _is_best_effort(pod),
    "CrossNamespacePodAffinity": _reaches_across,
}


# -- refusing ----------------------------------------------------------------------------------------------------
def refusal(quota: Obj, used: Mapping[str, str], wanted: Usage) -> str | None:
    """Why a quota refuses ``wanted`` more; None when there is room."""
    hard = quota["spec"].get("hard") or {}
    exceeded = sorted(
        name
        for name, amount in wanted.items()
        if amount > 0 and name in hard and quantities.parse(used.get(name, "0")) + amount > quantities.parse(hard[name])
    )
    if not exceeded:
        return None
    requested = {name: _written(wanted[name], name) for name in exceeded}
    shown = (_listed(values, exceeded) for values in (requested, used, hard))
    name = quota["metadata"]["name"]
    return "exceeded quota: {}, requested: {}, used: {}, limited: {}".format(name, *shown)


def _listed(values: Mapping[str, Any], names: Iterable[str]) -> str:
    return ",".join(f"{name}={quantities.canonical(values.get(name, '0'))}" for name in names)


def missing(quota: Obj, pod: Obj) -> str | None:
    """What a pod's containers must state because the quota limits it; None when they do."""
    required = _MUST_BE_STATED & set(quota["spec"].get("hard") or ())
    unstated: dict[str, set[str]] = {}
    for container in [*(pod["spec"].get("containers") or ()), *(pod["spec"].get("initContainers") or ())]:
        given = container.get("resources") or {}
        stated = _compute(dict.fromkeys(given.get("requests") or (), 1), dict.fromkeys(given.get("limits") or (), 1))
        for name in required - set(stated):
            unstated.setdefault(name, set()).add(container["name"])
    if not unstated or pod["spec"].get("resources"):
        return None
    parts = [f"{name} for: {','.join(sorted(unstated[name]))}" for name in sorted(unstated)]
    return f"failed quota: {quota['metadata']['name']}: must specify {'; '.join(parts)}"
