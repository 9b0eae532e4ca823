"""Whether a value is as its schema says, in kube-openapi's words and order. Pure.

``result`` is one schema's judgement, which counts what matched as well: among several alternatives that all fail,
the one that came closest tells what is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from bluegreen.localkube.custom import formats, patterns
from bluegreen.localkube.custom.structural import INT_OR_STRING, Schema, additional, items, properties
from bluegreen.localkube.go_formats import quoted
from bluegreen.localkube.status import Cause
from bluegreen.localkube.validation import fields as words
from bluegreen.localkube.validation.fields import Causes, Raw


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. ``about``: what decides how it is told; ``value`` and ``bound``: see ``cause``."""

    path: str
    about: str
    text: str
    value: Any = None
    bound: Any = None


@dataclass
class Result:
    """What is wrong with a value, each thing once, and how much of the schema it met."""

    problems: list[Problem] = field(default_factory=list)
    matched: int = 0

    def add(self, *problems: Problem) -> None:
        for problem in problems:
            if all(problem.text != known.text for known in self.problems):
                self.problems.append(problem)

    def merge(self, other: Result) -> None:
        self.add(*other.problems)
        self.matched += other.matched


NEW: Any = object()
"""Stands for the old value of what was not there before."""


def causes(value: Any, schema: Schema, root: str = "", old: Any = NEW) -> Causes:
    """Everything that is wrong with a value. ``root`` is put before the paths, but not before those in sentences.

    ``old``: the value before an update. What an update leaves as it was is not held against it.
    """
    return [_cause(problem, root) for problem in result(value, schema, "", old).problems]


def _cause(problem: Problem, root: str) -> Cause:
    inner = problem.path.removeprefix(".")
    path = ".".join(part for part in (root, inner) if part) or "<nil>"
    if problem.about == "required":
        return words.required(path)
    if problem.about == "enum":
        return words.not_supported(path, problem.value, [_enum_text(each) for each in problem.bound])
    if problem.about == "too long":
        return Cause(path, "FieldValueTooLong", f"Too long: may not be more than {_counted(problem.bound, 'byte')}")
    if problem.about == "too many":
        return words.too_many(path, problem.value, problem.bound)
    shown = "" if problem.value is None else problem.value
    cause = words.invalid(path, shown, problem.text)
    return Cause(path, "FieldValueTypeInvalid", cause.message) if problem.about == "type" else cause


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _enum_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def result(value: Any, schema: Schema, path: str, old: Any = NEW) -> Result:
    """One schema's judgement of a value that stands at ``path``."""
    found = Result()
    if old is not NEW and value == old:
        return found
    checks = (_type, _enum) if value is None else _CHECKS
    for check in checks:
        judged = check(value, schema, path, old)
        if judged is None:
            continue
        found.merge(judged)
        found.matched += value is not None
    found.matched += value is not None
    return found


# -- types -----------------------------------------------------------------------------------------------------------
def _types(schema: Schema) -> tuple[str, ...]:
    if schema.get(INT_OR_STRING):
        return ("integer", "string")
    return (schema["type"],) if schema.get("type") else ()


