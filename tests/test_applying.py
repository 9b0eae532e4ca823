"""What setting up writes of an object, and what it leaves to whoever moves traffic; pure."""

from __future__ import annotations

from typing import Any

from bluegreen import applying, colour_services
from bluegreen.applying import SETUP, TRAFFIC

Obj = dict[str, Any]
INGRESS: Obj = {
    "kind": "Ingress",
    "metadata": {"name": "front"},
    "spec": {"ingressClassName": "nginx", "rules": [{"host": "a.test"}]},
}


def written_by(**managers: str) -> Obj:
    """The Ingress as it is, with who wrote which field of its spec."""
    entries = [{"manager": manager, "fieldsV1": {"f:spec": {f"f:{field}": {}}}} for field, manager in managers.items()]
    return {**INGRESS, "metadata": {"name": "front", "managedFields": entries}}


def test_an_ingress_that_a_release_has_moved_keeps_its_rules() -> None:
    assert applying.owned_part(INGRESS, written_by(rules=TRAFFIC))["spec"] == {"ingressClassName": "nginx"}


def test_an_ingress_that_no_release_has_moved_is_written_whole() -> None:
    assert applying.owned_part(INGRESS, None) == INGRESS
    assert applying.owned_part(INGRESS, written_by(rules=SETUP, ingressClassName=TRAFFIC)) == INGRESS


def test_the_services_of_the_colours_are_like_the_live_one_but_inside_the_cluster_and_at_one_colour() -> None:
    ports = [{"name": "http", "port": 80, "targetPort": "http", "nodePort": 30080}, {"name": "metrics", "port": 9090}]
    spec = {
        "type": "LoadBalancer",
        "selector": {"app": "shop", "version": "none"},
        "ports": ports,
        "externalIPs": ["x"],
    }
    live = {"kind": "Service", "metadata": {"name": "shop", "namespace": "team", "labels": {"a": "b"}}, "spec": spec}
    blue, green = colour_services.beside([live, INGRESS])
    assert [each["metadata"] for each in (blue, green)] == [
        {"name": f"shop-{colour}", "namespace": "team", "labels": {"a": "b"}} for colour in ("blue", "green")
    ]
    assert green["spec"] == {
        "type": "ClusterIP",
        "selector": {"app": "shop", "version": "green"},
        "ports": [{"name": "http", "port": 80, "targetPort": "http"}, {"name": "metrics", "port": 9090}],
    }
