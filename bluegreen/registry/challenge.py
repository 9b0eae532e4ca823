"""The header in which a registry says how it wants to be asked: ``WWW-Authenticate`` (RFC 9110, section 11). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PART = re.compile(
    r"""\s*,?\s*(?:(?P<name>[\w-]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s,"]+))|(?P<scheme>[\w-]+))"""
)


@dataclass(frozen=True)
class Challenge:
    """One way to say who asks: its scheme in lower case, and its parameters."""

    scheme: str
    parameters: dict[str, str]


def parse(header: str) -> list[Challenge]:
    """The challenges of a header, in its order; what cannot be read ends them."""
    found: list[Challenge] = []
    place = 0
    while (match := _PART.match(header, place)) is not None:
        place = match.end()
        if match["scheme"]:
            found.append(Challenge(match["scheme"].lower(), {}))
        elif found:
            quoted = match["quoted"]
            value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else match["bare"]
            found[-1].parameters[match["name"].lower()] = value
    return found
