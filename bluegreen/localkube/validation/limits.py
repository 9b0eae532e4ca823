"""LimitRanges: known resources, and bounds that fit one another."""

from __future__ import annotations

from bluegreen.localkube import quantities
from bluegreen.localkube.validation import names, resources
from bluegreen.localkube.validation.fields import (
    Causes,
    Obj,
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    required,
)

_TYPES = ("Container", "PersistentVolumeClaim", "Pod")
_DEFAULTS = ("default", "defaultRequest")


def limit_range(obj: Obj) -> Causes:
    """A LimitRange."""
    causes: Causes = []
    seen: set[str] = set()
    for place, item in enumerate(obj["spec"].get("limits") or ()):
        path, type_ = f"spec.limits[{place}]", item.get("type", "")
        causes += _type(type_, f"{path}.type")
        if type_ in seen:
            causes.append(duplicate(f"{path}.type", type_))
        seen.add(type_)
        causes += _item(item, path)
    return causes


def _type(type_: str, path: str) -> Causes:
    causes = each_invalid(path, type_, names.qualified(type_))
    if not causes and "/" not in type_ and type_ not in _TYPES:
        causes.append(invalid(path, type_, "must be a standard limit type or fully qualified"))
    return causes


def _item(item: Obj, path: str) -> Causes:
    named = resources.container_resource if item.get("type") in ("Container", "Pod") else resources.resource
    causes: Causes = []
    bounds: dict[str, dict[str, str]] = {}
    for key in ("max", "min", *_DEFAULTS, "maxLimitRequestRatio"):
        amounts = item.get(key) or {}
        if key == "maxLimitRequestRatio" and item.get("type") == "PersistentVolumeClaim" and not _bounded(item):
            detail = "either minimum or maximum storage value is required, but neither was provided"
            causes.append(required(f"{path}.limits", detail))
        if key in _DEFAULTS and item.get("type") == "Pod":
            if amounts:
                causes.append(forbidden(f"{path}.{key}", "may not be specified when `type` is 'Pod'"))
            continue
        for name in sorted(amounts):
            causes += named(name, f"{path}.{key}[{name}]")
            bounds.setdefault(name, {})[key] = amounts[name]
    for name in sorted(bounds):
        causes += _bounds(name, bounds[name], path)
    return causes


def _bounded(item: Obj) -> bool:
    return any("storage" in (item.get(key) or {}) for key in ("min", "max"))


# (what must not be more, than what, whose place and value are named, the words for both)
_ORDER = (
    ("min", "max", "min", "min", "min value {} is greater than max value {}"),
    (
        "min",
        "defaultRequest",
        "defaultRequest",
        "defaultRequest",
        "min value {} is greater than default request value {}",
    ),
    (
        "defaultRequest",
        "max",
        "defaultRequest",
        "defaultRequest",
        "default request value {} is greater than max value {}",
    ),
    (
        *("defaultRequest", "default", "defaultRequest", "defaultRequest"),
        "default request value {} is greater than default limit value {}",
    ),
    ("min", "default", "default", "min", "min value {} is greater than default value {}"),
    ("default", "max", "default", "max", "default value {} is greater than max value {}"),
)


def _bounds(name: str, bounds: dict[str, str], path: str) -> Causes:
    causes: Causes = []
    for less, more, place, shown, words in _ORDER:
        if less in bounds and more in bounds and quantities.compare(bounds[less], bounds[more]) > 0:
            detail = words.format(bounds[less], bounds[more])
            causes.append(invalid(f"{path}.{place}[{name}]", bounds[shown], detail))
    causes += _ratio(bounds, f"{path}.maxLimitRequestRatio[{name}]")
    default, request = (bounds.get(key) for key in _DEFAULTS)
    if default and request and not resources.may_overcommit(name) and quantities.compare(default, request):
        detail = f"default value {default} must equal to defaultRequest value {request} in {name}"
        causes.append(invalid(f"{path}.defaultRequest[{name}]", request, detail))
    return causes


def _ratio(bounds: dict[str, str], path: str) -> Causes:
    ratio = bounds.get("maxLimitRequestRatio")
    if ratio is None:
        return []
    causes: Causes = []
    if quantities.compare(ratio, "1") < 0:
        causes.append(invalid(path, ratio, f"ratio {ratio} is less than 1"))
    least, most = (quantities.parse(bounds[key]) if key in bounds else None for key in ("min", "max"))
    if least is not None and most is not None:
        # by a minimum of 0 Kubernetes divides as floating point does: to infinity, which no ratio exceeds
        widest = most / least if least else float("inf")
        if quantities.parse(ratio) / quantities.NANO > widest:
            causes.append(invalid(path, ratio, f"ratio {ratio} is greater than max/min = {widest:f}"))
    return causes
