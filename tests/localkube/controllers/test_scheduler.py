"""The scheduler: room, wishes, taints, and the words when nothing fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.localkube.controllers.cluster import Cluster, conditions

Obj = dict[str, Any]
ANTI = "requiredDuringSchedulingIgnoredDuringExecution"


def pod(cluster: Cluster, name: str, requests: Obj | None = None, labels: Obj | None = None, **spec: Any) -> Obj:
    container = {"name": "c", "image": "i", "resources": {"requests": requests} if requests else {}}
    container |= spec.pop("container", {})
    made = {"metadata": {"name": name, "labels": labels or {}}, "spec": {"containers": [container], **spec}}
    cluster.create("Pod", made)
    return cluster.get("Pod", name)


def node_of(cluster: Cluster, name: str) -> str:
    return str(cluster.get("Pod", name)["spec"].get("nodeName", ""))


def why(cluster: Cluster, name: str) -> str:
    found = [message for reason, message in cluster.events("Pod", name) if reason == "FailedScheduling"]
    assert conditions(cluster.get("Pod", name))["PodScheduled"] == ("False", "Unschedulable")
    return found[-1]


VICTIMS = (
    "no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
)
HELPLESS = (
    "no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
)


def test_binds_and_tells(cluster: Cluster) -> None:
    bound = pod(cluster, "p")
    assert node_of(cluster, "p") == "node"
    assert bound["metadata"]["generation"] == 1
    assert conditions(bound)["PodScheduled"] == ("True", "")
    assert cluster.events("Pod", "p")[0] == ("Scheduled", "Successfully assigned test/p to node")


def test_what_does_not_fit_waits_and_fits_when_room_is_made(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(cpu="2")
    pod(cluster, "first", {"cpu": "1500m"})
    pod(cluster, "second", {"cpu": "600m"})
    assert why(cluster, "second") == f"0/1 nodes are available: 1 Insufficient cpu. {VICTIMS}"
    cluster.delete("Pod", "first")
    assert node_of(cluster, "second") == "node"


def test_more_than_the_node_has_cannot_be_helped(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(cpu="2")
    pod(cluster, "huge", {"cpu": "3", "memory": "2000Gi"})
    assert why(cluster, "huge") == f"0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory. {HELPLESS}"
    cluster.merge("Node", "node", {"status": {"allocatable": {"cpu": "4", "memory": "4000Gi"}}}, subresource="status")
    assert node_of(cluster, "huge") == "node"


def test_finished_pods_leave_their_room(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(cpu="1")
    pod(cluster, "first", {"cpu": "1"})
    pod(cluster, "second", {"cpu": "1"})
    cluster.pods.end("first", "Succeeded")
    assert node_of(cluster, "second") == "node"


def test_too_many_pods(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(pods="1")
    pod(cluster, "first")
    pod(cluster, "second")
    assert why(cluster, "second") == f"0/1 nodes are available: 1 Too many pods. {VICTIMS}"


def test_without_any_node(cluster: Cluster) -> None:
    cluster.delete("Node", "node")
    pod(cluster, "p")
    assert why(cluster, "p") == "no nodes available to schedule pods"
    cluster.node("fresh")
    assert node_of(cluster, "p") == "fresh"


def test_a_cordoned_node_takes_nobody_new(cluster: Cluster) -> None:
    cluster.merge("Node", "node", {"spec": {"unschedulable": True}})
    pod(cluster, "p")
    assert why(cluster, "p") == f"0/1 nodes are available: 1 node(s) were unschedulable. {HELPLESS}"
    cluster.merge("Node", "node", {"spec": {"unschedulable": None}})
    assert node_of(cluster, "p") == "node"


def test_a_node_that_is_not_ready(cluster: Cluster) -> None:
    down = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    cluster.merge("Node", "node", down, subresource="status")
    pod(cluster, "p")
    assert why(cluster, "p") == (
        f"0/1 nodes are available: 1 node(s) had untolerated taint {{node.kubernetes.io/not-ready: }}. {HELPLESS}"
    )


@pytest.mark.parametrize(
    ("volume", "words"),
    [
        ({"persistentVolumeClaim": {"claimName": "data"}}, 'persistentvolumeclaim "data" not found'),
        (
            {"ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"]}}}},
            'waiting for ephemeral volume controller to create the persistentvolumeclaim "p-v"',
        ),
    ],
)
def test_claims_are_not_there(cluster: Cluster, volume: dict[str, Any], words: str) -> None:
    pod(cluster, "p", volumes=[{"name": "v", **volume}])
    assert why(cluster, "p") == f"0/1 nodes are available: {words}. {HELPLESS}"


def test_taints_keep_off_who_does_not_tolerate_them(cluster: Cluster) -> None:
    taints = [{"key": "team", "value": "a", "effect": "NoSchedule"}]
    cluster.merge("Node", "node", {"spec": {"taints": taints}})
    pod(cluster, "stranger")
    pod(cluster, "friend", tolerations=[{"key": "team", "operator": "Equal", "value": "a", "effect": "NoSchedule"}])
    pod(cluster, "anyone", tolerations=[{"operator": "Exists"}])
    assert "untolerated taint {team: a}" in why(cluster, "stranger")
    assert (node_of(cluster, "friend"), node_of(cluster, "anyone")) == ("node", "node")


def test_wishes_for_nodes(cluster: Cluster) -> None:
    cluster.node("other")
    expressions = [{"key": "kubernetes.io/hostname", "operator": "NotIn", "values": ["node"]}]
    terms = {"nodeSelectorTerms": [{"matchExpressions": expressions}]}
    pod(cluster, "selects", nodeSelector={"kubernetes.io/hostname": "other"})
    pod(cluster, "avoids", affinity={"nodeAffinity": {ANTI: terms}})
    pod(cluster, "lost", nodeSelector={"disk": "ssd"})
    assert (node_of(cluster, "selects"), node_of(cluster, "avoids")) == ("other", "other")
    assert why(cluster, "lost") == (
        "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector."
        " no new claims to deallocate, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    )


def test_pods_that_want_to_be_apart(cluster: Cluster) -> None:
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "db"}}}
    apart = {"podAntiAffinity": {ANTI: [term]}}
    pod(cluster, "one", labels={"app": "db"}, affinity=apart)
    pod(cluster, "two", labels={"app": "db"}, affinity=apart)
    assert why(cluster, "two") == (
        f"0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules. {VICTIMS}"
    )
    pod(cluster, "plain", labels={"app": "db"})
    assert "didn't satisfy existing pods anti-affinity rules" in why(cluster, "plain")
    cluster.node("other")
    assert sorted([node_of(cluster, "one"), node_of(cluster, "two") or node_of(cluster, "plain")]) == ["node", "other"]


def test_pods_that_want_to_be_together(cluster: Cluster) -> None:
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "cache"}}}
    pod(cluster, "web", affinity={"podAffinity": {ANTI: [term]}})
    assert "didn't match pod affinity rules" in why(cluster, "web")
    pod(cluster, "cache", labels={"app": "cache"})
    assert node_of(cluster, "web") == "node"


def test_host_ports_are_there_once(cluster: Cluster) -> None:
    port = {"ports": [{"containerPort": 80, "hostPort": 8080}]}
    pod(cluster, "one", container=port)
    pod(cluster, "two", container=port)
    assert "free ports for the requested pod ports" in why(cluster, "two")


def test_spreads_over_nodes_by_what_is_free(cluster: Cluster) -> None:
    cluster.node("other")
    for number in range(4):
        pod(cluster, f"p{number}", {"cpu": "1"})
    assert sorted(node_of(cluster, f"p{number}") for number in range(4)) == ["node", "node", "other", "other"]


def test_gates_hold_a_pod_back(cluster: Cluster) -> None:
    pod(cluster, "p", schedulingGates=[{"name": "example.com/wait"}])
    assert conditions(cluster.get("Pod", "p"))["PodScheduled"] == ("False", "SchedulingGated")
    cluster.merge("Pod", "p", {"spec": {"schedulingGates": None}})
    assert node_of(cluster, "p") == "node"


def test_another_schedulers_pods_are_left_alone(cluster: Cluster) -> None:
    pod(cluster, "p", schedulerName="mine")
    assert "conditions" not in cluster.get("Pod", "p")["status"]
    assert node_of(cluster, "p") == ""


@pytest.mark.parametrize(
    ("requests", "init", "expected"), [({"cpu": "1"}, {"cpu": "3"}, True), ({"cpu": "1"}, {"cpu": "5"}, False)]
)
def test_init_containers_ask_before_not_beside(
    make_cluster: Callable[..., Cluster], requests: Obj, init: Obj, expected: bool
) -> None:
    cluster = make_cluster(cpu="3")
    pod(cluster, "p", requests, initContainers=[{"name": "i", "image": "i", "resources": {"requests": init}}])
    assert (node_of(cluster, "p") == "node") == expected


def test_who_must_spread_needs_a_node_that_knows_its_domain(cluster: Cluster) -> None:
    selector = {"matchLabels": {"app": "db"}}
    spread = {"maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector}
    pod(cluster, "hosts", topologySpreadConstraints=[{**spread, "topologyKey": "kubernetes.io/hostname"}])
    pod(cluster, "zones", topologySpreadConstraints=[{**spread, "topologyKey": "topology.kubernetes.io/zone"}])
    assert node_of(cluster, "hosts") == "node"
    assert "topology spread constraints (missing required label)" in why(cluster, "zones")
