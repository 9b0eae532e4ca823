"""How Go writes text and JSON; where it finds base64 and times at fault, and the words it has for it."""

from __future__ import annotations

import json
import re
from typing import Any

_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_CLEAN_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


_ESCAPES = str.maketrans(
    {
        "\\": "\\\\",
        '"': '\\"',
        "\a": "\\a",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\v": "\\v",
    }
)
_HTML = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})


def quoted(text: str) -> str:
    """A string as %q writes it."""
    escaped = text.translate(_ESCAPES)
    if not escaped.isprintable():
        escaped = "".join(char if char.isprintable() else _escaped(ord(char)) for char in escaped)
    return f'"{escaped}"'


def _escaped(code: int) -> str:
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def as_json(value: Any) -> str:
    """A value as encoding/json writes it: without spaces, and with nothing in it that HTML would read."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).translate(_HTML)


def corrupt_base64(text: str) -> int | None:
    """The byte at which Go's decoder gives up, None when the text is base64 (line ends are skipped)."""
    if _CLEAN_BASE64.fullmatch(text):
        return None
    kept = [(place, char) for place, char in enumerate(text) if char not in "\r\n"]
    for start in range(0, len(kept), 4):
        quantum = kept[start : start + 4]
        wrong = _corrupt_quantum(quantum, kept[start + 4 :], len(text))
        if wrong is not None:
            return wrong
        if any(char == "=" for _, char in quantum):
            return None
    return None


def _corrupt_quantum(quantum: list[tuple[int, str]], rest: list[tuple[int, str]], length: int) -> int | None:
    for j, (place, char) in enumerate(quantum):
        if char in _BASE64:
            continue
        if char != "=" or j < 2:
            return place
        if j == 2:
            if len(quantum) < 4:
                return length
            if quantum[3][1] != "=":
                return quantum[3][0] - 1
        return rest[0][0] if rest else None
    return length - len(quantum) if len(quantum) < 4 else None


_DIGITS = r"\d\d"


_LAYOUT: tuple[tuple[str, str], ...] = (
    *(("2006", r"\d{4}"), ("-", "-"), ("01", _DIGITS), ("-", "-"), ("02", _DIGITS), ("T", "T")),
    *(("15", _DIGITS), (":", ":"), ("04", _DIGITS), (":", ":"), ("05", _DIGITS)),
)
_ZONE = ("Z07:00", r"Z|[+-]\d\d:\d\d")
_RANGES = (("month", 5, 1, 12), ("day", 8, 1, 31), ("hour", 11, 0, 23), ("minute", 14, 0, 59), ("second", 17, 0, 59))


def wrong_time(text: str, *, micro: bool) -> str:
    """What Go says about a text that is no RFC 3339 time; "" for one that is. ``micro``: six decimals are a must."""
    fraction = (".000000", r"[.,]\d{6}(?!\d)") if micro else ("", r"(?:[.,]\d+)?")
    name = "2006-01-02T15:04:05.000000Z07:00" if micro else "2006-01-02T15:04:05Z07:00"
    rest = text
    for element, pattern in (*_LAYOUT, fraction, _ZONE):
        found = re.match(pattern, rest)
        if not found:
            return f'parsing time "{text}" as "{name}": cannot parse "{rest}" as "{element}"'
        rest = rest[found.end() :]
    if rest:
        return f'parsing time "{text}": extra text: "{rest}"'
    for unit, start, low, high in _RANGES:
        if not low <= int(text[start : start + 2]) <= high:
            return f'parsing time "{text}": {unit} out of range'
    return ""
