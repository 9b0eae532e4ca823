"""Kubernetes' protobuf bodies to JSON objects, for the kinds in ``protobuf_table.json`` (see ``generate_protobuf.go``).

Only requests: answers are JSON, which every client that sends protobuf accepts as well. A body is the four bytes
``k8s\\0`` and a runtime.Unknown message that names the kind and holds the object.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import orjson

MAGIC = b"k8s\0"
_DEEPEST = 64  # nested messages; Kubernetes' own types stay below 20
_TABLE = Path(__file__).with_name("protobuf_table.json")


class ProtobufError(Exception):
    """A body that is not a protobuf message of the kind it names."""


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = orjson.loads(_TABLE.read_bytes())
    return table


def decode(body: bytes, default_kind: str) -> dict[str, Any]:
    """The object in a body, with apiVersion and kind where the body states them."""
    if not body.startswith(MAGIC):
        raise ProtobufError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    api_version = kind = ""
    raw = b""
    for number, value in _fields(body[len(MAGIC) :]):
        if number == 1:
            stated = {key: _text(text) for key, text in _fields(_bytes(value))}
            api_version, kind = stated.get(1, ""), stated.get(2, "")
        elif number == 2:
            raw = _bytes(value)
    name = _table()["kinds"].get(kind or default_kind)
    obj: dict[str, Any] = {}
    if kind:
        obj["kind"] = kind
    if api_version:
        obj["apiVersion"] = api_version
    if name:  # a kind unknown here is refused by its name, not by its content
        _message(raw, name, obj, 0)
    return obj


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of each field: an integer for varints, bytes for the rest."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == 2:
            length, at = _varint(data, at)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ProtobufError(f"proto: illegal wireType {wire}")
        if at + length > len(data):
            raise ProtobufError("unexpected EOF")
        yield number, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data):
            raise ProtobufError("unexpected EOF")
        if shift > 63:
            raise ProtobufError("proto: integer overflow")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7


def _message(data: bytes, name: str, into: dict[str, Any], depth: int) -> None:
    if depth > _DEEPEST:
        raise ProtobufError("proto: nested too deeply")
    fields = _table()["messages"][name]
    for number, value in _fields(data):
        key, type_ = fields.get(str(number), (None, ""))
        if key is None:
            continue
        if key == "":
            _message(_bytes(value), type_, into, depth + 1)
        elif type_.startswith("[]"):
            items = into.setdefault(key, [])
            items.append(_value(value, type_[2:], depth))
        elif type_.startswith("{}"):
            entry, decoded = _entry(_bytes(value), type_[2:], depth)
            into.setdefault(key, {})[entry] = decoded
        else:
            decoded = _value(value, type_, depth)
            if decoded is not None:
                into[key] = decoded


def _entry(data: bytes, type_: str, depth: int) -> tuple[str, Any]:
    key, value = "", None
    for number, field in _fields(data):
        if number == 1:
            key = _text(field)
        elif number == 2:
            value = _value(field, type_, depth)
    return key, "" if value is None else value


def _value(value: int | bytes, type_: str, depth: int) -> Any:
    leaf = _LEAVES.get(type_)
    if leaf is not None:
        return leaf(value)
    if type_ in _SCHEMA_OR:
        return _schema_or(_bytes(value), *_SCHEMA_OR[type_], depth)
    inner: dict[str, Any] = {}
    _message(_bytes(value), type_, inner, depth + 1)
    return inner


_SCHEMA = "apiextensions.v1.JSONSchemaProps"
# a JSON schema or something else: the field of the schema, what the other field holds, whether it is a list
_SCHEMA_OR = {"B": (2, "b", False), "A": (1, _SCHEMA, True), "S": (1, "s", True)}


def _schema_or(data: bytes, number: int, other: str, listed: bool, depth: int) -> Any:
    fields = list(_fields(data))
    schema = next((value for key, value in fields if key == number), None)
    if schema is not None:
        return _value(schema, _SCHEMA, depth)
    found = [_value(value, other, depth) for _, value in fields]
    return found if listed else bool(found and found[0])


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ProtobufError("proto: wrong wireType = 0")
    return value


def _text(value: int | bytes) -> str:
    try:
        return _bytes(value).decode()
    except UnicodeDecodeError as error:
        raise ProtobufError("proto: invalid UTF-8") from error


def _integer(value: int | bytes) -> int:
    if not isinstance(value, int):
        raise ProtobufError("proto: wrong wireType = 2")
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


def _double(value: int | bytes) -> float:
    data = _bytes(value)
    if len(data) != 8:
        raise ProtobufError("proto: wrong wireType = 5")
    number: float = struct.unpack("<d", data)[0]
    return number


def _quantity(value: int | bytes) -> str:
    return next((_text(text) for number, text in _fields(_bytes(value)) if number == 1), "0")


def _int_or_string(value: int | bytes) -> int | str:
    fields = dict(_fields(_bytes(value)))
    return _text(fields.get(3, b"")) if fields.get(1) else _integer(fields.get(2, 0))


def _moment(value: int | bytes) -> tuple[datetime, int] | None:
    fields = dict(_fields(_bytes(value)))
    seconds, nanoseconds = _integer(fields.get(1, 0)), _integer(fields.get(2, 0))
    if not fields or not -62135596800 < seconds < 253402300800:  # Go's zero time, and the end of year 9999
        return None
    return datetime.fromtimestamp(seconds, UTC), nanoseconds


def _time(value: int | bytes) -> str | None:
    moment = _moment(value)
    return None if moment is None else moment[0].strftime("%Y-%m-%dT%H:%M:%SZ")


def _micro_time(value: int | bytes) -> str | None:
    moment = _moment(value)
    return None if moment is None else moment[0].strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment[1] // 1000:06d}Z"


def _raw(value: int | bytes) -> Any:
    data = next((_bytes(raw) for number, raw in _fields(_bytes(value)) if number == 1), b"")
    try:
        return orjson.loads(data) if data else None
    except orjson.JSONDecodeError as error:
        raise ProtobufError(str(error)) from error


_LEAVES: dict[str, Callable[[int | bytes], Any]] = {
    "s": _text,
    "b": lambda value: bool(_integer(value)),
    "i": _integer,
    "d": _double,
    "y": lambda value: base64.b64encode(_bytes(value)).decode(),
    "q": _quantity,
    "p": _int_or_string,
    "t": _time,
    "m": _micro_time,
    "r": _raw,
    "x": lambda value: [_text(text) for number, text in _fields(_bytes(value)) if number == 1],
}
