"""The ways to switch: each reads where an object sends live traffic, and writes what sends it elsewhere; pure."""

from __future__ import annotations

import copy
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bluegreen import ways
from bluegreen.colour import Colour
from bluegreen.errors import CannotStartError
from bluegreen.live_object import MANAGER, MOVED, ForeignWriteError, LiveObject
from bluegreen.localkube.patches import json_patch
from bluegreen.ways import RefusedRouteError, UnclearError, shared, splits, told, wholly

Obj = dict[str, Any]

BLUE, GREEN = Colour.BLUE, Colour.GREEN
SERVICES = ("shop", "chat")


def way(kind: str) -> ways.Way:
    """A way of the application behind the Services ``shop`` and ``chat``."""
    return ways.of(kind, SERVICES, lambda _: {"app": "shop"}, "team")


def service(**selector: str) -> Obj:
    """A live Service."""
    return {"kind": "Service", "metadata": {"name": "shop"}, "spec": {"selector": {"app": "shop", **selector}}}


def ingress(*names: str, default: str = "") -> Obj:
    """An Ingress with a path for each backend."""
    paths = [{"path": f"/{number}", "backend": named(name)} for number, name in enumerate(names)]
    spec: Obj = {"rules": [{"host": "shop.test", "http": {"paths": paths}}, {"host": "bare.test"}]}
    if default:
        spec["defaultBackend"] = named(default)
    return {"kind": "Ingress", "metadata": {"name": "front"}, "spec": spec}


def named(name: str) -> Obj:
    """A backend of an Ingress."""
    return {"service": {"name": name, "port": {"name": "http"}}}


def route(*rules: dict[str, int | None]) -> Obj:
    """An HTTPRoute with backends by name and weight; None: it states none."""
    made = [
        {"backendRefs": [{"name": n, "port": 80, **({} if w is None else {"weight": w})} for n, w in rule.items()]}
        for rule in rules
    ]
    return {"kind": "HTTPRoute", "metadata": {"name": "front", "generation": 3}, "spec": {"rules": made}}


def moved(obj: Obj, split: ways.Split) -> Obj:
    """The object after the way's own patch."""
    before = copy.deepcopy(obj)
    patched: Obj = json_patch(obj, way(obj["kind"]).operations(obj, split))
    assert obj == before
    return patched


def weights(obj: Obj) -> list[dict[str, Any]]:
    """Each rule's backends by name and weight."""
    return [{ref["name"]: ref.get("weight") for ref in rule["backendRefs"]} for rule in obj["spec"]["rules"]]


@pytest.mark.parametrize(
    ("obj", "places"),
    [
        (service(version="blue"), [BLUE]),
        (service(version="none"), [None]),
        (ingress("shop-blue", "other", "chat-blue"), [BLUE, BLUE]),
        (ingress("other", default="shop-green"), [GREEN]),
        (ingress("shop"), [None]),
        (route({"shop-blue": 100, "shop-green": 0}, {"other": 1}), [BLUE]),
        (route({"shop-green": None}), [GREEN]),
        (route({"shop": 1}, {"chat": 7, "other": 3}), [None, None]),
    ],
)
def test_where_each_part_sends_traffic_is_read(obj: Obj, places: list[Colour | None]) -> None:
    assert [part.split for part in way(obj["kind"]).parts(obj)] == [wholly(place) for place in places]


@pytest.mark.parametrize(
    ("obj", "said"),
    [
        (service(), "its `version` is not"),
        ({**service(version="blue"), "spec": {"selector": {"app": "x", "version": "blue"}}}, "and not app=shop"),
        (ingress("other", "shop-red", "blue"), "no backend of this application; its backends: other, shop-red, blue"),
        (route({"other": 1}), "no backend of this application"),
        (route(), "its backends: none"),
        (route({"shop-blue": 0, "shop-green": 0}), "gives no weight to any colour of shop"),
    ],
)
def test_what_steers_nothing_is_refused(obj: Obj, said: str) -> None:
    with pytest.raises(CannotStartError, match=said):
        way(obj["kind"]).parts(obj)
    with pytest.raises(ForeignWriteError, match="an unknown field manager wrote it"):
        LiveObject(way(obj["kind"]), obj).place()


def test_a_backend_named_twice_in_one_rule_is_refused() -> None:
    twice = route({"shop-blue": 1})
    twice["spec"]["rules"][0]["backendRefs"] *= 2
    with pytest.raises(UnclearError, match="names shop-blue twice"):
        way("HTTPRoute").parts(twice)


