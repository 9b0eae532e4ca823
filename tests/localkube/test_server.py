"""The API server over HTTPS: who is let in, what paths mean, how bodies and options are read, what is answered."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from bluegreen.localkube.http import bodies
from bluegreen.localkube.kinds import KINDS
from tests.localkube.serving import TOKEN, Served, serving

MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
METADATA = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as running:
        yield running


@pytest.fixture
def api(served: Served) -> Iterator[httpx.Client]:
    with served.client() as client:
        yield client


def config_map(name: str, **meta: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **meta}, "data": {"a": "1"}}


def deployment(name: str = "web") -> dict[str, Any]:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x:1"}]}}
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}}


# -- who is let in -------------------------------------------------------------
@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic YTpi", f"Token {TOKEN}", f"Bearer {TOKEN}x"])
def test_only_the_token_lets_in(served: Served, header: str) -> None:
    with served.client(token="") as client:
        answer = client.get(MAPS, headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert answer.json() == {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "Unauthorized",
        "reason": "Unauthorized", "code": 401,
    }  # fmt: skip


def test_health_and_version_are_public(served: Served) -> None:
    with served.client(token="") as client:
        assert [client.get(path).text for path in ("/healthz", "/readyz", "/livez", "/livez/ping")] == ["ok"] * 4
        assert client.get("/readyz?verbose").text == "[+]ping ok\n[+]log ok\n[+]etcd ok\nreadyz check passed\n"
        assert client.get("/livez/other").status_code != 200
        assert client.get("/version").json()["major"] == "1"
        assert client.get("/api").status_code == 401


@pytest.mark.parametrize(
    "host", ["evil.example.com", "kubernetes.evil.example.com", "10.0.0.1:443", "[::ffff:8.8.8.8]"]
)
def test_a_name_that_is_not_the_clusters_is_refused(served: Served, host: str) -> None:
    with served.client() as client:
        assert client.get(MAPS, headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost", "127.9.0.1:6443", "kubernetes.default.svc", "[::1]:80"])
def test_the_clusters_own_names_are_taken(served: Served, host: str) -> None:
    with served.client() as client:
        assert client.get(MAPS, headers={"Host": host}).status_code == 200


def test_plain_http_gets_nothing(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=5) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" not in plain.recv(100)


# -- paths ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/api/v1/namespaces/default/gadgets", 404),
        ("GET", "/api/v1/namespaces/default/nodes", 404),
        ("GET", "/api/v1/pods/x", 404),
        ("GET", f"{MAPS}/x/status", 404),
        ("GET", f"{MAPS}/x/scale/more", 404),
        ("POST", f"{MAPS}/x", 405),
        ("PUT", MAPS, 405),
        ("PATCH", MAPS, 405),
        ("OPTIONS", MAPS, 405),
        ("POST", "/api/v1/configmaps", 405),
        ("DELETE", "/api/v1/configmaps", 405),
        ("DELETE", "/api/v1/namespaces", 405),
        ("GET", "/api/v1/namespaces/default/pods/x/eviction", 405),
        ("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 405),
    ],
)
def test_what_is_not_there_or_not_allowed(api: httpx.Client, method: str, path: str, code: int) -> None:
    answer = api.request(method, path)
    assert (answer.status_code, answer.json()["details"]) == (code, {})


@pytest.mark.parametrize(
    "path", ["/", "/apis/example.com/v1/x", "/nothing", "/api/v2/pods", "//", "/%00", "/api/v1/../v2"]
)
def test_other_paths_are_no_error_of_the_server(api: httpx.Client, path: str) -> None:
    assert api.get(path).status_code in (200, 404)


def test_a_name_may_be_escaped(api: httpx.Client) -> None:
    api.post("/apis/rbac.authorization.k8s.io/v1/clusterroles", json={"metadata": {"name": "a:b c"}, "rules": []})
    found = api.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/a%3Ab%20c")
    assert found.json()["metadata"]["name"] == "a:b c"


# -- bodies --------------------------------------------------------------------
def test_yaml_is_taken_and_given(api: httpx.Client) -> None:
    text = "metadata: {name: y, annotations: {day: '2026-01-01'}}\ndata:\n  a: b\n"
    made = api.post(MAPS, content=text, headers={"Content-Type": "application/yaml"})
    assert made.status_code == 201
    shown = api.get(f"{MAPS}/y", headers={"Accept": "application/yaml"})
    assert shown.headers["Content-Type"].startswith("application/yaml")
    assert yaml.safe_load(shown.text)["data"] == {"a": "b"}


@pytest.mark.parametrize("body", ["{", "[]", "3", '"x"', '{"metadata": [}', "\x00", '{"kind": 7}', '{"metadata": 5}'])
def test_what_is_no_object_is_a_bad_request(api: httpx.Client, body: str) -> None:
    for method, path in (("POST", MAPS), ("PUT", f"{MAPS}/x")):
        answer = api.request(method, path, content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")


def test_null_metadata_is_no_metadata(api: httpx.Client) -> None:
    assert api.post(MAPS, json={"metadata": None}).status_code == 422
    api.post(MAPS, json=config_map("x"))
    patch = [{"op": "replace", "path": "/metadata", "value": None}]
    headers = {"Content-Type": "application/json-patch+json"}
    assert api.patch(f"{MAPS}/x", content=json.dumps(patch), headers=headers).status_code == 400


@pytest.mark.parametrize(
    ("method", "type_"),
    [("POST", "text/plain"), ("POST", "application/xml"), ("PATCH", "application/json"), ("PATCH", "")],
)
def test_unknown_media_types_are_refused(api: httpx.Client, method: str, type_: str) -> None:
    api.post(MAPS, json=config_map("x"))
    path = MAPS if method == "POST" else f"{MAPS}/x"
    answer = api.request(method, path, content="{}", headers={"Content-Type": type_})
    assert (answer.status_code, answer.json()["reason"]) == (415, "UnsupportedMediaType")


def test_what_cannot_be_accepted_is_not_made(api: httpx.Client) -> None:
    assert api.get(MAPS, headers={"Accept": "application/xml"}).status_code == 406
    assert api.get(MAPS, headers={"Accept": "application/xml, */*;q=0.1"}).status_code == 200


def test_a_body_too_large_is_refused_before_it_is_read(served: Served) -> None:
    context = served.verify
    connection = http.client.HTTPSConnection("127.0.0.1", served.port, context=context, timeout=10)
    connection.putrequest("POST", MAPS)
    connection.putheader("Authorization", f"Bearer {TOKEN}")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(100 * bodies.LARGEST))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["reason"] == "RequestEntityTooLarge"
    connection.close()


def test_a_body_of_unstated_length_is_bounded_too(served: Served) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(5):
            yield b" " * (1024 * 1024)

    with served.client() as client:
        assert client.post(MAPS, content=pieces(), headers={"Content-Type": "application/json"}).status_code == 413


def test_unknown_fields_are_warned_of_refused_or_ignored(api: httpx.Client) -> None:
    odd = {**config_map("x"), "dta": {}}
    warned = api.post(MAPS, json=odd)
    assert warned.headers["Warning"] == '299 - "unknown field \\"dta\\""'
    assert "dta" not in warned.json()
    assert api.put(f"{MAPS}/x", json=odd, params={"fieldValidation": "Strict"}).status_code == 400
    assert "Warning" not in api.put(f"{MAPS}/x", json=odd, params={"fieldValidation": "Ignore"}).headers


def test_kinds_that_are_stored_without_effect_say_so(api: httpx.Client) -> None:
    path = "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies"
    assert "does not enforce" in api.post(path, json={"metadata": {"name": "p"}, "spec": {}}).headers["Warning"]


# -- options -------------------------------------------------------------------
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("dryRun=some", "dryRun"),
        ("fieldValidation=Loose", "fieldValidation"),
        ("fieldManager=" + "x" * 129, "fieldManager"),
        ("fieldManager=a%0Ab", "fieldManager"),
    ],
)
def test_options_are_checked(api: httpx.Client, query: str, field: str) -> None:
    answer = api.post(f"{MAPS}?{query}", json=config_map("x"))
    assert answer.status_code == 422
    assert answer.json()["details"]["causes"][0]["field"] == field
    assert answer.json()["details"]["kind"] == "CreateOptions"


def test_force_is_for_apply_only(api: httpx.Client) -> None:
    api.post(MAPS, json=config_map("x"))
    answer = api.patch(f"{MAPS}/x?force=true", content="{}", headers={"Content-Type": "application/merge-patch+json"})
    assert answer.json()["details"]["causes"][0]["field"] == "force"


@pytest.mark.parametrize("query", ["limit=x", "timeoutSeconds=1.5", "resourceVersion=new", "continue=junk"])
def test_numbers_and_tokens_are_read_or_refused(api: httpx.Client, query: str) -> None:
    assert api.get(f"{MAPS}?{query}").status_code == 400


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("?", "illegal base64 data at input byte 0"),
        ("e30", "server does not recognize this encoded version "),
        ('{"v":"meta.k8s.io/v1"}', "incorrect encoded start resourceVersion (version meta.k8s.io/v1)"),
        ('{"v":"meta.k8s.io/v1","rv":1}', "encoded start key empty (version meta.k8s.io/v1)"),
        ('{"v":"meta.k8s.io/v1","rv":1,"start":"../x"}', "../x"),
        ("{", "unexpected end of JSON input"),
    ],
)
def test_a_continue_token_that_is_none_is_told_why(api: httpx.Client, token: str, why: str) -> None:
    """storage.DecodeContinue."""
    sent = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=") if token.startswith("{") else token
    answer = api.get(MAPS, params={"continue": sent})
    assert answer.status_code == 400
    assert answer.json()["message"] == f"invalid continue token: continue key is not valid: {why}"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"kind": "Secret"}, "converting (v1.Secret) to (core.ConfigMap): unknown conversion"),
        ({"apiVersion": "v9"}, 'no kind "ConfigMap" is registered for version "v9"'),
        ({"data": "x"}, "cannot unmarshal string into Go struct field ConfigMap.data"),
    ],
)
def test_a_patch_to_something_else_is_invalid(api: httpx.Client, change: dict[str, Any], why: str) -> None:
    """jsonPatcher.applyPatchToCurrentObject decodes its result; the details of the refusal name no object."""
    api.post(MAPS, json=config_map("odd"))
    headers = {"Content-Type": "application/merge-patch+json"}
    answer = api.patch(f"{MAPS}/odd", content=json.dumps(change), headers=headers)
    assert answer.status_code == 422
    assert why in answer.json()["message"]
    assert set(answer.json()["details"]) == {"causes"}


@pytest.mark.parametrize(("version", "code"), [("policy/v1", 404), ("policy/v1beta1", 404), ("policy/v2", 400)])
def test_an_eviction_may_say_its_older_version(api: httpx.Client, version: str, code: int) -> None:
    """EvictionREST.AcceptsGroupVersion."""
    asked = {"apiVersion": version, "kind": "Eviction", "metadata": {"name": "nobody"}}
    assert api.post("/api/v1/namespaces/default/pods/nobody/eviction", json=asked).status_code == code


def test_a_scale_is_decoded_as_what_it_is(api: httpx.Client) -> None:
    """A PUT of another kind does not convert; a patch of what a Scale has not is warned of, or refused when strict."""
    api.post(DEPLOYMENTS, json=deployment("scaled"))
    path = f"{DEPLOYMENTS}/scaled/scale"
    other = api.put(path, json={**deployment("scaled"), "apiVersion": "apps/v1", "kind": "Deployment"})
    assert other.status_code == 400
    assert "converting (v1.Deployment) to (autoscaling.Scale): unknown conversion" in other.json()["message"]
    headers = {"Content-Type": "application/merge-patch+json"}
    odd = api.patch(path, content='{"spec":{"odd":1}}', headers=headers)
    assert (odd.status_code, odd.headers["Warning"]) == (200, '299 - "unknown field \\"spec.odd\\""')
    strict = api.patch(f"{path}?fieldValidation=Strict", content='{"spec":{"odd":1}}', headers=headers)
    assert strict.status_code == 422
    wrong = api.patch(path, content='{"spec":{"replicas":"x"}}', headers=headers)
    assert (wrong.status_code, wrong.json()["details"]["causes"][0]["field"]) == (422, "patch")


def test_a_table_holds_what_tables_can(api: httpx.Client) -> None:
    """ValidateTableOptions."""
    answer = api.get(MAPS, params={"includeObject": "All"}, headers={"Accept": TABLE})
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Unable to convert to Table as requested: includeObject: Invalid value")


@pytest.mark.parametrize(("version", "code"), [("0", 200), ("1", 200), ("99999999", 504), ("new", 500)])
def test_one_object_is_not_older_than_asked(api: httpx.Client, version: str, code: int) -> None:
    """cacher.Get: a version that is no number is the store's own error, one of the future a time-out."""
    api.post(MAPS, json=config_map("aged"))
    assert api.get(f"{MAPS}/aged", params={"resourceVersion": version}).status_code == code


