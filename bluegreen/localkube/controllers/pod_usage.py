"""What an autoscaler's metric measures of its target's pods: usage, and which pods cannot be judged yet. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bluegreen.localkube import quantities
from bluegreen.localkube.controllers.conditions import age_s, find, parse_time
from bluegreen.localkube.controllers.pods import is_deleting, phase
from bluegreen.localkube.controllers.scaling import Measured

Obj = dict[str, Any]
PodMetrics = Callable[[str, str], Obj | None]
"""(namespace, name) -> the pod's metrics.k8s.io PodMetrics; None when nothing was measured yet."""

CPU_INITIALIZATION_S = 300.0
"""How long a pod's CPU while starting is not held against it (Kubernetes' default)."""
INITIAL_READINESS_S = 30.0
"""A pod that stops being ready so soon after its start has never been (Kubernetes' default)."""
NO_API = (
    "unable to fetch metrics from resource metrics API: the server could not find the requested resource"
    " (get pods.metrics.k8s.io)"
)
NO_METRICS = "no metrics returned from resource metrics API"


class MetricError(Exception):
    """A metric that says nothing; the message is what the condition and the event say."""


@dataclass(frozen=True)
class ResourceMetric:
    """A metric of type Resource or ContainerResource: usage of ``name`` in ``container`` ("" for all)."""

    name: str
    target: Obj
    container: str = ""

    @property
    def is_share(self) -> bool:
        """Whether the target is a share of what pods ask for."""
        return "averageValue" not in self.target

    @property
    def title(self) -> str:
        """The metric as the condition and the event name it."""
        if not self.is_share:
            return f"{self.name} resource"
        return f"{self.name} {'container ' if self.container else ''}resource utilization (percentage of request)"


def measured(metric: ResourceMetric, pods: Sequence[Obj], source: PodMetrics | None) -> Measured:
    """A metric's values; raises MetricError with Kubernetes' sentence when there are none to go by."""
    samples = _samples(metric, pods, source)
    if not pods:
        raise MetricError("no pods returned by selector while calculating replica count")
    values = {name: _usage(metric, sample) for name, sample in samples.items()}
    unready = frozenset(_name(pod) for pod in pods if _is_unready(metric, pod, samples))
    ignored = frozenset(_name(pod) for pod in pods if is_deleting(pod) or phase(pod) == "Failed")
    judged = {name: value for name, value in values.items() if name not in unready | ignored}
    if not judged:
        raise MetricError("did not receive metrics for targeted pods (pods might be unready)")
    missing = frozenset(_name(pod) for pod in pods) - set(values) - unready - ignored
    requests = {_name(pod): _request(metric, pod) for pod in pods} if metric.is_share else None
    return Measured(judged, _target(metric), len(judged), unready, missing, requests)


def _target(metric: ResourceMetric) -> int:
    if metric.is_share:
        return int(metric.target["averageUtilization"])
    return quantities.parse(metric.target["averageValue"])


def _samples(metric: ResourceMetric, pods: Sequence[Obj], source: PodMetrics | None) -> dict[str, Obj]:
    if source is None:
        raise MetricError(f"unable to get metrics for resource {metric.name}: {NO_API}")
    found = {_name(pod): source(pod["metadata"]["namespace"], _name(pod)) for pod in pods}
    samples = {name: sample for name, sample in found.items() if sample is not None}
    if not samples:
        raise MetricError(f"unable to get metrics for resource {metric.name}: {NO_METRICS}")
    return samples


def _usage(metric: ResourceMetric, sample: Obj) -> int:
    containers = sample.get("containers") or ()
    chosen = [each for each in containers if metric.container in ("", each["name"])]
    return sum(quantities.parse((each.get("usage") or {}).get(metric.name, "0")) for each in chosen)


def _request(metric: ResourceMetric, pod: Obj) -> int:
    total = 0
    for container in pod["spec"]["containers"]:
        if metric.container not in ("", container["name"]):
            continue
        given = ((container.get("resources") or {}).get("requests") or {}).get(metric.name)
        if given is None:
            where = f"in container {container['name']} of Pod {_name(pod)}"
            raise MetricError(f"missing request for {metric.name} {where}")
        total += quantities.parse(given)
    return total


def _is_unready(metric: ResourceMetric, pod: Obj, samples: Mapping[str, Obj]) -> bool:
    """Pods that have not started yet; for CPU also those that are not ready or were not when they were measured."""
    if is_deleting(pod) or phase(pod) == "Failed":
        return False
    if phase(pod) == "Pending":
        return True
    sample = samples.get(_name(pod))
    if sample is None or metric.name != "cpu":
        return False
    status = pod.get("status") or {}
    ready, started = find(status.get("conditions"), "Ready"), status.get("startTime")
    if ready is None or not started:
        return True
    if age_s(started) < CPU_INITIALIZATION_S:
        return ready["status"] == "False" or _was_measured_before(sample, ready)
    since = (parse_time(ready["lastTransitionTime"]) - parse_time(started)).total_seconds()
    return ready["status"] == "False" and since < INITIAL_READINESS_S


def _was_measured_before(sample: Obj, ready: Obj) -> bool:
    """Whether a sample was taken before a full window had passed since the pod's last change."""
    if "timestamp" not in sample:
        return False
    since = parse_time(sample["timestamp"]) - parse_time(ready["lastTransitionTime"])
    window = str(sample.get("window", "0s")).removesuffix("s")
    return since.total_seconds() < (float(window) if window.replace(".", "", 1).isdecimal() else 0.0)


def _name(pod: Obj) -> str:
    name: str = pod["metadata"]["name"]
    return name
