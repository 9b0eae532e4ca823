"""Simple JSONPath, as printer columns use it: ``.spec.hosts[0]``, ``.status.conditions[?(@.type=="Ready")].status``.

Keys, quoted keys, indexes, ``[*]``, ``*``, ``..key`` and one comparison as a filter. What is not there is no result.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

_TOKEN = re.compile(
    r"""\.\.(?P<deep>[^.\[\]]+) | \.?\*(?P<every>) | \.(?P<key>(?:\\.|[^.\[\]\\])+) | \['(?P<quoted>[^']*)'\]
    | \["(?P<double>[^"]*)"\] | \[\*\](?P<all>) | \[(?P<index>-?\d+)\] | \[(?P<from>-?\d*):(?P<to>-?\d*)\]
    | \[\?\(\s*@(?P<left>[^=!<>]*?)\s*(?P<operator>==|!=|<=|>=|<|>)\s*(?P<right>[^)]*?)\s*\)\]
    | \[\?\(\s*@(?P<exists>[^=!<>)]*?)\s*\)\]""",
    re.VERBOSE,
)
Step = tuple[str, Any]


@lru_cache(maxsize=1024)
def parsed(path: str) -> tuple[Step, ...] | None:
    """The steps of a path; None for one that cannot be read."""
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    if text and text[0] not in ".[":
        text = f".{text}"
    steps: list[Step] = []
    at = 0
    while at < len(text) and text != ".":
        found = _TOKEN.match(text, at)
        if found is None:
            return None
        steps.append(_step(found))
        at = found.end()
    return tuple(steps)


def _step(found: re.Match[str]) -> Step:
    given = found.groupdict()
    if given["key"] is not None:
        return "key", re.sub(r"\\(.)", r"\1", given["key"])
    for name in ("quoted", "double"):
        if given[name] is not None:
            return "key", given[name]
    if given["index"] is not None:
        return "index", int(given["index"])
    if given["from"] is not None:
        return "slice", slice(*(int(given[name]) if given[name] else None for name in ("from", "to")))
    if given["deep"] is not None:
        return "deep", given["deep"]
    if given["operator"] is not None:
        return "filter", (parsed(given["left"]) or (), given["operator"], _literal(given["right"]))
    if given["exists"] is not None:
        return "filter", (parsed(given["exists"]) or (), "", None)
    return "every", None


def _literal(text: str) -> Any:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    try:
        return json.loads(text)
    except ValueError:
        return text


def find(value: Any, path: str) -> list[Any]:
    """Every value that a path leads to."""
    steps = parsed(path)
    found: Iterable[Any] = [value]
    for step in steps or ():
        found = [below for each in found for below in _below(each, step)]
    return list(found) if steps is not None else []


def _below(value: Any, step: Step) -> Iterator[Any]:
    kind, argument = step
    if kind == "key":
        if isinstance(value, dict) and argument in value:
            yield value[argument]
    elif kind == "index":
        if isinstance(value, list) and -len(value) <= argument < len(value):
            yield value[argument]
    elif kind == "slice":
        yield from value[argument] if isinstance(value, list) else ()
    elif kind == "every":
        yield from _children(value)
    elif kind == "deep":
        yield from _deep(value, argument)
    else:
        yield from (each for each in _children(value) if _holds(each, argument))


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _deep(value: Any, key: str) -> Iterator[Any]:
    if isinstance(value, dict) and key in value:
        yield value[key]
    for each in _children(value):
        yield from _deep(each, key)


def _holds(value: Any, condition: tuple[tuple[Step, ...], str, Any]) -> bool:
    steps, operator, right = condition
    found = [value]
    for step in steps:
        found = [below for each in found for below in _below(each, step)]
    if not found or not operator:
        return bool(found)
    left = found[0]
    if operator in ("==", "!="):
        return bool(left == right) == (operator == "==")
    if type(left) is not type(right) and not all(isinstance(each, (int, float)) for each in (left, right)):
        return False
    return bool({"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[operator])
