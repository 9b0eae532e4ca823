"""YAML from clients, with the errors of the Go library that Kubernetes reads it with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

_MOST_VALUES = 400_000
"""Values of a document with its aliases followed, above which Go's library begins to look for too many of them. No
body that kube-apiserver takes holds so many without aliases that are worth writing."""


_DEEPEST = 250
"""Nesting that can be written as JSON here; Go's library goes down to 10,000, where no object's fields are."""


class YamlError(Exception):
    """The text is not YAML, or not YAML that is also JSON; the message is Go's."""


def read(text: bytes) -> Any:
    """The value of a text; of a key that stands twice in a mapping the last one counts."""
    import yaml  # only here: JSON is what nearly every client sends

    try:
        _check_depth(text)
        value = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        if _expanded(value, {}) > _MOST_VALUES:
            raise YamlError("yaml: document contains excessive aliasing")
        return orjson.loads(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS))  # dates become text
    except yaml.MarkedYAMLError as error:
        raise YamlError(f"yaml: {_problem(error, scanning=isinstance(error, yaml.scanner.ScannerError))}") from error
    except (yaml.YAMLError, orjson.JSONEncodeError, UnicodeError, ValueError, RecursionError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise YamlError(f"yaml: {first}") from error


def _check_depth(text: bytes) -> None:
    """Refuse what is nested deeper than objects can be: the time that a parser takes grows with the square of it."""
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise YamlError(f"yaml: exceeded max depth of {_DEEPEST}")


def _expanded(value: Any, known: dict[int, int]) -> int:
    """How many values there are once every alias is followed; ``known``: what was counted already, by identity."""
    if not isinstance(value, dict | list):
        return 1
    count = known.get(id(value))
    if count is None:
        known[id(value)] = _MOST_VALUES + 1  # for one that contains itself
        inside = value.values() if isinstance(value, dict) else value
        count = known[id(value)] = 1 + sum(_expanded(each, known) for each in inside)
    return count


def _problem(error: Any, *, scanning: bool) -> str:
    """What is wrong and where: the first line goes unnamed, and only what the scanner finds is counted from one."""
    line = error.problem_mark.line if error.problem_mark else 0
    if not line and error.context_mark:
        line, scanning = error.context_mark.line, False
    problem = error.problem or "unknown problem parsing YAML content"
    return f"line {line + scanning}: {problem}" if line else problem


def duplicate_keys(text: bytes) -> str:
    """What strict reading says of keys that stand twice in a mapping; "" where none does, or the text is no YAML."""
    import yaml

    try:
        _check_depth(text)
        root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeError, RecursionError, YamlError):
        return ""
    lines = list(_twice(root, yaml.MappingNode, set()))
    return "\n  ".join(("yaml: unmarshal errors:", *lines)) if lines else ""


def _twice(node: Any, mapping: type, known: set[int]) -> Iterator[str]:
    if id(node) in known:  # an alias
        return
    known.add(id(node))
    if isinstance(node, mapping):
        seen: set[str] = set()
        for key, value in node.value:  # type: ignore[attr-defined]
            yield from _twice(value, mapping, known)
            if key.value in seen:
                yield f"line {value.start_mark.line + 1}: key {orjson.dumps(key.value).decode()} already set in map"
            seen.add(key.value)
    elif node is not None and isinstance(node.value, list):
        for each in node.value:
            yield from _twice(each, mapping, known)
