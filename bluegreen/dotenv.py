"""Reading a ``.env`` file: KEY=VALUE lines, quotes, comments. Nothing is expanded and nothing is executed."""

from __future__ import annotations

import re
from pathlib import Path

from bluegreen import files
from bluegreen.errors import InputError, Mistake

_LINE = re.compile(r"(?:export\s+)?(?P<key>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?P<value>.*)")
_QUOTED = re.compile(r"""(?P<quote>["'])(?P<text>.*)(?P=quote)\s*(?:#.*)?""")
_ESCAPES = {r"\n": "\n", r"\t": "\t", r"\"": '"', r"\\": "\\"}


def read(path: Path) -> dict[str, str]:
    """The settings of a file. Raises ``InputError`` naming each line that says nothing; never shows its text."""
    try:
        lines = files.read_text(path).splitlines()
    except files.UnreadableError as problem:
        raise InputError([Mistake(str(path), None, f"it cannot be read: {problem}.", "Mend or remove it.")]) from None
    found: dict[str, str] = {}
    mistakes: list[Mistake] = []
    for number, line in enumerate(lines, start=1):
        pair = _pair(line.strip())
        if pair is None:
            mistakes.append(
                Mistake(f"{path} line {number}", None, "it is not KEY=VALUE.", "Write KEY=VALUE or start it with '#'.")
            )
        elif pair:
            found[pair[0]] = pair[1]
    if mistakes:
        raise InputError(mistakes)
    return found


def _pair(line: str) -> tuple[str, str] | tuple[()] | None:
    """A line's key and value; ``()`` for a line without any, ``None`` for one that cannot be understood."""
    if not line or line.startswith("#"):
        return ()
    match = _LINE.fullmatch(line)
    if not match:
        return None
    value = match["value"]
    if not value.startswith(('"', "'")):
        return match["key"], re.split(r"\s+#", f" {value}", maxsplit=1)[0].strip()
    quoted = _QUOTED.fullmatch(value)
    if not quoted:
        return None
    return match["key"], _unescape(quoted["text"]) if quoted["quote"] == '"' else quoted["text"]


def _unescape(text: str) -> str:
    return re.sub(r'\\[nt"\\]', lambda match: _ESCAPES[match[0]], text)