def json_type(value: Any) -> str:
    """What a value is in JSON Schema's words."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    return {str: "string", list: "array", dict: "object", type(None): "null"}[type(value)]


def _type(value: Any, schema: Schema, path: str, _old: Any) -> Result | None:
    types, format_ = _types(schema), _format(schema)
    if not types and not format_:
        return None
    if value is None:
        wrong = bool(types) and not schema.get("nullable")
        return Result([_type_problem(path, ",".join(types), "null")] if wrong else [], 0 if wrong else 1)
    kind = json_type(value)
    numeric = "number" in types or "integer" in types
    if format_ and not numeric and isinstance(value, (str, list)):
        return Result(matched=1)
    fits = (
        kind in types
        or (kind == "number" and "integer" in types and value == int(value) and abs(value) < 2**63)
        or (kind == "integer" and "number" in types)
    )
    return Result(matched=1) if fits else Result([_type_problem(path, ",".join(types), kind)])


def _type_problem(path: str, wanted: str, found: Any) -> Problem:
    return Problem(path, "type", f"{path} in body must be of type {wanted}: {quoted(found)}", found)


def _format(schema: Schema) -> str:
    given: str = schema.get("format") or ""
    return given if given and formats.is_known(given) else ""


# -- alternatives ----------------------------------------------------------------------------------------------------
def _junctors(value: Any, schema: Schema, path: str, old: Any) -> Result:
    found = Result()
    if schema.get("anyOf"):
        found.merge(_any_of(value, schema["anyOf"], path, old))
    if schema.get("oneOf"):
        found.merge(_one_of(value, schema["oneOf"], path, old))
    if schema.get("allOf"):
        found.merge(_all_of(value, schema["allOf"], path, old))
    if schema.get("not") is not None and not result(value, schema["not"], path).problems:
        found.add(_plain(f"{quoted(path)} must not validate the schema (not)"))
    found.matched += 1
    return found


def _plain(text: str) -> Problem:
    """A sentence that names its place itself."""
    return Problem("", "schema", text)


def _any_of(value: Any, alternatives: list[Schema], path: str, old: Any) -> Result:
    best: Result | None = None
    for each in alternatives:
        judged = result(value, each, path, old)
        if not judged.problems:
            return judged
        if best is None or judged.matched > best.matched:
            best = judged
    found = Result([_plain(f"{quoted(path)} must validate at least one schema (anyOf)")])
    found.merge(best or Result())
    return found


def _one_of(value: Any, alternatives: list[Schema], path: str, old: Any) -> Result:
    judged = [result(value, each, path, old) for each in alternatives]
    valid = [each for each in judged if not each.problems]
    if len(valid) == 1:
        return valid[0]
    how = f"Found {len(valid)} valid alternatives" if valid else "Found none valid"
    found = Result([_plain(f"{quoted(path)} must validate one and only one schema (oneOf). {how}")])
    if not valid:
        found.merge(max(judged, key=lambda each: each.matched))
    return found


def _all_of(value: Any, parts: list[Schema], path: str, old: Any) -> Result:
    found, judged = Result(), [result(value, each, path, old) for each in parts]
    for each in judged:
        found.merge(each)
    valid = sum(not each.problems for each in judged)
    if valid < len(parts):
        tail = "" if valid else ". None validated"
        found.add(_plain(f"{quoted(path)} must validate all the schemas (allOf){tail}"))
    return found


# -- texts and numbers -----------------------------------------------------------------------------------------------
def _string(value: Any, schema: Schema, path: str, _old: Any) -> Result | None:
    if not isinstance(value, str):
        return None
    longest, shortest, pattern = schema.get("maxLength"), schema.get("minLength"), schema.get("pattern")
    if longest is not None and len(value) > longest:
        text = f"{path} in body should be at most {longest} chars long"
        return Result([Problem(path, "too long", text, value, longest)])
    if shortest is not None and len(value) < shortest:
        return Result([Problem(path, "", f"{path} in body should be at least {shortest} chars long", value)])
    if pattern and not patterns.compiled(pattern).search(value):
        return Result([Problem(path, "", f"{path} in body should match '{pattern}'", value)])
    return Result()


def _string_format(value: Any, schema: Schema, path: str, _old: Any) -> Result | None:
    format_ = _format(schema)
    if not isinstance(value, str) or not format_:
        return None
    return Result() if formats.matches(format_, value) else Result([_type_problem(path, format_, value)])


def _number(value: Any, schema: Schema, path: str, _old: Any) -> Result | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    found = Result(matched=1)
    step, low, high = (schema.get(key) for key in ("multipleOf", "minimum", "maximum"))
    if step and not _is_multiple(value, step):
        found.add(Problem(path, "", f"{path} in body should be a multiple of {number_text(step)}", _shown(value)))
    if low is not None and (value < low or (schema.get("exclusiveMinimum") and value == low)):
        how = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        found.add(Problem(path, "", f"{path} in body should be {how} {number_text(low)}", _shown(value)))
    if high is not None and (value > high or (schema.get("exclusiveMaximum") and value == high)):
        how = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        found.add(Problem(path, "", f"{path} in body should be {how} {number_text(high)}", _shown(value)))
    return found


def _is_multiple(value: float, step: float) -> bool:
    if isinstance(value, int) and step == int(step):
        return value % int(step) == 0
    quotient = value / step
    return abs(quotient - round(quotient)) < 1e-9


def _shown(value: float) -> Any:
    return Raw(number_text(value))


def number_text(value: float) -> str:
    """A number as Go's %v prints it."""
    if isinstance(value, int):
        return str(value)
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    return repr(value)


