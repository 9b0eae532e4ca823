"""What a Secret and a ConfigMap should hold: given, kept, made once."""

from __future__ import annotations

import base64
from typing import Any

from bluegreen.configuration import GENERATE_ONCE, merged, random_key


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def secret(**texts: str) -> dict[str, Any]:
    metadata = {"name": "s", "annotations": {GENERATE_ONCE: "KEY OTHER"}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": texts}


def held(kind: str = "Secret", **data: str) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "s", "resourceVersion": "7"}, "data": data}


def test_what_is_set_is_written_as_data() -> None:
    wanted = merged(secret(PASSWORD="a"), None)
    assert wanted["data"] == {"PASSWORD": encoded("a")}
    assert "stringData" not in wanted


def test_what_is_not_set_stays_as_it_is() -> None:
    assert merged(secret(PASSWORD=""), held(PASSWORD="eA==", FOREIGN="eQ=="))["data"] == {"PASSWORD": "eA=="}
    assert merged(secret(PASSWORD=""), None)["data"] == {}


def test_what_is_set_replaces_what_is_there() -> None:
    assert merged(secret(PASSWORD="b"), held(PASSWORD="eA=="))["data"] == {"PASSWORD": encoded("b")}


def test_a_key_is_made_once_and_then_kept() -> None:
    first = merged(secret(KEY=""), None)
    assert len(base64.urlsafe_b64decode(base64.b64decode(first["data"]["KEY"]))) == 32
    assert merged(secret(KEY=""), held(**first["data"]))["data"] == first["data"]
    assert merged(secret(KEY="mine"), None)["data"] == {"KEY": encoded("mine")}


def test_a_new_key_is_refused_when_somebody_was_faster() -> None:
    assert merged(secret(KEY=""), held())["metadata"]["resourceVersion"] == "7"
    assert "resourceVersion" not in merged(secret(KEY=""), held(KEY="eA=="))["metadata"]
    assert "resourceVersion" not in merged(secret(KEY=""), None)["metadata"]


def test_a_config_map_keeps_plain_text() -> None:
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"A": "1", "B": "", "C": ""}}
    assert merged(obj, held("ConfigMap", B="2"))["data"] == {"A": "1", "B": "2"}


def test_keys_are_random() -> None:
    assert random_key() != random_key()