def test_the_field_manager_is_the_clients_name_when_it_states_none(api: httpx.Client) -> None:
    made = api.post(MAPS, json=config_map("x"), headers={"User-Agent": "tool/1.2 (linux)"})
    assert [entry["manager"] for entry in made.json()["metadata"]["managedFields"]] == ["tool"]


# -- lists ---------------------------------------------------------------------
def test_items_of_a_list_do_not_repeat_their_kind(api: httpx.Client) -> None:
    api.post(MAPS, json=config_map("x"))
    listed = api.get(MAPS).json()
    assert (listed["kind"], listed["apiVersion"]) == ("ConfigMapList", "v1")
    assert [sorted(item) for item in listed["items"]] == [["data", "metadata"]]


def test_a_list_in_pages_is_of_one_moment(api: httpx.Client) -> None:
    for name in "abcde":
        api.post(MAPS, json=config_map(name))
    first = api.get(MAPS, params={"limit": 2}).json()
    assert first["metadata"]["remainingItemCount"] == 3
    api.delete(f"{MAPS}/c")
    api.post(MAPS, json=config_map("bb"))
    api.put(f"{MAPS}/d", json={**config_map("d"), "data": {"a": "new"}})
    rest = api.get(MAPS, params={"limit": 9, "continue": first["metadata"]["continue"]}).json()
    assert [(item["metadata"]["name"], item["data"]["a"]) for item in rest["items"]] == [
        ("c", "1"), ("d", "1"), ("e", "1"),
    ]  # fmt: skip
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_a_page_whose_moment_is_forgotten_is_gone(served: Served, api: httpx.Client) -> None:
    for name in "abc":
        api.post(MAPS, json=config_map(name))
    first = api.get(MAPS, params={"limit": 1}).json()
    api.delete(f"{MAPS}/c")
    served.do(served.registry.store.expire_history)
    answer = api.get(MAPS, params={"limit": 1, "continue": first["metadata"]["continue"]})
    assert (answer.status_code, answer.json()["reason"]) == (410, "Expired")


