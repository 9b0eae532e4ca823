"""Bodies of requests to objects: JSON, YAML or protobuf in, checked objects out, with Kubernetes' refusals."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson

from bluegreen.localkube import decoding, duplicate_fields
from bluegreen.localkube.custom import objects as custom_objects
from bluegreen.localkube.http import protobuf, yaml_text
from bluegreen.localkube.http.answers import JSON, YAML
from bluegreen.localkube.json_errors import syntax_error
from bluegreen.localkube.kinds import KINDS, Kind, Obj
from bluegreen.localkube.status import ApiError, bad_request

LARGEST = 3 * 1024 * 1024
"""Bytes of a request's body, as kube-apiserver allows."""
PROTOBUF = "application/vnd.kubernetes.protobuf"
GO_TYPES = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object",
             type(None): "null"}  # fmt: skip
"""Values of JSON as Go names their types."""
_SPACED_COLON = re.compile(rb'"\s+:')
_SHOWN = 30  # bytes of a body that a refusal repeats
_ACCEPTED = f"{JSON}, {YAML}, {PROTOBUF}"
_SCHEME = 'in scheme "pkg/api/legacyscheme/scheme.go:30"'


class NotJsonError(Exception):
    """A body that cannot be read; the message is Go's."""


def load(body: bytes, content_type: str) -> Any:
    """A body as a value. Raises NotJsonError with Go's sentence."""
    if content_type == YAML:
        return _load_yaml(body)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:  # Go takes invalid UTF-8 and reads replacement characters
        return orjson.loads(body.decode(errors="replace"))
    except orjson.JSONDecodeError:
        raise NotJsonError(syntax_error(body)) from None


def _load_yaml(body: bytes) -> Any:
    try:
        return yaml_text.read(body)
    except yaml_text.YamlError as error:
        raise NotJsonError(f"error converting YAML to JSON: {error}") from error


def media_type(content_type: str) -> str:
    """A Content-Type without its parameters; JSON when there is none."""
    return content_type.partition(";")[0].strip().lower() or JSON


def read_custom_object(kind: Kind, body: bytes, content_type: str) -> Obj:
    """The same of a custom kind. Which kind it says it is, is validated later, as any other field."""
    type_ = media_type(content_type)
    if type_ not in (JSON, YAML):
        sentence = f"the body of the request was in an unknown format - accepted media types include: {JSON}, {YAML}"
        raise ApiError(415, "UnsupportedMediaType", sentence, None)
    obj = _read_text(kind.kind, body, type_)
    for key in ("kind", "apiVersion"):
        if not isinstance(obj.get(key), str | None):
            why = f"unable to decode {key}: {key} must be a string"
            raise _unrecognized(kind.kind, why, body)
    if not obj.get("kind"):
        shown = orjson.dumps(obj).decode() if type_ == YAML else body.decode(errors="replace")
        raise _unrecognized(kind.kind, f"Object 'Kind' is missing in '{shown}'", body)
    stated = obj.get("apiVersion") or kind.api_version
    if stated != kind.api_version:
        why = f"the API version in the data ({stated}) does not match the expected API version ({kind.api_version})"
        raise bad_request(why)
    return obj


def read_object(kind_name: str, api_version: str, body: bytes, content_type: str) -> Obj:
    """The object of a POST or PUT, of the kind wanted; 400 and 415 for anything else."""
    type_ = media_type(content_type)
    if type_ == PROTOBUF:
        obj = _read_protobuf(kind_name, body)
    elif type_ in (JSON, YAML):
        obj = _read_text(kind_name, body, type_)
    else:
        sentence = f"the body of the request was in an unknown format - accepted media types include: {_ACCEPTED}"
        raise ApiError(415, "UnsupportedMediaType", sentence, None)
    check_type(kind_name, api_version, obj)
    return obj


def read_delete_options(body: bytes, content_type: str) -> Obj:
    """The DeleteOptions of a DELETE, whatever apiVersion they state; 400 for anything else.

    Kubernetes answers what it cannot read here with a 500; what a client got wrong is no error of the server's.
    """
    type_ = media_type(content_type)
    obj = _read_protobuf("DeleteOptions", body) if type_ == PROTOBUF else _read_text("DeleteOptions", body, type_)
    kind = obj.pop("kind", None) or "DeleteOptions"
    obj.pop("apiVersion", None)
    if kind != "DeleteOptions":
        raise bad_request(f"the object provided is unrecognized (must be of type DeleteOptions): {_summary(body)}")
    return obj


def _read_protobuf(kind_name: str, body: bytes) -> Obj:
    try:
        return protobuf.decode(body, kind_name)
    except protobuf.ProtobufError as error:
        raise _unrecognized(kind_name, str(error), body) from error


