"""What the load test's figures must be, for all endpoints together and for each by itself: read from a file, strictly.

LOAD_THRESHOLDS names a YAML or TOML file::

    all: {p95_ms: 300, rate: 200}            # everything together; what is left out is as the LOAD_* settings say
    endpoints:
      GET /api/v1/capabilities: {success: 0.999, p99_ms: 250, requests: 200}

Whoever names an endpoint wants it asked: one without requests proves nothing, which is no pass.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from bluegreen import files
from bluegreen.errors import InputError, Mistake
from bluegreen.settings import Settings

SETTING = "LOAD_THRESHOLDS"

MANY = 10**9


@dataclass(frozen=True)
class Limits:
    """What is wanted of one endpoint, or of all together; ``None``: nothing is."""

    success: float | None = None  # the least share of requests that succeed, 0 to 1
    p50_ms: float | None = None  # the longest that half of the answers may take
    p95_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None
    rate: float | None = None  # the least number of requests a second
    requests: int | None = None  # with fewer, the figures are no evidence


@dataclass(frozen=True)
class Thresholds:
    """The limits of all requests together, and of endpoints by ``METHOD /path``."""

    all: Limits
    endpoints: Mapping[str, Limits] = field(default_factory=dict)


def load(settings: Settings) -> Thresholds:
    """The thresholds of a release: the file's, and where it says nothing the LOAD_* settings'.

    Raises ``InputError`` with every mistake of the file, each by its place in it.
    """
    by_settings: dict[str, Any] = {
        "success": settings.load_success_rate,
        "p95_ms": settings.load_p95_ms,
        "requests": settings.load_min_requests,
    }
    if settings.load_thresholds is None:
        return Thresholds(Limits(**by_settings))
    content = _content(settings.load_thresholds)
    mistakes: list[Mistake] = []
    together = _limits(settings.load_thresholds, "all", content.get("all", {}), mistakes)
    endpoints = {}
    for name, given in _map(settings.load_thresholds, "endpoints", content.get("endpoints", {}), mistakes).items():
        if not re.fullmatch(r"[A-Z]+ /\S*", str(name)):
            why, remedy = "it is no endpoint.", "Write METHOD /path, for example 'GET /api/v1/capabilities'."
            mistakes.append(Mistake(f"{settings.load_thresholds} endpoints", str(name), why, remedy))
        endpoints[str(name)] = Limits(**_limits(settings.load_thresholds, f"endpoints {name}", given, mistakes))
    for key in content.keys() - {"all", "endpoints"}:
        why, remedy = "there is no such part.", "Write all and endpoints."
        mistakes.append(Mistake(str(settings.load_thresholds), str(key), why, remedy))
    if mistakes:
        raise InputError(mistakes)
    return Thresholds(Limits(**{**by_settings, **together}), endpoints)


def _content(path: Path) -> dict[str, Any]:
    """The file as plain data. Raises ``InputError`` when it is neither YAML nor TOML."""
    try:
        text = files.read_text(path)
        content = tomllib.loads(text) if path.suffix == ".toml" else files.load_yaml(text, _Strict)
    except files.UnreadableError as problem:
        raise InputError([Mistake(SETTING, str(path), f"it cannot be read: {problem}.", "Mend it.")]) from None
    except (tomllib.TOMLDecodeError, yaml.YAMLError, RecursionError, ValueError) as problem:
        kind = "TOML" if path.suffix == ".toml" else "YAML"
        why = f"it is not {kind}: {' '.join(str(problem).split())[:200]}."
        raise InputError([Mistake(SETTING, str(path), why, "Mend the file.")]) from None
    if not isinstance(content, dict) or not content:
        remedy = "Write all: {p95_ms: 500} or endpoints: {GET /: {p95_ms: 500}}."
        raise InputError([Mistake(SETTING, str(path), "it holds no thresholds.", remedy)])
    return content


class _Strict(yaml.SafeLoader):
    """YAML in which no key may stand twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        if twice := next((key for key in keys if keys.count(key) > 1), None):
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice} is there twice", node.start_mark)
        return super().construct_mapping(node, deep)


def _map(path: Path, where: str, given: Any, mistakes: list[Mistake]) -> dict[Any, Any]:
    if isinstance(given, dict):
        return given
    mistakes.append(Mistake(f"{path} {where}", str(given), "it is no map.", "Write name: value pairs."))
    return {}


def _limits(path: Path, where: str, given: Any, mistakes: list[Mistake]) -> dict[str, Any]:
    """The limits that one part of the file sets."""
    found: dict[str, Any] = {}
    for key, value in _map(path, where, given, mistakes).items():
        if key not in _CHECKS:
            why, remedy = "there is no such threshold.", f"Write one of: {', '.join(_CHECKS)}."
            mistakes.append(Mistake(f"{path} {where}", str(key), why, remedy))
            continue
        allowed, why, remedy = _CHECKS[key]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not allowed(value):
            mistakes.append(Mistake(f"{path} {where}: {key}", str(value), why, remedy))
            continue
        found[key] = value
    return found


_Check = tuple[Callable[[float], bool], str, str]
_SHARE: _Check = (lambda v: 0 <= v <= 1, "it is not a share between 0 and 1.", "Write 0.95 for 95 %.")
_TIME: _Check = (lambda v: 0 < v <= 600_000, "it is not a time of up to 600000 ms.", "Write milliseconds, such as 500.")
_RATE: _Check = (lambda v: 0 < v <= MANY, "it is not a number above 0.", "Write requests a second, such as 50.")
_COUNT: _Check = (
    lambda v: float(v).is_integer() and 1 <= v <= MANY,
    "it is not a whole number from 1 on.",
    "Write a number of requests, such as 100.",
)
_CHECKS: Mapping[str, _Check] = {
    entry.name: {"success": _SHARE, "rate": _RATE, "requests": _COUNT}.get(entry.name, _TIME)
    for entry in fields(Limits)
}
"""What each threshold's number must be."""
