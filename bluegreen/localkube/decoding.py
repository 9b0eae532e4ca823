"""Whether a decoded JSON object fits its kind: type errors in Go's words, unknown and duplicate fields.

Go reports the first value of a wrong type after reading everything, but stops at once where a type reads its own
JSON (quantities, times, ports): so the latter win. Pure, and changes nothing: what is unknown is dropped later, when
the object takes its canonical form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from bluegreen.localkube import quantities, schema
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
                self.unknown.append(f'unknown field "{_dotted((path, key), indices=True)}"')
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
        place = corrupt_base64(value)
        if place is not None and not self.saved:
            self.saved = f"illegal base64 data at input byte {place}"
        return None

    def mismatch(self, struct: Struct, field: Field, value: Any, path: Path, found: str = "") -> None:
        if not self.saved:
            self.saved = _mismatch(struct, found or _KINDS[type(value)], path, field.go)


def _mismatch(struct: Struct, found: str, path: Path, go: str) -> str:
    where = f"{struct.go_name}.{_dotted(path, indices=False)}"
    return f"json: cannot unmarshal {found} into Go struct field {where} of type {go}"


def _number(value: int | float) -> str:
    return f"number {value!r}"


def _dotted(path: Path, *, indices: bool) -> str:
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
        wrong = wrong_time(value, micro=kind == "microTime")
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


# -- duplicate fields ----------------------------------------------------------------------------------------------
class _Pairs(dict[str, Any]):
    """An object that remembers keys that stood in it more than once."""

    __slots__ = ("twice",)
    twice: list[str]


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = _Pairs(pairs)
    found.twice = []
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        found.twice = [key for place, key in enumerate(keys) if key in keys[:place]]
    return found


def duplicate_fields(raw: bytes) -> list[str]:
    """Fields that stand twice in one object of a JSON text, as strict decoding words them. The text must be JSON."""
    try:
        document = json.loads(raw, object_pairs_hook=_pairs)
    except (ValueError, RecursionError):
        return []
    return [f'duplicate field "{path}"' for path in dict.fromkeys(_twice(document, ()))]


def _twice(value: Any, path: Path) -> Iterator[str]:
    if isinstance(value, _Pairs):
        for key in value.twice:
            yield _dotted((path, key), indices=True)
        for key, each in value.items():
            yield from _twice(each, (path, key))
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _twice(each, (path, place))


def strict_errors(raw: bytes, unknown: list[str]) -> list[str]:
    """All that strict decoding objects to in a JSON text, in its order; ``unknown`` are the fields found unknown."""
    twice = duplicate_fields(raw)
    if not (twice and unknown):
        return [*unknown, *twice]
    found = _in_order(json.loads(raw, object_pairs_hook=_Listed), (), frozenset(unknown))
    return list(dict.fromkeys((*found, *unknown)))


class _Listed(list[tuple[str, Any]]):
    """An object with all its keys, however often."""


def _in_order(value: Any, path: Path, unknown: frozenset[str]) -> Iterator[str]:
    if isinstance(value, _Listed):
        seen: set[str] = set()
        for key, each in value:
            name = _dotted((path, key), indices=True)
            if f'unknown field "{name}"' in unknown:  # what stands in it is not looked at
                yield f'unknown field "{name}"'
                continue
            if key in seen:
                yield f'duplicate field "{name}"'
            seen.add(key)
            yield from _in_order(each, (path, key), unknown)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _in_order(each, (path, place), unknown)


# -- formats that Go reads -----------------------------------------------------------------------------------------
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_CLEAN_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def corrupt_base64(text: str) -> int | None:
    """The byte at which Go's decoder gives up, None when the text is base64 (line ends are skipped)."""
    if _CLEAN_BASE64.fullmatch(text):
        return None
    kept = [(place, char) for place, char in enumerate(text) if char not in "\r\n"]
    for start in range(0, len(kept), 4):
        quantum = kept[start : start + 4]
        wrong = _corrupt_quantum(quantum, kept[start + 4 :], len(text))
        if wrong is not None:
            return wrong
        if any(char == "=" for _, char in quantum):
            return None
    return None


def _corrupt_quantum(quantum: list[tuple[int, str]], rest: list[tuple[int, str]], length: int) -> int | None:
    for j, (place, char) in enumerate(quantum):
        if char in _BASE64:
            continue
        if char != "=" or j < 2:
            return place
        if j == 2:
            if len(quantum) < 4:
                return length
            if quantum[3][1] != "=":
                return quantum[3][0] - 1
        return rest[0][0] if rest else None
    return length - len(quantum) if len(quantum) < 4 else None


_DIGITS = r"\d\d"
_LAYOUT: tuple[tuple[str, str], ...] = (
    *(("2006", r"\d{4}"), ("-", "-"), ("01", _DIGITS), ("-", "-"), ("02", _DIGITS), ("T", "T")),
    *(("15", _DIGITS), (":", ":"), ("04", _DIGITS), (":", ":"), ("05", _DIGITS)),
)
_ZONE = ("Z07:00", r"Z|[+-]\d\d:\d\d")
_RANGES = (("month", 5, 1, 12), ("day", 8, 1, 31), ("hour", 11, 0, 23), ("minute", 14, 0, 59), ("second", 17, 0, 59))


def wrong_time(text: str, *, micro: bool) -> str:
    """What Go says about a text that is no RFC 3339 time; "" for one that is. ``micro``: six decimals are a must."""
    fraction = (".000000", r"[.,]\d{6}(?!\d)") if micro else ("", r"(?:[.,]\d+)?")
    name = "2006-01-02T15:04:05.000000Z07:00" if micro else "2006-01-02T15:04:05Z07:00"
    rest = text
    for element, pattern in (*_LAYOUT, fraction, _ZONE):
        found = re.match(pattern, rest)
        if not found:
            return f'parsing time "{text}" as "{name}": cannot parse "{rest}" as "{element}"'
        rest = rest[found.end() :]
    if rest:
        return f'parsing time "{text}": extra text: "{rest}"'
    for unit, start, low, high in _RANGES:
        if not low <= int(text[start : start + 2]) <= high:
            return f'parsing time "{text}": {unit} out of range'
    return ""