def test_a_list_of_an_earlier_version_is_exact_on_request(api: httpx.Client) -> None:
    version = api.post(MAPS, json=config_map("a")).json()["metadata"]["resourceVersion"]
    api.post(MAPS, json=config_map("b"))
    exact = api.get(MAPS, params={"resourceVersion": version, "resourceVersionMatch": "Exact"}).json()
    assert [item["metadata"]["name"] for item in exact["items"]] == ["a"]
    newer = api.get(MAPS, params={"resourceVersion": version, "resourceVersionMatch": "NotOlderThan"}).json()
    assert [item["metadata"]["name"] for item in newer["items"]] == ["a", "b"]


def test_any_version_will_do_gives_everything_at_once(api: httpx.Client) -> None:
    for name in "abc":
        api.post(MAPS, json=config_map(name))
    listed = api.get(MAPS, params={"limit": 1, "resourceVersion": "0"}).json()
    assert len(listed["items"]) == 3
    assert "continue" not in listed["metadata"]


def test_a_version_from_the_future_is_too_large(api: httpx.Client) -> None:
    answer = api.get(MAPS, params={"resourceVersion": "99999"})
    assert (answer.status_code, answer.json()["reason"]) == (504, "Timeout")


def test_all_namespaces_are_listed_in_order(api: httpx.Client) -> None:
    for namespace in ("z", "a"):
        api.post("/api/v1/namespaces", json={"metadata": {"name": namespace}})
        api.post(f"/api/v1/namespaces/{namespace}/configmaps", json=config_map("x"))
    listed = api.get("/api/v1/configmaps").json()["items"]
    assert [item["metadata"]["namespace"] for item in listed] == ["a", "z"]


