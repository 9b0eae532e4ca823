"""Causes of an Invalid answer, made and worded as apimachinery's field errors are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bluegreen.localkube.go_formats import as_json, quoted
from bluegreen.localkube.status import Cause

Causes = list[Cause]
Obj = dict[str, Any]


class Raw(str):
    """A value that is printed as it is, without quotes: a type with a printed form of its own."""

    __slots__ = ()


def shown(value: Any) -> str:
    """A value as it stands in a cause: strings quoted, objects as JSON, nothing as null."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, (dict, list)):
        return as_json(value)
    return (
        {None: "null", True: "true", False: "false"}.get(value) or str(value) if not _is_number(value) else str(value)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def required(field: str, detail: str = "") -> Cause:
    """A field that must be there."""
    return Cause(field, "FieldValueRequired", f"Required value: {detail}" if detail else "Required value")


def invalid(field: str, value: Any, detail: str) -> Cause:
    """A value that cannot be."""
    tail = f": {detail}" if detail else ""
    return Cause(field, "FieldValueInvalid", f"Invalid value: {shown(value)}{tail}")


def not_supported(field: str, value: Any, supported: Sequence[str]) -> Cause:
    """A value that is none of the known ones, which are listed in Kubernetes' own order."""
    known = ", ".join(map(quoted, supported))
    return Cause(field, "FieldValueNotSupported", f"Unsupported value: {shown(value)}: supported values: {known}")


def duplicate(field: str, value: Any, detail: str = "") -> Cause:
    """A value that stands twice where it may stand once."""
    tail = f": {detail}" if detail else ""
    return Cause(field, "FieldValueDuplicate", f"Duplicate value: {shown(value)}{tail}")


def forbidden(field: str, detail: str) -> Cause:
    """A value that may not be given here."""
    return Cause(field, "FieldValueForbidden", f"Forbidden: {detail}")


def not_found(field: str, value: Any, detail: str = "") -> Cause:
    """A reference to something that is not there."""
    tail = f": {detail}" if detail else ""
    return Cause(field, "FieldValueNotFound", f"Not found: {shown(value)}{tail}")


def too_long(field: str, limit: int) -> Cause:
    """A text of too many bytes."""
    return Cause(field, "FieldValueTooLong", f"Too long: may not be more than {limit} bytes")


def too_many(field: str, count: int, limit: int) -> Cause:
    """A list of too many items."""
    plural = "item" if limit == 1 else "items"
    return Cause(field, "FieldValueTooMany", f"Too many: {count}: must have at most {limit} {plural}")


def each_invalid(field: str, value: Any, details: Iterable[str]) -> Causes:
    """One cause for each thing that is wrong with a value."""
    return [invalid(field, value, detail) for detail in details]


def between(low: int, high: int) -> str:
    """The sentence about a number out of its range."""
    return f"must be between {low} and {high}, inclusive"


NEGATIVE = "must be greater than or equal to 0"
IMMUTABLE = "field is immutable"


def non_negative(field: str, value: int | None) -> Causes:
    """A number that must not be negative."""
    return [invalid(field, value, NEGATIVE)] if value is not None and value < 0 else []


def immutable(field: str, new: Any, old: Any, printed: Any = None) -> Causes:
    """A field that may not change; ``printed`` where Go prints the new value in another form."""
    if new == old:
        return []
    return [invalid(field, new if printed is None else printed, IMMUTABLE)]


def unless_in(field: str, value: Any, supported: Sequence[str]) -> Causes:
    """A word that must be one of the known ones, and must be there."""
    if not value:
        return [required(field)]
    return [] if value in supported else [not_supported(field, value, supported)]
