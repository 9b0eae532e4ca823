"""Why a text is not JSON, in the words of Go's encoding/json, which Kubernetes passes on to its clients."""

from __future__ import annotations

import re

_SPACE = re.compile(r"[ \t\r\n]*")
_LITERALS = {"t": "true", "f": "false", "n": "null"}
_HEX = frozenset("0123456789abcdefABCDEF")
_END = "unexpected end of JSON input"
_DEEPEST = 400  # nesting this reader follows; deeper texts get the general sentence


class _BadJsonError(Exception):
    pass


def syntax_error(data: bytes) -> str:
    """The sentence for a text that does not parse."""
    text = data.decode(errors="replace")
    try:
        end = _space(text, _value(text, _space(text, 0), 0))
        if end < len(text):
            raise _unexpected(text, end, "after top-level value")
    except _BadJsonError as error:
        return str(error)
    return "invalid character in JSON"


def _unexpected(text: str, at: int, context: str) -> _BadJsonError:
    if at >= len(text):
        return _BadJsonError(_END)
    char = text[at]
    shown = {"'": r"\'", '"': '"', "\n": r"\n", "\t": r"\t", "\r": r"\r", "\\": r"\\"}.get(char, char)
    if shown == char and ord(char) < 0x20:
        shown = f"\\x{ord(char):02x}"
    return _BadJsonError(f"invalid character '{shown}' {context}")


def _space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _value(text: str, at: int, depth: int) -> int:
    """The position behind the value that begins at ``at``."""
    char = text[at : at + 1]
    if depth > _DEEPEST:
        raise _BadJsonError("exceeded max depth")
    if char == "{":
        return _object(text, at + 1, depth + 1)
    if char == "[":
        return _array(text, at + 1, depth + 1)
    if char == '"':
        return _string(text, at + 1)
    if char in _LITERALS:
        return _literal(text, at, _LITERALS[char])
    if char and char in "-0123456789":
        return _number(text, at)
    raise _unexpected(text, at, "looking for beginning of value")


def _object(text: str, at: int, depth: int) -> int:
    at = _space(text, at)
    if text[at : at + 1] == "}":
        return at + 1
    while True:
        if text[at : at + 1] != '"':
            raise _unexpected(text, at, "looking for beginning of object key string")
        at = _space(text, _string(text, at + 1))
        if text[at : at + 1] != ":":
            raise _unexpected(text, at, "after object key")
        at = _space(text, _value(text, _space(text, at + 1), depth))
        if text[at : at + 1] == "}":
            return at + 1
        if text[at : at + 1] != ",":
            raise _unexpected(text, at, "after object key:value pair")
        at = _space(text, at + 1)


def _array(text: str, at: int, depth: int) -> int:
    at = _space(text, at)
    if text[at : at + 1] == "]":
        return at + 1
    while True:
        at = _space(text, _value(text, at, depth))
        if text[at : at + 1] == "]":
            return at + 1
        if text[at : at + 1] != ",":
            raise _unexpected(text, at, "after array element")
        at = _space(text, at + 1)


def _string(text: str, at: int) -> int:
    while at < len(text):
        char = text[at]
        if char == '"':
            return at + 1
        if ord(char) < 0x20:
            raise _unexpected(text, at, "in string literal")
        if char == "\\":
            at = _escape(text, at + 1)
        at += 1
    raise _BadJsonError(_END)


def _escape(text: str, at: int) -> int:
    """The position of an escape sequence's last character."""
    if text[at : at + 1] != "u":
        if at >= len(text) or text[at] not in 'bfnrt\\/"':
            raise _unexpected(text, at, "in string escape code")
        return at
    for place in range(at + 1, at + 5):
        if place >= len(text) or text[place] not in _HEX:
            raise _unexpected(text, place, r"in \u hexadecimal character escape")
    return at + 4


def _literal(text: str, at: int, word: str) -> int:
    for offset, expected in enumerate(word):
        if text[at + offset : at + offset + 1] != expected:
            raise _unexpected(text, at + offset, f"in literal {word} (expecting '{expected}')")
    return at + len(word)


def _number(text: str, at: int) -> int:
    if text[at] == "-":
        at += 1
        if text[at : at + 1] not in frozenset("0123456789"):
            raise _unexpected(text, at, "in numeric literal")
    at = at + 1 if text[at] == "0" else _digits(text, at)
    if text[at : at + 1] == ".":
        at = _some_digits(text, at + 1, "after decimal point in numeric literal")
    if text[at : at + 1] in ("e", "E"):
        at += 1
        if text[at : at + 1] in ("+", "-"):
            at += 1
        at = _some_digits(text, at, "in exponent of numeric literal")
    return at


def _digits(text: str, at: int) -> int:
    while at < len(text) and text[at] in "0123456789":
        at += 1
    return at


def _some_digits(text: str, at: int, context: str) -> int:
    end = _digits(text, at)
    if end == at:
        raise _unexpected(text, at, context)
    return end
