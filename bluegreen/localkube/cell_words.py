"""The words that table cells are made of: ages, labels, selectors, shortened lists."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from bluegreen import clock
from bluegreen.localkube.kinds import Obj

Cells = list[Any]
NONE, UNKNOWN, UNSET = "<none>", "<unknown>", "<unset>"
_SHOWN = 3  # how many of several endpoints, hosts or ports are listed before ``+ N more...``


def human_duration(seconds: float) -> str:
    """A duration in at most two units, as ``kubectl get`` shows ages: 119s, 9m59s, 179m, 7h59m, 47h, 7d23h, 2y."""
    whole = int(seconds)
    if whole < 0:
        return "0s" if whole >= -1 else "<invalid>"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    # (below which bound, large unit, its letter, rest in the small unit, its letter), finest first
    steps = (
        (whole < 120, whole, "s", 0, ""),
        (minutes < 10, minutes, "m", whole % 60, "s"),
        (minutes < 180, minutes, "m", 0, ""),
        (hours < 8, hours, "h", minutes % 60, "m"),
        (hours < 48, hours, "h", 0, ""),
        (hours < 192, days, "d", hours % 24, "h"),
        (days < 730, days, "d", 0, ""),
        (days < 2920, days // 365, "y", days % 365, "d"),
        (True, days // 365, "y", 0, ""),
    )
    _, large, letter, small, small_letter = next(step for step in steps if step[0])
    return f"{large}{letter}{small}{small_letter}" if small else f"{large}{letter}"


def since(timestamp: str | None) -> str:
    """How long ago that was."""
    if not timestamp:
        return UNKNOWN
    return human_duration((clock.utc() - moment(timestamp)).total_seconds())


def moment(timestamp: str) -> datetime:
    return datetime.fromisoformat(timestamp.replace("Z", "+00:00")).astimezone(UTC)


def age(obj: Obj) -> str:
    """How long the object has existed."""
    return since(obj["metadata"].get("creationTimestamp"))


def name(obj: Obj) -> str:
    """The object's name."""
    return str(obj["metadata"].get("name", ""))


def label_text(labels: dict[str, str] | None) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or NONE


def _term(expression: Obj) -> str:
    key, values = expression["key"], ",".join(sorted(expression.get("values") or []))
    forms = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "DoesNotExist": f"!{key}"}
    return forms.get(expression["operator"], str(key))


def selector_text(selector: Obj | None) -> str:
    """A label selector in one line, as ``kubectl get -o wide`` shows it."""
    if not selector:
        return NONE
    terms = {key: f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()}
    terms |= {expression["key"]: _term(expression) for expression in selector.get("matchExpressions") or []}
    return ",".join(text for _, text in sorted(terms.items())) or NONE


def few(items: Iterable[str], *, separator: str = ",", empty: str = NONE) -> str:
    words = list(items)
    more = f" + {len(words) - _SHOWN} more..." if len(words) > _SHOWN else ""
    return separator.join(words[:_SHOWN]) + more if words else empty
