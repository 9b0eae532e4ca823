"""Fields that stand twice in a body, and unknown ones, in the order in which they stand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bluegreen.localkube.decoding import Path, dotted


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
            yield dotted((path, key), indices=True)
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
            name = dotted((path, key), indices=True)
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
