"""Services to pods: slices and Endpoints."""

from __future__ import annotations

from typing import Any

from bluegreen.localkube.controllers.endpoints import SLICE_SIZE
from bluegreen.localkube.kinds import KINDS
from tests.localkube.controllers.cluster import Cluster, deployment, names, service, template

Obj = dict[str, Any]


def slices(cluster: Cluster, name: str = "web") -> list[Obj]:
    return cluster.list("EndpointSlice", f"kubernetes.io/service-name={name}")


def endpoints(cluster: Cluster, name: str = "web") -> list[Obj]:
    return [one for each in slices(cluster, name) for one in each["endpoints"] or ()]


def test_lists_the_pods_behind_a_selector(cluster: Cluster) -> None:
    cluster.create("Service", service())
    cluster.create("Deployment", deployment(replicas=2))
    (one,) = slices(cluster)
    assert one["addressType"] == "IPv4"
    assert one["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    assert one["metadata"]["labels"] == {
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    assert one["metadata"]["ownerReferences"][0]["kind"] == "Service"
    assert one["metadata"]["name"].startswith("web-")
    pod = cluster.list("Pod")[0]
    found = next(each for each in one["endpoints"] if each["targetRef"]["name"] == pod["metadata"]["name"])
    assert found["addresses"] == [pod["status"]["podIP"]]
    assert found["nodeName"] == "node"
    assert found["conditions"] == {"ready": True, "serving": True, "terminating": False}


def test_a_service_without_pods_has_one_empty_slice(cluster: Cluster) -> None:
    cluster.create("Service", service())
    (one,) = slices(cluster)
    assert not one["endpoints"]
    assert "subsets" not in cluster.get("Endpoints", "web")


def test_conditions_follow_readiness_and_termination(cluster: Cluster) -> None:
    cluster.create("Service", service())
    cluster.create("Deployment", deployment(replicas=1))
    (name,) = names(cluster.list("Pod"))
    cluster.pods.set_ready(name, False)
    assert endpoints(cluster)[0]["conditions"] == {"ready": False, "serving": False, "terminating": False}
    cluster.pods.set_ready(name, True)
    cluster.pods.stop = False
    cluster.delete("Pod", name)
    going = next(each for each in endpoints(cluster) if each["targetRef"]["name"] == name)
    assert going["conditions"] == {"ready": False, "serving": True, "terminating": True}
    cluster.delete("Pod", name, gracePeriodSeconds=0)
    assert name not in [each["targetRef"]["name"] for each in endpoints(cluster)]


def test_unready_pods_are_published_where_asked_for(cluster: Cluster) -> None:
    cluster.pods.ready = False
    cluster.create("Service", service(publishNotReadyAddresses=True))
    cluster.create("Deployment", deployment(replicas=1))
    assert endpoints(cluster)[0]["conditions"] == {"ready": True, "serving": False, "terminating": False}
    assert len(cluster.get("Endpoints", "web")["subsets"][0]["addresses"]) == 1


def test_finished_pods_and_those_without_address_are_left_out(cluster: Cluster) -> None:
    cluster.create("Service", service())
    cluster.create("Pod", {"metadata": {"name": "ended", "labels": {"app": "web"}}, "spec": template()["spec"]})
    cluster.pods.end("ended", "Succeeded")
    cluster.pods.start = False
    cluster.create("Pod", {"metadata": {"name": "young", "labels": {"app": "web"}}, "spec": template()["spec"]})
    assert endpoints(cluster) == []


def test_a_switched_selector_is_one_update_and_never_empty(cluster: Cluster) -> None:
    for colour in ("blue", "green"):
        cluster.create("Deployment", deployment(colour, replicas=3))
    cluster.create("Service", service(selector={"app": "blue"}))
    seen: list[Obj] = []
    cluster.store.subscribe(KINDS["EndpointSlice"], lambda change: seen.append(change.object))
    cluster.merge("Service", "web", {"spec": {"selector": {"app": "green"}}})
    assert len(seen) == 1
    assert [each["targetRef"]["name"].split("-")[0] for each in seen[0]["endpoints"]] == ["green"] * 3
    assert all(each["conditions"]["ready"] for each in seen[0]["endpoints"])


def test_named_ports_may_differ_between_pods(cluster: Cluster) -> None:
    cluster.create("Service", service(ports=[{"name": "http", "port": 80, "targetPort": "web"}]))
    for name, number in (("one", 8001), ("two", 8002), ("none", 0)):
        ports = [{"name": "web", "containerPort": number}] if number else []
        spec = {"containers": [{"name": "c", "image": "i", "ports": ports}]}
        cluster.create("Pod", {"metadata": {"name": name, "labels": {"app": "web"}}, "spec": spec})
    by_port = {
        (each["ports"] or [{"port": 0}])[0]["port"]: [one["targetRef"]["name"] for one in each["endpoints"]]
        for each in slices(cluster)
    }
    assert by_port == {8001: ["one"], 8002: ["two"], 0: ["none"]}
    assert sorted(subset["ports"][0]["port"] for subset in cluster.get("Endpoints", "web")["subsets"]) == [8001, 8002]


def test_large_services_are_split_and_slices_stay_stable(cluster: Cluster) -> None:
    cluster.create("Service", service())
    cluster.create("Deployment", deployment(replicas=250))
    assert sorted(len(each["endpoints"]) for each in slices(cluster)) == [50, SLICE_SIZE, SLICE_SIZE]
    changed: list[str] = []
    cluster.store.subscribe(KINDS["EndpointSlice"], lambda change: changed.append(change.name))
    cluster.pods.set_ready(endpoints(cluster)[0]["targetRef"]["name"], False)
    assert len(changed) == 1


def test_labels_of_the_service_are_copied_and_a_headless_one_says_so(cluster: Cluster) -> None:
    cluster.create("Service", service(clusterIP="None"))
    cluster.merge("Service", "web", {"metadata": {"labels": {"team": "a"}}})
    labels = slices(cluster)[0]["metadata"]["labels"]
    assert labels["team"] == "a"
    assert labels["service.kubernetes.io/headless"] == ""
    assert cluster.get("Endpoints", "web")["metadata"]["labels"] == {
        "team": "a",
        "service.kubernetes.io/headless": "",
        "endpoints.kubernetes.io/managed-by": "endpoint-controller",
    }


def test_hostnames_are_given_in_a_headless_subdomain(cluster: Cluster) -> None:
    cluster.create("Service", service(clusterIP="None"))
    spec = {**template()["spec"], "hostname": "db-0", "subdomain": "web"}
    cluster.create("Pod", {"metadata": {"name": "db-0", "labels": {"app": "web"}}, "spec": spec})
    assert endpoints(cluster)[0]["hostname"] == "db-0"


def test_zones_come_from_the_node(cluster: Cluster) -> None:
    cluster.create("Service", service())
    cluster.create("Deployment", deployment(replicas=1))
    assert "zone" not in endpoints(cluster)[0]
    cluster.merge("Node", "node", {"metadata": {"labels": {"topology.kubernetes.io/zone": "z1"}}})
    assert endpoints(cluster)[0]["zone"] == "z1"


def test_without_selector_nothing_is_written(cluster: Cluster) -> None:
    bare = service("bare")
    del bare["spec"]["selector"]
    cluster.create("Service", bare)
    assert slices(cluster, "bare") == []
    assert cluster.find("Endpoints", "bare") is None


def test_slices_and_endpoints_go_with_their_service(cluster: Cluster) -> None:
    cluster.create("Service", service())
    cluster.delete("Service", "web")
    assert slices(cluster) == []
    assert cluster.find("Endpoints", "web") is None


def test_what_somebody_else_changes_is_put_right(cluster: Cluster) -> None:
    cluster.create("Service", service())
    cluster.create("Deployment", deployment(replicas=2))
    cluster.merge("EndpointSlice", names(slices(cluster))[0], {"endpoints": []})
    assert len(endpoints(cluster)) == 2
    cluster.delete("EndpointSlice", names(slices(cluster))[0])
    assert len(endpoints(cluster)) == 2


def test_the_moment_of_the_last_change_is_noted_where_there_is_one(cluster: Cluster) -> None:
    note = "endpoints.kubernetes.io/last-change-trigger-time"
    cluster.create("Service", service())
    assert note in slices(cluster)[0]["metadata"]["annotations"]
    cluster.after(10)
    cluster.create("Deployment", deployment(replicas=1))
    ready = cluster.list("Pod")[0]["status"]["conditions"][-1]["lastTransitionTime"]
    assert slices(cluster)[0]["metadata"]["annotations"][note] == ready
    assert cluster.get("Endpoints", "web")["metadata"]["annotations"][note] == ready
    cluster.merge("Deployment", "web", {"spec": {"replicas": 0}})
    assert note not in cluster.get("Endpoints", "web")["metadata"].get("annotations", {})
