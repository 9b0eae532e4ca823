"""ReplicaSets: numbers, ownership, and which pod goes first."""

from __future__ import annotations

from typing import Any

from bluegreen.localkube.controllers.pods import DELETION_COST, first_to_go
from tests.localkube.controllers.cluster import Cluster, conditions, names, template

Obj = dict[str, Any]


def replica_set(replicas: int = 2, **spec: Any) -> Obj:
    selector = {"matchLabels": {"app": "web"}}
    return {
        "metadata": {"name": "rs"},
        "spec": {"replicas": replicas, "selector": selector, "template": template(), **spec},
    }


def test_makes_pods_of_its_template_and_counts_them(cluster: Cluster) -> None:
    cluster.create("ReplicaSet", replica_set(3))
    pods = cluster.list("Pod", "app=web")
    assert len(pods) == 3
    owner = pods[0]["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["controller"], owner["blockOwnerDeletion"]) == ("ReplicaSet", True, True)
    assert cluster.get("ReplicaSet", "rs")["status"] == {
        "replicas": 3,
        "fullyLabeledReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
        "observedGeneration": 1,
    }
    assert sorted(cluster.events("ReplicaSet")) == sorted(
        ("SuccessfulCreate", f"Created pod: {name}") for name in names(pods)
    )


def test_replaces_pods_that_go_fail_or_are_relabelled(cluster: Cluster) -> None:
    cluster.create("ReplicaSet", replica_set(3))
    gone, failed, strange = names(cluster.list("Pod"))
    cluster.delete("Pod", gone)
    cluster.pods.end(failed, "Failed")
    cluster.merge("Pod", strange, {"metadata": {"labels": {"app": "other"}}})
    assert len([pod for pod in cluster.list("Pod", "app=web") if pod["status"]["phase"] == "Running"]) == 3
    assert "ownerReferences" not in cluster.get("Pod", strange)["metadata"]


def test_adopts_pods_that_nobody_controls(cluster: Cluster) -> None:
    cluster.create("Pod", {"metadata": {"name": "bare", "labels": {"app": "web"}}, "spec": template()["spec"]})
    cluster.create("ReplicaSet", replica_set(2))
    assert len(cluster.list("Pod", "app=web")) == 2
    assert cluster.get("Pod", "bare")["metadata"]["ownerReferences"][0]["name"] == "rs"


def test_more_pods_than_fit_in_a_pass(cluster: Cluster) -> None:
    cluster.create("ReplicaSet", replica_set(200))
    assert len(cluster.list("Pod")) == 200
    cluster.merge("ReplicaSet", "rs", {"spec": {"replicas": 5}})
    assert len(cluster.list("Pod")) == 5


def test_a_terminating_pod_is_no_replica(cluster: Cluster) -> None:
    cluster.create("ReplicaSet", replica_set(1))
    cluster.pods.stop = False
    cluster.delete("Pod", names(cluster.list("Pod"))[0])
    assert len(cluster.list("Pod")) == 2
    assert cluster.get("ReplicaSet", "rs")["status"]["replicas"] == 1


def test_forbidden_pods_are_a_condition_and_an_event_and_are_tried_again(cluster: Cluster) -> None:
    cluster.create("ReplicaSet", replica_set(1, template=template(serviceAccountName="absent")))
    rs = cluster.get("ReplicaSet", "rs")
    assert conditions(rs)["ReplicaFailure"] == ("True", "FailedCreate")
    reason, message = cluster.events("ReplicaSet")[0]
    assert reason == "FailedCreate"
    assert message.startswith("Error creating: pods ")
    assert "serviceaccount" in message
    cluster.create("ServiceAccount", {"metadata": {"name": "absent"}})
    cluster.after(120)
    assert len(cluster.list("Pod")) == 1
    assert "ReplicaFailure" not in conditions(cluster.get("ReplicaSet", "rs"))


def pod(name: str, *, node: str = "n", phase: str = "Running", ready: str = "2031-01-01T00:00:00Z", **meta: Any) -> Obj:
    shown = [{"type": "Ready", "status": "True", "lastTransitionTime": ready}] if ready else []
    return {
        "metadata": {"name": name, "uid": name, "creationTimestamp": "2031-01-01T00:00:00Z", **meta},
        "spec": {"nodeName": node} if node else {},
        "status": {"phase": phase, "conditions": shown},
    }


def order(*pods: Obj, crowds: dict[str, int] | None = None) -> list[str]:
    return names(first_to_go(pods, lambda each: (crowds or {}).get(each["metadata"]["name"], 0)))


def test_what_serves_least_goes_first(cluster: Cluster) -> None:
    cluster.after(3600)
    old, young = pod("old"), pod("young", ready="2031-01-01T00:59:00Z")
    unready, pending = pod("unready", ready=""), pod("pending", phase="Pending", ready="")
    unbound = pod("unbound", node="", phase="Pending", ready="")
    assert order(old, young, unready, pending, unbound) == ["unbound", "pending", "unready", "young", "old"]


def test_the_cost_of_deletion_and_the_crowd_come_before_age(cluster: Cluster) -> None:
    cluster.after(3600)
    cheap = pod("cheap", annotations={DELETION_COST: "-5"})
    young = pod("young", ready="2031-01-01T00:59:00Z")
    assert order(young, cheap) == ["cheap", "young"]
    assert order(young, pod("crowded"), crowds={"crowded": 3}) == ["crowded", "young"]


def test_restarts_decide_among_equals(cluster: Cluster) -> None:
    restarted = pod("z")
    restarted["status"]["containerStatuses"] = [{"restartCount": 3}]
    assert order(pod("a"), restarted) == ["z", "a"]
