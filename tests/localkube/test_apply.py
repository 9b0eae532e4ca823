"""Server-side apply, and who is recorded as the owner of which field."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.localkube.defaults import apply_defaults
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.patches import managers, merge_patch, server_side_apply, track
from bluegreen.localkube.status import ApiError

Obj = dict[str, Any]


def config_map(**data: str) -> Obj:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm"}, "data": data}


def apply(live: Obj | None, config: Obj, manager: str = "one", *, force: bool = False, subresource: str = "") -> Obj:
    before = copy.deepcopy((live, config))
    kind = config["kind"]
    result = server_side_apply(kind, live, config, manager=manager, force=force, subresource=subresource)
    assert (live, config) == before
    result = copy.deepcopy(result)
    apply_defaults(KINDS[kind], result)
    return result


def update(live: Obj, patch: Obj, manager: str = "person", subresource: str = "") -> Obj:
    return track(live["kind"], live, merge_patch(live, patch), manager=manager, subresource=subresource)


def owners(obj: Obj) -> dict[str, Obj]:
    return {entry["manager"]: entry["fieldsV1"] for entry in managers.entries_of(obj)}


def refused(action: Callable[[], Any]) -> ApiError:
    with pytest.raises(ApiError) as refusal:
        action()
    return refusal.value


# -- apply -----------------------------------------------------------------------------------------------------------
def test_apply_creates_and_owns_what_it_states() -> None:
    made = apply(None, config_map(a="1"))
    assert made["data"] == {"a": "1"}
    entry = managers.entries_of(made)[0]
    assert (entry["manager"], entry["operation"], entry["apiVersion"]) == ("one", "Apply", "v1")
    assert entry["fieldsV1"] == {"f:data": {"f:a": {}}}


def test_the_defaults_of_one_object_are_not_the_next_one_s() -> None:
    labels = {"a": "b"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    for name, strategy in (("one", {}), ("two", {"type": "Recreate"})):
        config = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}}
        config["spec"] = {**spec, **({"strategy": strategy} if strategy else {})}
        made = server_side_apply("Deployment", None, config, manager="one", force=False)
        apply_defaults(KINDS["Deployment"], made)
    assert made["spec"]["strategy"] == {"type": "Recreate"}


def test_what_is_stated_no_longer_goes() -> None:
    live = apply(None, config_map(a="1", b="2"))
    assert apply(live, config_map(a="1"))["data"] == {"a": "1"}


def test_labels_go_too_and_the_name_stays() -> None:
    labelled = {**config_map(a="1"), "metadata": {"name": "cm", "labels": {"x": "y"}}}
    live = apply(None, labelled)
    assert apply(live, config_map(a="1"))["metadata"].get("labels") is None
    assert apply(live, config_map(a="1"))["metadata"]["name"] == "cm"


def test_a_field_two_managers_state_alike_stays_when_one_gives_it_up() -> None:
    live = apply(apply(None, config_map(a="1")), config_map(a="1"), "two")
    left = apply(live, config_map(), "one")
    assert left["data"] == {"a": "1"}
    assert owners(left)["two"] == {"f:data": {"f:a": {}}}


def test_an_updater_s_field_survives_an_applier_that_gives_it_up() -> None:
    live = update(apply(None, config_map(a="1")), {"data": {"b": "2"}})
    assert apply(live, config_map())["data"] == {"b": "2"}


def test_a_conflict_names_the_owner_and_the_field() -> None:
    live = apply(None, config_map(a="1"))
    refusal = refused(lambda: apply(live, config_map(a="2"), "two"))
    assert (refusal.code, refusal.reason) == (409, "Conflict")
    assert refusal.message == 'Apply failed with 1 conflict: conflict with "one": .data.a'
    cause = {"field": ".data.a", "message": 'conflict with "one"', "reason": "FieldManagerConflict"}
    assert refusal.details == {"causes": [cause]}


def test_conflicts_with_several_are_listed_by_manager() -> None:
    live = update(apply(None, config_map(a="1", b="1")), {"data": {"c": "1"}})
    refusal = refused(lambda: apply(live, config_map(a="2", b="2", c="2"), "two"))
    assert refusal.message == (
        'Apply failed with 3 conflicts: conflicts with "one":\n- .data.a\n- .data.b\n'
        'conflicts with "person" using v1:\n- .data.c'
    )


def test_force_takes_the_field() -> None:
    live = apply(None, config_map(a="1"))
    taken = apply(live, config_map(a="2"), "two", force=True)
    assert taken["data"] == {"a": "2"}
    assert owners(taken) == {"two": {"f:data": {"f:a": {}}}}


def test_the_same_value_is_no_conflict() -> None:
    live = update(apply(None, config_map(a="1")), {"data": {"a": "2"}})
    assert set(owners(apply(live, config_map(a="2")))) == {"one", "person"}


def test_an_unchanged_apply_keeps_its_time() -> None:
    live = apply(None, config_map(a="1"))
    live["metadata"]["managedFields"][0]["time"] = "2020-01-01T00:00:00Z"
    again = apply(live, config_map(a="1"))
    assert again == live


def container(**fields: Any) -> Obj:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"template": {"spec": {"containers": [{"name": "app", **fields}]}}},
    }


def only_container(obj: Obj) -> Obj:
    found: Obj = obj["spec"]["template"]["spec"]["containers"][0]
    return found


def test_list_items_are_owned_by_key() -> None:
    live = apply(None, container(image="a", env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]))
    both = apply(live, container(env=[{"name": "C", "value": "3"}]), "two")
    assert [each["name"] for each in only_container(both)["env"]] == ["A", "B", "C"]
    one = apply(both, container(image="a", env=[{"name": "B", "value": "2"}]))
    assert [each["name"] for each in only_container(one)["env"]] == ["B", "C"]
    refusal = refused(lambda: apply(one, container(image="b"), "two"))
    assert (refusal.details or {})["causes"][0]["field"] == '.spec.template.spec.containers[name="app"].image'


def test_a_missing_key_stands_for_its_default() -> None:
    live = apply(None, container(image="a", ports=[{"containerPort": 80, "protocol": "TCP"}]))
    again = apply(live, container(image="a", ports=[{"containerPort": 80}]))
    assert only_container(again)["ports"] == [{"containerPort": 80, "protocol": "TCP"}]


def test_atomic_parts_belong_to_one() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"selector": {"app": "web"}}}
    live = apply(None, service)
    more = {**service, "spec": {"selector": {"app": "web", "version": "blue"}}}
    assert (refused(lambda: apply(live, more, "two")).details or {})["causes"][0]["field"] == ".spec.selector"


def test_a_status_cannot_be_owned_through_the_object() -> None:
    config = {**container(image="a"), "status": {"replicas": 3}}
    assert "f:status" not in owners(apply(None, config))["one"]


def test_a_subresource_is_a_manager_of_its_own() -> None:
    live = apply(None, container(image="a"))
    config = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "status": {"replicas": 3}}
    result = apply(live, config, subresource="status")
    entries = [(e["manager"], e["operation"], e.get("subresource", "")) for e in managers.entries_of(result)]
    assert sorted(entries) == [("one", "Apply", ""), ("one", "Apply", "status")]


def test_an_object_nobody_tracked_belongs_to_before_first_apply() -> None:
    refusal = refused(lambda: apply(config_map(a="1"), config_map(a="2")))
    assert refusal.message.endswith('conflict with "before-first-apply" using v1: .data.a')


def test_kubectl_takes_over_from_its_client_side_apply() -> None:
    text = '{"apiVersion":"v1","data":{"a":"1"},"kind":"ConfigMap","metadata":{"name":"cm"}}'
    annotated = config_map(a="1")
    annotated["metadata"] = {"name": "cm", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": text}}
    live = track("ConfigMap", None, annotated, manager="kubectl-client-side-apply")
    assert apply(live, config_map(a="2"), "kubectl")["data"] == {"a": "2"}
    assert refused(lambda: apply(live, config_map(a="2"), "other")).code == 409


@pytest.mark.parametrize(
    ("config", "code", "message"),
    [
        (
            {**config_map(), "apiVersion": "v2"},
            400,
            "invalid object type: /v2, Kind=ConfigMap",
        ),
        ({**config_map(), "metadata": {"name": "cm", "managedFields": []}}, 400, "metadata.managedFields must be nil"),
        (
            {**config_map(), "odd": 1},
            500,
            "failed to create typed patch object (/cm; /v1, Kind=ConfigMap): .odd: field not declared in schema",
        ),
        (
            {**config_map(), "data": []},
            500,
            "failed to create typed patch object (/cm; /v1, Kind=ConfigMap): .data: expected map, got &{[]}",
        ),
    ],
)
def test_configurations_that_do_not_fit_are_refused(config: Obj, code: int, message: str) -> None:
    refusal = refused(lambda: apply(None, config))
    assert (refusal.code, refusal.message) == (code, message)


def test_duplicate_and_missing_keys_are_refused() -> None:
    twice = container(env=[{"name": "A"}, {"name": "A"}])
    head = "failed to create typed patch object (/web; apps/v1, Kind=Deployment): "
    at = '.spec.template.spec.containers[name="app"].env: '
    assert refused(lambda: apply(None, twice)).message == head + at + 'duplicate entries for key [name="A"]'
    keyless = container(env=[{"value": "A"}, {"value": "B"}])  # a name that is left out is "", as OpenAPI has it
    assert refused(lambda: apply(None, keyless)).message == head + at + 'duplicate entries for key [name=""]'


SOMETHING = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("12"), min_size=1, max_size=4)
STATED = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("12"), max_size=4)


@given(SOMETHING, SOMETHING, SOMETHING)
def test_applying_twice_is_applying_once(first: Obj, second: Obj, third: Obj) -> None:
    live = apply(None, config_map(**first))
    live = apply(live, config_map(**second), "two", force=True)
    once = apply(live, config_map(**third), force=True)
    assert apply(once, config_map(**third)) == once


@given(STATED, STATED, STATED)
def test_every_field_an_applier_states_is_there_and_its_own(first: Obj, second: Obj, third: Obj) -> None:
    live = update(apply(None, config_map(**first)), {"data": second})
    done = apply(live, config_map(**third), "two", force=True)
    assert third.items() <= (done.get("data") or {}).items()
    stated = owners(done).get("two", {}).get("f:data", {})
    assert {key.removeprefix("f:") for key in stated if key != "."} == set(third)


# -- updates ---------------------------------------------------------------------------------------------------------
def created(obj: Obj, manager: str = "kubectl") -> Obj:
    fresh = copy.deepcopy(obj)
    apply_defaults(KINDS[obj["kind"]], fresh)
    return track(obj["kind"], None, fresh, manager=manager)


def test_a_create_owns_everything_but_identity_and_what_is_always_there() -> None:
    made = created(container(image="a", ports=[{"containerPort": 80}]))
    fields = owners(made)["kubectl"]
    assert "f:metadata" not in fields
    assert "." not in fields["f:spec"]["f:template"]["f:spec"]["f:containers"]
    item = fields["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"app"}']
    assert item["f:ports"]['k:{"containerPort":80,"protocol":"TCP"}'] == {
        ".": {},
        "f:containerPort": {},
        "f:protocol": {},
    }
    assert item["f:resources"] == {}
    assert "f:status" not in fields


def test_an_update_takes_what_it_changes() -> None:
    live = created(config_map(a="1", b="1"))
    changed = update(live, {"data": {"a": "2", "c": "3"}})
    assert owners(changed) == {
        "kubectl": {"f:data": {".": {}, "f:b": {}}},
        "person": {"f:data": {"f:a": {}, "f:c": {}}},
    }


def test_what_an_update_removes_is_nobody_s() -> None:
    live = created(config_map(a="1", b="1"))
    assert owners(update(live, {"data": {"a": None}})) == {"kubectl": {"f:data": {".": {}, "f:b": {}}}}


def test_a_manager_left_with_nothing_is_gone() -> None:
    live = created(config_map(a="1"))
    assert list(owners(update(live, {"data": None}))) == []


def test_an_update_that_changes_nothing_leaves_all_as_it_was() -> None:
    live = created(config_map(a="1"))
    assert track("ConfigMap", live, copy.deepcopy(live), manager="person") == live


def test_a_scale_is_recorded_as_a_subresource() -> None:
    live = created(container(image="a"))
    scaled = update(live, {"spec": {"replicas": 5}}, subresource="scale")
    entry = next(entry for entry in managers.entries_of(scaled) if entry["manager"] == "person")
    assert (entry["subresource"], entry["fieldsV1"]) == ("scale", {"f:spec": {"f:replicas": {}}})


def test_managers_can_be_reset_and_edited_but_not_through_a_subresource() -> None:
    live = created(config_map(a="1"))
    reset = {**live, "metadata": {**live["metadata"], "managedFields": [{}]}}
    assert owners(track("ConfigMap", live, reset, manager="x")) == {}
    dropped = {**live, "metadata": {"name": "cm"}}
    assert owners(track("ConfigMap", live, dropped, manager="x")) == owners(live)
    assert owners(track("ConfigMap", live, reset, manager="x", subresource="status")) == owners(live)


def test_appliers_come_first_then_the_older() -> None:
    live = update(apply(None, config_map(a="1")), {"data": {"b": "2"}}, "zoe")
    live = update(live, {"data": {"c": "2"}}, "adam")
    assert [entry["manager"] for entry in managers.entries_of(live)] == ["one", "adam", "zoe"]


def test_old_updaters_are_merged_into_one() -> None:
    live = created(config_map(a="1"), "m0")
    for number in range(1, 15):
        live = update(live, {"data": {f"k{number}": "1"}}, f"m{number}")
    entries = managers.entries_of(live)
    assert len(entries) == managers.MAX_UPDATERS
    assert managers.OLD_UPDATERS in owners(live)


@given(STATED, STATED, STATED)
def test_every_key_has_one_owner_among_updaters(first: Obj, second: Obj, third: Obj) -> None:
    tracked = config_map(**first)
    tracked["metadata"]["labels"] = {"its": "own"}  # an object without any manager is not tracked
    live = created(tracked, "a")
    for who, data in (("b", second), ("c", third)):
        live = update(live, {"data": {key: data.get(key) for key in "abcd"}}, who)
    owned = [key for fields in owners(live).values() for key in fields.get("f:data", {}) if key != "."]
    assert sorted(owned) == sorted(f"f:{key}" for key in live.get("data") or {})


def test_what_the_server_puts_back_belongs_to_nobody() -> None:
    live = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {}, "status": {}}
    config = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "labels": {"a": "b"}},
        "spec": {"replicas": 3},
        "status": {"observedGeneration": 2},
    }
    merged = server_side_apply("Deployment", live, config, manager="m", force=False, subresource="status")
    owned = [entry["fieldsV1"] for entry in merged["metadata"]["managedFields"] if entry["manager"] == "m"]
    assert owned == [{"f:status": {"f:observedGeneration": {}}}]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("", "invalid object type: apps/v1, Kind="),
        ("Foo", "invalid object type: apps/v1, Kind=Foo"),
        ("ReplicaSet", "invalid object type: apps/v1, Kind=ReplicaSet"),
    ],
)
def test_configurations_of_another_kind(kind: str, words: str) -> None:
    config = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "d"}}
    with pytest.raises(ApiError) as refused:
        server_side_apply("Deployment", None, config, manager="m", force=False)
    assert (refused.value.code, refused.value.message) == (400, words)


def test_nobody_is_tracked_before_somebody_applies() -> None:
    """As structured-merge-diff's managers have it: an update does not begin to track, apply does."""
    live = update({**config_map(a="1"), "metadata": {"name": "cm", "uid": "u"}}, {"data": {"b": "2"}}, "who")
    assert owners(live) == {}
    merged = server_side_apply("ConfigMap", live, config_map(c="3"), manager="m", force=False)
    assert sorted(entry["manager"] for entry in merged["metadata"]["managedFields"]) == ["before-first-apply", "m"]
