"""Environments: expansion, references, what is missing, the variables of Services."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from bluegreen.localkube.kubelet.env import ConfigError, Environment, expand, field, service_variables

Obj = dict[str, Any]
POD: Obj = {
    "metadata": {
        "name": "p", "namespace": "n", "uid": "u", "labels": {"b": "2", "a": 'x"y'}, "annotations": {"k": "v"}},
    "spec": {"nodeName": "node", "serviceAccountName": "sa", "containers": [
        {"name": "app", "resources": {"limits": {"cpu": "1500m", "memory": "64Mi"}, "requests": {"cpu": "250m"}}}]},
    "status": {"podIP": "127.1.2.3", "hostIP": "127.1.0.1", "podIPs": [{"ip": "127.1.2.3"}]},
}  # fmt: skip
OBJECTS: dict[tuple[str, str], Obj] = {
    ("ConfigMap", "c"): {"kind": "ConfigMap", "data": {"A": "1", "b.c": "2", "no=name": "3"}},
    ("Secret", "s"): {"kind": "Secret", "data": {"PW": base64.b64encode(b"hidden").decode()}},
}


def environment(services: dict[str, str] | None = None) -> Environment:
    return Environment(POD, lambda kind, name: OBJECTS.get((kind, name)), services or {}, {"cpu": "8", "memory": "1Gi"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)-$(B)", "1-2"),
        ("$(MISSING) stays", "$(MISSING) stays"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("100$", "100$"),
        ("$A $(", "$A $("),
        ("$(A", "$(A"),
        ("$$$$", "$$"),
        ("", ""),
    ],
)
def test_expansion(text: str, expected: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expected


def test_later_variables_see_earlier_ones_and_win_over_env_from() -> None:
    container = {
        "envFrom": [{"configMapRef": {"name": "c"}}, {"prefix": "S_", "secretRef": {"name": "s"}}],
        "env": [
            {"name": "A", "value": "own"},
            {"name": "D", "value": "$(A) $(S_PW) $(E)"},
            {"name": "E", "value": "e"},
        ],
    }
    found = environment().of(container)
    assert found == {"A": "own", "b.c": "2", "S_PW": "hidden", "D": "own hidden $(E)", "E": "e"}


def test_service_variables_can_be_used_and_overridden() -> None:
    found = environment({"DB_HOST": "1.2.3.4"}).of({"env": [{"name": "URL", "value": "db://$(DB_HOST)"}]})
    assert found == {"DB_HOST": "1.2.3.4", "URL": "db://1.2.3.4"}


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ({"configMapKeyRef": {"name": "absent", "key": "k"}}, 'configmap "absent" not found'),
        ({"secretKeyRef": {"name": "absent", "key": "k"}}, 'secret "absent" not found'),
        ({"configMapKeyRef": {"name": "c", "key": "k"}}, "couldn't find key k in ConfigMap n/c"),
        ({"secretKeyRef": {"name": "s", "key": "k"}}, "couldn't find key k in Secret n/s"),
    ],
)
def test_what_is_missing_is_said_as_kubernetes_says_it(source: Obj, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence.replace('"', '"')):
        environment().of({"env": [{"name": "X", "valueFrom": source}]})
    optional = {kind: {**reference, "optional": True} for kind, reference in source.items()}
    assert environment().of({"env": [{"name": "X", "valueFrom": optional}]}) == {}


def test_missing_env_from_is_an_error_unless_optional() -> None:
    with pytest.raises(ConfigError, match='configmap "absent" not found'):
        environment().of({"envFrom": [{"configMapRef": {"name": "absent"}}]})
    assert environment().of({"envFrom": [{"configMapRef": {"name": "absent", "optional": True}}]}) == {}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "p"),
        ("metadata.namespace", "n"),
        ("metadata.uid", "u"),
        ("metadata.labels['b']", "2"),
        ("metadata.annotations['k']", "v"),
        ("metadata.annotations['absent']", ""),
        ("spec.nodeName", "node"),
        ("spec.serviceAccountName", "sa"),
        ("status.podIP", "127.1.2.3"),
        ("status.podIPs", "127.1.2.3"),
        ("status.hostIP", "127.1.0.1"),
        ("metadata.labels", 'a="x\\"y"\nb="2"'),
    ],
)
def test_fields(path: str, value: str) -> None:
    assert field(POD, path) == value


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ({"resource": "limits.cpu"}, "2"),
        ({"resource": "limits.cpu", "divisor": "1m"}, "1500"),
        ({"resource": "limits.memory", "divisor": "1Mi"}, "64"),
        ({"resource": "limits.memory"}, str(64 * 2**20)),
        ({"resource": "requests.cpu", "divisor": "1m"}, "250"),
        ({"resource": "requests.memory"}, "0"),
        ({"resource": "limits.cpu", "containerName": "app"}, "2"),
    ],
)
def test_resource_fields(reference: Obj, value: str) -> None:
    container = POD["spec"]["containers"][0]
    assert environment().of({**container, "env": [{"name": "X", "valueFrom": {"resourceFieldRef": reference}}]}) == {
        "X": value
    }


def test_a_missing_limit_is_the_nodes() -> None:
    bare = {"name": "bare", "env": [{"name": "X", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]}
    assert environment().of(bare) == {"X": "8"}


def test_services_as_variables() -> None:
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}, {"name": "dns-x", "port": 53, "protocol": "UDP"}]
    service = {"metadata": {"name": "my-web"}, "spec": {"clusterIP": "10.0.0.1", "ports": ports}}
    headless = {"metadata": {"name": "none"}, "spec": {"clusterIP": "None", "ports": ports}}
    found = service_variables([service, headless])
    assert found["MY_WEB_SERVICE_HOST"] == "10.0.0.1"
    assert found["MY_WEB_SERVICE_PORT"] == "80"
    assert found["MY_WEB_SERVICE_PORT_DNS_X"] == "53"
    assert found["MY_WEB_PORT"] == "tcp://10.0.0.1:80"
    assert found["MY_WEB_PORT_53_UDP_ADDR"] == "10.0.0.1"
    assert not any(name.startswith("NONE") for name in found)
