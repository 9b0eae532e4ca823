"""Endpoints written by hand, mirrored."""

from __future__ import annotations

from typing import Any

from tests.localkube.controllers.cluster import Cluster, service

Obj = dict[str, Any]
SUBSET = {
    "addresses": [{"ip": "192.0.2.1"}, {"ip": "192.0.2.2", "hostname": "two"}],
    "notReadyAddresses": [{"ip": "192.0.2.3"}],
    "ports": [{"port": 5432, "protocol": "TCP"}],
}


def bare(name: str = "db") -> Obj:
    made = service(name)
    del made["spec"]["selector"]
    return made


def mirrored(cluster: Cluster, name: str = "db") -> list[Obj]:
    return cluster.list("EndpointSlice", f"kubernetes.io/service-name={name}")


def endpoints(name: str = "db", **meta: Any) -> Obj:
    return {"metadata": {"name": name, **meta}, "subsets": [SUBSET]}


def test_a_service_without_selector_gets_what_its_endpoints_say(cluster: Cluster) -> None:
    cluster.create("Service", bare())
    cluster.create("Endpoints", endpoints(labels={"team": "a"}))
    (one,) = mirrored(cluster)
    assert one["metadata"]["labels"] == {
        "team": "a",
        "kubernetes.io/service-name": "db",
        "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
    }
    assert one["metadata"]["ownerReferences"][0]["kind"] == "Endpoints"
    assert one["ports"] == [{"name": "", "port": 5432, "protocol": "TCP"}]
    assert one["endpoints"] == [
        {"addresses": ["192.0.2.1"], "conditions": {"ready": True}},
        {"addresses": ["192.0.2.2"], "conditions": {"ready": True}, "hostname": "two"},
        {"addresses": ["192.0.2.3"], "conditions": {"ready": False}},
    ]


def test_it_follows_changes_and_goes_with_them(cluster: Cluster) -> None:
    cluster.create("Service", bare())
    cluster.create("Endpoints", endpoints())
    cluster.merge("Endpoints", "db", {"subsets": [{**SUBSET, "notReadyAddresses": None}]})
    (one,) = mirrored(cluster)
    assert len(one["endpoints"]) == 2
    cluster.merge("Endpoints", "db", {"subsets": None})
    assert mirrored(cluster) == []
    cluster.merge("Endpoints", "db", {"subsets": [SUBSET]})
    assert len(mirrored(cluster)) == 1
    cluster.delete("Endpoints", "db")
    assert mirrored(cluster) == []


def test_the_service_may_come_later_and_a_selector_ends_it(cluster: Cluster) -> None:
    cluster.create("Endpoints", endpoints())
    assert mirrored(cluster) == []
    cluster.create("Service", bare())
    assert len(mirrored(cluster)) == 1
    cluster.merge("Service", "db", {"spec": {"selector": {"app": "db"}}})
    managers = {one["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] for one in mirrored(cluster)}
    assert managers == {"endpointslice-controller.k8s.io"}


def test_a_label_says_no(cluster: Cluster) -> None:
    cluster.create("Service", bare())
    cluster.create("Endpoints", endpoints(labels={"endpointslice.kubernetes.io/skip-mirror": "true"}))
    assert mirrored(cluster) == []
