"""Deployments and ReplicaSets."""

from __future__ import annotations

import re
from typing import Any

from bluegreen.localkube.validation import meta, pods
from bluegreen.localkube.validation.fields import (
    Causes,
    Obj,
    Raw,
    forbidden,
    immutable,
    invalid,
    non_negative,
    not_supported,
    required,
)

NO_MATCH = "`selector` does not match template `labels`"
_PERCENT = re.compile(r"[0-9]+%")
PERCENT_MESSAGE = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"  # noqa: E501 - Kubernetes' sentence


def deployment(obj: Obj) -> Causes:
    """A Deployment."""
    spec = obj["spec"]
    causes = non_negative("spec.replicas", spec.get("replicas"))
    causes += _selected(spec)
    causes += _strategy(spec["strategy"], "spec.strategy")
    causes += non_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    causes += non_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"))
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None:
        causes += non_negative("spec.progressDeadlineSeconds", deadline)
        if deadline <= spec.get("minReadySeconds", 0):
            causes.append(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return causes


def deployment_update(obj: Obj, old: Obj) -> Causes:
    """A changed Deployment keeps its selector."""
    return deployment(obj) + _same_selector(obj, old)


def replica_set(obj: Obj) -> Causes:
    """A ReplicaSet."""
    spec = obj["spec"]
    causes = non_negative("spec.replicas", spec.get("replicas"))
    causes += non_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    return causes + _selected(spec)


def replica_set_update(obj: Obj, old: Obj) -> Causes:
    """A changed ReplicaSet keeps its selector."""
    return replica_set(obj) + _same_selector(obj, old)


def _same_selector(obj: Obj, old: Obj) -> Causes:
    return immutable(
        "spec.selector", go_selector(obj["spec"].get("selector")), go_selector(old["spec"].get("selector"))
    )


def go_selector(selector: Obj | None) -> Obj | None:
    """A selector with its keys in the order in which Go prints them."""
    if selector is None:
        return None
    shown: Obj = {}
    if selector.get("matchLabels"):
        shown["matchLabels"] = dict(sorted(selector["matchLabels"].items()))
    if selector.get("matchExpressions"):
        keys = ("key", "operator", "values")
        expressions = selector["matchExpressions"]
        shown["matchExpressions"] = [{key: each[key] for key in keys if key in each} for each in expressions]
    return shown


def _selected(spec: Obj) -> Causes:
    """The selector and, where it is one, the template."""
    selector = spec.get("selector")
    if selector is None:
        return [required("spec.selector"), *_template(spec)]
    causes = meta.selector(selector, "spec.selector")
    if causes:
        return [*causes, invalid("spec.selector", go_selector(selector), "invalid label selector")]
    if meta.is_empty(selector):  # ReplicaSets are told the same
        causes.append(invalid("spec.selector", go_selector(selector), "empty selector is invalid for deployment"))
    return causes + _template(spec)


def _template(spec: Obj) -> Causes:
    """A template whose pods the selector finds and that run for ever."""
    template, selector = spec["template"], spec.get("selector")
    causes: Causes = []
    labels = template["metadata"].get("labels")
    if (selector is None or not meta.is_empty(selector)) and not meta.matches(selector, labels):
        shown = None if not labels else dict(sorted(labels.items()))
        causes.append(invalid("spec.template.metadata.labels", shown, NO_MATCH))
    causes += pods.template(template, "spec.template")
    policy = template["spec"].get("restartPolicy")
    if policy != "Always":
        causes.append(not_supported("spec.template.spec.restartPolicy", policy, ("Always",)))
    if template["spec"].get("activeDeadlineSeconds") is not None:
        detail = "activeDeadlineSeconds in ReplicaSet is not Supported"  # Deployments are told the same
        causes.append(forbidden("spec.template.spec.activeDeadlineSeconds", detail))
    return causes


def _strategy(strategy: Obj, path: str) -> Causes:
    kind, rolling = strategy.get("type", ""), strategy.get("rollingUpdate")
    if kind == "Recreate":
        detail = "may not be specified when strategy `type` is 'Recreate'"
        return [] if rolling is None else [forbidden(f"{path}.rollingUpdate", detail)]
    if kind == "RollingUpdate":
        if rolling is None:
            return [required(f"{path}.rollingUpdate", "this should be defaulted and never be nil")]
        return _rolling(rolling, f"{path}.rollingUpdate")
    if rolling is not None:
        rolling = {"MaxUnavailable": rolling.get("maxUnavailable", 0), "MaxSurge": rolling.get("maxSurge", 0)}
    return [not_supported(path, {"Type": kind, "RollingUpdate": rolling}, ("Recreate", "RollingUpdate"))]


def _rolling(rolling: Obj, path: str) -> Causes:
    unavailable, surge = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0)
    causes = int_or_percent(unavailable, f"{path}.maxUnavailable") + int_or_percent(surge, f"{path}.maxSurge")
    if _amount(unavailable) == 0 and _amount(surge) == 0:
        causes.append(invalid(f"{path}.maxUnavailable", shown(unavailable), "may not be 0 when `maxSurge` is 0"))
    return causes + at_most_hundred_percent(unavailable, f"{path}.maxUnavailable")


def shown(value: Any) -> Any:
    """An int-or-string as Go prints it: strings in quotes, numbers plain."""
    return value if isinstance(value, str) else Raw(value)


def _amount(value: Any) -> int:
    if isinstance(value, str):
        return int(value[:-1]) if _PERCENT.fullmatch(value) else 0
    return int(value)


def int_or_percent(value: Any, path: str) -> Causes:
    """A number that is not negative, or a percentage."""
    if isinstance(value, str):
        return [] if _PERCENT.fullmatch(value) else [invalid(path, value, PERCENT_MESSAGE)]
    return non_negative(path, value)


def at_most_hundred_percent(value: Any, path: str) -> Causes:
    """A percentage of no more than the whole."""
    if isinstance(value, str) and _PERCENT.fullmatch(value) and int(value[:-1]) > 100:
        return [invalid(path, value, "must not be greater than 100%")]
    return []
