"""What the documentation shows, read from its pages, so that a test uses what a reader copies."""

from __future__ import annotations

import re
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]

_BLOCK = re.compile(r"^```[a-z]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[str]:
    """All fenced blocks of a page."""
    return _BLOCK.findall((CHECKOUT / page).read_text())


def block(page: str, title: str) -> str:
    """The one fenced block of a page whose first line holds this text."""
    [found] = [text for text in blocks(page) if title in text.partition("\n")[0]]
    return found
