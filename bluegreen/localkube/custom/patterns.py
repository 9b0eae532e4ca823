"""Regular expressions as Go writes them, for use by Python's ``re``.

Most read the same in both. Translated: ``$`` and ``\\z`` (the very end of the text, not before a last line break),
classes such as ``[[:alpha:]]``, and ``\\pL``, ``\\p{L}`` and ``\\p{N}``. A pattern that Python cannot read matches
everything: refusing what a real cluster takes would be worse than taking what it refuses.
"""

from __future__ import annotations

import re
from functools import lru_cache

_POSIX = {
    "alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "lower": "a-z", "upper": "A-Z", "space": r"\s",
    "xdigit": "0-9A-Fa-f", "word": r"\w", "punct": r"!-/:-@\[-`{-~", "blank": r" \t",
}  # fmt: skip
_TOKEN = re.compile(r"\\p\{?([LN])\}?|\\z|\\.|\[:(\w+):\]|\[\^?\]?|\]|\$", re.DOTALL)
_EVERYTHING = re.compile("")


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern ready to be searched for."""
    try:
        return re.compile(_translated(pattern), re.ASCII)
    except re.error:
        return _EVERYTHING


def problem(pattern: str) -> str:
    """Why neither Go nor Python could read a pattern; "" when one might."""
    try:
        re.compile(_translated(pattern), re.ASCII)
    except re.error as error:
        return str(error)
    return ""


def _translated(pattern: str) -> str:
    inside = False

    def replaced(found: re.Match[str]) -> str:
        nonlocal inside
        token = found[0]
        if found[2] and inside:
            return _POSIX.get(found[2], "")
        if found[1]:
            letters = "a-zA-Z\u00aa-\U0010ffff" if found[1] == "L" else "0-9"
            return letters if inside else f"[{letters}]"
        if token == r"\z":
            return r"\Z"
        if token.startswith("["):
            opens, inside = not inside, True
            return token if opens else "\\" + token
        if token == "]":
            inside = False
        return r"\Z" if token == "$" and not inside else token

    return _TOKEN.sub(replaced, pattern)
