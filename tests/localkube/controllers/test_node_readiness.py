"""Pods of a node that is not ready: their readiness, their endpoints, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.localkube.controllers.cluster import Cluster, conditions, deployment, names, service

Obj = dict[str, Any]


def ready(cluster: Cluster, status: str, node: str = "node") -> None:
    wanted = [{"type": "Ready", "status": status}]
    cluster.merge("Node", node, {"status": {"conditions": wanted}}, subresource="status")


def readiness(cluster: Cluster) -> set[str]:
    return {conditions(pod)["Ready"][0] for pod in cluster.list("Pod")}


def endpoints(cluster: Cluster) -> list[bool]:
    (found,) = cluster.list("EndpointSlice")
    return [each["conditions"]["ready"] for each in found["endpoints"]]


@pytest.fixture
def served(cluster: Cluster) -> Cluster:
    cluster.create("Deployment", deployment(replicas=2))
    cluster.create("Service", service())
    assert endpoints(cluster) == [True, True]
    return cluster


@pytest.mark.parametrize("status", ["False", "Unknown"])
def test_services_let_go_of_a_lost_nodes_pods(served: Cluster, status: str) -> None:
    ready(served, status)
    assert readiness(served) == {"False"}
    assert endpoints(served) == [False, False]
    assert served.get("Deployment", "web")["status"].get("availableReplicas", 0) == 0


def test_it_is_said_once_of_the_node_and_of_each_pod(served: Cluster) -> None:
    served.create("Namespace", {"metadata": {"name": "default"}})  # where events about nodes go
    ready(served, "False")
    ready(served, "Unknown")
    said = [event for event in served.list("Event", namespace="default") if event["reason"] == "NodeNotReady"]
    assert [event["message"] for event in said] == ["Node node status is now: NodeNotReady"]
    assert said[0].get("count", 1) == 1
    for name in names(served.list("Pod")):
        assert ("NodeNotReady", "Node is not ready") in served.events("Pod", name)


def test_only_the_time_and_the_status_of_the_condition_change(served: Cluster) -> None:
    before = served.list("Pod")[0]["status"]["conditions"]
    served.after(5)
    ready(served, "False")
    after = served.list("Pod")[0]["status"]["conditions"]
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert [old["type"] for old, _ in changed] == ["Ready"]
    ((old, new),) = changed
    assert {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)} == {"status", "lastTransitionTime"}


def test_a_pod_that_becomes_ready_on_a_lost_node_is_marked_again(served: Cluster) -> None:
    ready(served, "False")
    name = names(served.list("Pod"))[0]
    served.pods.set_ready(name, True)
    assert readiness(served) == {"False"}


def test_a_node_that_never_said_how_it_is_is_left_alone(served: Cluster) -> None:
    served.merge("Node", "node", {"status": {"conditions": None}}, subresource="status")
    assert readiness(served) == {"True"}


def test_pods_of_other_nodes_stay_ready(served: Cluster) -> None:
    served.node("other")
    ready(served, "False", node="other")
    assert readiness(served) == {"True"}
    assert endpoints(served) == [True, True]
