"""JSON patches, merge patches and strategic merge patches."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.localkube.patches import json_patch, merge_patch, strategic_merge
from bluegreen.localkube.status import ApiError

Obj = dict[str, Any]
KEYS = st.text("ab/~", min_size=1, max_size=2)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.text("xy", max_size=2))
VALUES = st.recursive(
    SCALARS, lambda v: st.one_of(st.lists(v, max_size=3), st.dictionaries(KEYS, v, max_size=3)), max_leaves=8
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)
NO_NULLS = st.recursive(
    st.one_of(st.booleans(), st.integers(-3, 3)), lambda v: st.dictionaries(KEYS, v, max_size=3), max_leaves=8
)


def escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


# -- json patch ------------------------------------------------------------------------------------------------------
def test_json_patch_operations() -> None:
    doc = {"a": {"b": [1, 2]}, "x/y": 1}
    ops = [
        {"op": "test", "path": "/a/b/0", "value": 1},
        {"op": "add", "path": "/a/b/-", "value": 3},
        {"op": "add", "path": "/a/b/0", "value": 0},
        {"op": "remove", "path": "/a/b/1"},
        {"op": "replace", "path": "/x~1y", "value": 2},
        {"op": "copy", "from": "/a/b", "path": "/c"},
        {"op": "move", "from": "/x~1y", "path": "/moved"},
    ]
    assert json_patch(doc, ops) == {"a": {"b": [0, 2, 3]}, "c": [0, 2, 3], "moved": 2}
    assert doc == {"a": {"b": [1, 2]}, "x/y": 1}


@pytest.mark.parametrize(
    ("op", "key", "value"),
    [
        ({"op": "replace", "path": "/none", "value": 1}, "none", 1),
        ({"op": "replace", "path": "/none"}, "none", None),
        ({"op": "add", "path": "/b"}, "b", None),
        ({"op": "add", "path": "odd/b", "value": 1}, "b", 1),
        ({"op": "copy", "from": "/none", "path": "/b"}, "b", None),
    ],
)
def test_a_json_patch_takes_what_is_not_there_for_null(op: Obj, key: str, value: Any) -> None:
    """evanphx/json-patch v4, partialDoc.get and Operation.value: the server's library, not the RFC."""
    assert json_patch({"a": 1}, [op]) == {"a": 1, key: value}


@pytest.mark.parametrize(
    "op",
    [
        {"op": "test", "path": "/a", "value": 2},
        {"op": "test", "path": "/a", "value": True},
        {"op": "test", "path": "/none", "value": 1},
        {"op": "remove", "path": "/none"},
        {"op": "remove", "path": ""},
        {"op": "add", "path": "/none/x", "value": 1},
        {"op": "add", "path": "/list/9", "value": 1},
        {"op": "add", "path": "/list/x", "value": 1},
        {"op": "add", "path": "", "value": {}},
        {"op": "add", "path": "b", "value": 1},
        {"op": "replace", "path": "/list/9", "value": 1},
        {"op": "copy", "from": "/list/9", "path": "/b"},
        {"op": "copy", "from": "", "path": "/b"},
        {"op": "move", "from": "/none", "path": "/b"},
        {"op": "wish", "path": "/a"},
        {"op": "replace", "path": "", "value": []},
        {"path": "/a"},
    ],
)
def test_a_json_patch_that_does_not_apply_is_422_without_a_reason_why(op: Obj) -> None:
    with pytest.raises(ApiError) as refusal:
        json_patch({"a": 1, "list": [1]}, [op])
    assert refusal.value.code == 422
    assert refusal.value.as_status()["details"] == {}
    assert refusal.value.message == "the server rejected our request due to an error in our request"


def test_a_json_patch_applies_whole_or_not_at_all() -> None:
    doc = {"a": 1}
    with pytest.raises(ApiError):
        json_patch(doc, [{"op": "add", "path": "/b", "value": 1}, {"op": "test", "path": "/a", "value": 2}])
    assert doc == {"a": 1}


def test_a_test_for_null_passes_where_nothing_is() -> None:
    assert json_patch({}, [{"op": "test", "path": "/a", "value": None}]) == {}


@pytest.mark.parametrize("ops", [{}, "x", 1, [1], ["x"]])
def test_a_json_patch_of_the_wrong_shape_is_400(ops: Any) -> None:
    with pytest.raises(ApiError) as refusal:
        json_patch({}, ops)
    assert refusal.value.code == 400


