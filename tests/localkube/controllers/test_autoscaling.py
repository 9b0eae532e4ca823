"""Autoscalers: from usage to replicas, within windows, rates and limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bluegreen.localkube.controllers import scaling
from tests.localkube.controllers.cluster import Cluster, conditions, deployment

Obj = dict[str, Any]
Usage = dict[str, str]


def autoscaler(minimum: int = 1, maximum: int = 10, *metrics: Obj, **spec: Any) -> Obj:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    asked = {"metrics": list(metrics)} if metrics else {}
    return {
        "metadata": {"name": "h"},
        "spec": {"scaleTargetRef": target, "minReplicas": minimum, "maxReplicas": maximum, **asked, **spec},
    }


def cpu(percent: int) -> Obj:
    return {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}},
    }


def memory(value: str) -> Obj:
    return {
        "type": "Resource",
        "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": value}},
    }


def web(replicas: int) -> Obj:
    made = deployment(replicas=replicas)
    made["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "100m", "memory": "100Mi"}}
    return made


class Metrics:
    """What every pod uses now; None: nothing measured."""

    def __init__(self) -> None:
        self.usage: Usage | None = {"cpu": "50m", "memory": "50Mi"}

    def __call__(self, namespace: str, name: str) -> Obj | None:
        return None if self.usage is None else {"containers": [{"name": "c", "usage": self.usage}]}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def measured(make_cluster: Callable[..., Cluster], metrics: Metrics) -> Cluster:
    return make_cluster(pod_metrics=metrics)


def size(cluster: Cluster) -> int:
    return int(cluster.get("Deployment", "web")["spec"]["replicas"])


def test_raises_to_the_minimum_without_any_metrics(cluster: Cluster) -> None:
    cluster.create("Deployment", web(1))
    cluster.create("HorizontalPodAutoscaler", autoscaler(3, 5))
    assert size(cluster) == 3
    h = cluster.get("HorizontalPodAutoscaler", "h")
    assert h["status"]["desiredReplicas"] == 3
    assert ("SuccessfulRescale", "New size: 3; reason: Current number of replicas below Spec.MinReplicas") in (
        cluster.events("HorizontalPodAutoscaler")
    )
    cluster.after(20)
    shown = conditions(cluster.get("HorizontalPodAutoscaler", "h"))
    assert shown["ScalingActive"] == ("False", "FailedGetResourceMetric")
    assert shown["AbleToScale"] == ("True", "SucceededGetScale")
    assert "FailedComputeMetricsReplicas" in [reason for reason, _ in cluster.events("HorizontalPodAutoscaler")]


def test_lowers_to_the_maximum(cluster: Cluster) -> None:
    cluster.create("Deployment", web(8))
    cluster.create("HorizontalPodAutoscaler", autoscaler(1, 4))
    assert size(cluster) == 4


def test_rests_while_its_target_is_at_zero(cluster: Cluster) -> None:
    cluster.create("Deployment", web(0))
    cluster.create("HorizontalPodAutoscaler", autoscaler(3, 5))
    cluster.after(60)
    assert size(cluster) == 0
    assert conditions(cluster.get("HorizontalPodAutoscaler", "h"))["ScalingActive"] == ("False", "ScalingDisabled")
    cluster.merge("Deployment", "web", {"spec": {"replicas": 1}})
    assert size(cluster) == 3


def test_a_target_that_is_not_there(cluster: Cluster) -> None:
    cluster.create("HorizontalPodAutoscaler", autoscaler())
    assert conditions(cluster.get("HorizontalPodAutoscaler", "h")) == {"AbleToScale": ("False", "FailedGetScale")}
    assert cluster.events("HorizontalPodAutoscaler")[0] == ("FailedGetScale", 'deployments.apps "web" not found')


def test_grows_with_utilization(measured: Cluster, metrics: Metrics) -> None:
    measured.create("Deployment", web(3))
    measured.create("HorizontalPodAutoscaler", autoscaler(1, 10, cpu(50)))
    h = measured.get("HorizontalPodAutoscaler", "h")
    assert conditions(h)["ScalingActive"] == ("True", "ValidMetricFound")
    assert h["status"]["currentMetrics"] == [
        {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 50, "averageValue": "50m"}}}
    ]
    assert size(measured) == 3
    metrics.usage = {"cpu": "100m", "memory": "1Mi"}
    measured.after(16)
    assert size(measured) == 6
    reasons = measured.events("HorizontalPodAutoscaler")
    assert (
        "SuccessfulRescale",
        "New size: 6; reason: cpu resource utilization (percentage of request) above target",
    ) in reasons


def test_small_differences_change_nothing(measured: Cluster, metrics: Metrics) -> None:
    measured.create("Deployment", web(3))
    measured.create("HorizontalPodAutoscaler", autoscaler(1, 10, cpu(50)))
    metrics.usage = {"cpu": "54m", "memory": "1Mi"}
    measured.after(60)
    assert size(measured) == 3


def test_the_metric_that_asks_for_most_wins(measured: Cluster, metrics: Metrics) -> None:
    measured.create("Deployment", web(2))
    metrics.usage = {"cpu": "10m", "memory": "60Mi"}
    measured.create("HorizontalPodAutoscaler", autoscaler(1, 10, cpu(50), memory("30Mi")))
    assert size(measured) == 4


def test_shrinks_only_after_five_quiet_minutes(measured: Cluster, metrics: Metrics) -> None:
    measured.create("Deployment", web(6))
    measured.create("HorizontalPodAutoscaler", autoscaler(1, 10, cpu(50)))
    metrics.usage = {"cpu": "10m", "memory": "1Mi"}
    measured.after(120)
    assert size(measured) == 6
    shown = conditions(measured.get("HorizontalPodAutoscaler", "h"))
    assert shown["AbleToScale"] == ("True", "ScaleDownStabilized")
    measured.after(240)
    assert size(measured) == 2


def test_rules_of_its_own_limit_the_rate(measured: Cluster, metrics: Metrics) -> None:
    up = {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}
    measured.create("Deployment", web(2))
    metrics.usage = {"cpu": "100m", "memory": "1Mi"}
    measured.create("HorizontalPodAutoscaler", autoscaler(1, 10, cpu(50), behavior={"scaleUp": up}))
    assert size(measured) == 3
    shown = conditions(measured.get("HorizontalPodAutoscaler", "h"))
    assert shown["ScalingLimited"] == ("True", "ScaleUpLimit")
    measured.after(45)
    assert size(measured) == 3
    measured.after(30)
    assert size(measured) == 4


def test_scaling_down_can_be_forbidden(measured: Cluster, metrics: Metrics) -> None:
    down = {"selectPolicy": "Disabled", "stabilizationWindowSeconds": 0}
    measured.create("Deployment", web(5))
    metrics.usage = {"cpu": "1m", "memory": "1Mi"}
    measured.create("HorizontalPodAutoscaler", autoscaler(1, 10, cpu(50), behavior={"scaleDown": down}))
    measured.after(60)
    assert size(measured) == 5


def test_missing_requests_are_said(measured: Cluster) -> None:
    measured.create("Deployment", deployment())
    measured.create("HorizontalPodAutoscaler", autoscaler(1, 10, cpu(50)))
    reason, message = measured.events("HorizontalPodAutoscaler")[0]
    assert reason == "FailedGetResourceMetric"
    assert message.startswith("failed to get cpu utilization: missing request for cpu in container c of Pod web-")


def test_metrics_of_another_api_are_said(measured: Cluster) -> None:
    given = {"metric": {"name": "requests"}, "target": {"type": "AverageValue", "averageValue": "10"}}
    measured.create("Deployment", web(2))
    measured.create("HorizontalPodAutoscaler", autoscaler(1, 10, {"type": "Pods", "pods": given}))
    shown = conditions(measured.get("HorizontalPodAutoscaler", "h"))
    assert shown["ScalingActive"] == ("False", "FailedGetPodsMetric")


# -- the arithmetic ----------------------------------------------------------------------------------------------
def usage(values: dict[str, int], target: int, **rest: Any) -> scaling.Measured:
    return scaling.Measured(values, target, len(values), **rest)


def test_unready_pods_hold_growth_back() -> None:
    assert scaling.replicas_for(usage({"a": 100, "b": 100}, 50), 2) == 4
    assert scaling.replicas_for(usage({"a": 100}, 50, unready=frozenset(["b"])), 2) == 2
    assert scaling.replicas_for(usage({"a": 100, "b": 100}, 50, unready=frozenset(["c"])), 3) == 4


def test_missing_pods_speak_against_any_change() -> None:
    assert scaling.replicas_for(usage({"a": 20, "b": 20}, 50, missing=frozenset(["c", "d"])), 4) == 3
    assert scaling.replicas_for(usage({"a": 100}, 50, missing=frozenset(["b"])), 2) == 2


def test_a_recommendation_is_held_between_recent_ones() -> None:
    history = scaling.History([(100.0, 8), (390.0, 5)])
    down = {"scaleDown": {"stabilizationWindowSeconds": 60}}
    assert scaling.stabilized(history, None, 8, 3, 399.0).replicas == 8
    assert scaling.stabilized(history, down, 8, 3, 399.0).replicas == 5
    up = {"scaleUp": {"stabilizationWindowSeconds": 60}}
    held = scaling.stabilized(history, up, 5, 9, 399.0)
    assert (held.replicas, held.reason) == (5, "ScaleUpStabilized")


def test_without_rules_growth_is_to_twice_the_size() -> None:
    limited = scaling.limited(scaling.History(), None, 3, 20, (1, 100), 0.0)
    assert (limited.replicas, limited.reason) == (6, "ScaleUpLimit")
    assert scaling.limited(scaling.History(), None, 1, 20, (1, 3), 0.0).reason == "TooManyReplicas"
    assert scaling.limited(scaling.History(), None, 9, 0, (2, 10), 0.0).reason == "TooFewReplicas"


def test_the_policy_that_changes_least_can_be_chosen() -> None:
    policies = [
        {"type": "Pods", "value": 4, "periodSeconds": 60},
        {"type": "Percent", "value": 20, "periodSeconds": 60},
    ]
    for select, expected in (("Max", 60), ("Min", 54), ("Disabled", 50)):
        rules = {"scaleUp": {"policies": policies, "selectPolicy": select}}
        assert scaling.limited(scaling.History(), rules, 50, 99, (1, 100), 0.0).replicas == expected


def test_two_autoscalers_of_the_same_pods_stand_still(measured: Cluster) -> None:
    # horizontal.go: validateAndParseSelector
    measured.create("Deployment", web(2))
    for name in ("one", "two"):
        made = autoscaler(1, 10, cpu(50))
        measured.create("HorizontalPodAutoscaler", {**made, "metadata": {"name": name}})
    message = "pods by selector app=web are controlled by multiple HPAs: [test/one test/two]"
    assert ("AmbiguousSelector", message) in measured.events("HorizontalPodAutoscaler", "two")
    assert conditions(measured.get("HorizontalPodAutoscaler", "two"))["ScalingActive"] == ("False", "AmbiguousSelector")


def test_external_and_object_metrics_are_missed_in_words_of_their_own(cluster: Cluster) -> None:
    # horizontal.go: computeReplicasForMetric; replica_calculator.go
    cluster.create("Deployment", web(2))
    metric = {"metric": {"name": "q"}, "target": {"type": "Value", "value": "3"}}
    about = {"describedObject": {"kind": "Service", "name": "s"}}
    cluster.create("HorizontalPodAutoscaler", autoscaler(1, 3, {"type": "External", "external": metric}))
    name = cluster.list("HorizontalPodAutoscaler")[0]["metadata"]["name"]
    why = (
        "unable to get external metric test/q/nil: unable to fetch metrics from external metrics API: "
        "the server could not find the requested resource (get q.external.metrics.k8s.io)"
    )
    told = cluster.events("HorizontalPodAutoscaler")
    assert ("FailedGetExternalMetric", why) in told
    first = f"failed to get q external metric value: failed to get external metric q: {why}"
    assert told[-1][1] == f"invalid metrics (1 invalid out of 1), first error is: {first}"
    cluster.merge(
        "HorizontalPodAutoscaler", name, {"spec": {"metrics": [{"type": "Object", "object": metric | about}]}}
    )
    reason, sentence = cluster.events("HorizontalPodAutoscaler")[-2]
    assert reason == "FailedGetObjectMetric"
    assert sentence.startswith("unable to get metric q: Service on test s/unable to fetch metrics from custom metrics")
