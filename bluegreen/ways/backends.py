"""The Services that a route leads to: one for each colour beside each live Service, found by their names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bluegreen.colour import Colour, colour_service
from bluegreen.ways.protocol import Place

Obj = dict[str, Any]


def colour_services(services: Iterable[str], colour: Colour) -> list[str]:
    """Those of several live Services."""
    return [colour_service(service, colour) for service in services]


@dataclass(frozen=True)
class Backends:
    """Which backends of a route are the application's: its live Services and those of their colours.

    A live Service itself stands for nobody in particular: it goes wherever its own selector does, which a release
    moves together with the routes.
    """

    services: tuple[str, ...]
    namespace: str = ""

    def place(self, name: str) -> tuple[str, Place] | None:
        """The live Service and the colour that a backend's name stands for; None for somebody else's backend."""
        if name in self.services:
            return name, None
        base, _, colour = name.rpartition("-")
        return (base, Colour(colour)) if base in self.services and colour in set(Colour) else None

    def name(self, service: str, place: Place) -> str:
        """The backend that leads to a place."""
        return service if place is None else colour_service(service, place)

    def told(self) -> str:
        """The names that count, in words."""
        return " or ".join(f"{service}-blue, {service}-green" for service in self.services)
