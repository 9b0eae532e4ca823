"""HorizontalPodAutoscalers: the size of a Deployment or ReplicaSet, by what its pods use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bluegreen import clock
from bluegreen.localkube import quantities
from bluegreen.localkube.controllers import scaling
from bluegreen.localkube.controllers.base import MANAGER, Context, Key, key_of, kind
from bluegreen.localkube.controllers.conditions import new, updated_in_place
from bluegreen.localkube.controllers.pod_usage import MetricError, PodMetrics, ResourceMetric, measured
from bluegreen.localkube.kinds import Kind, by_type
from bluegreen.localkube.scale import selector_text
from bluegreen.localkube.selectors import as_go, selects
from bluegreen.localkube.status import ApiError
from bluegreen.localkube.store import Change

Obj = dict[str, Any]

COMPONENT = "horizontal-pod-autoscaler"
EVERY_S = 15.0
"""How often usage is looked at (Kubernetes' sync period): it changes without any object changing."""
_SCALED = ("Deployment", "ReplicaSet")
_GOT_SCALE = "the HPA controller was able to get the target's current scale"
_NO_SCALE = "the HPA controller was unable to get the target's current scale: "
_NO_CUSTOM_API = (
    "unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered"
)
"""What metrics of type Pods and Object meet in a cluster that does not serve that API."""


@dataclass
class Autoscalers:
    """The horizontal pod autoscaler. ``source``: where usage comes from; None for a cluster without metrics."""

    context: Context
    source: PodMetrics | None = None
    name: str = COMPONENT
    watches: tuple[str, ...] = ("HorizontalPodAutoscaler", *_SCALED)
    _histories: dict[str, scaling.History] = field(default_factory=dict)

    def keys(self, change: Change) -> Iterable[Key]:
        """The autoscaler when it is asked for something else; those of a target whose size changed."""
        obj, before = change.object, change.previous
        if before is not None and change.type == "MODIFIED" and before["spec"] == obj["spec"]:
            return ()
        if obj["kind"] == "HorizontalPodAutoscaler":
            return [key_of(obj)]
        autoscalers = self.context.all("HorizontalPodAutoscaler", obj["metadata"]["namespace"])
        return [key_of(each) for each in autoscalers if _targets(each, obj)]

    def reconcile(self, key: Key) -> float | None:
        """Look at usage, and scale."""
        autoscaler = self.context.get("HorizontalPodAutoscaler", *key)
        if autoscaler is None:
            return None
        history = self._histories.setdefault(autoscaler["metadata"]["uid"], scaling.History())
        _Pass(self.context, autoscaler, history, self.source).run()
        self._forget_gone()
        return EVERY_S

    def _forget_gone(self) -> None:
        if len(self._histories) > 2 * self.context.store.count(kind("HorizontalPodAutoscaler")):
            alive = {each["metadata"]["uid"] for each in self.context.all("HorizontalPodAutoscaler")}
            self._histories = {uid: history for uid, history in self._histories.items() if uid in alive}


def _targets(autoscaler: Obj, obj: Obj) -> bool:
    reference = autoscaler["spec"]["scaleTargetRef"]
    return (reference["kind"], reference["name"]) == (obj["kind"], obj["metadata"]["name"])


class _Pass:
    """One pass over one autoscaler."""

    def __init__(self, context: Context, autoscaler: Obj, history: scaling.History, source: PodMetrics | None) -> None:
        self._context, self._autoscaler, self._history, self._source = context, autoscaler, history, source
        self._status = dict(autoscaler.get("status") or {})
        self._metrics: list[Obj] | None = None

    @property
    def _bounds(self) -> tuple[int, int]:
        spec = self._autoscaler["spec"]
        return spec.get("minReplicas", 1), spec["maxReplicas"]

    def run(self) -> None:
        """Find out the size, decide, scale, say so."""
        try:
            target_kind, target = self._target()
        except LookupError as error:
            self._tell("Warning", "FailedGetScale", str(error.args[0]))
            self._set("AbleToScale", "False", "FailedGetScale", _NO_SCALE + str(error.args[0]))
            self._write()
            return
        self._set("AbleToScale", "True", "SucceededGetScale", _GOT_SCALE)
        current = int(target["spec"].get("replicas", 1))
        if not self._history.recommendations:
            self._history.recommendations.append((clock.now_s(), current))
        decision = self._decide(target, current)
        self._status["currentReplicas"] = current
        if decision is not None:
            self._act(target_kind, target, current, *decision)
        self._write()

    def _target(self) -> tuple[Kind, Obj]:
        reference, namespace = self._autoscaler["spec"]["scaleTargetRef"], self._autoscaler["metadata"]["namespace"]
        target_kind = by_type(reference.get("apiVersion", ""), reference["kind"])
        if target_kind is None or target_kind.kind not in _SCALED:
            group = reference.get("apiVersion", "").rpartition("/")[0]
            raise LookupError(f'no matches for kind "{reference["kind"]}" in group "{group}"')
        target = self._context.get(target_kind.kind, namespace, reference["name"])
        if target is None:
            raise LookupError(f'{target_kind.qualified} "{reference["name"]}" not found')
        return target_kind, target

    # -- deciding ------------------------------------------------------------------------
    def _decide(self, target: Obj, current: int) -> tuple[int, str] | None:
        """(the size wanted, why); None when there is nothing to go by."""
        minimum, maximum = self._bounds
        if current == 0 and minimum != 0:
            message = "scaling is disabled since the replica count of the target is zero"
            self._set("ScalingActive", "False", "ScalingDisabled", message)
            return 0, ""
        if current > maximum:
            return maximum, "Current number of replicas above Spec.MaxReplicas"
        if current < minimum:
            return minimum, "Current number of replicas below Spec.MinReplicas"
        asked = self._by_metrics(target, current)
        if asked is None:
            return None
        wanted, title = asked
        why = f"{title} above target" if wanted > current else "All metrics below target" if wanted < current else ""
        return self._held_back(current, wanted), why

    def _by_metrics(self, target: Obj, current: int) -> tuple[int, str] | None:
        """(the most that any metric asks for, that metric); None when that cannot be said."""
        specs = self._autoscaler["spec"].get("metrics") or []
        pods = self._context.pods.selected(target["metadata"]["namespace"], target["spec"]["selector"])
        rivals = self._rivals(pods)
        if len(rivals) > 1:
            self._say_ambiguous(target["spec"]["selector"], rivals)
            return None
        proposals: list[tuple[int, str]] = []
        failures: list[tuple[str, str, str]] = []
        self._metrics = []
        for spec in specs:
            try:
                proposals.append(self._by_metric(spec, pods, current))
            except MetricError as error:
                self._metrics.append({"type": ""})
                failures.append(_failure(spec, str(error)))
                self._tell("Warning", failures[-1][0], failures[-1][1])
        most = max(proposals, default=(0, ""), key=lambda each: each[0])
        if failures and (not proposals or most[0] < current):
            self._say_failed(failures, len(specs))
            return None
        message = f"the HPA was able to successfully calculate a replica count from {most[1]}"
        self._set("ScalingActive", "True", "ValidMetricFound", message)
        return most

    def _rivals(self, pods: Sequence[Obj]) -> list[str]:
        """The autoscalers, this one included, that would each set the size of what runs these pods."""
        namespace, found = self._autoscaler["metadata"]["namespace"], set()
        for each in self._context.all("HorizontalPodAutoscaler", namespace):
            reference = each["spec"]["scaleTargetRef"]
            is_served = reference["kind"] in _SCALED
            scaled = self._context.get(reference["kind"], namespace, reference["name"]) if is_served else None
            if scaled and any(selects(scaled["spec"]["selector"], pod["metadata"].get("labels")) for pod in pods):
                found.add(f"{namespace}/{each['metadata']['name']}")
        return sorted(found)

    def _say_ambiguous(self, selector: Obj, rivals: Sequence[str]) -> None:
        message = f"pods by selector {selector_text(selector)} are controlled by multiple HPAs: [{' '.join(rivals)}]"
        self._tell("Warning", "AmbiguousSelector", message)
        self._set("ScalingActive", "False", "AmbiguousSelector", message)
        self._tell("Warning", "FailedComputeMetricsReplicas", message)

    def _by_metric(self, spec: Obj, pods: Sequence[Obj], current: int) -> tuple[int, str]:
        metric = _resource_metric(spec, self._autoscaler["metadata"]["namespace"])
        what = "utilization" if metric.is_share else "usage"
        try:
            values = measured(metric, pods, self._source)
            replicas = scaling.replicas_for(values, current)
            _, percent, average = scaling.usage(values, values.values)
        except (MetricError, ValueError) as error:
            raise MetricError(f"failed to get {metric.name} {what}: {error}") from error
        form = "binary" if metric.name == "memory" else "decimal"
        shown: Obj = {"averageValue": quantities.written(-(-average // 10**6) * 10**6, form)}
        if metric.is_share:
            shown = {"averageUtilization": percent, **shown}
        self._note_metric(spec, metric, shown)
        return replicas, metric.title

    def _note_metric(self, spec: Obj, metric: ResourceMetric, shown: Obj) -> None:
        place = "containerResource" if metric.container else "resource"
        noted: Obj = {"name": metric.name, "current": shown}
        if metric.container:
            noted["container"] = metric.container
        if self._metrics is not None:
            self._metrics.append({"type": spec["type"], place: noted})

    def _say_failed(self, failures: Sequence[tuple[str, str, str]], metrics: int) -> None:
        reason, why, whole = failures[0]
        message = f"the HPA was unable to compute the replica count: {why}"
        self._set("ScalingActive", "False", reason, message)
        first = f"invalid metrics ({len(failures)} invalid out of {metrics}), first error is: {whole}"
        self._tell("Warning", "FailedComputeMetricsReplicas", first)

    def _held_back(self, current: int, wanted: int) -> int:
        """The size within windows, rates and bounds; the conditions say what held it back."""
        behavior, now_s = self._autoscaler["spec"].get("behavior"), clock.now_s()
        steady = scaling.stabilized(self._history, behavior, current, wanted, now_s)
        self._history.recommendations.append((now_s, wanted))
        self._history.forget(now_s - scaling.longest_s(behavior))
        self._set("AbleToScale", "True", steady.reason, steady.message)
        bounded = scaling.limited(self._history, behavior, current, steady.replicas, self._bounds, now_s)
        is_limited = bounded.replicas != steady.replicas
        self._set("ScalingLimited", str(is_limited), bounded.reason, bounded.message)
        return bounded.replicas

    # -- acting --------------------------------------------------------------------------
    def _act(self, target_kind: Kind, target: Obj, current: int, wanted: int, why: str) -> None:
        self._status["desiredReplicas"] = current
        if wanted == current:
            return
        try:
            self._context.registry.modify(
                target_kind, *key_of(target), lambda copy: copy["spec"].update(replicas=wanted), manager=MANAGER,
                subresource="scale",
            )  # fmt: skip
        except ApiError as error:
            self._tell("Warning", "FailedRescale", f"New size: {wanted}; reason: {why}; error: {error.message}")
            message = f"the HPA controller was unable to update the target scale: {error.message}"
            self._set("AbleToScale", "False", "FailedUpdateScale", message)
            return
        message = f"the HPA controller was able to update the target scale to {wanted}"
        self._set("AbleToScale", "True", "SucceededRescale", message)
        self._tell("Normal", "SuccessfulRescale", f"New size: {wanted}; reason: {why}")
        self._history.changes.append((clock.now_s(), wanted - current))
        self._status |= {"desiredReplicas": wanted, "lastScaleTime": clock.timestamp()}

    def _set(self, type_: str, status: str, reason: str, message: str) -> None:
        conditions = self._status.get("conditions")
        self._status["conditions"] = updated_in_place(conditions, new(type_, status, reason, message))

    def _write(self) -> None:
        self._status["currentMetrics"] = self._metrics or None
        self._status.setdefault("desiredReplicas", 0)

        def change(copy: Obj) -> None:
            copy["status"] = self._status

        self._context.registry.modify(
            kind("HorizontalPodAutoscaler"), *key_of(self._autoscaler), change, manager=MANAGER
        )

    def _tell(self, type_: str, reason: str, message: str) -> None:
        self._context.registry.event(self._autoscaler, type_, reason, message, COMPONENT)


def _resource_metric(spec: Obj, namespace: str) -> ResourceMetric:
    """The metric an autoscaler asks for; MetricError for one that needs another API."""
    if spec["type"] == "Resource":
        return ResourceMetric(spec["resource"]["name"], spec["resource"]["target"])
    if spec["type"] == "ContainerResource":
        given = spec["containerResource"]
        return ResourceMetric(given["name"], given["target"], given["container"])
    name = spec[spec["type"].lower()]["metric"]["name"]
    if spec["type"] == "External":
        why = f"the server could not find the requested resource (get {name}.external.metrics.k8s.io)"
        chosen = as_go(spec["external"]["metric"].get("selector"))
        title = f"external metric {namespace}/{name}/{chosen}"
        raise MetricError(f"unable to get {title}: unable to fetch metrics from external metrics API: {why}")
    if spec["type"] == "Object":
        about = spec["object"]["describedObject"]
        raise MetricError(
            f"unable to get metric {name}: {about['kind']} on {namespace} {about['name']}/{_NO_CUSTOM_API}"
        )
    raise MetricError(f"unable to get metric {name}: {_NO_CUSTOM_API}")


def _failure(spec: Obj, why: str) -> tuple[str, str, str]:
    """(reason, sentence of the condition, sentence of the summary) of a metric that says nothing."""
    given = spec[f"{spec['type'][0].lower()}{spec['type'][1:]}"]
    words = {
        "Resource": f"failed to get {given.get('name')} resource metric value: {why}",
        "ContainerResource": f"failed to get {given.get('container')} container metric value: {why}",
        "External": _of_external(given, why),
    }
    summary = words.get(spec["type"], f"failed to get {spec['type'].lower()} metric value: {why}")
    return f"FailedGet{spec['type']}Metric", why, summary


def _of_external(given: Obj, why: str) -> str:
    """The summary of an external metric, which a target by value and one by average word each in its own way."""
    name = (given.get("metric") or {}).get("name")
    title = f"{name} external metric" if "averageValue" in (given.get("target") or {}) else f"external metric {name}"
    return f"failed to get {name} external metric value: failed to get {title}: {why}"
