"""Typed values: whether an applied configuration fits its kind, and one merged into an object."""

from __future__ import annotations

import json
from typing import Any

from bluegreen.localkube.patches.field_sets import element_text
from bluegreen.localkube.patches.walks import is_leaf, key_element, value_element
from bluegreen.localkube.schema import Field

_NUMBERS = ("int32", "int64", "double")
_GO_TYPES = {str: "string", bool: "bool", int: "int64", float: "float64", list: "[]interface {}"}
_GO_TYPES |= {dict: "map[string]interface {}"}


def plain(value: Any) -> str:
    """A value as Go's %v prints it."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{plain(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(plain, value)) + "]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _syntax(value: Any) -> str:
    """A value as Go's %#v prints it."""
    if isinstance(value, dict):
        return "map[string]interface {}{" + ", ".join(f'"{k}":{_syntax(value[k])}' for k in sorted(value)) + "}"
    if isinstance(value, list):
        return "[]interface {}{" + ", ".join(map(_syntax, value)) + "}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else plain(value)


def errors_of(field: Field, value: Any, path: str = "") -> list[str]:
    """Every place where the value does not fit the type, in the server's words; [] when it fits."""
    if value is None or field.type in ("any", "deduced"):
        return []
    if field.type == "list":
        return _list_errors(field, value, path)
    if field.type == "map" or field.is_struct:
        return _map_errors(field, value, path)
    return _scalar_errors(field, value, path)


def _scalar_errors(field: Field, value: Any, path: str) -> list[str]:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if field.type in _NUMBERS:
        return [] if is_number else [f"{path}: expected numeric (int or float), got {_GO_TYPES[type(value)]}"]
    if field.type == "boolean":
        return [] if isinstance(value, bool) else [f"{path}: expected boolean, got &{{{plain(value)}}}"]
    if field.type in ("quantity", "intOrString"):
        fits = not isinstance(value, (dict, list))
        return [] if fits else [f"{path}: expected any scalar, got &{{{plain(value)}}}"]
    if isinstance(value, str):
        return []
    return [f"{path}: expected string, got &value.valueUnstructured{{Value:{_syntax(value)}}}"]


def _list_errors(field: Field, value: Any, path: str) -> list[str]:
    if not isinstance(value, list):
        return [f"{path}: expected list, got &{{{plain(value)}}}"]
    errors: list[str] = []
    seen: set[str] = set()
    for place, item in enumerate(value):
        element = f"i:{place}"
        if field.list_type != "atomic":
            known = _identity(field, item)
            if known is None:
                errors.append(f"{path}: element {place}: {_no_key(field, item)}")
                continue
            if known in seen:
                errors.append(f"{path}: duplicate entries for key {element_text(known)}")
                continue
            seen.add(known)
            element = known
        errors += errors_of(field.item, item, path + element_text(element)) if field.item is not None else []
    return errors


def _identity(field: Field, item: Any) -> str | None:
    if field.list_type == "set":
        return value_element(item)
    fields = field.item.struct.fields if field.item is not None and field.item.is_struct else {}
    return key_element(field.keys, item, fields) if isinstance(item, dict) else None


def _no_key(field: Field, item: Any) -> str:
    if item is None:
        return "associative list with keys may not have a null element"
    if not isinstance(item, dict):
        return "associative list with keys may not have non-map elements"
    keys = " ".join(f'"{key}"' for key in field.keys)
    return (
        f"associative list with keys has an element that omits all key fields [{keys}] "
        "(and doesn't have default values for any key fields)"
    )


def _map_errors(field: Field, value: Any, path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path}: expected map, got &{{{plain(value)}}}"]
    errors: list[str] = []
    for key, below in value.items():
        known = field.item if field.item is not None else field.struct.fields.get(key)
        if known is None:  # the server looks no further at this level
            return [*errors, f"{path}.{key}: field not declared in schema"]
        errors += errors_of(known, below, f"{path}.{key}")
    return errors


def merged(field: Field, left: Any, right: Any) -> Any:
    """``left`` with ``right`` merged in, by the types' own rules. Shares parts with both."""
    field = field.of(right) if isinstance(left, dict) else field.of(None)
    if is_leaf(field) or not left:
        return right
    if not right:  # an empty or null map or list states nothing about what is in it
        return left
    if field.type == "list":
        return _merged_list(field, left, right)
    result = dict(left)
    for key, value in right.items():
        known = field.item if field.item is not None else field.struct.fields.get(key)
        result[key] = merged(known, left[key], value) if key in left and known is not None else value
    return result


def _merged_list(field: Field, left: list[Any], right: list[Any]) -> list[Any]:
    """Items of both, the applied order kept, items only the object has staying before the shared item after them."""
    ours = [(_identity(field, item) or f"i:{place}", item) for place, item in enumerate(left)]
    theirs = [(_identity(field, item) or f"i:{place}", item) for place, item in enumerate(right)]
    old, new = dict(reversed(ours)), dict(theirs)
    shared = [element for element, _ in theirs if element in old]
    done: set[str] = set()
    result: list[Any] = []

    def take(element: str) -> None:
        done.add(element)
        if element in shared:
            shared.remove(element)
        both = element in old and field.item is not None and field.list_type == "map"
        result.append(merged(field.item, old[element], new[element]) if both and field.item else new[element])

    i = j = 0
    while i < len(ours) or j < len(theirs):
        if i < len(ours) and j < len(theirs):
            element = ours[i][0]
            if element == theirs[j][0]:
                take(element)
                i, j = i + 1, j + 1
                continue
            if element in new and shared and shared[0] != element:
                i += 1
                continue
        if i < len(ours):
            element, item = ours[i]
            if element not in new:
                result.append(item)
                i += 1
                continue
            if element in done:
                i += 1
        if j < len(theirs):
            take(theirs[j][0])
            j += 1
    return result
