"""Reading patches: what is refused before anything is patched, and what strict decoding says of the patch itself."""

from __future__ import annotations

import pytest

from bluegreen.localkube.http import patch_bodies, yaml_text
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.status import ApiError

UNREADABLE = [
    ("json", "Warn", b'{"op":"add"}', "error decoding patch: json: cannot unmarshal object into Go value of type "),
    ("json", "Ignore", b"{}", "json: cannot unmarshal object into Go value of type jsonpatch.Patch"),
    ("json", "Ignore", b"[1]", "json: cannot unmarshal number into Go value of type jsonpatch.Operation"),
    ("json", "Strict", b'["x"]', "cannot unmarshal string into Go value of type handlers.jsonPatchOp"),
    ("json", "Warn", b'[{"op":1}]', "cannot unmarshal number into Go struct field jsonPatchOp.op of type string"),
    ("merge", "Warn", b"[]", "error decoding patch: json: cannot unmarshal array into Go value of type map[string]"),
    ("merge", "Warn", b"x", "error decoding patch: invalid character 'x' looking for beginning of value"),
    ("strategic", "Warn", b"x", "invalid character 'x' looking for beginning of value"),
    ("apply", "Warn", b"a: [", "error decoding YAML: error converting YAML to JSON: yaml: "),
    ("apply", "Warn", b"- a", "json: cannot unmarshal array into Go value of type map[string]interface {}"),
]


@pytest.mark.parametrize(("patch_type", "validation", "body", "words"), UNREADABLE)
def test_unreadable_patches(patch_type: str, validation: str, body: bytes, words: str) -> None:
    with pytest.raises(ApiError) as refused:
        patch_bodies.read(body, patch_type, validation)
    assert refused.value.code == 400
    assert words in str(refused.value.message)


ODD = [
    ("merge", b'{"data":{"a":"1","a":"2"}}', ['duplicate field "data.a"']),
    (
        "json",
        b'[{"op":"add","path":"/x","path":"/y","foo":1}]',
        ['json patch duplicate field "[0].path"', 'json patch unknown field "[0].foo"'],
    ),
    (
        "apply",
        b'data: {a: "1"}\ndata: {}\n',
        ['error converting YAML to JSON: yaml: unmarshal errors:\n  line 2: key "data" already set in map'],
    ),
    (
        "apply",
        b'{"data":{"a":"1","a":"1"}}',
        ['error converting YAML to JSON: yaml: unmarshal errors:\n  line 1: key "a" already set in map'],
    ),
    ("apply", b'{"data":{"a":"1"}}', []),
]


@pytest.mark.parametrize(("patch_type", "body", "odd"), ODD)
def test_what_stands_twice_in_a_patch(patch_type: str, body: bytes, odd: list[str]) -> None:
    assert patch_bodies.read(body, patch_type, "Strict").odd == odd
    assert patch_bodies.read(body, patch_type, "Warn").odd == odd
    assert patch_bodies.read(body, patch_type, "Ignore").odd == []


def test_results_are_refused_or_warned_of() -> None:
    kind, patched, warnings = KINDS["ConfigMap"], {"metadata": {"name": "a"}, "x": 1}, list[str]()
    merged = patch_bodies.Patch("merge", {}, "Warn", ['duplicate field "y"'])
    assert patch_bodies.checked(kind, "", patched, merged, warnings) is patched
    assert warnings == ['duplicate field "y"', 'unknown field "x"']
    merged.validation = "Strict"
    with pytest.raises(ApiError, match="is invalid: patch") as refused:
        patch_bodies.checked(kind, "", patched, merged, warnings)
    assert refused.value.code == 422


def test_yaml_that_is_none_is_no_concern_of_the_duplicate_check() -> None:
    assert yaml_text.duplicate_keys(b"a: [") == ""
    assert yaml_text.duplicate_keys(b"a: {b: 1}\nc: [{d: 1}]") == ""
