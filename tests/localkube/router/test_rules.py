"""Which backend a request goes to, by Ingresses and by HTTPRoutes; pure."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from bluegreen.localkube.router import gateways, ingresses
from bluegreen.localkube.router.gateways import Found, World
from bluegreen.localkube.router.rules import Backend, Request, Share, Table, Turns

Obj = dict[str, Any]


def meta(name: str, at: int = 0, namespace: str = "n") -> Obj:
    return {"name": name, "namespace": namespace, "creationTimestamp": f"2026-01-01T00:00:{at:02}Z"}


def ingress(name: str, *paths: tuple[str, str, str, str], default: str = "", at: int = 0) -> Obj:
    """``paths``: host, type, path, Service."""
    rules = [
        {"host": host, "http": {"paths": [{"path": path, "pathType": kind, "backend": to(service)}]}}
        for host, kind, path, service in paths
    ]
    spec: Obj = {"rules": rules, **({"defaultBackend": to(default)} if default else {})}
    return {"metadata": meta(name, at), "spec": spec}


def to(service: str) -> Obj:
    return {"service": {"name": service, "port": {"name": "http"}}}


def chosen(table: Table, url: str, **more: Any) -> str:
    """The Service that a request goes to; "" where no rule matches."""
    host, slash, path = url.partition("/")
    rule, backend = table.choose(Request(host, slash + path or "/", **more))
    return backend.service if rule and backend else ""


@pytest.mark.parametrize(
    ("url", "service"),
    [
        ("a.test/", "root"),
        ("a.test/shop", "shop"),
        ("a.test/shop/", "shop"),
        ("a.test/shop/1", "shop"),
        ("a.test/shopping", "root"),
        ("a.test/shop/exact", "exact"),
        ("a.test/shop/exact/", "shop"),
        ("a.test/free/x", "free"),
        ("b.wild.test/", "wild"),
        ("c.b.wild.test/", "any"),
        ("wild.test/", "any"),
        ("own.wild.test/", "own"),
        ("other.test/", "any"),
    ],
)
def test_an_ingress_is_followed_by_host_and_path(url: str, service: str) -> None:
    found = ingress(
        "i",
        ("a.test", "Prefix", "/", "root"),
        ("a.test", "Prefix", "/shop/", "shop"),
        ("a.test", "Exact", "/shop/exact", "exact"),
        ("a.test", "ImplementationSpecific", "/free", "free"),
        ("*.wild.test", "Prefix", "/", "wild"),
        ("own.wild.test", "Prefix", "/", "own"),
        ("", "Prefix", "/", "any"),
    )
    assert chosen(Table(ingresses.rules([found])), url) == service


def test_of_two_ingresses_the_older_one_wins_and_default_backends_come_last() -> None:
    old = ingress("old", ("a.test", "Prefix", "/", "old"), at=1)
    young = ingress("young", ("a.test", "Prefix", "/", "young"), default="rest", at=2)
    table = Table(ingresses.rules([young, old]))
    assert (chosen(table, "a.test/x"), chosen(table, "b.test/x")) == ("old", "rest")
    assert chosen(Table(ingresses.rules([old])), "b.test/x") == ""


@pytest.mark.parametrize("weights", [{"a": 1}, {"a": 95, "b": 5}, {"a": 1, "b": 1, "c": 2}, {"a": 0, "b": 3}])
def test_requests_are_shared_out_by_weight_exactly(weights: dict[str, int]) -> None:
    turns = Turns([Share(Backend("n", name, 80), weight) for name, weight in weights.items()])
    total = sum(weights.values())
    drawn = [turns.next() for _ in range(3 * total)]
    counted = Counter(backend.service for backend in drawn if backend)
    assert counted == {name: 3 * weight for name, weight in weights.items() if weight}


def test_a_rule_without_any_weight_goes_nowhere() -> None:
    assert Turns([Share(Backend("n", "a", 80), 0)]).next() is None
    assert Turns([]).next() is None


# -- HTTPRoutes -------------------------------------------------------------------------------------------------------


def gateway(*listeners: Obj, name: str = "g", kind: str = "ours") -> Obj:
    made = [{"name": f"l{number}", "port": 80, "protocol": "HTTP", **each} for number, each in enumerate(listeners)]
    return {"metadata": meta(name), "spec": {"gatewayClassName": kind, "listeners": made}}


def route(
    name: str = "r", *rules: Obj, at: int = 0, namespace: str = "n", parent: Obj | None = None, **spec: Any
) -> Obj:
    made = {"parentRefs": [{"name": "g", "namespace": "n", **(parent or {})}], "rules": list(rules), **spec}
    return {"metadata": meta(name, at, namespace), "spec": made}


def rule(service: str, *matches: Obj, **more: Any) -> Obj:
    return {"matches": list(matches) or [{}], "backendRefs": [{"name": service, "port": 80, **more}]}


def resolved(routes: list[Obj], *listeners: Obj, missing: tuple[str, ...] = ()) -> Found:
    def service(namespace: str, name: str) -> Obj | None:
        return None if name in missing else {"spec": {"ports": [{"port": 80}]}}

    gates = (gateway(*(listeners or ({},))), gateway({}, name="foreign", kind="other"))
    return gateways.resolve(World(frozenset(["ours"]), gates, tuple(routes), service, {"far": {"team": "x"}}))


def table(found: Found) -> Table:
    return Table(found.rules["n", "g"][80])


def said(found: Found, name: str = "r", namespace: str = "n") -> dict[str, tuple[str, str]]:
    """The conditions of a route's only parent: status and reason by type."""
    ((_, conditions),) = found.parents[namespace, name]
    return {condition.type: (condition.status, condition.reason) for condition in conditions}


