"""Bodies of PATCH requests: what each of the four types may hold, and what their results are refused for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bluegreen.localkube import conversion, decoding, duplicate_fields
from bluegreen.localkube.http import bodies, yaml_text
from bluegreen.localkube.http.answers import JSON, YAML
from bluegreen.localkube.kinds import Kind, Obj
from bluegreen.localkube.status import ApiError, bad_request

TYPES = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}
_CUSTOM_TYPES = tuple(type_ for type_, name in TYPES.items() if name != "strategic")
_OPERATION = ("op", "path", "from", "value")


@dataclass
class Patch:
    """A patch that could be read. ``odd``: what strict decoding objects to in the patch itself."""

    type: str
    content: Any
    validation: str
    odd: list[str] = field(default_factory=list)


def type_of(content_type: str, kind: Kind) -> str:
    """The type of a PATCH; 415 for one that is none, or that the kind does not take."""
    if kind.custom and (bodies.media_type(content_type) if content_type else "") not in _CUSTOM_TYPES:
        accepted = ", ".join(_CUSTOM_TYPES)
        why = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
        raise ApiError(415, "UnsupportedMediaType", why, {})
    patch_type = TYPES.get(bodies.media_type(content_type) if content_type else "")
    if patch_type is None:
        raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    return patch_type


def read(body: bytes, patch_type: str, validation: str) -> Patch:
    """The content of a PATCH; 400 for what cannot be read."""
    if patch_type == "apply":
        return _configuration(body, validation)
    strict = validation != "Ignore"
    prefix = "error decoding patch: " if strict and patch_type != "strategic" else ""
    try:
        value = bodies.load(body, JSON)
    except bodies.NotJsonError as error:
        raise bad_request(f"{prefix}{error}") from error
    if value is None and patch_type != "json":  # Go reads null into any type
        if patch_type == "merge":
            raise bad_request("Invalid JSON Patch")
        return Patch(patch_type, {}, validation)
    why = _wrong_operations(value, strict=strict) if patch_type == "json" else _no_object(value)
    if why:
        raise bad_request(f"{prefix}json: cannot unmarshal {why}")
    if value is None:
        return Patch(patch_type, [], validation)
    if not strict:
        return Patch(patch_type, value, validation)
    if patch_type != "json":
        return Patch(patch_type, value, validation, duplicate_fields.duplicate_fields(body))
    unknown = [
        f'unknown field "[{place}].{key}"'
        for place, operation in enumerate(value)
        for key in operation
        if key not in _OPERATION
    ]
    odd = duplicate_fields.strict_errors(body, unknown)
    return Patch(patch_type, value, validation, [f"json patch {why}" for why in odd])


def _configuration(body: bytes, validation: str) -> Patch:
    """A configuration to be applied: YAML, of which JSON is a part."""
    as_json = body.lstrip().startswith(b"{")
    try:
        value = bodies.load(body, JSON if as_json else YAML)
    except bodies.NotJsonError as error:
        if not as_json:
            raise bad_request(f"error decoding YAML: {error}") from error
        as_json, value = False, _flow(body)
    value = {} if value is None else value  # Go reads null into any type
    why = _no_object(value)
    if why:
        raise bad_request(
            f"error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {why}"
        )
    odd = "" if validation == "Ignore" or (as_json and not duplicate_fields.duplicate_fields(body)) else _twice(body)
    return Patch("apply", value, validation, [odd] if odd else [])


def _flow(body: bytes) -> Any:
    try:
        return bodies.load(body, YAML)
    except bodies.NotJsonError as error:
        raise bad_request(f"error decoding YAML: {error}") from error


def _twice(body: bytes) -> str:
    why = yaml_text.duplicate_keys(body)
    return f"error converting YAML to JSON: {why}" if why else ""


def _no_object(value: Any) -> str:
    if isinstance(value, dict):
        return ""
    return f"{bodies.GO_TYPES[type(value)]} into Go value of type map[string]interface {{}}"


def _wrong_operations(value: Any, *, strict: bool) -> str:
    """What of a list of operations is of a wrong type."""
    listed, single = "jsonpatch.Patch", "jsonpatch.Operation"
    if strict:
        listed, single = "[]handlers.jsonPatchOp", "handlers.jsonPatchOp"
    if value is None:  # no operations
        return ""
    if not isinstance(value, list):
        return f"{bodies.GO_TYPES[type(value)]} into Go value of type {listed}"
    for operation in value:
        if not isinstance(operation, dict):
            return f"{bodies.GO_TYPES[type(operation)]} into Go value of type {single}"
        for key in ("op", "path", "from") if strict else ():
            given = operation.get(key)
            if given is not None and not isinstance(given, str):
                return f"{bodies.GO_TYPES[type(given)]} into Go struct field jsonPatchOp.{key} of type string"
    return ""


def checked(kind: Kind, subresource: str, patched: Any, patch: Patch, warnings: list[str]) -> Obj:
    """The result of a patch, which is refused with 422 when it is not of its kind. Adds to ``warnings``."""
    kind_name, api_version = bodies.kind_names(kind, subresource)
    custom = kind.custom is not None and kind_name == kind.kind
    if not isinstance(patched, dict):
        why = f"json: cannot unmarshal {bodies.GO_TYPES[type(patched)]} into Go value of type v1.{kind_name}"
        raise decoding.patch_refusal({}, why)
    if patch.type in ("json", "merge") and not custom:
        _check_type(kind_name, api_version, patched)
    check = bodies.checker(kind, subresource)
    try:
        unknown = conversion.check(kind_name, patched) if patch.type == "strategic" else check(patched)
    except decoding.DecodeError as error:
        raise _refusal(patched, patch, str(error)) from None
    odd = [*patch.odd, *unknown]
    if odd and patch.validation == "Strict":
        if patch.type == "apply":
            raise bad_request(f"error strict decoding YAML: {odd[0]}")
        raise _refusal(patched, patch, decoding.strict_message(odd))
    if patch.validation != "Ignore":
        warnings += odd
    return patched


def _check_type(kind_name: str, api_version: str, patched: Obj) -> None:
    """422 for a result that says it is of another kind: it is decoded as what it says, then does not convert."""
    given = {key: patched.get(key) for key in ("apiVersion", "kind") if isinstance(patched.get(key), str)}
    try:
        bodies.check_type(kind_name, api_version, given)
    except ApiError as error:
        why = error.message.partition(" cannot be handled as a ")[2].partition(": ")[2]
        raise decoding.patch_refusal(patched, why) from None


def _refusal(patched: Obj, patch: Patch, why: str) -> ApiError:
    if patch.type == "strategic":
        return conversion.refusal(patch.content, why)
    return decoding.patch_refusal(patched, why)