# -- lists, words and objects ----------------------------------------------------------------------------------------
def _list(value: Any, schema: Schema, path: str, old: Any) -> Result | None:
    if not isinstance(value, list):
        return None
    found = Result()
    below = items(schema)
    if below is not None:
        before = _items_before(schema, old)
        for place, item in enumerate(value):
            found.merge(result(item, below, f"{path}[{place}]", before(item)))
    fewest, most = schema.get("minItems"), schema.get("maxItems")
    if fewest is not None and len(value) < fewest:
        found.add(Problem(path, "", f"{path} in body should have at least {fewest} items", len(value)))
    if most is not None and len(value) > most:
        text = f"{path} in body should have at most {most} items"
        found.add(Problem(path, "too many", text, len(value), most))
    found.matched += 1
    return found


def _items_before(schema: Schema, old: Any) -> Callable[[Any], Any]:
    """How to find what an item was before: by its keys, where the list goes by keys."""
    keys = schema.get("x-kubernetes-list-map-keys")
    if not keys or not isinstance(old, list):
        return lambda _: NEW

    def key_of(item: Any) -> tuple[Any, ...]:
        return tuple(repr(item.get(key)) for key in keys) if isinstance(item, dict) else ()

    by_key = {key_of(item): item for item in old}
    return lambda item: by_key.get(key_of(item), NEW)


def _before(old: Any, key: str) -> Any:
    return old.get(key, NEW) if isinstance(old, dict) else NEW


def _enum(value: Any, schema: Schema, path: str, _old: Any) -> Result | None:
    known = schema.get("enum")
    if not known:
        return Result()
    if any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in known):
        return Result()
    return Result([Problem(path, "enum", f"{path} in body should be one of {known}", value, known)])


def _object(value: Any, schema: Schema, path: str, old: Any) -> Result | None:
    if not isinstance(value, dict):
        return None
    found = Result()
    fewest, most = schema.get("minProperties"), schema.get("maxProperties")
    if fewest is not None and len(value) < fewest:
        found.add(Problem(path, "", f"{path} in body should have at least {fewest} properties", len(value)))
    if most is not None and len(value) > most:
        text = f"{path} in body should have at most {most} properties"
        found.add(Problem(path, "too many", text, len(value), most))
    known, (_, other) = properties(schema), additional(schema)
    if other is not None:
        for key in value.keys() - known.keys():
            found.merge(result(value[key], other, f"{path}.{key}", _before(old, key)))
    for key, below in known.items():
        if key in value:
            found.merge(result(value[key], below, f"{path}.{key}" if path else key, _before(old, key)))
    found.add(*_missing(value, schema.get("required") or (), path))
    return found


def _missing(value: dict[str, Any], required: Iterable[str], path: str) -> list[Problem]:
    return [
        Problem(f"{path}.{key}", "required", f"{path}.{key} in body is required")
        for key in required
        if key not in value
    ]


_CHECKS = (_type, _junctors, _string, _string_format, _number, _list, _enum, _object)
