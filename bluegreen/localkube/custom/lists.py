"""Lists that go by keys or by value: nothing may stand in them twice (x-kubernetes-list-type map and set)."""

from __future__ import annotations

import json
from typing import Any

from bluegreen.localkube.custom.structural import Schema, additional, items, properties
from bluegreen.localkube.validation.fields import Causes, duplicate


def duplicates(value: Any, schema: Schema | None, path: str = "") -> Causes:
    """Every item that stands a second time in a list whose items are told apart."""
    if schema is None:
        return []
    if isinstance(value, dict):
        known, (_, other) = properties(schema), additional(schema)
        found: Causes = []
        for key, below in value.items():
            if key in known:
                found += duplicates(below, known[key], f"{path}.{key}" if path else key)
            elif other is not None:
                found += duplicates(below, other, f"{path}[{key}]")
        return found
    if not isinstance(value, list):
        return []
    found = _in_list(value, schema, path)
    for place, item in enumerate(value):
        found += duplicates(item, items(schema), f"{path}[{place}]")
    return found


def _in_list(value: list[Any], schema: Schema, path: str) -> Causes:
    type_ = schema.get("x-kubernetes-list-type")
    if type_ == "set":
        shown = value
    elif type_ == "map":
        shown = [_keys_of(item, schema) for item in value]
    else:
        return []
    times: dict[str, int] = {}
    found: Causes = []
    for place, item in enumerate(shown):
        text = json.dumps(item, sort_keys=True)
        times[text] = times.get(text, 0) + 1
        if times[text] == 2:
            found.append(duplicate(f"{path}[{place}]", item))
    return found


def _keys_of(item: Any, schema: Schema) -> Any:
    if not isinstance(item, dict):
        return item
    keys = sorted(schema.get("x-kubernetes-list-map-keys") or ())
    return {key: item[key] for key in keys if key in item}
