"""Small pieces of HTML that several parts of the report are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

COLOURS: Mapping[str, str] = {"blue": "#3b74d6", "green": "#3a9d62"}
NO_COLOUR = "#9aa5b1"

Record = Mapping[str, Any]


def tiles(figures: Mapping[str, str]) -> str:
    """Figures by their names, large."""
    shown = "".join(f"<div><b>{escape(value)}</b><span>{escape(name)}</span></div>" for name, value in figures.items())
    return f'<div class="bg-tiles">{shown}</div>'


def figure(picture: str, caption: str) -> str:
    """A picture with what it shows; nothing when there is no picture."""
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>" if picture else ""


def version_colours(record: Record) -> Callable[[str], str]:
    """The candidate's version in the candidate's colour, any other in the other's; none stated in grey."""
    candidate = record.get("candidate") or record.get("colour_after")
    other = {"blue": "green", "green": "blue"}.get(str(candidate))

    def colour_of(version: str) -> str:
        return NO_COLOUR if not version else colour(candidate if version == record.get("version") else other)

    return colour_of


def colour(name: Any) -> str:
    """What blue and green are drawn in; anything else is grey."""
    return COLOURS.get(str(name), NO_COLOUR)
