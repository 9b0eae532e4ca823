"""A Job's policies: when it fails, when it has succeeded, when a pod is replaced."""

from __future__ import annotations

import re

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
    too_long,
    too_many,
)

_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_OPERATORS = ("In", "NotIn")
_STATUSES = ("False", "True", "Unknown")
_MOST_RULES, _MOST_CODES = 20, 255
_PATH = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"
_LONGEST_INDEXES, _LONGEST_MANAGER = 64 * 1024, 63


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


def managed_by(name: str, path: str) -> Causes:
    """Who looks after a job instead of the cluster's own controller."""
    if not name:
        return [required(path)]
    causes: Causes = []
    domain, _, rest = name.partition("/")
    if not domain or not rest:
        causes.append(invalid(path, name, 'must be a domain-prefixed path (such as "acme.io/foo")'))
    else:
        causes += each_invalid(path, domain, names.subdomain(domain))
        if not re.fullmatch(_PATH, rest):
            causes.append(invalid(path, rest, f"Invalid path (regex used for validation is '{_PATH}')"))
    return [*causes, too_long(path, _LONGEST_MANAGER)] if len(name) > _LONGEST_MANAGER else causes


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
        causes += _succeeded(rule, spec.get("completions") or 0, here)
    return causes


class _NoIndexesError(ValueError):
    """Not a list of indexes; the message is Kubernetes'."""


def _succeeded(rule: Obj, completions: int, path: str) -> Causes:
    """How many, or which, of the indexes are enough."""
    causes: Causes = []
    count, indexes, total = rule.get("succeededCount"), rule.get("succeededIndexes"), 0
    if indexes is not None:
        here = f"{path}.succeededIndexes"
        if len(indexes) > _LONGEST_INDEXES:
            causes.append(too_long(here, _LONGEST_INDEXES))
        try:
            total = _number_of_indexes(indexes, completions)
        except _NoIndexesError as error:
            causes.append(invalid(here, indexes, f"error parsing succeededIndexes: {error}"))
    if count is None:
        return causes
    here = f"{path}.succeededCount"
    causes += non_negative(here, count)
    if count > completions:
        most = f"{completions} (the number of specified completions)"
        causes.append(invalid(here, count, f"must be less than or equal to {most}"))
    if indexes is not None and count > total:
        most = f"{total} (the number of indexes in the specified succeededIndexes field)"
        causes.append(invalid(here, count, f"must be less than or equal to {most}"))
    return causes


def _number_of_indexes(text: str, completions: int) -> int:
    """Of indexes and intervals as in "1,3-5", each larger than the one before."""
    total, last = 0, None
    for part in text.split(",") if text else ():
        first, final = _interval(part, completions)
        if last is not None and last >= first:
            raise _NoIndexesError(f"non-increasing order, previous: {last}, current: {first}")
        total, last = total + final - first + 1, final
    return total


def _interval(part: str, completions: int) -> tuple[int, int]:
    limits = part.split("-")
    if len(limits) > 2:
        detail = "violates the requirement that an index interval can have at most two parts separated by '-'"
        raise _NoIndexesError(f'the fragment "{part}" {detail}')
    first, final = (_index(limit, completions) for limit in (limits[0], limits[-1]))
    if len(limits) == 2 and first >= final:
        raise _NoIndexesError(f"non-increasing order, previous: {first}, current: {final}")
    return first, final


def _index(text: str, completions: int) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise _NoIndexesError(f'cannot convert string to integer for index: "{text}"')
    if int(text) >= completions:
        raise _NoIndexesError(f'too large index: "{text}"')
    return int(text)
