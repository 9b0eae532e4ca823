"""Whether a decoded JSON object fits its kind: type errors in Go's words, unknown fields.

Go reports the first value of a wrong type after reading everything, but stops at once where a type reads its own
JSON (quantities, times, ports): so the latter win. Pure, and changes nothing: what is unknown is dropped later, when
the object takes its canonical form.
"""

from __future__ import annotations

import json
from typing import Any

from bluegreen.localkube import go_formats, quantities, schema
from bluegreen.localkube.kinds import Kind, Obj
from bluegreen.localkube.schema import Field, Struct
from bluegreen.localkube.status import ApiError, Cause, bad_request, invalid

Path = tuple[Any, ...]
"""Where a value stands: (path of what holds it, its key or index); () for the object itself."""
_LIMITS = {"int32": 2**31, "int64": 2**63}
_KINDS = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}


class DecodeError(ValueError):
    """A value does not fit its type; the message is Go's."""


class Check:
    """One pass over an object: unknown fields, and the first type error kept for the end."""

    def __init__(self) -> None:
        self.unknown: list[str] = []
        self.saved = ""

    def struct(self, struct: Struct, obj: Obj, path: Path) -> None:
        fields = struct.fields
        for key, value in obj.items():
            field = fields.get(key)
            if field is None:
                self.unknown.append(f'unknown field "{dotted((path, key), indices=True)}"')
            elif value is not None:
                kind = field.type
                if kind == "string":
                    if not isinstance(value, str):
                        self.mismatch(struct, field, value, (path, key))
                else:
                    self.value(struct, field, value, (path, key))

    def value(self, struct: Struct, field: Field, value: Any, path: Path) -> None:
        """A value that is not null; ``struct`` is the one around it, which errors name."""
        kind = field.type
        if kind == "list":
            if not isinstance(value, list):
                return self.mismatch(struct, field, value, path)
            item = field.item
            for place, each in enumerate(value):
                if each is not None and item is not None:
                    self.value(struct, item, each, (path, place))
        elif kind == "map":
            if not isinstance(value, dict):
                return self.mismatch(struct, field, value, path)
            item = field.item
            for key, each in value.items():
                if each is not None and item is not None:
                    self.value(struct, item, each, (path, key, "map"))
        elif field.is_struct:
            if not isinstance(value, dict):
                return self.mismatch(struct, field, value, path)
            self.struct(field.struct, value, path)
        else:
            self.scalar(struct, field, value, path)
        return None

    def scalar(self, struct: Struct, field: Field, value: Any, path: Path) -> None:
        kind = field.type
        if kind == "string":
            if not isinstance(value, str):
                self.mismatch(struct, field, value, path)
        elif kind == "boolean":
            if not isinstance(value, bool):
                self.mismatch(struct, field, value, path)
        elif kind in _LIMITS:
            self.integer(struct, field, value, path)
        elif kind == "double":
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                self.mismatch(struct, field, value, path)
        elif kind == "bytes":
            self.bytes(struct, field, value, path)
        elif kind != "any":
            _own_json(struct, kind, value, path)

    def integer(self, struct: Struct, field: Field, value: Any, path: Path) -> None:
        limit = _LIMITS[field.type]
        if type(value) is int and -limit <= value < limit:
            return
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        self.mismatch(struct, field, value, path, _number(value) if is_number else "")

    def bytes(self, struct: Struct, field: Field, value: Any, path: Path) -> None:
        if not isinstance(value, str):
            return self.mismatch(struct, field, value, path)
        place = go_formats.corrupt_base64(value)
        if place is not None and not self.saved:
            self.saved = f"illegal base64 data at input byte {place}"
        return None

    def mismatch(self, struct: Struct, field: Field, value: Any, path: Path, found: str = "") -> None:
        if not self.saved:
            self.saved = _mismatch(struct, found or _KINDS[type(value)], path, field.go)


def _mismatch(struct: Struct, found: str, path: Path, go: str) -> str:
    where = f"{struct.go_name}.{dotted(path, indices=False)}"
    return f"json: cannot unmarshal {found} into Go struct field {where} of type {go}"


def _number(value: int | float) -> str:
    return f"number {value!r}"


def dotted(path: Path, *, indices: bool) -> str:
    """A path as strict errors write it (with list indices), or as Go's type errors do (struct fields only)."""
    parts: list[str] = []
    while path:
        key, is_key = path[1], len(path) == 3
        if isinstance(key, int):
            if indices:
                parts.append(f"[{key}]")
        elif indices or not is_key:
            parts.append(f".{key}")
        path = path[0]
    return "".join(reversed(parts)).removeprefix(".")


def _own_json(struct: Struct, kind: str, value: Any, path: Path) -> None:
    """Types that read their own JSON: an error there ends the decoding."""
    if kind == "quantity":
        try:
            quantities.parse(value if isinstance(value, (str, int, float)) and not isinstance(value, bool) else "?")
        except quantities.QuantityError as error:
            raise DecodeError(str(error)) from None
    elif kind == "intOrString":
        if isinstance(value, str) or (type(value) is int and -(2**31) <= value < 2**31):
            return
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        raise DecodeError(_mismatch(struct, _number(value) if is_number else _KINDS[type(value)], path, "int32"))
    elif not isinstance(value, str):
        raise DecodeError(_mismatch(struct, _KINDS[type(value)], path, "string"))
    else:
        wrong = go_formats.wrong_time(value, micro=kind == "microTime")
        if wrong:
            raise DecodeError(wrong)


def check(schema_name: str, obj: Obj) -> list[str]:
    """The unknown fields of an object of kind ``schema_name``, as strict decoding words them.

    Raises DecodeError with Go's message for a value of a wrong type.
    """
    found = Check()
    found.struct(schema.of_kind(schema_name), obj, ())
    if found.saved:
        raise DecodeError(found.saved)
    return found.unknown


def unknown_fields(kind: Kind, obj: Obj) -> list[str]:
    """The same for the body of a create or update: a value of a wrong type is ApiError 400."""
    try:
        return check(kind.kind, obj)
    except DecodeError as error:
        raise cannot_be_handled(kind.kind, kind.version, str(error)) from None


def cannot_be_handled(kind: str, version: str, why: str) -> ApiError:
    """400 for a body that is not of the kind the path says."""
    return bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {why}')


def strict_refusal(kind: str, version: str, errors: list[str]) -> ApiError:
    """400 for unknown or duplicate fields under fieldValidation=Strict."""
    return cannot_be_handled(kind, version, strict_message(errors))


def strict_message(errors: list[str]) -> str:
    """All strict errors in one sentence."""
    return f"strict decoding error: {', '.join(errors)}"


def patch_refusal(patched: Obj, why: str) -> ApiError:
    """422 for a patch whose result is not of its kind, or breaks fieldValidation=Strict."""
    text = json.dumps(json.dumps(patched, separators=(",", ":"), ensure_ascii=False), ensure_ascii=False)
    return invalid("", "", "", [Cause("patch", "FieldValueInvalid", f"Invalid value: {text}: {why}")])
