"""Indexes, held against looking at everything."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bluegreen.localkube.controllers.index import Index, Selectors
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.selectors import selects
from bluegreen.localkube.store import Store

Obj = dict[str, Any]
POD, SERVICE = KINDS["Pod"], KINDS["Service"]
labels = st.dictionaries(st.sampled_from("abc"), st.sampled_from("123"), max_size=3)
expression = st.one_of(
    st.builds(
        lambda key, values: {"key": key, "operator": "In", "values": values},
        st.sampled_from("abc"),
        st.lists(st.sampled_from("123"), min_size=1, max_size=2),
    ),
    st.builds(
        lambda key, value: {"key": key, "operator": "NotIn", "values": [value]},
        st.sampled_from("abc"),
        st.sampled_from("123"),
    ),
    st.builds(lambda key: {"key": key, "operator": "Exists"}, st.sampled_from("abc")),
)
selector = st.builds(
    lambda pairs, terms: {"matchLabels": pairs, "matchExpressions": terms}, labels, st.lists(expression, max_size=2)
)
owner = st.sampled_from(["", "u1", "u2"])
pods = st.lists(
    st.tuples(st.sampled_from("pqrs"), st.sampled_from(["n", "m"]), labels, owner, st.booleans()), max_size=25
)


def pod(name: str, namespace: str, given_labels: dict[str, str], uid: str) -> Obj:
    meta: Obj = {"name": name, "namespace": namespace, "labels": given_labels}
    if uid:
        meta["ownerReferences"] = [{"apiVersion": "v1", "kind": "X", "name": "x", "uid": uid, "controller": True}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta}


@given(pods, selector)
def test_finds_what_a_look_at_everything_finds(
    steps: list[tuple[str, str, dict[str, str], str, bool]], wanted: Obj
) -> None:
    store = Store()
    index = Index(store, POD)
    for name, namespace, given_labels, uid, stays in steps:
        if stays:
            store.put(POD, pod(name, namespace, given_labels, uid and f"{uid}-{namespace}"))
        elif store.get(POD, namespace, name):
            store.remove(POD, namespace, name)
    everything = store.list(POD, "n")
    chosen = [each for each in everything if selects(wanted, each["metadata"]["labels"])]
    assert index.selected("n", wanted) == chosen
    assert index.orphans("n", wanted) == [each for each in chosen if "ownerReferences" not in each["metadata"]]
    owned = [each for each in everything if each["metadata"].get("ownerReferences", [{}])[0].get("uid") == "u1-n"]
    assert index.controlled("u1-n") == owned


@given(st.lists(st.tuples(st.sampled_from("pqrs"), labels, st.booleans()), max_size=20), labels)
def test_finds_who_selects(steps: list[tuple[str, dict[str, str], bool]], given_labels: dict[str, str]) -> None:
    store = Store()
    services = Selectors(store, SERVICE, lambda service: service["spec"]["selector"])
    for name, wanted, stays in steps:
        meta = {"name": name, "namespace": "n"}
        if stays:
            spec = {"selector": {"matchLabels": wanted} if wanted else None}
            store.put(SERVICE, {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})
        elif store.get(SERVICE, "n", name):
            store.remove(SERVICE, "n", name)
    expected = [each for each in store.list(SERVICE, "n") if selects(each["spec"]["selector"], given_labels)]
    assert services.selecting("n", given_labels) == expected
    assert services.selecting("m", given_labels) == []


def test_an_index_made_late_knows_what_was_there() -> None:
    store = Store()
    store.put(POD, pod("p", "n", {"a": "1"}, "u1"))
    assert [each["metadata"]["name"] for each in Index(store, POD).controlled("u1")] == ["p"]


def test_a_closed_index_follows_no_more() -> None:
    store = Store()
    index = Index(store, POD)
    index.close()
    store.put(POD, pod("p", "n", {"a": "1"}, ""))
    assert index.selected("n", {}) == []
