"""A Job's policies: when it fails, when it has succeeded, when a pod is replaced."""

from __future__ import annotations

from bluegreen.localkube.status import Cause
from bluegreen.localkube.validation import names
from bluegreen.localkube.validation.fields import (
    Causes,
    Obj,
    Raw,
    duplicate,
    each_invalid,
    invalid,
    non_negative,
    not_supported,
    required,
    too_many,
)

_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_OPERATORS = ("In", "NotIn")
_STATUSES = ("False", "True", "Unknown")
_MOST_RULES, _MOST_CODES = 20, 255


def _listed(values: tuple[str, ...]) -> str:
    """Values as Go's %q prints a list."""
    return "valid values: [" + " ".join(f'"{value}"' for value in values) + "]"


def _without_value(field: str, detail: str) -> Cause:
    """Something wrong with a whole object, which is not shown."""
    return Cause(field, "FieldValueInvalid", f"Invalid value: {detail}")


def _one_of(field: str, value: str, known: tuple[str, ...]) -> Causes:
    if not value:
        return [required(field, _listed(known))]
    return [] if value in known else [not_supported(field, value, known)]


def replacement(spec: Obj, path: str) -> Causes:
    """When a pod is replaced: with a failure policy only once it has failed."""
    policy = spec.get("podReplacementPolicy")
    known = ("Failed",) if spec.get("podFailurePolicy") is not None else ("Failed", "TerminatingOrFailed")
    return [] if policy is None or policy in known else [not_supported(path, policy, known)]


def failure(spec: Obj, path: str) -> Causes:
    """What the failure of a pod means."""
    rules = spec["podFailurePolicy"].get("rules") or []
    causes = [too_many(f"{path}.rules", len(rules), _MOST_RULES)] if len(rules) > _MOST_RULES else []
    pod = spec["template"]["spec"]
    containers = [c["name"] for key in ("containers", "initContainers") for c in pod.get(key) or ()]
    for place, rule in enumerate(rules):
        causes += _failure_rule(spec, rule, f"{path}.rules[{place}]", containers)
    return causes


def _failure_rule(spec: Obj, rule: Obj, path: str, containers: list[str]) -> Causes:
    action = rule.get("action", "")
    if action == "FailIndex":
        missing = spec.get("backoffLimitPerIndex") is None
        detail = "requires the backoffLimitPerIndex to be set"
        causes = [invalid(f"{path}.action", action, detail)] if missing else []
    else:
        causes = _one_of(f"{path}.action", action, _ACTIONS)
    codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions") or []
    if codes is not None:
        causes += _exit_codes(codes, f"{path}.onExitCodes", containers)
    if len(conditions) > _MOST_RULES:
        causes.append(too_many(f"{path}.onPodConditions", len(conditions), _MOST_RULES))
    for place, pattern in enumerate(conditions):
        here, kind = f"{path}.onPodConditions[{place}]", pattern.get("type", "")
        causes += each_invalid(f"{here}.type", kind, names.qualified(kind))
        causes += _one_of(f"{here}.status", pattern.get("status", ""), _STATUSES)
    if codes is not None and conditions:
        causes.append(_without_value(path, "specifying both OnExitCodes and OnPodConditions is not supported"))
    if codes is None and not conditions:
        causes.append(_without_value(path, "specifying one of OnExitCodes and OnPodConditions is required"))
    return causes


def _exit_codes(codes: Obj, path: str, containers: list[str]) -> Causes:
    operator, values = codes.get("operator", ""), codes.get("values") or []
    causes = _one_of(f"{path}.operator", operator, _OPERATORS)
    name = codes.get("containerName")
    if name is not None and name not in containers:
        detail = "must be one of the container or initContainer names in the pod template"
        causes.append(invalid(f"{path}.containerName", name, detail))
    if not values:
        causes.append(invalid(f"{path}.values", codes.get("values"), "at least one value is required"))
    elif len(values) > _MOST_CODES:
        causes.append(too_many(f"{path}.values", len(values), _MOST_CODES))
    for place, value in enumerate(values):
        if operator == "In" and value == 0:
            causes.append(invalid(f"{path}.values[{place}]", value, "must not be 0 for the In operator"))
        if value in values[:place]:
            causes.append(duplicate(f"{path}.values[{place}]", Raw(value)))
    if values != sorted(values):
        causes.append(invalid(f"{path}.values", values, "must be ordered"))
    return causes


def success(spec: Obj, path: str) -> Causes:
    """When an indexed job has succeeded before all of it has."""
    policy = spec["successPolicy"]
    if spec.get("completionMode") != "Indexed":
        return [invalid(path, policy, "requires indexed completion mode")]
    rules = policy.get("rules") or []
    causes: Causes = []
    if not rules:
        detail = "at least one rules must be specified when the successPolicy is specified"
        causes.append(required(f"{path}.rules", detail))
    if len(rules) > _MOST_RULES:
        causes.append(too_many(f"{path}.rules", len(rules), _MOST_RULES))
    for place, rule in enumerate(rules):
        here, count = f"{path}.rules[{place}]", rule.get("succeededCount")
        if count is None and rule.get("succeededIndexes") is None:
            causes.append(required(here, "at least one of succeededCount or succeededIndexes must be specified"))
        causes += non_negative(f"{here}.succeededCount", count)
        if count is not None and count > (spec.get("completions") or 0):
            most = f"{spec.get('completions') or 0} (the number of specified completions)"
            causes.append(invalid(f"{here}.succeededCount", count, f"must be less than or equal to {most}"))
    return causes
