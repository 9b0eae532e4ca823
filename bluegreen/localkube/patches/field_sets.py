"""Sets of field paths in the form ``fieldsV1`` has on the wire, and their algebra.

A set is nested dicts: ``{"f:data": {".": {}, "f:a": {}}}`` holds ``.data`` (its own "." says so) and ``.data.a`` (a
leaf is always a member). Keys: ``f:NAME`` a field or map key, ``k:{...}`` a list item by its keys, ``v:VALUE`` an item
of a set. The functions never change their arguments; results may share parts with them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Node = dict[str, Any]
"""One place in a set; {} is a member without members below it."""
SELF: Node = {}
"""A member alone. Shared: never changed."""


def is_member(node: Node) -> bool:
    """Whether the path that leads to this node is in the set."""
    return not node or "." in node


def made(member: bool, children: Node) -> Node | None:
    """A node of these parts; None when nothing is left of it."""
    if children:
        return {".": SELF, **children} if member else children
    return SELF if member else None


def children(node: Node) -> Iterator[tuple[str, Node]]:
    """The places below a node."""
    return ((key, child) for key, child in node.items() if key != ".")


def union(left: Node, right: Node, *, root: bool = True) -> Node:
    """Every path of both. ``root``: the outermost node is no path itself, so {} there is the empty set."""
    if not root and (not left or not right):
        if not left and not right:
            return SELF
        full = left or right
        return full if "." in full else {".": SELF, **full}
    merged = dict(left)
    for key, node in right.items():
        mine = merged.get(key)
        merged[key] = node if mine is None else SELF if key == "." else union(mine, node, root=False)
    return merged


def _difference(left: Node, right: Node) -> Node | None:
    if not right:  # the right side is this very path only
        return made(False, dict(children(left)))
    left_over: Node = {}
    for key, node in children(left):
        other = right.get(key)
        kept = node if other is None else _difference(node, other)
        if kept is not None:
            left_over[key] = kept
    return made(is_member(left) and "." not in right, left_over)


def difference(left: Node, right: Node) -> Node:
    """The paths of ``left`` that are not in ``right``, as whole sets: {} is the empty set."""
    if not left or not right:
        return left
    return _difference({**left}, {**right}) or {}


def _intersection(left: Node, right: Node) -> Node | None:
    both: Node = {}
    for key, node in children(left):
        other = right.get(key)
        kept = None if other is None else _intersection(node, other)
        if kept is not None:
            both[key] = kept
    return made(is_member(left) and is_member(right), both)


def intersection(left: Node, right: Node) -> Node:
    """The paths in both, as whole sets."""
    if not left or not right:
        return {}
    return _intersection(left, right) or {}


def element_text(element: str) -> str:
    """A path element as conflicts print it: ``.spec``, ``[name="app"]``, ``[="value"]``."""
    kind, _, text = element.partition(":")
    if kind == "k":
        keys = json.loads(text)
        return "[" + ",".join(f"{key}={_value_text(keys[key])}" for key in sorted(keys)) + "]"
    if kind == "v":
        return f"[={_value_text(json.loads(text))}]"
    if kind == "i":
        return f"[{text}]"
    return f".{text}"


def _value_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (str, bool)) or value is None else str(value)


_ORDER = {"f": 0, "k": 1, "v": 2, "i": 3}


def _sorted(node: Node) -> list[tuple[str, Node]]:
    return sorted(children(node), key=lambda pair: (_ORDER[pair[0][0]], pair[0]))


def paths(node: Node, prefix: str = "") -> Iterator[str]:
    """Every member as text, in the server's order: the members of a level before what lies below them."""
    ordered = _sorted(node)
    for element, child in ordered:
        if is_member(child):
            yield prefix + element_text(element)
    for element, child in ordered:
        yield from paths(child, prefix + element_text(element))
