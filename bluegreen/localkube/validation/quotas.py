"""ResourceQuotas: what they limit, and which pods they count."""

from __future__ import annotations

from bluegreen.localkube.validation import resources
from bluegreen.localkube.validation.fields import (
    Causes,
    Obj,
    immutable,
    invalid,
    required,
)

_SCOPES = frozenset(
    (
        *("BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass"),
        *("Terminating", "VolumeAttributesClass"),
    )
)
_POD_RESOURCES = frozenset(("pods", "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"))
_EXISTS_ONLY = frozenset(("BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity"))
_CONFLICTS = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))


def quota(obj: Obj) -> Causes:
    """A ResourceQuota."""
    spec = obj["spec"]
    hard: dict[str, str] = spec.get("hard") or {}
    causes: Causes = []
    for name in sorted(hard):
        path = f"spec.hard[{name}]"
        causes += resources.quota_resource(name, path) + resources.quantity(name, hard[name], path)
    causes += _scopes(spec.get("scopes") or [], hard)
    requirements: list[Obj] = (spec.get("scopeSelector") or {}).get("matchExpressions") or []
    for requirement in requirements:
        causes += _scope_requirement(requirement, hard, requirements)
    named = {requirement.get("scopeName") for requirement in requirements}
    for pair in _CONFLICTS:
        if set(pair) <= named:
            causes.append(invalid(f"{_EXPRESSIONS}", spec.get("scopes"), "conflicting scopes"))
    return causes


def _fits_scope(scope: str, resource: str) -> bool:
    if scope == "BestEffort":
        return resource == "pods"
    return resource in _POD_RESOURCES or scope == "VolumeAttributesClass"


def _scopes(scopes: list[str], hard: dict[str, str]) -> Causes:
    causes: Causes = []
    for scope in scopes:
        if scope not in _SCOPES:
            causes.append(invalid("spec.scopes", scopes, "unsupported scope"))
        for resource in sorted(hard):
            if resource in resources.QUOTA and not _fits_scope(scope, resource):
                causes.append(invalid("spec.scopes", scopes, "unsupported scope applied to resource"))
    for pair in _CONFLICTS:
        if set(pair) <= set(scopes):
            causes.append(invalid("spec.scopes", scopes, "conflicting scopes"))
    return causes


_EXPRESSIONS = "spec.scopeSelector.matchExpressions"


def _scope_requirement(requirement: Obj, hard: dict[str, str], all_of_them: list[Obj]) -> Causes:
    path = _EXPRESSIONS
    scope, operator = requirement.get("scopeName", ""), requirement.get("operator", "")
    values = requirement.get("values") or []
    causes: Causes = []
    if scope not in _SCOPES:
        causes.append(invalid(f"{path}.scopeName", scope, "unsupported scope"))
    for resource in sorted(hard):
        if resource in resources.QUOTA and not _fits_scope(scope, resource):
            keys = (("ScopeName", "scopeName"), ("Operator", "operator"), ("Values", "values"))
            shown = [{name: each.get(key) for name, key in keys} for each in all_of_them]
            detail = "unsupported scope applied to resource"
            causes.append(invalid(path, {"MatchExpressions": shown}, detail))
    if scope in _EXISTS_ONLY and operator != "Exists":
        listed = ", ".join(f"ResourceQuotaScope{name}" for name in ("Terminating", "NotTerminating", "BestEffort"))
        detail = f"must be 'Exists' when scope is any of {listed}, ResourceQuotaScopeNotBestEffort or "
        detail += "ResourceQuotaScopeCrossNamespacePodAffinity"
        causes.append(invalid(f"{path}.operator", operator, detail))
    if operator in ("In", "NotIn"):
        if not values:
            detail = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            causes.append(required(f"{path}.values", detail))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
            causes.append(invalid(f"{path}.values", values, detail))
    else:
        causes.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
    return causes


def quota_update(obj: Obj, old: Obj) -> Causes:
    """A changed ResourceQuota keeps its scopes."""
    causes = quota(obj)
    new, before = obj["spec"].get("scopes") or [], old["spec"].get("scopes") or []
    if set(new) != set(before):
        causes += immutable("spec.scopes", new or None, before)
    return causes
