"""Finding out what became of a write whose answer was lost: compare what it wanted with what is there. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Obj = dict[str, Any]

_ABSENT = object()
_SERVER_OWNED = frozenset({"resourceVersion", "managedFields", "generation", "uid", "creationTimestamp"})


@dataclass(frozen=True)
class Finder:
    """How to find out about one write: what to read, whether that shows it done, and whether it would refuse it."""

    read: Callable[[], Obj | None]
    done: Callable[[Obj], bool]
    refuses: Callable[[Obj | None], bool]


def tests_hold(obj: Obj, ops: list[Obj]) -> bool:
    """Whether every ``test`` of a JSON patch, of which there is one at least, is true of an object."""
    tests = [op for op in ops if op["op"] == "test"]
    return bool(tests) and all(_at(obj, str(op["path"])) == op["value"] for op in tests)


def json_patch_holds(obj: Obj, ops: list[Obj]) -> bool:
    """Whether an object is as a JSON patch would leave it.

    An ``add`` at the end of a list counts when the list holds the value. ``test`` operations speak of before and
    are left out; ``move`` and ``copy`` are not used here and never count.
    """
    return all(_op_holds(obj, op) for op in ops if op["op"] != "test")


def _op_holds(obj: Obj, op: Obj) -> bool:
    path = str(op["path"])
    if op["op"] == "remove":
        return _at(obj, path) is _ABSENT
    if op["op"] not in ("add", "replace"):
        return False
    if path.endswith("/-"):
        found = _at(obj, path[:-2])
        return isinstance(found, list) and op["value"] in found
    return bool(_at(obj, path) == op["value"])


def _at(obj: Any, pointer: str) -> Any:
    """The value at a JSON pointer (RFC 6901), or ``_ABSENT``."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(obj, dict) and key in obj:
            obj = obj[key]
        elif isinstance(obj, list) and key.isdigit() and int(key) < len(obj):
            obj = obj[int(key)]
        else:
            return _ABSENT
    return obj


def merge_holds(obj: Any, patch: Any) -> bool:
    """Whether an object is as a merge patch (RFC 7386) would leave it; what only the server sets is left out."""
    if not isinstance(patch, dict):
        return bool(obj == patch)
    if not isinstance(obj, dict):
        return False
    for key, value in patch.items():
        if key in _SERVER_OWNED:
            continue
        if value is None:
            if key in obj:
                return False
        elif not merge_holds(obj.get(key), value):
            return False
    return True