def test_backends_elsewhere_are_somebody_elses() -> None:
    found = route({"shop-blue": 1, "shop-green": 0})
    refs = found["spec"]["rules"][0]["backendRefs"]
    refs += [{"name": "shop-green", "namespace": "other"}, {"name": "chat", "kind": "Bucket", "group": "store.test"}]
    refs[0]["namespace"] = "team"
    assert [part.split for part in way("HTTPRoute").parts(found)] == [wholly(BLUE)]
    assert moved(found, wholly(GREEN))["spec"]["rules"][0]["backendRefs"][2:] == refs[2:]


@pytest.mark.parametrize("obj", [ingress("shop-blue", "chat-green"), route({"shop-blue": 1}, {"shop-green": 1})])
def test_two_colours_in_one_object_are_told_with_their_places(obj: Obj) -> None:
    with pytest.raises(UnclearError, match=r"rules\[0\].* to blue, .*rules\[\d\].* to green"):
        LiveObject(way(obj["kind"]), obj).found()


def test_weights_at_rest_have_to_be_at_one_colour() -> None:
    with pytest.raises(UnclearError, match="sends 60 % blue, 40 % green"):
        LiveObject(way("HTTPRoute"), route({"shop-blue": 3, "shop-green": 2})).found()


def test_the_switch_of_an_ingress_renames_the_applications_backends_and_nothing_else() -> None:
    found = ingress("shop-blue", "other", "chat-blue", default="shop-blue")
    assert moved(found, wholly(GREEN)) == ingress("shop-green", "other", "chat-green", default="shop-green")
    assert moved(ingress("shop"), wholly(BLUE)) == ingress("shop-blue")
    assert moved(ingress("shop-blue"), wholly(None)) == ingress("shop")


MOVES: list[tuple[dict[str, int | None], ways.Split, dict[str, int | None]]] = [
    ({"shop-blue": 100, "shop-green": 0}, wholly(GREEN), {"shop-blue": 0, "shop-green": 100}),
    ({"shop-blue": 1, "shop-green": 0}, wholly(GREEN), {"shop-blue": 0, "shop-green": 1}),
    ({"shop-blue": None}, wholly(GREEN), {"shop-blue": 0, "shop-green": None}),
    ({"shop": None}, wholly(BLUE), {"shop-blue": None}),
    ({"shop-blue": 100, "shop-green": 0}, wholly(None), {"shop": 100, "shop-green": 0}),
    ({"shop-blue": None}, shared(BLUE, GREEN, 10), {"shop-blue": 90, "shop-green": 10}),
    ({"shop": None}, shared(BLUE, GREEN, 10), {"shop-blue": 90, "shop-green": 10}),
    ({"shop-green": 90, "shop-blue": 10}, shared(GREEN, BLUE, 50), {"shop-green": 50, "shop-blue": 50}),
    ({"shop-blue": 8, "shop-green": 0}, shared(BLUE, GREEN, 25), {"shop-blue": 6, "shop-green": 2}),
    (
        {"shop-blue": 90, "shop-green": 0, "other": 10},
        shared(BLUE, GREEN, 10),
        {"shop-blue": 81, "shop-green": 9, "other": 10},
    ),
    (
        {"other": 3, "shop-blue": 7, "chat-blue": 5},
        wholly(GREEN),
        {"other": 3, "shop-blue": 0, "shop-green": 7, "chat-blue": 0, "chat-green": 5},
    ),
]


@pytest.mark.parametrize(("before", "split", "after"), MOVES)
def test_the_weights_of_a_rule_move(
    before: dict[str, int | None], split: ways.Split, after: dict[str, int | None]
) -> None:
    got = moved(route(before, {"other": 5}), split)
    assert weights(got) == [after, {"other": 5}]
    assert all(part.split == split for part in way("HTTPRoute").parts(got))


def test_a_share_that_the_weights_beside_others_cannot_express_is_refused() -> None:
    with pytest.raises(UnclearError, match=r"gives shop the weight 9 beside other backends.*multiple of 10"):
        way("HTTPRoute").operations(route({"shop-blue": 9, "other": 1}), shared(BLUE, GREEN, 10))


def test_a_backend_that_is_added_has_the_filters_and_the_port_of_the_other() -> None:
    found = route({"shop-blue": None})
    found["spec"]["rules"][0]["backendRefs"][0] |= {"port": 8080, "filters": [{"type": "x"}]}
    added = moved(found, shared(BLUE, GREEN, 50))["spec"]["rules"][0]["backendRefs"][1]
    assert added == {"name": "shop-green", "port": 8080, "filters": [{"type": "x"}], "weight": 50}


