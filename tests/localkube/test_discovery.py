"""What the cluster says it serves, held against what a real one said (the recordings) and what clients rely on."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from bluegreen.localkube import discovery, openapi
from bluegreen.localkube.kinds import ALL_VERBS, GROUP_VERSIONS, KINDS

Obj = dict[str, Any]
DESCRIBED = GROUP_VERSIONS - {("metrics.k8s.io", "v1beta1")}  # a real metrics-server's schema is its own matter
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def document(path: str, accept: str = "") -> Obj:
    found = discovery.answer(path, accept)
    assert found is not None
    return found[0]


def resource(group_version: str, name: str) -> Obj:
    prefix = "/apis/" if "/" in group_version else "/api/"
    return next(row for row in document(prefix + group_version)["resources"] if row["name"] == name)


def test_the_core_group_is_named_apart() -> None:
    assert document("/api")["versions"] == ["v1"]
    assert document("/api")["kind"] == "APIVersions"


def test_every_group_is_listed_with_its_preferred_version() -> None:
    groups = {group["name"]: group for group in document("/apis")["groups"]}
    assert set(groups) == {group for group, _ in GROUP_VERSIONS if group}
    assert groups["apps"]["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}


def test_a_resource_is_described_as_a_real_server_describes_it() -> None:
    assert resource("apps/v1", "deployments") == {
        "name": "deployments",
        "singularName": "deployment",
        "namespaced": True,
        "kind": "Deployment",
        "verbs": list(ALL_VERBS),
        "shortNames": ["deploy"],
        "categories": ["all"],
    }


def test_what_has_no_short_name_and_no_category_lists_neither() -> None:
    assert not {"shortNames", "categories"} & resource("v1", "secrets").keys()


def test_a_subresource_of_another_kind_names_that_kind() -> None:
    scale = resource("apps/v1", "deployments/scale")
    assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")
    assert resource("v1", "pods/log")["kind"] == "Pod"


@pytest.mark.parametrize("path", ["/apis/nowhere.example", "/apis/apps/v2", "/apis/apps/v1/deployments", "/else"])
def test_what_is_not_served_is_not_answered(path: str) -> None:
    assert discovery.answer(path) is None


def test_the_aggregated_document_says_the_same_as_the_lists() -> None:
    shown = {
        (item["metadata"].get("name", ""), version["version"], row["resource"]): row
        for path in ("/api", "/apis")
        for item in document(path, f"{AGGREGATED},application/json")["items"]
        for version in item["versions"]
        for row in version["resources"]
    }
    assert set(shown) == {(kind.group, kind.version, kind.plural) for kind in KINDS.values()}
    pods = shown["", "v1", "pods"]
    assert pods["responseKind"] == {"group": "", "version": "v1", "kind": "Pod"}
    assert "log" in [sub["subresource"] for sub in pods["subresources"]]


@pytest.mark.parametrize(
    ("accept", "aggregated"),
    [
        (AGGREGATED, True),
        (f"application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,{AGGREGATED}", True),
        (f"application/json,{AGGREGATED}", False),
        ("application/json", False),
        ("", False),
    ],
)
def test_the_aggregated_document_is_given_to_who_prefers_it(accept: str, aggregated: bool) -> None:
    assert discovery.wants_aggregated(accept) is aggregated


def parsed(path: str) -> Obj:
    answer = openapi.answer(path)
    assert answer is not None
    body: Obj = orjson.loads(answer[0])
    return body


def test_every_group_version_has_an_openapi_document_at_the_address_its_index_gives() -> None:
    paths = parsed("/openapi/v3")["paths"]
    assert len(paths) == len(DESCRIBED)
    for place, entry in paths.items():
        address = entry["serverRelativeURL"].partition("?")[0]
        assert address == f"/openapi/v3/{place}"
        assert parsed(address)["openapi"] == "3.0.0"


def test_a_patch_offers_field_validation_which_kubectl_looks_for_before_it_applies() -> None:
    path = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
    patch = parsed("/openapi/v3/apis/apps/v1")["paths"][path]["patch"]
    assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}
    assert {"fieldValidation", "dryRun"} <= {parameter["name"] for parameter in patch["parameters"]}


def test_schemas_carry_merge_keys_and_descriptions() -> None:
    schemas = parsed("/openapi/v3/apis/apps/v1")["components"]["schemas"]
    containers = schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["x-kubernetes-patch-strategy"] == "merge"
    assert "containers" in containers["description"].lower()


@pytest.mark.parametrize(("group", "version"), sorted(DESCRIBED))
def test_every_reference_in_a_document_leads_somewhere(group: str, version: str) -> None:
    place = f"apis/{group}/{version}" if group else f"api/{version}"
    body = parsed(f"/openapi/v3/{place}")
    schemas = body["components"]["schemas"]
    dangling = [
        reference for reference in references(body) if reference.removeprefix("#/components/schemas/") not in schemas
    ]
    assert dangling == []


def test_version_2_names_no_kind_in_the_form_that_kubectl_reads() -> None:
    assert parsed("/openapi/v2")["paths"] == {}
    answer = openapi.answer("/openapi/v2", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
    assert answer is not None
    assert answer[0].startswith(b"\x0a\x032.0\x12")


def references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for item in node for found in references(item)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
    return own + [found for value in node.values() for found in references(value)]