def test_tables_and_metadata_alone(api: httpx.Client) -> None:
    api.post(MAPS, json=config_map("x"))
    table = api.get(MAPS, headers={"Accept": TABLE}).json()
    assert (table["kind"], table["rows"][0]["cells"][:2]) == ("Table", ["x", 1])
    alone = api.get(MAPS, headers={"Accept": METADATA}).json()
    assert alone["kind"] == "PartialObjectMetadataList"
    assert sorted(alone["items"][0]) == ["apiVersion", "kind", "metadata"]
    assert api.get(f"{MAPS}/x", headers={"Accept": TABLE}).json()["rows"][0]["cells"][0] == "x"


def test_a_collection_is_deleted_as_selected(api: httpx.Client) -> None:
    for name in "abc":
        api.post(MAPS, json=config_map(name, labels={"keep": "yes" if name == "b" else "no"}))
    gone = api.delete(MAPS, params={"labelSelector": "keep=no"}).json()
    assert [item["metadata"]["name"] for item in gone["items"]] == ["a", "c"]
    assert [item["metadata"]["name"] for item in api.get(MAPS).json()["items"]] == ["b"]


# -- one object ----------------------------------------------------------------
def test_delete_options_come_from_the_body_or_the_query(api: httpx.Client) -> None:
    for given in ({"content": '{"propagationPolicy":"Foreground"}'}, {"params": {"propagationPolicy": "Foreground"}}):
        api.post(DEPLOYMENTS, json=deployment())
        marked = api.request("DELETE", f"{DEPLOYMENTS}/web", headers={"Content-Type": "application/json"}, **given)
        assert marked.json()["metadata"]["finalizers"] == ["foregroundDeletion"]
        api.patch(
            f"{DEPLOYMENTS}/web", content='{"metadata":{"finalizers":null}}',
            headers={"Content-Type": "application/merge-patch+json"},
        )  # fmt: skip


