"""Taints from a node's state, and who may stay."""

from __future__ import annotations

from typing import Any

from tests.localkube.controllers.cluster import Cluster, names, template

Obj = dict[str, Any]


def taints(cluster: Cluster) -> list[tuple[str, str]]:
    found = cluster.get("Node", "node")["spec"].get("taints") or ()
    return [(taint["key"].rpartition("/")[2], taint["effect"]) for taint in found]


def ready(cluster: Cluster, status: str) -> None:
    conditions = [{"type": "Ready", "status": status}]
    cluster.merge("Node", "node", {"status": {"conditions": conditions}}, subresource="status")


def pod(cluster: Cluster, name: str, **spec: Any) -> None:
    cluster.create("Pod", {"metadata": {"name": name}, "spec": {**template()["spec"], **spec}})


def test_cordoned_it_is_tainted_and_uncordoned_it_is_not(cluster: Cluster) -> None:
    own = [{"key": "team", "value": "a", "effect": "NoSchedule"}]
    cluster.merge("Node", "node", {"spec": {"taints": own, "unschedulable": True}})
    assert taints(cluster) == [("team", "NoSchedule"), ("unschedulable", "NoSchedule")]
    cluster.merge("Node", "node", {"spec": {"unschedulable": None}})
    assert taints(cluster) == [("team", "NoSchedule")]


def test_not_ready_it_is_tainted_until_it_is_back(cluster: Cluster) -> None:
    ready(cluster, "False")
    assert taints(cluster) == [("not-ready", "NoSchedule"), ("not-ready", "NoExecute")]
    ready(cluster, "Unknown")
    assert taints(cluster) == [("unreachable", "NoSchedule"), ("unreachable", "NoExecute")]
    ready(cluster, "True")
    assert taints(cluster) == []


def test_pods_leave_when_their_patience_ends(cluster: Cluster) -> None:
    pod(cluster, "ordinary")
    hasty = {
        "key": "node.kubernetes.io/not-ready",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 10,
    }
    pod(cluster, "hasty", tolerations=[hasty])
    pod(cluster, "patient", tolerations=[{"operator": "Exists"}])
    ready(cluster, "False")
    cluster.after(9)
    assert names(cluster.list("Pod")) == ["hasty", "ordinary", "patient"]
    cluster.after(2)
    assert names(cluster.list("Pod")) == ["ordinary", "patient"]
    cluster.after(300)
    assert names(cluster.list("Pod")) == ["patient"]


def test_a_node_that_is_back_in_time_loses_nobody(cluster: Cluster) -> None:
    pod(cluster, "ordinary")
    ready(cluster, "False")
    cluster.after(200)
    ready(cluster, "True")
    cluster.after(200)
    assert names(cluster.list("Pod")) == ["ordinary"]


def test_a_taint_that_executes_ends_who_does_not_tolerate_it(cluster: Cluster) -> None:
    pod(cluster, "stranger")
    pod(cluster, "friend", tolerations=[{"key": "team", "operator": "Exists"}])
    cluster.merge("Node", "node", {"spec": {"taints": [{"key": "team", "effect": "NoExecute"}]}})
    assert names(cluster.list("Pod")) == ["friend"]
    reasons = [reason for reason, _ in cluster.events("Pod", "stranger")]
    assert "TaintManagerEviction" in reasons