def test_a_json_patch_may_not_be_endless() -> None:
    with pytest.raises(ApiError) as refusal:
        json_patch({}, [{"op": "test", "path": "/a", "value": None}] * 10_001)
    assert refusal.value.code == 413


@given(OBJECTS, KEYS, VALUES)
def test_what_a_json_patch_adds_it_removes_again(doc: Obj, key: str, value: Any) -> None:
    path = f"/{escaped(key)}"
    added = json_patch(doc, [{"op": "add", "path": path, "value": value}])
    assert added[key] == value
    removed = json_patch(added, [{"op": "test", "path": path, "value": value}, {"op": "remove", "path": path}])
    assert removed == {k: v for k, v in doc.items() if k != key}


# -- merge patch -----------------------------------------------------------------------------------------------------
def test_merge_patch() -> None:
    doc = {"a": {"b": 1, "c": 2}, "list": [1, 2], "gone": 1}
    patch = {"a": {"b": None, "d": {"e": 1, "f": None}}, "list": [3], "gone": None, "absent": None}
    assert merge_patch(doc, patch) == {"a": {"c": 2, "d": {"e": 1}}, "list": [3]}
    assert doc == {"a": {"b": 1, "c": 2}, "list": [1, 2], "gone": 1}


def test_a_merge_patch_is_an_object() -> None:
    with pytest.raises(ApiError) as refusal:
        merge_patch({}, [1])
    assert refusal.value.code == 400


@given(OBJECTS, OBJECTS)
def test_merge_patches_are_idempotent(doc: Obj, patch: Obj) -> None:
    once = merge_patch(doc, patch)
    assert merge_patch(once, patch) == once


@given(OBJECTS)
def test_an_empty_merge_patch_changes_nothing(doc: Obj) -> None:
    assert merge_patch(doc, {}) == doc


@given(st.dictionaries(KEYS, NO_NULLS, max_size=3), st.dictionaries(KEYS, NO_NULLS, max_size=3))
def test_a_difference_written_as_a_merge_patch_leads_there(old: Obj, new: Obj) -> None:
    assert merge_patch(old, difference(old, new)) == new


def difference(old: Obj, new: Obj) -> Obj:
    patch: Obj = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        both = isinstance(before, dict) and isinstance(value, dict)
        patch[key] = difference(before, value) if both and before is not None else value
    return patch


# -- strategic merge patch -------------------------------------------------------------------------------------------
def deployment(*containers: Obj, **spec: Any) -> Obj:
    return {"spec": {"template": {"spec": {"containers": list(containers), **spec}}}}


def containers(doc: Obj) -> list[Obj]:
    found: list[Obj] = doc["spec"]["template"]["spec"]["containers"]
    return found


def merged(doc: Obj, patch: Obj) -> Obj:
    before = copy.deepcopy((doc, patch))
    result = strategic_merge("Deployment", doc, patch)
    assert (doc, patch) == before
    return result


def test_lists_merge_by_their_key() -> None:
    doc = deployment({"name": "app", "image": "a", "env": [{"name": "A", "value": "1"}]}, {"name": "side"})
    result = merged(doc, deployment({"name": "app", "image": "b", "env": [{"name": "B", "value": "2"}]}))
    env = [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]
    assert containers(result) == [{"name": "app", "image": "b", "env": env}, {"name": "side"}]


def test_ports_merge_by_number() -> None:
    doc = deployment({"name": "app", "ports": [{"containerPort": 80, "name": "http"}]})
    result = merged(doc, deployment({"name": "app", "ports": [{"containerPort": 80, "name": "web"}]}))
    assert containers(result)[0]["ports"] == [{"containerPort": 80, "name": "web"}]


def test_items_go_by_directive() -> None:
    doc = deployment({"name": "app", "env": [{"name": "A"}, {"name": "B"}]})
    result = merged(doc, deployment({"name": "app", "env": [{"name": "A", "$patch": "delete"}]}))
    assert containers(result)[0]["env"] == [{"name": "B"}]


def test_a_list_is_replaced_by_directive() -> None:
    doc = deployment({"name": "a"}, {"name": "b"})
    assert containers(merged(doc, deployment({"name": "c"}, {"$patch": "replace"}))) == [{"name": "c"}]


def test_an_object_is_replaced_or_emptied_by_directive() -> None:
    doc = {"metadata": {"labels": {"a": "1", "b": "2"}}}
    replaced = merged(doc, {"metadata": {"labels": {"c": "3", "$patch": "replace"}}})
    assert replaced == {"metadata": {"labels": {"c": "3"}}}
    assert merged(doc, {"metadata": {"labels": {"$patch": "delete"}}}) == {"metadata": {"labels": {}}}


