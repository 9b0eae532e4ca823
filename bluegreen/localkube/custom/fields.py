"""What a custom kind consists of, in the form that patches and managers know: ``Struct`` and ``Field``."""

from __future__ import annotations

from typing import Any

from bluegreen.localkube.custom.structural import (
    EMBEDDED,
    INT_OR_STRING,
    PRESERVE,
    Schema,
    additional,
    items,
    properties,
)
from bluegreen.localkube.schema import DEDUCED, Field, Struct

_SCALARS = {"string": "string", "boolean": "boolean", "integer": "int64", "number": "double"}
_META = Field({"t": "meta.v1.ObjectMeta"})
_TEXT = Field({"t": "string"})


def struct_of(schema: Schema, kind: tuple[str, str, str], *, status_apart: bool) -> Struct:
    """A whole object's struct; ``kind`` is (group, version, kind), ``status_apart``: it has a /status."""
    struct = _struct(schema, kind[2])
    struct.fields.update({"apiVersion": _TEXT, "kind": _TEXT, "metadata": _META})
    struct.kind, struct.status_apart = kind, status_apart
    return struct


class _OpenFields(dict[str, Field]):
    """The fields of an object that keeps what is not declared: of those, the value tells what they are."""

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key, default or DEDUCED)

    def __missing__(self, key: str) -> Field:
        return DEDUCED

    def __contains__(self, key: object) -> bool:
        return True


def _struct(schema: Schema, name: str) -> Struct:
    known = {key: _field(below, key) for key, below in properties(schema).items()}
    if schema.get(EMBEDDED):
        known |= {"apiVersion": _TEXT, "kind": _TEXT, "metadata": _META}
    struct = Struct(name, {"f": {}})
    struct.fields = _OpenFields(known) if schema.get(PRESERVE) else known
    struct.atomic = schema.get("x-kubernetes-map-type") == "atomic"
    return struct


def _field(schema: Schema, name: str) -> Field:
    type_ = schema.get("type", "")
    if schema.get(INT_OR_STRING):
        found = Field({"t": "intOrString"})
    elif type_ == "array":
        found = _list(schema, name)
    elif type_ == "object":
        found = _object(schema, name)
    else:
        found = Field({"t": _SCALARS[type_]}) if type_ in _SCALARS else DEDUCED
    if schema.get("default") is not None and found is not DEDUCED:
        found.default = schema["default"]
    return found


def _list(schema: Schema, name: str) -> Field:
    below = items(schema)
    found = Field({"t": "list", "l": schema.get("x-kubernetes-list-type") or "atomic"})
    found.keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
    found.item = _field(below, name) if below is not None else DEDUCED
    return found


def _object(schema: Schema, name: str) -> Field:
    others, other = additional(schema)
    if others and not properties(schema):
        found = Field({"t": "map"})
        found.item = _field(other, name) if other is not None else DEDUCED
        found.atomic = schema.get("x-kubernetes-map-type") == "atomic"
        return found
    if schema.get(PRESERVE) and not properties(schema) and schema.get("x-kubernetes-map-type") != "atomic":
        return DEDUCED
    return Field.holding(_struct(schema, f".{name}"))  # no type is named so; a property may be "list"
