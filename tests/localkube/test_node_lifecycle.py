"""A node that is not ready for a while, on a whole cluster: what its pods, Services and Deployments do, and that all
comes back."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bluegreen import localkube
from bluegreen.clock import Deadline
from bluegreen.kube import Kube, connect_handle

Obj = dict[str, Any]
LIMIT_S = 60.0
NOT_READY = "node.kubernetes.io/not-ready"


@pytest.fixture(scope="module")
def node_cluster() -> Iterator[localkube.Cluster]:
    """A cluster of this file's own: losing the only node is felt by all pods."""
    with localkube.running() as cluster:
        yield cluster


@pytest.fixture
def kube(node_cluster: localkube.Cluster) -> Iterator[Kube]:
    namespace = f"node-{uuid.uuid4().hex[:6]}"
    kube = connect_handle(str(node_cluster.kubeconfig), node_cluster.context, namespace)
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    yield kube
    node_cluster.clear_faults()
    kube.delete("Namespace", namespace)
    kube.close()


def deployment(replicas: int, **spec: Any) -> Obj:
    container = {"name": "app", "image": "registry.k8s.io/pause:3.10"}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container], **spec}}
    wanted = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": wanted}


def service() -> Obj:
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}


def until(kube: Kube, kind: str, holds: Callable[[list[Obj]], bool], awaited: str) -> list[Obj]:
    def seen(found: list[Obj]) -> list[Obj] | None:
        return found if holds(found) else None

    return kube.wait(kind, seen, deadline=Deadline(LIMIT_S), awaited=awaited)


def available(number: int) -> Callable[[list[Obj]], bool]:
    return lambda found: bool(found) and found[0].get("status", {}).get("availableReplicas", 0) == number


def serving(number: int) -> Callable[[list[Obj]], bool]:
    def holds(slices: list[Obj]) -> bool:
        return sum(each["conditions"]["ready"] for one in slices for each in one.get("endpoints") or ()) == number

    return holds


def test_endpoints_leave_with_the_node_and_come_back_with_it(node_cluster: localkube.Cluster, kube: Kube) -> None:
    kube.create(deployment(2))
    kube.create(service())
    until(kube, "EndpointSlice", serving(2), "two ready endpoints")
    before = {pod["metadata"]["uid"] for pod in kube.list("Pod")}
    node_cluster.set_fault("node")
    until(kube, "EndpointSlice", serving(0), "no ready endpoint")
    until(kube, "Deployment", available(0), "nothing available")
    taints = kube.list("Node")[0]["spec"]["taints"]
    assert {(taint["key"], taint["effect"]) for taint in taints} == {
        (NOT_READY, "NoSchedule"),
        (NOT_READY, "NoExecute"),
    }
    node_cluster.clear_faults()
    until(kube, "EndpointSlice", serving(2), "two ready endpoints again")
    until(kube, "Deployment", available(2), "all available again")
    assert {pod["metadata"]["uid"] for pod in kube.list("Pod")} == before  # five minutes had not passed
    assert "taints" not in kube.list("Node")[0]["spec"]


def test_pods_are_evicted_after_their_patience_and_replaced_once_there_is_a_node(
    node_cluster: localkube.Cluster, kube: Kube
) -> None:
    hasty = {"key": NOT_READY, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1}
    kube.create(deployment(2, tolerations=[hasty], terminationGracePeriodSeconds=1))
    before = {pod["metadata"]["uid"] for pod in until(kube, "Pod", lambda pods: len(pods) == 2, "two pods")}
    until(kube, "Deployment", available(2), "all available")
    node_cluster.set_fault("node")

    def replaced_and_pending(pods: list[Obj]) -> bool:
        others = [pod for pod in pods if pod["metadata"]["uid"] not in before]
        return len(pods) == len(others) == 2 and all("nodeName" not in pod["spec"] for pod in pods)

    until(kube, "Pod", replaced_and_pending, "two other pods that wait for a node")
    node_cluster.clear_faults()
    until(kube, "Deployment", available(2), "all available again")


def test_pods_wait_five_minutes_unless_they_say_otherwise(kube: Kube) -> None:
    kube.create(deployment(1))
    (pod,) = until(kube, "Pod", lambda pods: len(pods) == 1, "a pod")
    unreachable = NOT_READY.replace("not-ready", "unreachable")
    assert pod["spec"]["tolerations"] == [
        {"effect": "NoExecute", "key": key, "operator": "Exists", "tolerationSeconds": 300}
        for key in (NOT_READY, unreachable)
    ]
