"""Whether the result of a strategic merge fits its kind: the same question as in ``decoding``, asked otherwise.

Kubernetes converts such results from maps without writing JSON in between, so its words are others.
"""

from __future__ import annotations

from typing import Any

from bluegreen.localkube import schema
from bluegreen.localkube.decoding import Check, DecodeError, Path
from bluegreen.localkube.kinds import Obj
from bluegreen.localkube.patches.typed import plain
from bluegreen.localkube.schema import Field, Struct
from bluegreen.localkube.status import ApiError, Cause, invalid

_KINDS = {str: "string", bool: "bool", int: "int64", float: "float64", list: "slice", dict: "map"}
_SCALARS = {"boolean": "bool", "double": "float64", "int32": "int32", "int64": "int64"}


class _Conversion(Check):
    """Ends at the first value that does not fit."""

    def mismatch(self, _: Struct, field: Field, value: Any, path: Path, found: str = "") -> None:
        del path, found  # this conversion names neither place nor number
        raise DecodeError(_words(field, value))

    def integer(self, struct: Struct, field: Field, value: Any, path: Path) -> None:
        if not isinstance(value, float) or value != int(value):
            super().integer(struct, field, value, path)

    def bytes(self, struct: Struct, field: Field, value: Any, path: Path) -> None:
        super().bytes(struct, field, value, path)
        if self.saved:
            raise DecodeError(f"error decoding from json: {self.saved}")


def _words(field: Field, value: Any) -> str:
    kind = _KINDS[type(value)]
    if field.is_struct:
        return f"cannot restore struct from: {kind}"
    if field.type == "map":
        return f"cannot restore map from {kind}"
    if field.type in ("list", "bytes"):
        return f"cannot restore slice from {kind}"
    wanted = _SCALARS.get(field.type, "string")
    between = {("int64", "string"), ("float64", "int32"), ("float64", "int64"), ("int64", "float64")}
    return f"cannot convert {kind} to {field.go}" if (kind, wanted) in between else f"unrecognized type: {wanted}"


def check(schema_name: str, patched: Obj) -> list[str]:
    """The unknown fields of a patched object, as ``decoding.check``; DecodeError in this conversion's words."""
    found = _Conversion()
    try:
        found.struct(schema.of_kind(schema_name), patched, ())
    except DecodeError as error:
        message = str(error)
        if message.startswith("json: cannot unmarshal"):  # types with their own JSON know of no field around them
            head, _, tail = message.partition(" into Go struct field ")
            message = f"{head} into Go value of type {tail.rpartition(' ')[2]}"
        raise DecodeError(message) from None
    return found.unknown


def refusal(patch: Obj, why: str) -> ApiError:
    """422 for a strategic merge patch whose result is not of its kind: Kubernetes shows the patch, as Go prints it."""
    return invalid("", "", "", [Cause("patch", "FieldValueInvalid", f'Invalid value: "{plain(patch)}": {why}')])
