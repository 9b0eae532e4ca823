"""Objects and field sets together: what an object consists of, what changed between two, what is left without a set.

The rules are those of structured-merge-diff: lists of type "map" go by their keys, "set" by value, everything atomic
is one leaf; a place that is empty or null on both sides is a leaf too.
"""

from __future__ import annotations

import json
from typing import Any

from bluegreen.localkube.patches.field_sets import SELF, Node, children, is_member, made
from bluegreen.localkube.schema import Field, Struct

_MISSING = object()
Changes = tuple[Node | None, Node | None]
"""(added or modified, removed)"""


def key_element(keys: tuple[str, ...], item: Any, fields: dict[str, Field]) -> str | None:
    """The path element of an item of an associative list by the keys it has, or None when it has none of them."""
    values: dict[str, Any] = {}
    for key in keys:
        value = item.get(key) if isinstance(item, dict) else None
        if value is None and (field := fields.get(key)) is not None:
            value = field.default
        if value is not None:
            values[key] = value
    if not values:
        return None
    if len(values) == 1:
        name, value = next(iter(values.items()))
        if (
            isinstance(value, str)
            and value.isascii()
            and '"' not in value
            and "\\" not in value
            and value.isprintable()
        ):
            return f'k:{{"{name}":"{value}"}}'
    ordered = {key: values[key] for key in sorted(values)}
    return "k:" + json.dumps(ordered, separators=(",", ":"), ensure_ascii=False)


def value_element(value: Any) -> str:
    """The path element of an item of a set."""
    return "v:" + json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def indexed(field: Field, items: list[Any]) -> dict[str, Any]:
    """The items of a set or associative list by path element; later duplicates and items without key are left out."""
    found: dict[str, Any] = {}
    if field.list_type == "set":
        for item in items:
            found.setdefault(value_element(item), item)
        return found
    item_field = field.item
    fields = item_field.struct.fields if item_field is not None and item_field.is_struct else {}
    for item in items:
        element = key_element(field.keys, item, fields)
        if element is not None:
            found.setdefault(element, item)
    return found


def is_leaf(field: Field) -> bool:
    """Whether a value of this field is owned as a whole."""
    if field.type == "list":
        return field.list_type == "atomic"
    if field.type == "map":
        return field.atomic
    return field.atomic or not field.is_struct or field.struct.atomic


def added(field: Field, value: Any) -> Node:
    """The set of a value that was not there before: itself and everything below it."""
    field = field.of(value)
    if not value or is_leaf(field):
        return SELF
    item = field.item
    if item is None:
        node: Node = {".": SELF}
        fields = field.struct.fields
        for key, below in value.items():
            known = fields.get(key)
            if known is not None:
                node[f"f:{key}"] = added(known, below)
        return node
    if field.type == "map":
        return {".": SELF, **{f"f:{key}": added(item, below) for key, below in value.items()}}
    return {".": SELF, **{element: added(item, below) for element, below in indexed(field, value).items()}}


def compare(field: Field, old: Any, new: Any) -> Changes:
    """What became of a value: the sets of what was added or modified and of what was removed below it."""
    if old == new and type(old) is type(new):
        return None, None
    field = _of_both(field, old, new)
    if is_leaf(field) or (not old and not new):
        return SELF, None
    if field.type == "list":
        return _each(field, indexed(field, old or []), indexed(field, new or []), "")
    return _each(field, old or {}, new or {}, "f:")


def _of_both(field: Field, old: Any, new: Any) -> Field:
    """What a field is that may hold either value: where only one of them is an object, they differ as a whole."""
    if field.type != "deduced":
        return field
    return field.of(old) if isinstance(old, dict) and isinstance(new, dict) else field.of(None)


def _each(field: Field, old: dict[str, Any], new: dict[str, Any], prefix: str) -> Changes:
    changed: Node = {}
    removed: Node = {}
    fields = field.struct.fields if field.item is None else None
    for key, after in new.items():
        below = field.item if fields is None else fields.get(key)
        if below is None:
            continue
        before = old.get(key, _MISSING)
        if before is _MISSING:
            changed[prefix + key] = added(below, after)
            continue
        if before is after:
            continue
        gained, lost = compare(below, before, after)
        if gained is not None:
            changed[prefix + key] = gained
        if lost is not None:
            removed[prefix + key] = lost
    for key, before in old.items():
        below = field.item if fields is None else fields.get(key)
        if key not in new and below is not None:
            removed[prefix + key] = added(below, before)
    return changed or None, removed or None


def applied(field: Field, value: Any) -> Node | None:
    """The set an applier owns by stating this value: leaves, list items and map keys; None for nothing."""
    field = field.of(value)
    if is_leaf(field):
        return SELF
    if not value:
        return None
    if field.type == "list":
        return _applied_items(field, value)
    node: Node = {}
    for key, below in value.items():
        known = field.item if field.item is not None else field.struct.fields.get(key)
        if known is None:
            continue
        stated = applied(known, below)
        member = below is None or below == {} or field.item is not None
        child = made(member or (stated is not None and is_member(stated)), dict(children(stated or SELF)))
        if child is not None:
            node[f"f:{key}"] = child
    return node or None


def _applied_items(field: Field, items: list[Any]) -> Node | None:
    node: Node = {}
    item = field.item
    for element, below in indexed(field, items).items():
        stated = applied(item, below) if item is not None and field.list_type == "map" else None
        node[element] = made(True, dict(children(stated or SELF))) or SELF
    return node or None


def with_structs(field: Field | None, node: Node) -> Node:
    """The set with every field of a struct that leads to a member made a member itself."""
    result: Node = {}
    for element, child in children(node):
        below = _below(field, element)
        full = with_structs(below, child)
        named = element.startswith("f:") and field is not None and field.item is None and below is not None
        result[element] = made(is_member(child) or named, full) or SELF
    return result


def _below(field: Field | None, element: str) -> Field | None:
    if field is None or field.type == "deduced":
        return field
    if field.item is not None:
        return field.item
    return field.struct.fields.get(element[2:]) if field.is_struct else None


def without(field: Field | None, value: Any, gone: Node) -> Any:
    """The value without the paths of a set; None when nothing is left of it."""
    field = field.of(value) if field is not None else None
    if field is None or not value or is_leaf(field):
        return value
    if field.type == "list":
        return _list_without(field, value, gone)
    left: dict[str, Any] = {}
    for key, below in value.items():
        node = gone.get(f"f:{key}")
        if node is None:
            left[key] = below
        elif not is_member(node):
            left[key] = without(_below(field, f"f:{key}"), below, node)
    return left or None


def _list_without(field: Field, items: list[Any], gone: Node) -> Any:
    fields = field.item.struct.fields if field.item is not None and field.item.is_struct else {}
    left = []
    for item in items:
        element = value_element(item) if field.list_type == "set" else key_element(field.keys, item, fields)
        node = gone.get(element or "")
        if node is None:
            left.append(item)
        elif not is_member(node):
            left.append(without(field.item, item, node))
    return left or None


def root_field(struct: Struct) -> Field:
    """A field that holds the struct itself, where a walk begins."""
    return Field.holding(struct)
