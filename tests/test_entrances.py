"""Where users come in is read from what Ingresses and Gateways state; pure."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen.entrances import Entrance, of_http_route, of_ingress

Obj = dict[str, Any]
SERVICES = {"shop", "shop-blue", "shop-green"}


def path(service: str, path: str = "/", kind: str = "Prefix") -> Obj:
    return {"path": path, "pathType": kind, "backend": {"service": {"name": service}}}


def ingress(*rules: tuple[str, Obj], default: str = "", addresses: tuple[Obj, ...] = ({"ip": "10.0.0.1"},)) -> Obj:
    spec: Obj = {"rules": [{"host": host, "http": {"paths": [each]}} for host, each in rules]}
    if default:
        spec["defaultBackend"] = {"service": {"name": default}}
    return {"spec": spec, "status": {"loadBalancer": {"ingress": list(addresses)}}}


@pytest.mark.parametrize(
    ("found", "authority"),
    [
        (ingress(("a.test", path("shop"))), "a.test"),
        (ingress(("other.test", path("other")), ("a.test", path("shop-green"))), "a.test"),
        (ingress(("a.test", path("shop", "/static")), ("b.test", path("shop", "/health"))), "b.test"),
        (ingress(("a.test", path("shop", "/health/deep", "Exact"))), "a.test"),
        (ingress(("*.a.test", path("shop"))), "bluegreen.a.test"),
        (ingress(("", path("shop"))), ""),
        (ingress(("other.test", path("other")), default="shop"), ""),
    ],
)
def test_an_ingress_is_entered_by_the_host_that_leads_to_the_application(found: Obj, authority: str) -> None:
    assert of_ingress(found, SERVICES, "/health/deep") == [Entrance("10.0.0.1", 80, authority)]


@pytest.mark.parametrize(
    "found",
    [
        ingress(("a.test", path("other"))),
        ingress(("a.test", path("shop", "/static"))),
        ingress(("a.test", path("shop", "/health", "Exact"))),
        ingress(("a.test", path("shop")), addresses=()),
        {"spec": {"rules": [{"host": "bare.test"}]}},
    ],
)
def test_an_ingress_that_does_not_lead_there_or_has_no_address_is_no_entrance(found: Obj) -> None:
    assert of_ingress(found, SERVICES, "/health/deep") == []


def test_an_ingress_may_have_several_addresses_by_name_or_number() -> None:
    found = ingress(("a.test", path("shop")), addresses=({"hostname": "lb.test"}, {"ip": "10.0.0.1"}, {}))
    assert [entrance.host for entrance in of_ingress(found, SERVICES, "/")] == ["lb.test", "10.0.0.1"]


def gateway(*listeners: Obj) -> Obj:
    return {"spec": {"listeners": list(listeners)}, "status": {"addresses": [{"value": "10.0.0.2"}]}}


def listener(name: str = "http", port: int = 80, protocol: str = "HTTP", **more: str) -> Obj:
    return {"name": name, "port": port, "protocol": protocol, **more}


def route(*parents: Obj, hostnames: tuple[str, ...] = ("a.test",)) -> Obj:
    return {"metadata": {"namespace": "team"}, "spec": {"parentRefs": list(parents), "hostnames": list(hostnames)}}


def test_a_route_is_entered_at_its_gateways_listeners() -> None:
    known = {
        ("team", "own"): gateway(listener(), listener("tls", 443, "HTTPS"), listener("other", 8080)),
        ("infra", "shared"): gateway(listener(port=8000, hostname="*.b.test"), listener("second", 8001)),
    }
    asked: list[tuple[str, str]] = []

    def found(namespace: str, name: str) -> Obj | None:
        asked.append((namespace, name))
        return known.get((namespace, name))

    shared = {"name": "shared", "namespace": "infra"}
    parents = [{"name": "own", "sectionName": "http"}, {**shared, "port": 8000}, {"name": "unseen"}]
    parents.append({"name": "mesh", "kind": "Service"})
    entrances = [Entrance("10.0.0.2", 80, "a.test"), Entrance("10.0.0.2", 8000, "a.test")]
    assert of_http_route(route(*parents), found) == entrances
    assert asked == [("team", "own"), ("infra", "shared"), ("team", "unseen")]
    [nameless] = of_http_route(route({**shared, "port": 8000}, hostnames=()), found)
    assert nameless.authority == "bluegreen.b.test"