@pytest.mark.parametrize(
    ("url", "more", "service"),
    [
        ("any.test/", {}, "root"),
        ("any.test/api/v1", {}, "api"),
        ("any.test/apis", {}, "root"),
        ("any.test/api/exact", {}, "exact"),
        ("any.test/api", {"headers": {"x-canary": "yes"}}, "canary"),
        ("any.test/api", {"headers": {"x-canary": "no"}}, "api"),
        ("any.test/api", {"method": "POST"}, "post"),
        ("any.test/api", {"method": "POST", "headers": {"x-canary": "yes"}}, "post"),
        ("any.test/api", {"parameters": {"v": "2"}}, "second"),
        ("own.test/api", {}, "own"),
    ],
)
def test_a_route_is_followed_by_path_method_header_and_parameter(url: str, more: Any, service: str) -> None:
    api = {"path": {"type": "PathPrefix", "value": "/api"}}
    found = resolved(
        [
            route(
                "r",
                rule("root"),
                rule("api", api),
                rule("exact", {"path": {"type": "Exact", "value": "/api/exact"}}),
                rule("canary", {**api, "headers": [{"name": "X-Canary", "value": "yes"}]}),
                rule("post", {**api, "method": "POST"}),
                rule("second", {**api, "queryParams": [{"name": "v", "value": "2"}]}),
            ),
            route("own", rule("own"), hostnames=["own.test"]),
        ]
    )
    assert chosen(table(found), url, **more) == service
    assert said(found) == {"Accepted": ("True", "Accepted"), "ResolvedRefs": ("True", "ResolvedRefs")}


@pytest.mark.parametrize(
    ("listener", "hostnames", "served", "refused"),
    [
        ("", [], ["x.test"], []),
        ("*.a.test", [], ["b.a.test", "c.b.a.test"], ["a.test", "x.test"]),
        ("*.a.test", ["b.a.test"], ["b.a.test"], ["c.a.test"]),
        ("b.a.test", ["*.a.test"], ["b.a.test"], ["c.a.test"]),
        ("a.test", ["x.test", "a.test"], ["a.test"], ["x.test"]),
    ],
)
def test_the_hosts_of_listener_and_route_meet(
    listener: str, hostnames: list[str], served: list[str], refused: list[str]
) -> None:
    found = resolved([route("r", rule("a"), hostnames=hostnames)], {"hostname": listener})
    assert [chosen(table(found), host) for host in served] == ["a"] * len(served)
    assert [chosen(table(found), host) for host in refused] == [""] * len(refused)


@pytest.mark.parametrize(
    ("listener", "made", "reason"),
    [
        ({}, route("r", rule("a"), parent={"sectionName": "none"}), "NoMatchingParent"),
        ({}, route("r", rule("a"), parent={"port": 81}), "NoMatchingParent"),
        ({}, route("r", rule("a"), namespace="far"), "NotAllowedByListeners"),
        ({"allowedRoutes": {"kinds": [{"kind": "TCPRoute"}]}}, route("r", rule("a")), "NotAllowedByListeners"),
        ({"hostname": "a.test"}, route("r", rule("a"), hostnames=["b.test"]), "NoMatchingListenerHostname"),
        ({}, route("r", {"filters": [{"type": "URLRewrite"}], **rule("a")}), "UnsupportedValue"),
        ({}, route("r", rule("a", {"path": {"type": "RegularExpression", "value": "/.*"}})), "UnsupportedValue"),
    ],
)
def test_a_route_that_cannot_hang_is_told_why(listener: Obj, made: Obj, reason: str) -> None:
    found = resolved([made], listener)
    assert said(found, namespace=made["metadata"]["namespace"])["Accepted"] == ("False", reason)
    assert found.rules["n", "g"][80] == []
    assert found.attached == {(("n", "g"), "l0"): 0}


@pytest.mark.parametrize(
    ("allowed", "hangs"),
    [
        ({"from": "All"}, True),
        ({"from": "Selector", "selector": {"matchLabels": {"team": "x"}}}, True),
        ({"from": "Selector", "selector": {"matchLabels": {"team": "y"}}}, False),
    ],
)
def test_routes_of_other_namespaces_hang_where_they_are_allowed(allowed: Obj, hangs: bool) -> None:
    found = resolved([route("r", rule("a"), namespace="far")], {"allowedRoutes": {"namespaces": allowed}})
    assert bool(found.rules["n", "g"][80]) is hangs
    assert found.attached == {(("n", "g"), "l0"): int(hangs)}


@pytest.mark.parametrize(
    ("ref", "reason"),
    [
        ({"kind": "Bucket", "group": "store.test"}, "InvalidKind"),
        ({"namespace": "far"}, "RefNotPermitted"),
        ({"port": 81}, "BackendNotFound"),
        ({"name": "missing"}, "BackendNotFound"),
    ],
)
def test_a_backend_that_is_none_is_named_and_answered_with_an_error(ref: Obj, reason: str) -> None:
    found = resolved([route("r", rule("a", **ref))], missing=("missing",))
    assert said(found)["ResolvedRefs"] == ("False", reason)
    assert said(found)["Accepted"] == ("True", "Accepted")
    _, backend = table(found).choose(Request("x.test", "/"))
    assert backend is not None
    assert backend.problem


def test_gateways_of_other_controllers_and_listeners_that_are_not_http_are_left_alone() -> None:
    found = resolved([route("r", rule("a"), parent={"name": "foreign"})], {"protocol": "HTTPS", "port": 443})
    assert found.rules == {("n", "g"): {}}
    assert found.parents == {("n", "r"): []}