@given(some.lists(some.integers(1, 1000), min_size=1, max_size=5), some.lists(some.integers(1, 99), max_size=4))
def test_whatever_the_steps_all_traffic_comes_back_to_where_it_was(totals: list[int], steps: list[int]) -> None:
    found = route(*({"shop-blue": total} for total in totals))
    for percent in steps:
        found = moved(found, shared(BLUE, GREEN, percent))
        assert LiveObject(way("HTTPRoute"), found).holds(shared(BLUE, GREEN, percent))
    for place in (GREEN, BLUE):
        found = moved(found, wholly(place))
        assert LiveObject(way("HTTPRoute"), found).found() is place


@pytest.mark.parametrize("obj", [service(version="blue"), ingress("shop-blue")])
def test_what_knows_no_weights_shares_nothing_out(obj: Obj) -> None:
    with pytest.raises(UnclearError, match="cannot share traffic out"):
        way(obj["kind"]).operations(obj, shared(BLUE, GREEN, 10))


@pytest.mark.parametrize(
    ("split", "words"),
    [
        (wholly(None), "nobody"),
        (wholly(GREEN), "green"),
        (shared(BLUE, GREEN, 10), "90 % blue, 10 % green"),
        ({BLUE: Fraction(1, 3), GREEN: Fraction(2, 3)}, "66.7 % green, 33.3 % blue"),
    ],
)
def test_a_split_is_told(split: ways.Split, words: str) -> None:
    assert told(split) == words
    assert sum(split.values()) == 1


def status(generation: int, accepted: str = "True", reason: str = "Accepted") -> Obj:
    """What one Gateway says of a route."""
    conditions = [
        {"type": "Accepted", "status": accepted, "reason": reason, "message": "", "observedGeneration": generation},
        {"type": "ResolvedRefs", "status": "True", "reason": "ResolvedRefs", "observedGeneration": generation},
    ]
    return {"parentRef": {"name": "edge"}, "conditions": conditions}


@pytest.mark.parametrize(
    ("parents", "said"),
    [
        ([], "no Gateway has taken it up"),
        ([status(2)], "Gateway edge has not said Accepted of its present state"),
        ([{"parentRef": {"name": "edge"}}], "has not said ResolvedRefs"),
        ([status(3), status(2)], "has not said"),
        ([status(3)], ""),
    ],
)
def test_a_route_is_followed_once_each_gateway_has_said_so_of_its_generation(parents: list[Obj], said: str) -> None:
    pending = way("HTTPRoute").pending({**route({"shop": 1}), "status": {"parents": parents}})
    assert said in pending
    assert bool(pending) is bool(said)


def test_a_route_that_a_gateway_refuses_is_not_waited_for() -> None:
    refused = {**route({"shop": 1}), "status": {"parents": [status(3, "False", "NoMatchingParent")]}}
    with pytest.raises(
        RefusedRouteError, match=r"Gateway edge does not follow .*Accepted is False, NoMatchingParent\."
    ):
        way("HTTPRoute").pending(refused)


def entry(manager: str, time: str, *fields: str) -> Obj:
    """One entry of managedFields."""
    return {"manager": manager, "operation": "Update", "time": time, "fieldsV1": {"f:spec": {f: {} for f in fields}}}


@pytest.mark.parametrize("obj", [ingress("shop-blue"), route({"shop-blue": 1})])
def test_who_wrote_a_routes_rules_last_is_named(obj: Obj) -> None:
    found = copy.deepcopy(obj)
    found["metadata"]["managedFields"] = [
        entry("kubectl-edit", "2026-01-02T00:00:00Z", "f:rules"),
        entry("somebody", "2026-01-03T00:00:00Z", "f:tls"),
        entry(MANAGER, "2026-01-04T00:00:00Z", "f:rules"),
    ]
    assert "'kubectl-edit' (Update, 2026-01-02" in LiveObject(way(obj["kind"]), found).last_writer


def test_a_route_was_moved_by_a_release_when_that_noted_where_it_is() -> None:
    found = route({"shop-blue": 0, "shop-green": 1}, {"added by somebody": 1})
    assert not LiveObject(way("HTTPRoute"), found).moved_here
    for noted, here in (("green", True), ("blue", False), ("90 % green, 10 % blue", False)):
        found["metadata"]["annotations"] = {MOVED: noted}
        assert LiveObject(way("HTTPRoute"), found).moved_here is here


def test_the_order_of_a_split_does_not_matter_to_what_was_noted() -> None:
    half = shared(BLUE, GREEN, 50)
    assert told(half) == told(dict(reversed(list(half.items()))))
    assert splits.reached([ways.Part("", half)]) == {BLUE, GREEN}
