"""Deployments, ReplicaSets and Jobs."""

from __future__ import annotations

import re
from typing import Any

from bluegreen.localkube.validation import job_policies, meta, names, pods
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

_NO_MATCH = "`selector` does not match template `labels`"
_PERCENT = re.compile(r"[0-9]+%")
PERCENT_MESSAGE = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"  # noqa: E501 - Kubernetes' sentence
_MOST_INDEXES = 100_000  # of an indexed job
_MANY = 10_000
_COUNTS = (
    *("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"),
    *("backoffLimitPerIndex", "maxFailedIndexes"),
)
_JOB_LABELS = ("batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "controller-uid", "job-name")


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
        causes.append(invalid("spec.template.metadata.labels", shown, _NO_MATCH))
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


# -- jobs ----------------------------------------------------------------------------------------------------------
def job(obj: Obj) -> Causes:
    """A Job; its selector and labels have been generated by now unless it brings its own."""
    spec = obj["spec"]
    causes = _generated_selector(obj)
    causes += _job_spec(spec)
    if spec.get("completionMode") == "Indexed" and spec.get("completions"):
        longest = f"{obj['metadata'].get('name', '')}-{spec['completions'] - 1}"
        wrong = names.label(longest)
        detail = f"will not able to create pod with invalid DNS label: {longest}"
        causes += [invalid("metadata.name", obj["metadata"].get("name"), detail)] if wrong else []
    return causes


def _generated_selector(obj: Obj) -> Causes:
    spec = obj["spec"]
    if spec.get("manualSelector") or spec.get("selector") is None:
        return []
    labels = spec["template"]["metadata"].get("labels") or {}
    wanted = {label: obj["metadata"].get("uid" if label.endswith("uid") else "name", "") for label in _JOB_LABELS}
    path = "spec.template.metadata.labels"
    causes: Causes = []
    for label in (_JOB_LABELS[2], _JOB_LABELS[3], _JOB_LABELS[0], _JOB_LABELS[1]):
        if label not in labels:
            causes.append(required(f"{path}[{label}]", f"must be '{wanted[label]}'"))
        elif labels[label] != wanted[label]:
            causes.append(invalid(f"{path}[{label}]", dict(sorted(labels.items())), f"must be '{wanted[label]}'"))
    if not meta.matches(spec["selector"], wanted):
        causes.append(invalid("spec.selector", go_selector(spec["selector"]), "`selector` not auto-generated"))
    return causes


def _job_spec(spec: Obj) -> Causes:
    causes: Causes = []
    for key in _COUNTS:
        causes += non_negative(f"spec.{key}", spec.get(key))
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        causes.append(required("spec.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    if spec.get("managedBy") is not None:
        causes += job_policies.managed_by(spec["managedBy"], "spec.managedBy")
    causes += _completion_mode(spec)
    if spec.get("podFailurePolicy") is not None:
        causes += job_policies.failure(spec, "spec.podFailurePolicy")
    if spec.get("successPolicy") is not None:
        causes += job_policies.success(spec, "spec.successPolicy")
    causes += job_policies.replacement(spec, "spec.podReplacementPolicy")
    causes += pods.template(spec["template"], "spec.template")
    restart = spec["template"]["spec"].get("restartPolicy", "")
    if restart == "Always":
        path = "spec.template.spec.restartPolicy"
        causes.append(required(path, 'valid values: "OnFailure", "Never"'))
    elif restart not in ("OnFailure", "Never"):
        causes.append(not_supported("spec.template.spec.restartPolicy", restart, ("OnFailure", "Never")))
    elif restart != "Never" and spec.get("podFailurePolicy") is not None:
        detail = 'only "Never" is supported when podFailurePolicy is specified'
        causes.append(invalid("spec.template.spec.restartPolicy", restart, detail))
    selector = spec.get("selector")
    if selector is None:
        causes.append(required("spec.selector"))
    else:
        wrong = meta.selector(selector, "spec.selector")
        causes += wrong
        labels = spec["template"]["metadata"].get("labels")
        if not wrong and not meta.matches(selector, labels):
            shown_labels = None if not labels else dict(sorted(labels.items()))
            causes.append(invalid("spec.template.metadata.labels", shown_labels, _NO_MATCH))
    return causes


def _completion_mode(spec: Obj) -> Causes:
    mode = spec.get("completionMode")
    causes: Causes = []
    if mode not in (None, "Indexed", "NonIndexed"):
        causes.append(not_supported("spec.completionMode", mode, ("NonIndexed", "Indexed")))
    if mode == "Indexed":
        causes += _indexed(spec)
    if mode in (None, "NonIndexed"):
        detail = "requires indexed completion mode"
        refused = [key for key in ("backoffLimitPerIndex", "maxFailedIndexes") if spec.get(key) is not None]
        causes += [invalid(f"spec.{key}", spec[key], detail) for key in refused]
    return causes


def _indexed(spec: Obj) -> Causes:
    completions, failed = spec.get("completions"), spec.get("maxFailedIndexes")
    causes: Causes = []
    if completions is None:
        causes.append(required("spec.completions", "when completion mode is Indexed"))
    if spec.get("parallelism", 0) > _MOST_INDEXES:
        detail = f"must be less than or equal to {_MOST_INDEXES} when completion mode is Indexed"
        causes.append(invalid("spec.parallelism", spec["parallelism"], detail))
    if completions is not None and failed is not None and failed > completions:
        causes.append(invalid("spec.maxFailedIndexes", failed, "must be less than or equal to completions"))
    if failed is not None and failed > _MOST_INDEXES:
        causes.append(invalid("spec.maxFailedIndexes", failed, f"must be less than or equal to {_MOST_INDEXES}"))
    if (completions or 0) > _MOST_INDEXES and spec.get("backoffLimitPerIndex") is not None:
        causes += _very_many(spec, failed)
    return causes


def _very_many(spec: Obj, failed: int | None) -> Causes:
    """Further bounds of a job with more indexes than fit into its status one by one."""
    above = f"when completions are above {_MOST_INDEXES} and used with backoff limit per index"
    causes: Causes = []
    if failed is None:
        detail = f"must be specified when completions is above {_MOST_INDEXES}"
        causes.append(required("spec.maxFailedIndexes", detail))
    for key in ("parallelism", "maxFailedIndexes"):
        if (spec.get(key) or 0) > _MANY:
            causes.append(invalid(f"spec.{key}", spec[key], f"must be less than or equal to {_MANY} {above}"))
    return causes


def job_update(obj: Obj, old: Obj) -> Causes:
    """A changed Job keeps what it runs; only parallelism, deadlines and suspension may change."""
    new_spec, old_spec = obj["spec"], old["spec"]
    causes = _job_spec(new_spec)
    causes += _completions(new_spec, old_spec)
    causes += immutable("spec.selector", go_selector(new_spec.get("selector")), go_selector(old_spec.get("selector")))
    causes += _job_template(obj, old)
    for key in ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"):
        causes += immutable(f"spec.{key}", new_spec.get(key), old_spec.get(key))
    return causes


def _completions(new: Obj, old: Obj) -> Causes:
    if new.get("completions") == old.get("completions"):
        return []
    if old.get("completionMode") != "Indexed":
        return immutable("spec.completions", new.get("completions"), old.get("completions"))
    if new.get("completions") != new.get("parallelism"):
        detail = "can only be modified in tandem with spec.parallelism"
        return [invalid("spec.completions", new.get("completions"), detail)]
    return []


_SCHEDULING = ("affinity", "nodeSelector", "tolerations", "schedulingGates")


def _job_template(obj: Obj, old: Obj) -> Causes:
    new, before = obj["spec"]["template"], old["spec"]["template"]
    if new == before:
        return []
    waiting = old["spec"].get("suspend") and not (old.get("status") or {}).get("startTime")
    if waiting and _unscheduled(new) == _unscheduled(before):
        return []
    return [invalid("spec.template", new, "field is immutable")]


def _unscheduled(template: Obj) -> Obj:
    """A template without what a suspended Job may change: where its pods go."""
    spec = {key: value for key, value in template["spec"].items() if key not in _SCHEDULING}
    return {"spec": spec}
