"""HorizontalPodAutoscalers: their target, metrics, bounds and behaviour."""

from __future__ import annotations

from bluegreen.localkube import quantities
from bluegreen.localkube.validation import names, resources
from bluegreen.localkube.validation.fields import (
    Causes,
    Obj,
    each_invalid,
    forbidden,
    invalid,
    not_supported,
    required,
)

_POSITIVE = "must be greater than 0"
_MAX_PERIOD_S, _MAX_WINDOW_S = 1800, 3600
_METRICS = ("ContainerResource", "External", "Object", "Pods", "Resource")
_SOURCES = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
_ORDER = ("object", "external", "pods", "resource", "containerResource")  # in which Kubernetes looks for a source
_TARGETS = ("AverageValue", "Utilization", "Value")


def autoscaler(obj: Obj) -> Causes:
    """A new HorizontalPodAutoscaler."""
    return _autoscaler(obj, fewest=1, grouped=True)


def autoscaler_update(obj: Obj, old: Obj) -> Causes:
    """A changed HorizontalPodAutoscaler, which may stay at zero where it was."""
    before = (old["spec"].get("scaleTargetRef") or {}).get("apiVersion", "")
    return _autoscaler(obj, fewest=0 if old["spec"].get("minReplicas") == 0 else 1, grouped="/" in before)


def _autoscaler(obj: Obj, *, fewest: int, grouped: bool) -> Causes:
    spec = obj["spec"]
    causes: Causes = []
    low, high = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    if low is not None and low < fewest:
        causes.append(invalid("spec.minReplicas", low, f"must be greater than or equal to {fewest}"))
    if high < 1:
        causes.append(invalid("spec.maxReplicas", high, _POSITIVE))
    if low is not None and high < low:
        causes.append(invalid("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`"))
    causes += _target(spec.get("scaleTargetRef") or {}, "spec.scaleTargetRef", grouped=grouped)
    causes += _metrics(spec.get("metrics") or [], low)
    behavior = spec.get("behavior") or {}
    for key in ("scaleUp", "scaleDown"):
        if behavior.get(key) is not None:
            causes += _rules(behavior[key], f"spec.behavior.{key}")
    return causes


def _metrics(metrics: list[Obj], low: int | None) -> Causes:
    causes: Causes = []
    for place, metric in enumerate(metrics):
        causes += _metric(metric, f"spec.metrics[{place}]")
    if low == 0 and not any(metric.get("type") in ("Object", "External") for metric in metrics):
        detail = "must specify at least one Object or External metric to support scaling to zero replicas"
        causes.append(forbidden("spec.metrics", detail))
    return causes


def _target(reference: Obj, path: str, *, grouped: bool = False) -> Causes:
    causes: Causes = []
    for key in ("kind", "name"):
        value = reference.get(key, "")
        if value:
            causes += each_invalid(f"{path}.{key}", value, names.path_segment(value))
        else:
            causes.append(required(f"{path}.{key}"))
    version = reference.get("apiVersion", "")
    if version.count("/") > 1:
        causes.append(invalid(f"{path}.apiVersion", version, f"unexpected GroupVersion string: {version}"))
    elif grouped and not version.rpartition("/")[0]:
        causes.append(invalid(f"{path}.apiVersion", version, "apiVersion must specify API group"))
    return causes


def _metric(metric: Obj, path: str) -> Causes:
    kind = metric.get("type", "")
    causes = [] if kind else [required(f"{path}.type", "must specify a metric source type")]
    unknown = [] if kind in _METRICS else [not_supported(f"{path}.type", kind, _METRICS)]
    causes += unknown
    given = [source for source in _ORDER if metric.get(source) is not None]
    if given:
        causes += _source(given[0], metric[given[0]], f"{path}.{given[0]}")
    expected = _SOURCES.get(kind, "")
    if expected and expected not in given:
        causes.append(required(f"{path}.{expected}", "must populate information for the given metric source"))
    causes += unknown  # Kubernetes says it once more
    if len(given) != 1:
        detail = "must populate the given metric source only"
        causes += [forbidden(f"{path}.{source}", detail) for source in given if source != expected]
    return causes