def _read_text(kind_name: str, body: bytes, type_: str) -> Obj:
    try:
        value = load(body, type_)
    except NotJsonError as error:
        raise _unrecognized(kind_name, f"couldn't get version/kind; json parse error: {error}", body) from error
    try:
        return _object(value, type_)
    except NotJsonError as error:
        raise _unrecognized(kind_name, f"couldn't get version/kind; json parse error: {error}", body) from error


def _object(value: Any, type_: str) -> Obj:
    if isinstance(value, dict):
        return value
    if value is None and type_ == JSON:
        return {}
    shown = GO_TYPES[type(value)]
    raise NotJsonError(
        f"json: cannot unmarshal {shown} into Go value of type struct {{ APIVersion string; Kind string }}"
    )


def _unrecognized(kind_name: str, why: str, body: bytes) -> ApiError:
    return bad_request(f"the object provided is unrecognized (must be of type {kind_name}): {why} ({_summary(body)})")


def _summary(body: bytes) -> str:
    if not body:
        return "<empty>"
    cut, more = body[:_SHOWN], " ..." if len(body) > _SHOWN else ""
    return (cut.decode(errors="replace") if body.startswith(b"{") else cut.hex()) + more


_OLDER_VERSIONS = {"Eviction": ("policy/v1beta1", "Eviction")}
"""What some kinds may also say they are."""


def check_type(kind_name: str, api_version: str, obj: Obj) -> None:
    """400 for an object that says it is something else; apiVersion and kind may be left out."""
    given_version, given_kind = obj.get("apiVersion"), obj.get("kind")
    for key, value in (("apiVersion", given_version), ("kind", given_kind)):
        if value is not None and not isinstance(value, str):
            why = f"json: cannot unmarshal {GO_TYPES[type(value)]} into Go struct field .{key} of type string"
            raise _unrecognized(kind_name, f"couldn't get version/kind; json parse error: {why}", orjson.dumps(obj))
    stated_version, stated_kind = given_version or api_version, given_kind or kind_name
    if (stated_version, stated_kind) in ((api_version, kind_name), _OLDER_VERSIONS.get(kind_name)):
        return
    head = f'{stated_kind} in version "{stated_version.rpartition("/")[2]}" cannot be handled as a {kind_name}'
    known = KINDS.get(stated_kind)
    if known is not None and known.api_version == stated_version:
        group = KINDS[kind_name].group if kind_name in KINDS else api_version.rpartition("/")[0]
        package = group.partition(".")[0] or "core"
        raise bad_request(f"{head}: converting (v1.{stated_kind}) to ({package}.{kind_name}): unknown conversion")
    raise bad_request(f'{head}: no kind "{stated_kind}" is registered for version "{stated_version}" {_SCHEME}')


def checker(kind: Kind, subresource: str) -> Callable[[Obj], list[str]]:
    """What tells the unknown fields of a body, and raises DecodeError for types that do not fit."""
    name, _ = kind_names(kind, subresource)
    if kind.custom and name == kind.kind:
        return partial(custom_objects.check, kind)
    return partial(decoding.check, name)


def check_fields(
    kind_name: str, version: str, obj: Obj, validation: str, raw: bytes = b"", type_: str = JSON,
    check: Callable[[Obj], list[str]] | None = None,
) -> list[str]:  # fmt: skip
    """Types of all fields (400), and what is unknown or stands twice: refused when Strict, else handed back to warn of.

    ``raw`` is the text that the object came from, of ``type_``, where it came from one. ``check``: see ``checker``.
    """
    try:
        odd = check(obj) if check else decoding.check(kind_name, obj)
    except decoding.DecodeError as error:
        raise decoding.cannot_be_handled(kind_name, version, str(error)) from None
    if validation == "Ignore":
        return []
    if raw and type_ == JSON:
        odd = duplicate_fields.strict_errors(raw, odd) if _may_repeat_a_key(raw, obj) else odd
    elif raw and type_ == YAML:
        twice = yaml_text.duplicate_keys(raw)
        odd = [twice, *odd] if twice else odd
    if odd and validation == "Strict":
        raise decoding.strict_refusal(kind_name, version, odd)
    return odd


def _may_repeat_a_key(raw: bytes, obj: Obj) -> bool:
    """Whether a JSON text could hold a key twice: it has more of what follows a key than its object has keys.

    Spares nearly every request from being read a second time. Texts inside strings only make it say yes.
    """
    return raw.count(b'":') != _count_keys(obj) or _SPACED_COLON.search(raw) is not None


def _count_keys(obj: Obj) -> int:
    count, waiting = 0, list[Any]([obj])
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            count += len(value)
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return count


def kind_names(kind: Kind, subresource: str) -> tuple[str, str]:
    """The kind and apiVersion of the body that a kind or its subresource takes."""
    sub = kind.subresource(subresource) if subresource else None
    if sub is None or not sub.kind:
        return kind.kind, kind.api_version
    return sub.kind, f"{sub.group}/{sub.version}" if sub.group else sub.version
