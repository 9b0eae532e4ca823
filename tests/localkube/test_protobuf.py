"""Protobuf bodies: read as kubectl writes them, refused when they are none. Messages are put together by hand here."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.localkube import decoding, schema
from bluegreen.localkube.http import bodies, protobuf
from bluegreen.localkube.http.protobuf import MAGIC, ProtobufError, decode
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.status import ApiError


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    encoded = b""
    while value > 127:
        encoded, value = encoded + bytes([value & 127 | 128]), value >> 7
    return encoded + bytes([value])


def field(number: int, value: int | str | bytes) -> bytes:
    """One field: a varint, or a string, bytes or message with its length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def body(api_version: str, kind: str, message: bytes) -> bytes:
    stated = field(1, api_version) + field(2, kind)
    return MAGIC + field(1, stated) + field(2, message) + field(3, "") + field(4, "")


def meta(name: str, *more: bytes) -> bytes:
    """ObjectMeta as Go writes it: empty strings and the zero time included."""
    zero_time = field(8, b"")
    return field(1, name) + field(2, "") + field(3, "") + field(7, 0) + zero_time + b"".join(more)


def test_a_config_map() -> None:
    pairs = [field(2, field(1, key) + field(2, value)) for key, value in (("a", "1"), ("b", "ü"))]
    assert decode(body("v1", "ConfigMap", field(1, meta("cm")) + b"".join(pairs)), "ConfigMap") == {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": "cm", "generateName": "", "namespace": "", "generation": 0},
        "data": {"a": "1", "b": "ü"},
    }


def test_bytes_become_base64() -> None:
    secret = field(1, meta("s")) + field(2, field(1, "pw") + field(2, b"\x00\xff")) + field(3, "Opaque")
    assert decode(body("v1", "Secret", secret), "Secret")["data"] == {"pw": "AP8="}


def test_a_deployment_with_what_is_written_in_its_own_way() -> None:
    quantity = field(1, "500m")
    requests = field(2, field(1, "cpu") + field(2, quantity))
    probe = field(1, field(2, field(1, "/x") + field(2, field(1, 0) + field(2, 8080)))) + field(4, 5)
    container = field(1, "app") + field(2, "x:1") + field(6, field(1, "http") + field(3, 80)) + field(8, requests)
    container += field(11, probe)
    template = field(1, meta("")) + field(2, field(2, container))
    surge = field(2, field(2, field(1, 1) + field(3, "25%")))
    spec = field(1, 3) + field(2, field(1, field(1, "a") + field(2, "b"))) + field(3, template) + field(4, surge)
    found: Any = decode(body("apps/v1", "Deployment", field(1, meta("web")) + field(2, spec)), "Deployment")
    assert found["spec"]["replicas"] == 3
    assert found["spec"]["selector"] == {"matchLabels": {"a": "b"}}
    made = found["spec"]["template"]["spec"]["containers"][0]
    assert made["ports"][0]["containerPort"] == 80
    assert made["resources"] == {"requests": {"cpu": "500m"}}
    assert made["readinessProbe"]["httpGet"] == {"path": "/x", "port": 8080}
    assert found["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": "25%"}
    decoding.check("Deployment", found)


def test_times_and_negative_numbers() -> None:
    moment = field(1, 1_767_225_600) + field(2, 123_456_000)
    lease = field(1, meta("l")) + field(2, field(3, moment))
    found = decode(body("coordination.k8s.io/v1", "Lease", lease), "Lease")
    assert found["spec"]["acquireTime"] == "2026-01-01T00:00:00.123456Z"
    scale = field(2, field(1, -1))
    assert decode(body("autoscaling/v1", "Scale", scale), "Scale")["spec"] == {"replicas": -1}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        MAGIC + b"\x0a",
        MAGIC + b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        MAGIC + b"\x0b",
        body("v1", "ConfigMap", b"\x0a\x05ab"),
        body("v1", "ConfigMap", b"\x08\x01"),
        body("v1", "ConfigMap", field(1, field(1, b"\xff\xfe"))),
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ProtobufError):
        decode(data, "ConfigMap")
    with pytest.raises(ApiError) as refused:
        bodies.read_object("ConfigMap", "v1", data, bodies.PROTOBUF)
    assert refused.value.code == 400


@given(st.binary(max_size=80), st.sampled_from(["Pod", "Deployment", "Secret", "DeleteOptions", "Nothing", ""]))
def test_any_bytes_are_read_or_refused(data: bytes, kind: str) -> None:
    try:
        found = decode(body("v1", kind, data), "Pod")
    except ProtobufError:
        return
    assert isinstance(found, dict)


def test_json_inside_a_message_is_read_too() -> None:
    raw = field(7, field(1, b'{"a":{}}'))
    found = decode(body("v1", "ConfigMap", field(1, field(17, raw))), "ConfigMap")
    assert found["metadata"]["managedFields"] == [{"fieldsV1": {"a": {}}}]
    with pytest.raises(ProtobufError):
        decode(body("v1", "ConfigMap", field(1, field(17, field(7, field(1, b"{"))))), "ConfigMap")


def test_the_table_knows_every_kind_and_field_of_the_schema() -> None:
    table = protobuf._table()
    for kind in KINDS.values():
        if "create" not in kind.verbs:
            continue
        message = table["messages"][table["kinds"][kind.kind]]
        numbered = {name for name, _ in message.values()}
        assert set(schema.of_kind(kind.kind).fields) - {"apiVersion", "kind"} <= numbered


def test_a_schema_or_something_else_is_read_as_what_it_is() -> None:
    """JSONSchemaPropsOrBool, OrArray and OrStringArray, whose JSON is the one or the other."""
    typed = field(5, b"string")
    assert protobuf._value(field(2, typed), "B", 0) == {"type": "string"}
    assert protobuf._value(field(1, 1), "B", 0) is True
    assert protobuf._value(field(1, typed), "A", 0) == {"type": "string"}
    assert protobuf._value(field(2, typed) + field(2, typed), "A", 0) == [{"type": "string"}] * 2
    assert protobuf._value(field(2, b"a"), "S", 0) == ["a"]