def _source(kind: str, source: Obj, path: str) -> Causes:
    causes: Causes = []
    if kind in ("resource", "containerResource"):
        if not source.get("name"):
            causes.append(required(f"{path}.name", "must specify a resource name"))
        elif kind == "containerResource":
            causes += resources.container_resource(source["name"], f"{path}.name")
        if kind == "containerResource":
            name = source.get("container", "")
            at = f"{path}.container"
            causes += each_invalid(at, name, names.label(name)) if name else [required(at, "must specify a container")]
    else:
        if kind == "object":
            causes += _target(source.get("describedObject") or {}, f"{path}.describedObject")
        name = (source.get("metric") or {}).get("name", "")
        if name:
            causes += each_invalid(f"{path}.metric.name", name, names.path_segment(name))
        else:
            causes.append(required(f"{path}.metric.name", "must specify a metric name"))
    return causes + _metric_target(source.get("target") or {}, f"{path}.target") + _one_target(kind, source, path)


def _one_target(kind: str, source: Obj, path: str) -> Causes:
    target = source.get("target") or {}
    utilization, average, value = (target.get(key) for key in ("averageUtilization", "averageValue", "value"))
    if kind in ("resource", "containerResource"):
        if utilization is None and average is None:
            detail = "must set either a target raw value or a target utilization"
            return [required(f"{path}.target.averageUtilization", detail)]
        if utilization is not None and average is not None:
            detail = "may not set both a target raw value and a target utilization"
            return [forbidden(f"{path}.target.averageValue", detail)]
    elif kind == "pods":
        if average is None:
            return [required(f"{path}.target.averageValue", "must specify a positive target averageValue")]
    elif value is None and average is None:
        detail = "must set either a target value for metric or a per-pod target"
        if kind == "object":
            detail = "must set either a target value or averageValue"
        return [required(f"{path}.target.averageValue", detail)]
    elif kind == "external" and value is not None and average is not None:
        detail = "may not set both a target value for metric and a per-pod target"
        return [forbidden(f"{path}.target.value", detail)]
    return []


def _metric_target(target: Obj, path: str) -> Causes:
    kind = target.get("type", "")
    causes: Causes = []
    if not kind:
        causes.append(required(f"{path}.type", "must specify a metric target type"))
    if kind not in _TARGETS:
        causes.append(invalid(f"{path}.type", kind, "must be either Utilization, Value, or AverageValue"))
    for key in ("value", "averageValue"):
        amount = target.get(key)
        if amount is not None and quantities.parse(amount) <= 0:
            causes.append(invalid(f"{path}.{key}", amount, "must be positive"))
    if target.get("averageUtilization") is not None and target["averageUtilization"] < 1:
        causes.append(invalid(f"{path}.averageUtilization", target["averageUtilization"], _POSITIVE))
    return causes


def _rules(rules: Obj, path: str) -> Causes:
    causes: Causes = []
    window = rules.get("stabilizationWindowSeconds")
    if window is not None and window < 0:
        causes.append(invalid(f"{path}.stabilizationWindowSeconds", window, "must be greater than or equal to zero"))
    if window is not None and window > _MAX_WINDOW_S:
        detail = f"must be less than or equal to {_MAX_WINDOW_S}"
        causes.append(invalid(f"{path}.stabilizationWindowSeconds", window, detail))
    select = rules.get("selectPolicy")
    if select is not None and select not in ("Disabled", "Max", "Min"):
        causes.append(not_supported(f"{path}.selectPolicy", select, ("Disabled", "Max", "Min")))
    if not rules.get("policies"):
        causes.append(required(f"{path}.policies", "must specify at least one Policy"))
    for place, policy in enumerate(rules.get("policies") or ()):
        causes += _policy(policy, f"{path}.policies[{place}]")
    return causes


def _policy(policy: Obj, path: str) -> Causes:
    causes: Causes = []
    if policy.get("type") not in ("Percent", "Pods"):
        causes.append(not_supported(f"{path}.type", policy.get("type", ""), ("Percent", "Pods")))
    if policy.get("value", 0) <= 0:
        causes.append(invalid(f"{path}.value", policy.get("value", 0), "must be greater than zero"))
    period = policy.get("periodSeconds", 0)
    if period <= 0:
        causes.append(invalid(f"{path}.periodSeconds", period, "must be greater than zero"))
    if period > _MAX_PERIOD_S:
        causes.append(invalid(f"{path}.periodSeconds", period, f"must be less than or equal to {_MAX_PERIOD_S}"))
    return causes
