"""Blue, green, and which of the two is live: read from the live Service's selector. Pure; asks no cluster."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from bluegreen.errors import CannotStartError

Obj = dict[str, Any]

NOBODY = "none"
"""The selector value that matches no pod: what a Service selects before its first release."""


class Colour(StrEnum):
    """One of the two deployments of an application; also the value of its pods' ``version`` label."""

    BLUE = "blue"
    GREEN = "green"

    @property
    def other(self) -> Colour:
        """The colour that this one is released against."""
        return Colour.GREEN if self is Colour.BLUE else Colour.BLUE


def colour_service(service: str, colour: Colour) -> str:
    """The name of the Service of one colour beside a live Service: what a route leads to."""
    return f"{service}-{colour}"


def live_colour(service: Obj) -> Colour | None:
    """The colour a Service selects; ``None`` when it selects nobody.

    Raises ``CannotStartError`` when the selector names no colour at all: such a Service serves both colours
    (or something else), and no release may be built on that.
    """
    selector = service.get("spec", {}).get("selector") or {}
    version = selector.get("version")
    if version == NOBODY:
        return None
    try:
        return Colour(str(version))
    except ValueError:
        raise CannotStartError(
            f"Service {service['metadata']['name']} selects {selector or 'nothing'}: "
            f"its `version` is not blue, green or {NOBODY}.",
            "Set its selector's `version` to the colour that serves now, then start again; an application that runs "
            "without colours is taken over by `bluegreen adopt`.",
        ) from None
