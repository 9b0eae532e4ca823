"""An object that steers live traffic, as it is now: where it sends it, and who wrote that. Pure; asks no cluster."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass

from bluegreen.applying import TRAFFIC
from bluegreen.colour import Colour, Obj
from bluegreen.errors import CannotStartError, HarnessError
from bluegreen.ways import Part, Place, Split, Way, splits

MANAGER = TRAFFIC
"""The field manager of every change of live traffic."""

MOVED = "bluegreen/moved"
"""Annotation on a route: where a release moved it last, in words; written by the same patch as the move."""

Ref = tuple[str, str]
"""Kind and name of an object that steers live traffic."""


class ForeignWriteError(HarnessError):
    """Something else moved live traffic since this release read where it is: this release may not move it."""


@dataclass(frozen=True)
class LiveObject:
    """One object with the way that its kind steers traffic."""

    way: Way
    obj: Obj

    @property
    def ref(self) -> Ref:
        """Kind and name."""
        return self.way.kind, str(self.obj["metadata"]["name"])

    @property
    def title(self) -> str:
        """Kind and name, in words."""
        return " ".join(self.ref)

    def parts(self) -> list[Part]:
        """Where each part of it sends live traffic. Raises ForeignWriteError, naming who wrote it, where unclear."""
        try:
            return self.way.parts(self.obj)
        except CannotStartError as error:
            raise self.foreign(error) from error

    def place(self) -> Place:
        """The one place where it sends all of it. Raises ForeignWriteError as ``parts``, and when there are several."""
        try:
            return self.found()
        except CannotStartError as error:
            raise self.foreign(error) from error

    def found(self) -> Place:
        """The same; raises CannotStartError, for a release that has not begun."""
        return splits.whole(self.title, self.way.parts(self.obj))

    def told(self) -> str:
        """Where it sends live traffic, in words."""
        try:
            return splits.told(splits.common(self.title, self.way.parts(self.obj)))
        except CannotStartError as error:
            return error.sentence.rstrip(".")

    def reaches(self, colour: Colour) -> bool:
        """Whether any part of it sends anything to a colour."""
        return colour in splits.reached(self.parts())

    def holds(self, split: Split) -> bool:
        """Whether all of its parts share live traffic out like this."""
        try:
            return all(part.split == split for part in self.way.parts(self.obj))
        except CannotStartError:
            return False

    def pending(self) -> str:
        """What is awaited until traffic follows it as it is now; "" when nothing is. Raises RefusedRouteError."""
        return self.way.pending(self.obj)

    def within(self, places: Set[Place]) -> bool:
        """Whether it sends live traffic nowhere else. Raises as ``parts``."""
        return splits.reached(self.parts()) <= places

    def require(self, split: Split) -> None:
        """Raise ForeignWriteError, naming who wrote it and when, unless it shares live traffic out like this."""
        self.parts()
        if not self.holds(split):
            raise ForeignWriteError(
                f"{self.title} sends live traffic to {self.told()}, not to {splits.told(split)} as this release left "
                f"it; {self.last_writer} wrote it.",
                "Find out who moves this traffic besides the release, then start again.",
            )

    def foreign(self, error: HarnessError) -> ForeignWriteError:
        """What is wrong with it, and who wrote it."""
        return ForeignWriteError(f"{error.sentence} {self.last_writer} wrote it.", error.remedy)

    @property
    def last_writer(self) -> str:
        """Who wrote last what steers traffic, and when, as the API server noted it."""
        return last_writer(self.way.owners(self.obj))

    @property
    def moved_here(self) -> bool:
        """Whether a release brought it where it is, perhaps with others; so it is taken where nothing is noted.

        Rules are one value to the API server: who wrote them last may have added a path and moved nothing. So a route
        is told by what the release's own patch noted beside the move.
        """
        if self.way.kind != "Service":
            return (self.obj["metadata"].get("annotations") or {}).get(MOVED) == self.told()
        managers = {str(entry.get("manager")) for entry in self.way.owners(self.obj)}
        return not managers or MANAGER in managers


def last_writer(owners: Iterable[Obj]) -> str:
    """The last of these entries of ``managedFields``, in words; others than a release go first."""
    entries = [*owners]
    strangers = [entry for entry in entries if entry.get("manager") != MANAGER] or entries
    if not strangers:
        return "an unknown field manager"
    latest = max(strangers, key=lambda entry: str(entry.get("time", "")))
    return f"field manager {latest.get('manager')!r} ({latest.get('operation')}, {latest.get('time', 'time unknown')})"
