"""What a structural schema does to a value before it is validated: unknown fields and nulls go, defaults come.

A schema is the JSON of ``openAPIV3Schema`` or of a part of it; None stands for no schema at all. Values are changed
in place where the name says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bluegreen.localkube.entries import copy_of

Schema = dict[str, Any]
META = frozenset(("apiVersion", "kind", "metadata"))
"""Fields of every object, which no schema has to declare."""
PRESERVE, EMBEDDED = "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"
INT_OR_STRING = "x-kubernetes-int-or-string"
_NO_SCHEMA: Schema = {}


def properties(schema: Schema | None) -> dict[str, Schema]:
    """The declared fields of an object."""
    return (schema or _NO_SCHEMA).get("properties") or {}


def additional(schema: Schema | None) -> tuple[bool, Schema | None]:
    """Whether other fields than the declared ones are allowed, and what they have to be (None: anything known)."""
    given = (schema or _NO_SCHEMA).get("additionalProperties")
    return given is not None and given is not False, given if isinstance(given, dict) else None


def items(schema: Schema | None) -> Schema | None:
    """What the items of a list are."""
    given = (schema or _NO_SCHEMA).get("items")
    return given if isinstance(given, dict) else None


def unknown_fields(obj: dict[str, Any], schema: Schema) -> list[str]:
    """The paths of an object's undeclared fields, sorted: ``spec.items[0].colour``."""
    return sorted(_Pruner(drop=False).of_resource(obj, schema))


def prune(obj: dict[str, Any], schema: Schema) -> None:
    """Take the undeclared fields out of an object, in place; its apiVersion, kind and metadata are not looked at."""
    list(_Pruner(drop=True).of_resource(obj, schema))


def pruned(value: Any, schema: Schema) -> Any:
    """A copy of a value of that schema (no whole object) without its undeclared fields."""
    copied = copy_of({"": value})[""]
    list(_Pruner(drop=True).walk(copied, schema, "", embedded=bool(schema.get(EMBEDDED))))
    return copied


class _Pruner:
    """One walk (pruning.PruneWithOptions): yields the path of each unknown field, and drops it if told to."""

    def __init__(self, *, drop: bool) -> None:
        self._drop = drop

    def of_resource(self, obj: dict[str, Any], schema: Schema) -> Iterator[str]:
        return self.walk(obj, schema, "", embedded=True)

    def walk(self, value: Any, schema: Schema | None, path: str, *, embedded: bool = False) -> Iterator[str]:
        keep = bool(schema and schema.get(PRESERVE))
        if isinstance(value, dict):
            yield from self._object(value, schema, path, embedded or bool(schema and schema.get(EMBEDDED)), keep)
        elif isinstance(value, list):
            below = items(schema)
            if keep and below is None:
                return
            for place, item in enumerate(value):
                here = f"{path}[{place}]"
                if keep and isinstance(item, dict) and below is not None:
                    yield from self._object(item, below, here, bool(below.get(EMBEDDED)), keep=True)
                else:
                    yield from self.walk(item, below, here)

    def _object(
        self, value: dict[str, Any], schema: Schema | None, path: str, embedded: bool, keep: bool
    ) -> Iterator[str]:
        known, (others, other) = properties(schema), additional(schema)
        for key in list(value):
            if embedded and key in META:
                continue
            here = f"{path}.{key}" if path else key
            if key in known:
                yield from self.walk(value[key], known[key], here)
            elif others:
                yield from self.walk(value[key], other, here)
            elif not keep:
                if key not in META or path:
                    yield here
                if self._drop:
                    del value[key]


def drop_nulls(value: Any, schema: Schema | None) -> None:
    """Take away, in place, every null that may not be one and has no default to take its place."""
    if isinstance(value, dict):
        known, (_, other) = properties(schema), additional(schema)
        for key in list(value):
            below = known.get(key, other)
            if below is None:
                continue
            if value[key] is None and not below.get("nullable") and below.get("default") is None:
                del value[key]
            else:
                drop_nulls(value[key], below)
    elif isinstance(value, list):
        for item in value:
            drop_nulls(item, items(schema))


def fill_defaults(value: Any, schema: Schema | None) -> None:
    """Put in, in place, what is not there and has a default; and what is null, may not be and has one."""
    if not schema:
        return
    if isinstance(value, dict):
        known, (_, other) = properties(schema), additional(schema)
        for key, declared in known.items():
            if declared.get("default") is not None and (key not in value or _wrongly_null(value[key], declared)):
                value[key] = _default_of(declared)
        for key in value:
            below = known.get(key, other)
            if key not in known and below is not None and _wrongly_null(value[key], below):
                value[key] = _default_of(below)
            fill_defaults(value[key], below)
    elif isinstance(value, list):
        below = items(schema)
        for place, item in enumerate(value):
            if below is not None and _wrongly_null(item, below):
                value[place] = _default_of(below)
            fill_defaults(value[place], below)


def _default_of(schema: Schema) -> Any:
    return copy_of({"": schema.get("default")})[""]


def _wrongly_null(value: Any, schema: Schema) -> bool:
    return value is None and not schema.get("nullable")