def test_lists_without_a_key_are_replaced() -> None:
    doc = deployment({"name": "a", "command": ["x", "y"]}, tolerations=[{"key": "a"}])
    result = merged(doc, deployment({"name": "a", "command": ["z"]}, tolerations=[{"key": "b"}]))
    assert containers(result)[0]["command"] == ["z"]
    assert result["spec"]["template"]["spec"]["tolerations"] == [{"key": "b"}]


def test_element_order() -> None:
    doc = deployment({"name": "only"})
    patch = deployment({"name": "z"})
    patch["spec"]["template"]["spec"]["$setElementOrder/containers"] = [{"name": "z"}, {"name": "only"}]
    assert [c["name"] for c in containers(merged(doc, patch))] == ["z", "only"]


def test_finalizers_are_a_set_that_can_lose_members() -> None:
    doc = {"metadata": {"finalizers": ["x/a", "x/b"]}}
    assert merged(doc, {"metadata": {"finalizers": ["x/c", "x/a"]}})["metadata"]["finalizers"] == ["x/c", "x/a", "x/b"]
    gone = merged(doc, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x/a"]}})
    assert gone["metadata"]["finalizers"] == ["x/b"]


def test_retained_keys_drop_the_others() -> None:
    doc = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert merged(doc, patch) == {"spec": {"strategy": {"type": "Recreate"}}}


@pytest.mark.parametrize(
    ("patch", "code"),
    [
        ([], 400),
        ({"spec": {"strategy": {"$retainKeys": "type"}}}, 400),
        ({"spec": {"strategy": {"$retainKeys": [], "type": "Recreate"}}}, 422),
        ({"metadata": {"$deleteFromPrimitiveList/finalizers": "x"}}, 400),
        ({"metadata": {"$setElementOrder/finalizers": "x"}}, 400),
        ({"metadata": {"$patch": "wish"}}, 500),
        (deployment({"image": "x"}), 500),
        (deployment({"name": "a", "$patch": "wish"}), 500),
    ],
)
def test_directives_that_make_no_sense_are_refused(patch: Any, code: int) -> None:
    doc = deployment({"name": "a"}) | {"metadata": {"finalizers": ["x/a"]}}
    doc["spec"]["strategy"] = {"type": "Recreate"}
    with pytest.raises(ApiError) as refusal:
        strategic_merge("Deployment", doc, patch)
    assert refusal.value.code == code


LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("12"), max_size=3)
ENV = st.lists(st.sampled_from("ABC"), unique=True, max_size=3).map(
    lambda names: [{"name": n, "value": n} for n in names]
)


@given(LABELS, LABELS, ENV, ENV)
def test_strategic_patches_are_idempotent(old: Obj, new: Obj, env: list[Obj], more: list[Obj]) -> None:
    doc = deployment({"name": "app", "env": env}) | {"metadata": {"labels": old}}
    patch = deployment({"name": "app", "env": more}) | {"metadata": {"labels": new}}
    once = strategic_merge("Deployment", doc, patch)
    twice = strategic_merge("Deployment", once, patch)
    assert once == twice
    assert once["metadata"]["labels"] == {**old, **new}
    assert {each["name"] for each in containers(once)[0]["env"]} == {each["name"] for each in (*env, *more)}


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ({"spec": {"containers": [{"image": "y"}]}}, "map: map[image:y] does not contain declared merge key: name"),
        ({"spec": {"$patch": "odd"}}, "unknown patch type: odd in map: map[$patch:odd]"),
        ({"spec": {"containers": [{"$patch": "odd"}]}}, "unknown patch type: odd in map: map[$patch:odd]"),
        (
            {"spec": {"containers": ["x"]}},
            "list element types are not identical: [[map[image:x name:a]] [x]]",
        ),
        (
            {"spec": {"$setElementOrder/containers": [{"name": "z"}], "containers": [{"name": "a"}]}},
            "The order in patch list:\n[map[name:a]]\n doesn't match $setElementOrder list:\n[map[name:z]]\n",
        ),
    ],
)
def test_what_does_not_merge_is_told_as_go_prints_it(patch: Obj, message: str) -> None:
    """apimachinery's mergepatch errors: the server's own, so 500 without a reason."""
    with pytest.raises(ApiError) as refusal:
        strategic_merge("Pod", {"spec": {"containers": [{"name": "a", "image": "x"}]}}, patch)
    assert (refusal.value.code, refusal.value.reason, refusal.value.message) == (500, "", message)
