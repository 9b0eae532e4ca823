"""An object as the API server writes it back: what going through the Go types does to JSON.

Zero values that Go leaves out are dropped, structs that Go never leaves out appear as {}, lists it never leaves out
as null, quantities and times take their canonical form, unknown fields are gone. Expects types already checked
(``decoding``). Works in place, with one precomputed table of actions a struct: every write passes here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import IntEnum
from functools import cache
from typing import Any

from bluegreen.localkube import quantities, schema
from bluegreen.localkube.schema import Field

Obj = dict[str, Any]


class Act(IntEnum):
    """What is done with the value of a field."""

    ZERO_GOES = 0  # a scalar that is left out when empty
    NULL_GOES = 1  # a pointer to a scalar, or a value of any shape
    STRUCT = 2  # always there
    STRUCT_OR_NULL = 3  # a pointer to a struct
    STRUCTS = 4  # a list of structs
    ZERO_STAYS = 5  # a scalar that is always there
    NULL_STAYS = 6  # a list, map or pointer that is null when it is not there
    TIME = 7
    MICRO_TIME = 8
    QUANTITY = 9
    QUANTITIES = 10  # a map of quantities
    PORT = 11  # an int or string that is always there
    STRUCT_MAP = 12  # a map of structs
    SCALARS = 13  # a list or map of scalars


class Plan:
    """What is done with an object of one struct. ``always``: fields that appear even when nobody gave them."""

    __slots__ = ("acts", "always", "below")

    def __init__(self, name: str) -> None:
        fields = schema.struct(name).fields
        self.acts: dict[str, Act] = {key: _act(field) for key, field in fields.items()}
        self.below: dict[str, Field] = fields
        self.always: tuple[tuple[str, Any], ...] = tuple(
            (key, zero) for key, field in fields.items() if (zero := _zero(field)) is not _ABSENT
        )


_ABSENT = object()
_STRUCT_ZERO = object()
_SCALAR_ZERO: dict[str, Any] = {"string": "", "boolean": False, "int32": 0, "int64": 0, "double": 0}


def _act(field: Field) -> Act:
    if field.type in ("time", "microTime"):
        return Act.TIME if field.type == "time" else Act.MICRO_TIME
    if field.type == "quantity":
        return Act.QUANTITY
    if field.type == "map" and field.item is not None and field.item.type == "quantity":
        return Act.QUANTITIES
    if field.item is not None and field.item.is_struct:
        return Act.STRUCTS if field.type == "list" else Act.STRUCT_MAP
    if field.item is not None:
        return Act.SCALARS
    if field.is_struct:
        return Act.STRUCT_OR_NULL if field.pointer else Act.STRUCT
    if field.pointer or field.type == "any":
        return Act.NULL_STAYS if field.omit == "never" else Act.NULL_GOES
    if field.type == "intOrString":
        return Act.PORT
    return Act.ZERO_STAYS if field.omit == "never" else Act.ZERO_GOES


def _zero(field: Field) -> Any:
    """What stands in JSON when nobody gave the field, or _ABSENT."""
    if field.is_struct and not field.pointer:
        return _ABSENT if field.omit == "zero" else _STRUCT_ZERO
    if field.pointer or field.item is not None or field.type == "any":
        return None if field.omit == "never" else _ABSENT
    if field.type in ("time", "microTime"):
        return _ABSENT if field.omit == "zero" else None
    if field.type == "intOrString":
        return 0
    if field.type == "quantity":
        return "0"
    return _SCALAR_ZERO[field.type] if field.omit == "never" else _ABSENT


@cache
def _plan(name: str) -> Plan:
    return Plan(name)


def canonicalise(schema_name: str, obj: Obj) -> None:
    """Gives an object of kind ``schema_name`` ("Deployment") its canonical form, in place.

    Raises quantities.QuantityError or ValueError for a quantity or time that was not checked before.
    """
    _tidy(obj, _plan(schema.of_kind(schema_name).name))


def canonicalise_metadata(metadata: Obj) -> None:
    """The same for metadata alone, which every object has, of whatever kind it is."""
    _tidy(metadata, _plan("meta.v1.ObjectMeta"))


def canonical(schema_name: str, obj: Obj) -> Obj:
    """The same for an object that may be changed, handed back for use in expressions."""
    canonicalise(schema_name, obj)
    return obj


def _tidy(obj: Obj, plan: Plan) -> None:
    for key, zero in plan.always:
        if key not in obj:
            obj[key] = {} if zero is _STRUCT_ZERO else zero
    acts = plan.acts
    gone: list[str] = []
    for key, value in obj.items():
        act = acts.get(key)
        if act is None:
            gone.append(key)
        elif act == 0:
            if not value:
                gone.append(key)
        elif act == 1:
            if value is None:
                gone.append(key)
        elif not _replaced(obj, key, value, act, plan.below[key]):
            gone.append(key)
    for key in gone:
        del obj[key]


def _replaced(obj: Obj, key: str, value: Any, act: Act, field: Field) -> bool:
    """Puts the canonical value under the key; False when the key goes."""
    if act == Act.STRUCT or act == Act.STRUCT_OR_NULL:
        if value is None:
            if act == Act.STRUCT_OR_NULL:
                return _null_stays(obj, key, field)
            value = obj[key] = {}
        _tidy(value, _plan(field.type))
    elif act == Act.STRUCTS:
        if not value:
            return field.omit == "never"
        _tidy_items(value, _plan(_item_of(field).type))
    elif act == Act.SCALARS:
        if not value:
            return field.omit == "never"
        _no_nulls(value, _item_of(field))
    elif act == Act.QUANTITIES:
        if not value:
            return False
        for name, quantity in value.items():
            value[name] = quantities.canonical(quantity) if quantity is not None else "0"
    else:
        return _scalar_replaced(obj, key, value, act, field)
    return True


def _item_of(field: Field) -> Field:
    if field.item is None:
        raise TypeError(f"{field.type} has no items")
    return field.item


def _tidy_items(items: list[Any], plan: Plan) -> None:
    for place, item in enumerate(items):
        if item is None:
            item = items[place] = {}
        _tidy(item, plan)


def _no_nulls(value: Any, item: Field) -> None:
    """Go reads null items of lists and maps as zero values, byte strings aside."""
    if isinstance(value, dict):
        if item.type == "time":
            value.update({key: time_text(each, micro=False) for key, each in value.items() if each})
        if None in value.values():
            value.update({key: _SCALAR_ZERO.get(item.type) for key, each in value.items() if each is None})
    elif None in value:
        value[:] = [_SCALAR_ZERO.get(item.type) if each is None else each for each in value]


def _null_stays(obj: Obj, key: str, field: Field) -> bool:
    obj[key] = None
    return field.omit == "never"


def _scalar_replaced(obj: Obj, key: str, value: Any, act: Act, field: Field) -> bool:
    if act == Act.TIME or act == Act.MICRO_TIME:
        if value is None:
            return not field.pointer and field.omit != "zero"
        obj[key] = time_text(value, micro=act == Act.MICRO_TIME)
    elif act == Act.QUANTITY:
        if value is None and field.pointer:
            return False
        obj[key] = "0" if value is None else quantities.canonical(value)
    elif act == Act.STRUCT_MAP:
        if not value:
            return field.omit == "never"
        for item in value.values():
            _tidy(item, _plan(_item_of(field).type))
    elif act == Act.PORT:
        obj[key] = 0 if value is None else value
    elif act == Act.ZERO_STAYS and value is None:
        obj[key] = _SCALAR_ZERO[field.type]
    return True


def time_text(text: str, *, micro: bool) -> str:
    """A time in UTC as the server writes it: whole seconds, or with six decimals."""
    if not micro and len(text) == 20 and text[19] == "Z":
        return text
    moment = datetime.fromisoformat(text.replace("Z", "+00:00").replace("z", "+00:00")).astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ")
