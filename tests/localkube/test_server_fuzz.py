"""Malformed requests: whatever is sent, the server answers, and never with a mistake of its own."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bluegreen.localkube.kinds import KINDS, Kind
from tests.localkube.bodies import Maker
from tests.localkube.serving import Served, serving

MAKEABLE = [kind for kind in KINDS.values() if "create" in kind.verbs]
PATCHES = ("json-patch+json", "merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml")
# the refusals for which kube-apiserver itself answers 500, as recordings show
KUBERNETES_OWN = ("failed to create typed patch object", "does not contain declared merge key", "strconv.ParseUint")
POD = {"containers": [{"name": "c", "image": "x:1", "ports": [{"containerPort": 80}], "env": [{"name": "A"}]}]}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": POD}
VALID: dict[str, dict[str, Any]] = {
    "Pod": {"spec": POD},
    "Service": {"spec": {"ports": [{"port": 80}]}},
    "ConfigMap": {"data": {"a": "1"}},
    "Deployment": {"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}},
    "Job": {"spec": {"template": {"spec": {**POD, "restartPolicy": "Never"}}}},
    "Ingress": {"spec": {"defaultBackend": {"service": {"name": "a", "port": {"number": 80}}}}},
    "EndpointSlice": {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}]},
    "RoleBinding": {"roleRef": {"kind": "Role", "name": "a", "apiGroup": "rbac.authorization.k8s.io"}},
}
# the same examples in every run, so that a failure is a change's; to look further, more of them and not derandomized
FUZZ = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, derandomize=True
)
SEEDS = st.integers(0, 2**32)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as running:
        yield running


@pytest.fixture
def api(served: Served) -> Iterator[httpx.Client]:
    with served.client() as client:
        yield client


def collection(kind: Kind) -> str:
    base = f"/apis/{kind.group}/{kind.version}" if kind.group else "/api/v1"
    return f"{base}/namespaces/default/{kind.plural}" if kind.namespaced else f"{base}/{kind.plural}"


def answered(answer: httpx.Response) -> None:
    """The server did not make a mistake, and what it refuses it refuses with a Status."""
    if answer.status_code >= 400 and answer.text != "404 page not found\n":
        status = answer.json()
        assert status["kind"] == "Status", answer.text
        if status["code"] == 500:
            assert any(words in status["message"] for words in KUBERNETES_OWN), answer.text


@FUZZ
@given(SEEDS)
def test_new_objects_of_any_shape(api: httpx.Client, seed: int) -> None:
    rng = random.Random(seed)
    kind = rng.choice(MAKEABLE)
    body = Maker(seed, rng.choice((0.0, 0.01, 0.05))).obj(kind)
    answered(api.post(collection(kind), json=body))
    answered(api.put(f"{collection(kind)}/a", json=body))
    if kind.stored:
        answered(api.get(collection(kind), headers={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}))
        answered(api.delete(f"{collection(kind)}/a?gracePeriodSeconds=0"))


@FUZZ
@given(SEEDS)
def test_patches_of_any_shape(api: httpx.Client, seed: int) -> None:
    rng = random.Random(seed)
    kind = KINDS[rng.choice(list(VALID))]
    api.post(collection(kind), json={"metadata": {"name": "a"}, **VALID[kind.kind]})
    made = Maker(seed, rng.choice((0.0, 0.01, 0.05))).obj(kind)
    body: Any = made
    if isinstance(made, dict):
        kept = rng.sample(sorted(made), min(len(made), 2))
        body = {key: made[key] for key in kept}
    patch_type = rng.choice(PATCHES)
    if patch_type == PATCHES[0]:
        words = ("add", "remove", "replace", "test", "copy", "move", "turn")
        places = ("", "/", "/spec", "/metadata", "/metadata/name", "/spec/containers/0", "/spec/-", "/data/~2", 5)
        body = [
            {"op": rng.choice(words), "path": rng.choice(places), "from": rng.choice(places), "value": body}
            for _ in range(rng.randint(0, 3))
        ]
    if patch_type == PATCHES[3] and isinstance(body, dict):
        body = {**body, "apiVersion": kind.api_version, "kind": kind.kind}
    query = {"fieldManager": "fuzz", "fieldValidation": rng.choice(("Ignore", "Warn", "Strict"))}
    path = collection(kind) + rng.choice(("/a", "/a", "/a/status", "/a/scale"))
    headers = {"Content-Type": f"application/{patch_type}"}
    answered(api.patch(path, params=query, content=json.dumps(body), headers=headers))
    answered(api.get(f"{collection(kind)}/a"))
    answered(api.delete(f"{collection(kind)}/a", params={"gracePeriodSeconds": "0"}))


@FUZZ
@given(st.sampled_from(["POST", "PUT", "PATCH", "DELETE"]), st.binary(max_size=60), st.data())
def test_bodies_of_any_bytes(api: httpx.Client, method: str, body: bytes, data: st.DataObject) -> None:
    types = ["json", "yaml", "vnd.kubernetes.protobuf", *PATCHES]
    headers = {"Content-Type": f"application/{data.draw(st.sampled_from(types))}"}
    if data.draw(st.booleans()):
        body = b"k8s\x00" + body
    path = collection(KINDS["ConfigMap"]) + ("" if method == "POST" else "/a")
    answered(api.request(method, path, content=body, headers=headers, params={"fieldManager": "fuzz"}))


@FUZZ
@given(
    st.sampled_from(["GET", "DELETE"]),
    st.dictionaries(
        st.sampled_from(
            ["labelSelector", "fieldSelector", "limit", "continue", "resourceVersion", "resourceVersionMatch",
             "timeoutSeconds", "dryRun", "gracePeriodSeconds", "propagationPolicy", "orphanDependents",
             "sendInitialEvents", "allowWatchBookmarks", "pretty", "includeObject"]
        ),
        st.one_of(
            st.sampled_from(["", "0", "1", "-1", "true", "a=b", "a in (b", "All", "Exact", "é"]), st.text(max_size=9)
        ),
        max_size=4,
    ),
)  # fmt: skip
def test_queries_of_any_kind(api: httpx.Client, method: str, query: dict[str, str]) -> None:
    answer = api.request(method, collection(KINDS["ConfigMap"]), params=query)
    if answer.status_code != 504:  # a resourceVersion from the future
        answered(answer)


@FUZZ
@given(st.lists(st.sampled_from(["api", "apis", "v1", "apps", "namespaces", "default", "pods", "deployments", "a",
                                 "status", "scale", "log", "exec", "eviction", "", "..", "%2F", "%00", "%FF", "ü"]),
                max_size=8),
       st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "FETCH"]))  # fmt: skip
def test_paths_of_any_kind(served: Served, api: httpx.Client, parts: list[str], method: str) -> None:
    answer = api.request(method, f"{served.url}/{'/'.join(parts)}")
    assert answer.status_code < 500 or answer.json()["code"] == 503  # no kubelet here


@FUZZ
@given(
    st.dictionaries(
        st.sampled_from(["User-Agent", "Accept", "Content-Type", "Impersonate-User", "Impersonate-Group"]),
        st.binary(max_size=30),
        max_size=3,
    )
)
def test_headers_of_any_kind(api: httpx.Client, headers: dict[str, bytes]) -> None:
    # what this client would not send
    clean = {
        name: bytes(each for each in value if each > 31 and each != 127).strip() for name, value in headers.items()
    }
    answered(api.post(collection(KINDS["ConfigMap"]), content=b'{"metadata":{"generateName":"h-"}}', headers=clean))
