"""Disruption budgets and evictions."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen.localkube.controllers.disruption import desired_healthy, evict
from bluegreen.localkube.status import ApiError
from tests.localkube.controllers.cluster import NAMESPACE, Cluster, conditions, deployment, names, template

Obj = dict[str, Any]


def budget(name: str = "b", app: str = "web", **spec: Any) -> Obj:
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": app}}, **spec}}


def numbers(cluster: Cluster) -> tuple[int, int, int, int]:
    status = cluster.get("PodDisruptionBudget", "b")["status"]
    return tuple(status[key] for key in ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"))  # type: ignore[return-value]


def try_to_evict(cluster: Cluster, name: str, **options: Any) -> Obj:
    answer: Obj = cluster.do(lambda: evict(cluster.registry, NAMESPACE, name, **options))
    return answer


@pytest.mark.parametrize(
    ("spec", "expected", "desired"),
    [
        ({"minAvailable": 2}, 5, 2),
        ({"minAvailable": "50%"}, 5, 3),
        ({"maxUnavailable": 1}, 5, 4),
        ({"maxUnavailable": "30%"}, 5, 3),
        ({"maxUnavailable": 9}, 5, 0),
    ],
)
def test_how_many_must_be_healthy(spec: Obj, expected: int, desired: int) -> None:
    assert desired_healthy(spec, expected) == desired


def test_counts_what_is_healthy(cluster: Cluster) -> None:
    cluster.create("Deployment", deployment(replicas=3))
    cluster.create("PodDisruptionBudget", budget(minAvailable=2))
    assert numbers(cluster) == (1, 3, 2, 3)
    assert conditions(cluster.get("PodDisruptionBudget", "b")) == {"DisruptionAllowed": ("True", "SufficientPods")}
    cluster.pods.set_ready(names(cluster.list("Pod"))[0], False)
    assert numbers(cluster) == (0, 2, 2, 3)
    assert conditions(cluster.get("PodDisruptionBudget", "b")) == {"DisruptionAllowed": ("False", "InsufficientPods")}


def test_shares_and_max_unavailable_count_from_the_size_asked_for(cluster: Cluster) -> None:
    cluster.pods.start = False
    cluster.create("Deployment", deployment(replicas=4))
    cluster.create("PodDisruptionBudget", budget(maxUnavailable=1))
    assert numbers(cluster) == (0, 0, 3, 4)
    cluster.merge("Deployment", "web", {"spec": {"replicas": 6}})
    assert numbers(cluster)[3] == 6


def test_no_pods_allow_no_disruption(cluster: Cluster) -> None:
    cluster.create("PodDisruptionBudget", budget(maxUnavailable=1))
    assert numbers(cluster) == (0, 0, 0, 0)
    assert ("NoPods", "No matching pods found") in cluster.events("PodDisruptionBudget")


def test_pods_of_nobody_are_told(cluster: Cluster) -> None:
    cluster.create("PodDisruptionBudget", budget(maxUnavailable=1))
    cluster.create("Pod", {"metadata": {"name": "bare", "labels": {"app": "web"}}, "spec": template()["spec"]})
    told = dict(cluster.events("PodDisruptionBudget"))
    selector = "&LabelSelector{MatchLabels:map[string]string{app: web,},MatchExpressions:[]LabelSelectorRequirement{},}"
    assert f"(selector: {selector})" in told["UnmanagedPods"]


def test_an_eviction_is_refused_with_the_budgets_numbers(cluster: Cluster) -> None:
    cluster.create("Deployment", deployment(replicas=2))
    cluster.create("PodDisruptionBudget", budget(minAvailable=2))
    with pytest.raises(ApiError) as refused:
        try_to_evict(cluster, names(cluster.list("Pod"))[0])
    assert refused.value.as_status() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "Cannot evict pod as it would violate the pod's disruption budget.",
        "reason": "TooManyRequests",
        "details": {
            "causes": [
                {
                    "reason": "DisruptionBudget",
                    "message": "The disruption budget b needs 2 healthy pods and has 2 currently",
                }
            ]
        },
        "code": 429,
    }


def test_evictions_take_from_the_budget_one_by_one(cluster: Cluster) -> None:
    cluster.create("Deployment", deployment(replicas=3))
    cluster.create("PodDisruptionBudget", budget(minAvailable=2))
    cluster.pods.ready = cluster.pods.stop = False
    first, second, _ = names(cluster.list("Pod"))
    assert try_to_evict(cluster, first)["status"] == "Success"
    going = cluster.get("Pod", first)
    assert conditions(going)["DisruptionTarget"] == ("True", "EvictionByEvictionAPI")
    assert "deletionTimestamp" in going["metadata"]
    with pytest.raises(ApiError, match="Cannot evict"):
        try_to_evict(cluster, second)


def test_two_evictions_at_once_cannot_both_win(cluster: Cluster) -> None:
    cluster.create("Deployment", deployment(replicas=3))
    cluster.create("PodDisruptionBudget", budget(minAvailable=2))
    first, second, _ = names(cluster.list("Pod"))

    def both() -> int:
        evict(cluster.registry, NAMESPACE, first)
        with pytest.raises(ApiError) as refused:
            evict(cluster.registry, NAMESPACE, second)
        return refused.value.code

    assert cluster.do(both) == 429


def test_a_budget_behind_its_spec_refuses_with_a_time_to_retry(cluster: Cluster) -> None:
    cluster.create("Deployment", deployment(replicas=3))
    cluster.create("PodDisruptionBudget", budget(minAvailable=2))
    name = names(cluster.list("Pod"))[0]

    def at_once() -> ApiError:
        from bluegreen.localkube.kinds import KINDS

        body = {"spec": {"minAvailable": 1}}
        cluster.registry.patch(KINDS["PodDisruptionBudget"], NAMESPACE, "b", "merge", body, manager="tests")
        with pytest.raises(ApiError) as refused:
            evict(cluster.registry, NAMESPACE, name)
        return refused.value

    error = cluster.do(at_once)
    assert (error.code, error.headers) == (429, {"Retry-After": "10"})
    assert "still being processed" in error.details["causes"][0]["message"]


def test_several_budgets_are_not_supported(cluster: Cluster) -> None:
    cluster.create("Deployment", deployment())
    for name in ("b", "c"):
        cluster.create("PodDisruptionBudget", budget(name, minAvailable=0))
    with pytest.raises(ApiError, match="more than one PodDisruptionBudget") as refused:
        try_to_evict(cluster, names(cluster.list("Pod"))[0])
    assert refused.value.code == 500


def test_what_does_not_serve_may_go(cluster: Cluster) -> None:
    cluster.pods.start = False
    cluster.create("Deployment", deployment(replicas=1))
    cluster.create("PodDisruptionBudget", budget(minAvailable=1))
    pending = names(cluster.list("Pod"))[0]
    try_to_evict(cluster, pending)
    assert cluster.find("Pod", pending) is None


def test_an_unready_pod_goes_when_the_policy_says_so(cluster: Cluster) -> None:
    cluster.pods.ready = False
    cluster.create("Deployment", deployment(replicas=1))
    cluster.create("PodDisruptionBudget", budget(minAvailable=1))
    name = names(cluster.list("Pod"))[0]
    with pytest.raises(ApiError, match="Cannot evict"):
        try_to_evict(cluster, name)
    cluster.merge("PodDisruptionBudget", "b", {"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}})
    try_to_evict(cluster, name)
    assert cluster.find("Pod", name) is None


def test_a_dry_run_decides_but_does_nothing(cluster: Cluster) -> None:
    cluster.create("Deployment", deployment(replicas=2))
    cluster.create("PodDisruptionBudget", budget(minAvailable=1))
    name = names(cluster.list("Pod"))[0]
    try_to_evict(cluster, name, dry_run=True)
    assert "deletionTimestamp" not in cluster.get("Pod", name)["metadata"]
    assert numbers(cluster)[0] == 1


def test_an_eviction_that_did_not_happen_is_forgotten(cluster: Cluster) -> None:
    cluster.create("Deployment", deployment(replicas=3))
    cluster.create("PodDisruptionBudget", budget(minAvailable=2))
    name = names(cluster.list("Pod"))[0]
    disrupted = {"status": {"disruptedPods": {name: "2031-01-01T00:00:00Z"}}}
    cluster.merge("PodDisruptionBudget", "b", disrupted, subresource="status")
    assert numbers(cluster)[:2] == (0, 2)
    cluster.after(125)
    assert numbers(cluster)[:2] == (1, 3)
