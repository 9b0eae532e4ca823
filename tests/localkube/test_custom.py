"""CustomResourceDefinitions over HTTP: what is served once they are there, and how their objects are treated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx
import pytest

from bluegreen.localkube.catalogue import BUILT_IN
from bluegreen.localkube.controllers.base import Context
from bluegreen.localkube.controllers.definitions import Definitions
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.store import Store
from tests.localkube.serving import Served, new_registry, serving

Obj = dict[str, Any]
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
V1, V1BETA1 = "/apis/example.com/v1", "/apis/example.com/v1beta1"
WIDGETS = f"{V1}/namespaces/default/widgets"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
SCHEMA: Obj = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1, "maximum": 10},
                "replicas": {"type": "integer", "default": 1},
                "colour": {"type": "string", "enum": ["red", "blue"], "default": "red"},
                "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
                "port": {"x-kubernetes-int-or-string": True},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "parts": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["id"],
                    "items": {
                        "type": "object",
                        "required": ["id"],
                        "properties": {"id": {"type": "string"}, "weight": {"type": "integer"}},
                    },
                },
            },
        },
        "status": {"type": "object", "properties": {"replicas": {"type": "integer"}, "selector": {"type": "string"}}},
    },
}
SCALE = {
    "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas",
    "labelSelectorPath": ".status.selector",
}  # fmt: skip


def definition(schema: Obj = SCHEMA, **version: Any) -> Obj:
    stored = {
        "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}, "scale": SCALE},
        "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
    }  # fmt: skip
    older = {
        "name": "v1beta1", "served": True, "storage": False, "deprecated": True,
        "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }  # fmt: skip
    names = {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [stored | version, older]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"}, "spec": spec,
    }  # fmt: skip


def widget(name: str = "a", **spec: Any) -> Obj:
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": name}, "spec": {"size": 3} | spec}


def establish(registry: Registry, name: str = "widgets.example.com") -> None:
    Definitions(Context(registry)).reconcile(("", name))


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as running:
        yield running


@pytest.fixture
def api(served: Served) -> Iterator[httpx.Client]:
    with served.client() as client:
        assert client.post(DEFINITIONS, json=definition()).status_code == 201
        served.do(lambda: establish(served.registry))
        yield client


def causes(answer: httpx.Response) -> list[tuple[str, str, str]]:
    assert answer.status_code == 422, answer.text
    return sorted((each["field"], each["reason"], each["message"]) for each in answer.json()["details"]["causes"])


# -- serving -----------------------------------------------------------------------------------------------------------
def test_nothing_is_served_before_the_names_are_accepted(served: Served) -> None:
    with served.client() as client:
        made = client.post(DEFINITIONS, json=definition()).json()
        assert made["spec"]["names"]["listKind"] == "WidgetList"
        assert made["spec"]["names"]["singular"] == "widget"
        assert made["spec"]["conversion"] == {"strategy": "None"}
        assert made["status"]["storedVersions"] == ["v1"]
        assert client.get(WIDGETS).status_code == 404
        served.do(lambda: establish(served.registry))
        status = client.get(f"{DEFINITIONS}/widgets.example.com").json()["status"]
        said = {each["type"]: (each["status"], each["reason"], each["message"]) for each in status["conditions"]}
        assert said == {
            "NamesAccepted": ("True", "NoConflicts", "no conflicts found"),
            "Established": ("True", "InitialNamesAccepted", "the initial names have been accepted"),
        }
        assert status["acceptedNames"]["plural"] == "widgets"
        assert client.get(WIDGETS).json()["items"] == []


def test_discovery_tells_of_it(api: httpx.Client) -> None:
    group = api.get("/apis/example.com").json()
    assert [each["version"] for each in group["versions"]] == ["v1", "v1beta1"]
    rows = {row["name"]: row for row in api.get(V1).json()["resources"]}
    assert rows.keys() == {"widgets", "widgets/scale", "widgets/status"}
    assert (rows["widgets"]["shortNames"], rows["widgets/scale"]["kind"]) == (["wd"], "Scale")
    assert [row["name"] for row in api.get(V1BETA1).json()["resources"]] == ["widgets"]
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    items = api.get("/apis", headers={"Accept": accept}).json()["items"]
    assert "example.com" in [item["metadata"]["name"] for item in items]


def test_openapi_describes_it(api: httpx.Client) -> None:
    place = api.get("/openapi/v3").json()["paths"]["apis/example.com/v1"]["serverRelativeURL"]
    document = api.get(place).json()
    schema = document["components"]["schemas"]["com.example.v1.Widget"]
    assert schema["x-kubernetes-group-version-kind"] == [{"group": "example.com", "version": "v1", "kind": "Widget"}]
    assert schema["properties"]["spec"]["properties"]["size"]["maximum"] == 10
    patch = document["paths"]["/apis/example.com/v1/namespaces/{namespace}/widgets/{name}"]["patch"]
    assert "application/strategic-merge-patch+json" not in patch["requestBody"]["content"]


def test_a_cluster_without_definitions_serves_the_built_in_table(served: Served) -> None:
    assert served.registry.store.kinds.served is BUILT_IN


def test_a_kind_may_share_its_name_with_a_built_in_one(served: Served) -> None:
    other = definition()
    other["metadata"]["name"] = "services.example.com"
    other["spec"]["names"] = {"plural": "services", "kind": "Service"}
    with served.client() as client:
        assert client.post(DEFINITIONS, json=other).status_code == 201
        served.do(lambda: establish(served.registry, "services.example.com"))
        made = client.post(f"{V1}/namespaces/default/services", json=widget() | {"kind": "Service"})
        assert made.json()["spec"] == {"size": 3, "replicas": 1, "colour": "red"}
        assert client.get("/api/v1/namespaces/default/services").json()["items"] == []


def test_names_that_another_definition_has_are_not_accepted(served: Served, api: httpx.Client) -> None:
    other = definition()
    other["metadata"]["name"] = "gadgets.example.com"
    other["spec"]["names"] = {"plural": "gadgets", "kind": "Widget", "shortNames": ["wd"]}
    api.post(DEFINITIONS, json=other)
    served.do(lambda: establish(served.registry, "gadgets.example.com"))
    conditions = api.get(f"{DEFINITIONS}/gadgets.example.com").json()["status"]["conditions"]
    said = {each["type"]: (each["status"], each["reason"], each["message"]) for each in conditions}
    assert said["NamesAccepted"] == ("False", "ListKindConflict", '"WidgetList" is already in use')
    assert said["Established"] == ("False", "NotAccepted", "not all names are accepted")
    assert api.get(f"{V1}/namespaces/default/gadgets").status_code == 404


# -- objects -----------------------------------------------------------------------------------------------------------
def test_what_is_not_declared_goes_and_defaults_come(api: httpx.Client) -> None:
    given = widget(bogus=1, free={"a": {"b": 1}}, labels={"x": "y"}, parts=[{"id": "one", "more": 1}], colour=None)
    made = api.post(WIDGETS, json=given)
    assert made.json()["spec"] == {
        "size": 3, "free": {"a": {"b": 1}}, "labels": {"x": "y"}, "parts": [{"id": "one"}], "replicas": 1,
        "colour": "red",
    }  # fmt: skip
    assert [line.split('"')[1].replace("\\", "") for line in made.headers["Warning"].split(", ")] != []
    strict = api.post(f"{WIDGETS}?fieldValidation=Strict", json=widget("b", bogus=1, parts=[{"id": "a", "x": 1}]))
    assert strict.json()["message"] == (
        'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.bogus", '
        'unknown field "spec.parts[0].x"'
    )


def test_values_are_refused_in_kubernetes_words(api: httpx.Client) -> None:
    given = widget(size="big", colour="green", port=1.5, replicas=True, parts=[{"weight": 1}])
    given["spec"]["name"] = "ABC"
    assert causes(api.post(WIDGETS, json=given)) == [
        (".spec.replicas", "FieldValueInvalid",
         "Invalid value: 0: .spec.replicas accessor error: true is of the type bool, expected int64"),
        ("spec.colour", "FieldValueNotSupported", 'Unsupported value: "green": supported values: "red", "blue"'),
        ("spec.name", "FieldValueInvalid", "Invalid value: \"ABC\": spec.name in body should match '^[a-z]+$'"),
        ("spec.parts[0].id", "FieldValueRequired", "Required value"),
        ("spec.port", "FieldValueTypeInvalid",
         'Invalid value: "number": spec.port in body must be of type integer,string: "number"'),
        ("spec.replicas", "FieldValueTypeInvalid",
         'Invalid value: "boolean": spec.replicas in body must be of type integer: "boolean"'),
        ("spec.size", "FieldValueTypeInvalid",
         'Invalid value: "string": spec.size in body must be of type integer: "string"'),
    ]  # fmt: skip


def test_a_list_by_keys_holds_each_once(api: httpx.Client) -> None:
    answer = api.post(WIDGETS, json=widget(parts=[{"id": "a"}, {"id": "b"}, {"id": "a"}]))
    assert causes(answer) == [("spec.parts[2]", "FieldValueDuplicate", 'Duplicate value: {"id":"a"}')]


def test_an_update_needs_the_version_that_was_read(api: httpx.Client) -> None:
    made = api.post(WIDGETS, json=widget()).json()
    blind = api.put(f"{WIDGETS}/a", json=widget(size=4))
    assert [each[0] for each in causes(blind)] == ["metadata.resourceVersion"]
    made["spec"]["size"] = 4
    assert api.put(f"{WIDGETS}/a", json=made).json()["metadata"]["generation"] == 2
    assert api.put(f"{WIDGETS}/a", json=made).status_code == 409


def test_the_status_is_written_apart_and_does_not_count(api: httpx.Client) -> None:
    made = api.post(WIDGETS, json=widget() | {"status": {"replicas": 3}}).json()
    assert "status" not in made
    patch = {"Content-Type": "application/merge-patch+json"}
    written = api.patch(f"{WIDGETS}/a/status", json={"status": {"replicas": 2}, "spec": {"size": 9}}, headers=patch)
    assert (written.json()["status"], written.json()["spec"]["size"]) == ({"replicas": 2}, 3)
    assert written.json()["metadata"]["generation"] == 1
    wrong = api.patch(f"{WIDGETS}/a/status", json={"status": {"replicas": "x"}}, headers=patch)
    assert ("status.replicas", "FieldValueTypeInvalid") in [each[:2] for each in causes(wrong)]


def test_it_is_scaled_where_its_definition_says(api: httpx.Client) -> None:
    api.post(WIDGETS, json=widget())
    scale = api.get(f"{WIDGETS}/a/scale").json()
    assert (scale["spec"], scale["status"]) == ({"replicas": 1}, {"replicas": 0})
    scale["spec"]["replicas"] = 5
    assert api.put(f"{WIDGETS}/a/scale", json=scale).json()["spec"] == {"replicas": 5}
    assert api.get(f"{WIDGETS}/a").json()["spec"]["replicas"] == 5


def test_another_version_shows_the_same_object(api: httpx.Client) -> None:
    api.post(WIDGETS, json=widget())
    older = WIDGETS.replace("v1/", "v1beta1/")
    seen = api.get(f"{older}/a")
    assert seen.json()["apiVersion"] == "example.com/v1beta1"
    assert "example.com/v1beta1 Widget is deprecated; use example.com/v1 Widget" in seen.headers["Warning"]
    assert [item["apiVersion"] for item in api.get(older).json()["items"]] == ["example.com/v1beta1"]
    with api.stream("GET", f"{older}?watch=1&timeoutSeconds=1") as watch:
        assert '"apiVersion":"example.com/v1beta1"' in next(watch.iter_lines())
    patched = api.patch(f"{older}/a", json={"more": 1}, headers={"Content-Type": "application/merge-patch+json"})
    assert (patched.json()["apiVersion"], patched.json()["more"]) == ("example.com/v1beta1", 1)
    assert api.get(f"{WIDGETS}/a").json()["apiVersion"] == "example.com/v1"


def test_columns_are_those_of_the_definition(api: httpx.Client) -> None:
    api.post(WIDGETS, json=widget())
    table = api.get(WIDGETS, headers={"Accept": TABLE}).json()
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Size"]
    assert [row["cells"] for row in table["rows"]] == [["a", 3]]


@pytest.mark.parametrize(
    ("type_", "code"), [("strategic-merge-patch+json", 415), ("merge-patch+json", 200), ("json-patch+json", 200)]
)
def test_patches_that_need_merge_keys_are_not_taken(api: httpx.Client, type_: str, code: int) -> None:
    api.post(WIDGETS, json=widget())
    body: Any = [{"op": "replace", "path": "/spec/size", "value": 4}] if type_.startswith("json") else {"spec": {}}
    answer = api.patch(f"{WIDGETS}/a", json=body, headers={"Content-Type": f"application/{type_}"})
    assert answer.status_code == code
    assert code == 200 or "application/apply-patch+yaml" in answer.json()["message"]


def test_appliers_own_items_by_keys_and_free_fields_one_by_one(api: httpx.Client) -> None:
    def apply(manager: str, spec: Obj) -> httpx.Response:
        config = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}, "spec": spec}
        headers = {"Content-Type": "application/apply-patch+yaml"}
        return api.patch(f"{WIDGETS}/a?fieldManager={manager}", json=config, headers=headers)

    assert apply("one", {"size": 3, "parts": [{"id": "a", "weight": 1}], "free": {"x": {"y": 1}}}).status_code == 201
    assert apply("two", {"parts": [{"id": "b"}], "free": {"x": {"z": 2}}}).status_code == 200
    refused = apply("two", {"parts": [{"id": "a", "weight": 2}]})
    assert [each["field"] for each in refused.json()["details"]["causes"]] == ['.spec.parts[id="a"].weight']
    gone = apply("one", {"size": 3}).json()["spec"]
    assert (gone["parts"], gone["free"]) == ([{"id": "b"}], {"x": {"z": 2}})
    unknown = apply("one", {"size": 3, "bogus": 1})
    assert unknown.status_code == 500
    assert unknown.json()["message"].endswith(".spec.bogus: field not declared in schema")


# -- deleting and coming back ------------------------------------------------------------------------------------------
def test_a_definition_goes_with_its_objects(served: Served, api: httpx.Client) -> None:
    api.post(WIDGETS, json=widget())
    gone = api.delete(f"{DEFINITIONS}/widgets.example.com").json()
    assert gone["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    refused = api.post(WIDGETS, json=widget("b"))
    assert refused.status_code == 403
    served.do(lambda: establish(served.registry))
    assert api.get(f"{DEFINITIONS}/widgets.example.com").status_code == 404
    assert api.get(WIDGETS).status_code == 404
    api.post(DEFINITIONS, json=definition())
    served.do(lambda: establish(served.registry))
    assert api.get(WIDGETS).json()["items"] == []


def test_objects_are_there_again_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "log"
    registry = new_registry(path)
    registry.create(KINDS["CustomResourceDefinition"], "", definition())
    establish(registry)
    kind = registry.store.kinds.by_path("example.com", "v1", "widgets")
    older = registry.store.kinds.by_path("example.com", "v1beta1", "widgets")
    assert kind is not None
    assert older is not None
    registry.create(kind, "default", widget("a"))
    registry.create(kind, "default", widget("b"))
    registry.create(older, "default", widget("c") | {"apiVersion": "example.com/v1beta1"})
    registry.delete(kind, "default", "b")
    registry.store.close()
    for _ in range(2):  # the second time from the snapshot that the first one wrote
        store = Store(path)
        again = store.kinds.by_path("example.com", "v1", "widgets")
        assert again is not None
        assert [obj["metadata"]["name"] for obj in store.list(again)] == ["a", "c"]
        assert {obj["apiVersion"] for obj in store.list(again)} == {"example.com/v1"}
        store.close()


# -- definitions -------------------------------------------------------------------------------------------------------
def changed(path: str, value: Any) -> Obj:
    """A definition with something else at a path of keys and places."""
    made = deepcopy(definition())
    node: Any = made
    *keys, last = [int(key) if key.isdecimal() else key for key in path.split("/")]
    for key in keys:
        node = node[key]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return made


_ROOT = "spec/versions/0/schema/openAPIV3Schema"
_SAID = "spec.versions[0].schema.openAPIV3Schema"


@pytest.mark.parametrize(
    ("path", "value", "field", "message"),
    [
        ("metadata/name", "x.example.com", "metadata.name",
         'Invalid value: "x.example.com": must be spec.names.plural+"."+spec.group'),
        ("spec/scope", "All", "spec.scope", 'Unsupported value: "All": supported values: "Cluster", "Namespaced"'),
        ("spec/names/listKind", "Widget", "spec.names.listKind",
         'Invalid value: "Widget": kind and listKind may not be the same'),
        ("spec/versions/1/schema", None, "spec.versions[1].schema.openAPIV3Schema", "Required value"),
        (f"{_ROOT}/type", "string", f"{_SAID}.type",
         'Invalid value: "string": only "object" is allowed as the type at the root of the schema if the status '
         "subresource is enabled"),
        (f"{_ROOT}/properties/spec/type", None, f"{_SAID}.properties[spec].type",
         "Required value: must not be empty for specified object fields"),
        (f"{_ROOT}/properties/spec/properties/size/type", "int", f"{_SAID}.properties[spec].properties[size].type",
         'Unsupported value: "int": supported values: "array", "boolean", "integer", "number", "object", "string"'),
        (f"{_ROOT}/properties/spec/properties/replicas/default", "x",
         f"{_SAID}.properties[spec].properties[replicas].default",
         'Invalid value: "string":  in body must be of type integer: "string"'),
        (f"{_ROOT}/properties/spec/properties/parts/items/required", None,
         f"{_SAID}.properties[spec].properties[parts].items.properties[id].default",
         "Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required "
         "property"),
        ("spec/versions/0/additionalPrinterColumns/0/type", "text", "spec.versions[0].additionalPrinterColumns[0].type",
         'Invalid value: "text": must be one of boolean,date,integer,number,string'),
        ("spec/versions/0/subresources/scale/specReplicasPath", "replicas",
         "spec.versions[0].subresources.scale.specReplicasPath",
         'Invalid value: "replicas": must be a simple json path starting with .'),
        ("spec/conversion", {"strategy": "Webhook"}, "spec.conversion.strategy", "Forbidden: this cluster converts"),
    ],
)  # fmt: skip
def test_definitions_are_refused(served: Served, path: str, value: Any, field: str, message: str) -> None:
    with served.client() as client:
        found = causes(client.post(DEFINITIONS, json=changed(path, value)))
    said = [each[2] for each in found if each[0] == field]
    assert [each for each in said if each.startswith(message)], found


def test_what_is_stored_may_not_change(served: Served, api: httpx.Client) -> None:
    live = api.get(f"{DEFINITIONS}/widgets.example.com").json()
    live["spec"]["scope"] = "Cluster"
    live["spec"]["names"]["kind"] = "Gadget"
    fields = [each[0] for each in causes(api.put(f"{DEFINITIONS}/widgets.example.com", json=live))]
    assert fields == ["spec.names.kind", "spec.scope"]


def test_protected_groups_want_an_approval(served: Served) -> None:
    given = definition()
    given["metadata"]["name"], given["spec"]["group"] = "widgets.x.k8s.io", "x.k8s.io"
    with served.client() as client:
        assert causes(client.post(DEFINITIONS, json=given))[0][:2] == (
            "metadata.annotations[api-approved.kubernetes.io]", "FieldValueRequired",
        )  # fmt: skip
        given["metadata"]["annotations"] = {"api-approved.kubernetes.io": "unapproved, a test"}
        assert client.post(DEFINITIONS, json=given).status_code == 201


def test_rules_that_nobody_evaluates_are_warned_of(served: Served) -> None:
    given = definition(SCHEMA | {"x-kubernetes-validations": [{"rule": "true"}]})
    with served.client() as client:
        assert "none of the 1 rules is evaluated" in client.post(DEFINITIONS, json=given).headers["Warning"]


def test_a_property_may_be_called_as_a_type(served: Served) -> None:
    item = {"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}, "v": {"type": "string"}}}
    below = {"type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}
    spec = {"type": "object", "properties": {"list": below, "map": {**item, "required": []}}}
    body = {**widget(), "spec": {"list": [{"k": "a", "v": "1"}], "map": {"k": "b"}}}
    headers = {"Content-Type": "application/apply-patch+yaml"}
    with served.client() as client:
        client.post(DEFINITIONS, json=definition({"type": "object", "properties": {"spec": spec}}))
        served.do(lambda: establish(served.registry))
        answer = client.patch(f"{WIDGETS}/a", params={"fieldManager": "m"}, content=json.dumps(body), headers=headers)
    assert answer.status_code == 201, answer.text
    owned = answer.json()["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]
    assert owned == {"f:list": {'k:{"k":"a"}': {".": {}, "f:k": {}, "f:v": {}}}, "f:map": {"f:k": {}}}


def test_an_object_is_of_the_kind_it_says(api: httpx.Client) -> None:
    answer = api.post(WIDGETS, json={**widget(), "kind": "Gadget"})
    assert causes(answer) == [("kind", "FieldValueInvalid", 'Invalid value: "Gadget": must be Widget')]
