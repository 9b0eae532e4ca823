"""The door to a way of switching: what has to be known of one kind of object that steers live traffic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from bluegreen.colour import Colour
from bluegreen.errors import CannotStartError, HarnessError

Obj = dict[str, Any]
Op = dict[str, Any]

Place = Colour | None
"""Where live traffic can be: at a colour, or at nobody."""

Split = Mapping[Place, Fraction]
"""The share of live traffic that each place gets; they add up to 1, and places that get none are left out."""


class UnclearError(CannotStartError):
    """An object from which nobody can tell at which colour live traffic is, or that does not steer it at all."""


class RefusedRouteError(HarnessError):
    """Whoever routes by an object says that it does not follow it as it is now."""


@dataclass(frozen=True)
class Part:
    """A part of an object that steers traffic by itself, such as one rule; ``at`` is its place in the object."""

    at: str
    split: Split


class Way(Protocol):
    """How objects of one kind steer live traffic."""

    @property
    def kind(self) -> str:
        """The kind of the objects, as the API names it."""

    def parts(self, obj: Obj) -> list[Part]:
        """Where each part of an object that leads to the application sends it. Raises UnclearError."""

    def operations(self, obj: Obj, split: Split) -> list[Op]:
        """The JSON patch that gives all its parts this split and changes nothing else, tested on what was read.

        Raises UnclearError where the object cannot express it.
        """

    def owners(self, obj: Obj) -> list[Obj]:
        """The entries of ``managedFields`` of those who wrote what steers traffic."""

    def pending(self, obj: Obj, /) -> str:
        """What is still awaited until traffic follows the object as it is now, in words; "" when nothing is.

        Raises RefusedRouteError when it never will.
        """