def test_a_delete_may_be_tried(api: httpx.Client) -> None:
    api.post(MAPS, json=config_map("x"))
    assert api.delete(f"{MAPS}/x", params={"dryRun": "All"}).json()["status"] == "Success"
    assert api.get(f"{MAPS}/x").status_code == 200
    assert api.delete(f"{MAPS}/x", params={"dryRun": "Maybe"}).status_code == 422


def test_a_status_is_patched_through_its_own_path(api: httpx.Client) -> None:
    api.post(DEPLOYMENTS, json=deployment())
    body = '{"status":{"replicas":3},"spec":{"replicas":9}}'
    headers = {"Content-Type": "application/merge-patch+json"}
    patched = api.patch(f"{DEPLOYMENTS}/web/status", content=body, headers=headers).json()
    assert (patched["status"], patched["spec"]["replicas"]) == ({"replicas": 3}, 1)


def test_a_pod_is_bound_once(api: httpx.Client) -> None:
    pods = "/api/v1/namespaces/default/pods"
    api.post(pods, json={"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x:1"}]}})
    body = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
    assert api.post(f"{pods}/p/binding", json=body).status_code == 201
    assert api.get(f"{pods}/p").json()["spec"]["nodeName"] == "n"
    assert api.post(f"{pods}/p/binding", json=body).status_code == 409


def test_without_a_kubelet_pods_say_nothing(api: httpx.Client) -> None:
    pods = "/api/v1/namespaces/default/pods"
    body = {"metadata": {"name": "p"}, "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "x:1"}]}}
    api.post(pods, json=body)
    assert api.get(f"{pods}/p/log").status_code == 503


def test_a_mistake_of_the_server_is_told_without_ending_it(
    served: Served, api: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("oops")

    with monkeypatch.context() as patch:
        patch.setattr(served.registry, "create", broken)
        answer = api.post(MAPS, json=config_map("x"))
    assert (answer.status_code, answer.json()["reason"]) == (500, "InternalError")
    assert "oops" in caplog.text
    assert api.post(MAPS, json=config_map("x")).status_code == 201


def test_a_client_that_hangs_does_not_stop_the_others(served: Served, api: httpx.Client) -> None:
    context = ssl.create_default_context(cafile=None)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", served.port)) as raw, context.wrap_socket(raw) as slow:
        slow.sendall(f"POST {MAPS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n".encode())
        slow.sendall(b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        assert api.get(MAPS).status_code == 200


def test_every_kind_can_be_listed(api: httpx.Client) -> None:
    for kind in KINDS.values():
        if "list" in kind.verbs and kind.stored:
            base = f"/apis/{kind.group}/{kind.version}" if kind.group else "/api/v1"
            assert api.get(f"{base}/{kind.plural}").json()["kind"] == kind.list_kind


def test_a_collection_is_deleted_as_far_as_asked(api: httpx.Client) -> None:
    maps = "/api/v1/namespaces/default/configmaps"
    for name in "abc":
        api.post(maps, json={"metadata": {"name": name, "labels": {"go": "1"}}})
    assert len(api.delete(maps, params={"labelSelector": "go=1", "limit": 2}).json()["items"]) == 2
    left = api.get(maps, params={"labelSelector": "go=1"}).json()["items"]
    assert [each["metadata"]["name"] for each in left] == ["c"]
