"""Freeze windows: times at which a release does not start and live traffic does not move to a new version.

Text comes in, windows go out; whether one holds at a moment is worked out from the wall clock of the window's own time
zone, so that "Fri 16:00" stays 16:00 when the clocks change. Going back is never frozen: nothing here is asked then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_MINUTES = 24 * 60
WEEK_MINUTES = 7 * DAY_MINUTES

EXAMPLE = "Fri 16:00-Mon 08:00 Europe/Berlin"

_CLOCK = r"(?P<{0}_time>[0-9]{{2}}:[0-9]{{2}})"
_SIDE = r"(?:(?:(?P<{0}_date>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})|(?P<{0}_day>[A-Za-z]{{3}}))[ ])?" + _CLOCK
_WINDOW = re.compile(rf"{_SIDE.format('from')} ?- ?{_SIDE.format('to')}(?: (?P<zone>[A-Za-z0-9_+/-]+))?")


@dataclass(frozen=True)
class Window:
    """One window. ``begin`` and ``end`` are minutes of the week or of the day, or moments as minutes since year 1."""

    text: str
    zone: ZoneInfo
    begin: int
    end: int
    period: int  # minutes after which it comes again: a week, a day; 0 for one with dates, which comes once

    def holds(self, moment: datetime) -> bool:
        """Whether it holds at a moment, which must know its time zone. Its end is outside."""
        local = moment.astimezone(self.zone).replace(tzinfo=None)
        now = _minutes(local)
        if self.period == 0:
            return self.begin <= now < self.end
        now = (now - _minutes(_MONDAY)) % self.period
        return self.begin <= now < self.end if self.begin < self.end else not self.end <= now < self.begin


_MONDAY = datetime(2024, 1, 1)  # a Monday, from which weeks and days are counted


def parse(text: str) -> tuple[Window, ...]:
    """The windows of a text: ``Fri 16:00-Mon 08:00 Europe/Berlin``, several separated by ``;``.

    A side is a day of the week, a date or nothing (every day), and a time; the zone is UTC where none is named.
    Raises ValueError with a sentence about the part that is wrong.
    """
    return tuple(_window(part.strip()) for part in text.split(";") if part.strip())


def holding(text: str, moment: datetime) -> str:
    """The first window that holds at a moment, as it was written; empty when none does."""
    return next((window.text for window in parse(text) if window.holds(moment)), "")


def _window(text: str) -> Window:
    found = _WINDOW.fullmatch(" ".join(text.split()))
    if found is None:
        raise ValueError(f"{text!r} is not a window of time.")
    sides = [_side(text, found[f"{side}_date"], found[f"{side}_day"], found[f"{side}_time"]) for side in ("from", "to")]
    (begin, period), (end, other) = sides
    if period != other:
        raise ValueError(f"{text!r} names a day on one side and none, or another kind, on the other.")
    if begin == end or (period == 0 and end < begin):
        raise ValueError(f"{text!r} ends when it begins, or before.")
    return Window(text, _zone(found["zone"] or "UTC"), begin, end, period)


def _side(text: str, date: str | None, day: str | None, time: str) -> tuple[int, int]:
    """One end of a window: its minute, and the period it is counted in."""
    hours, minutes = (int(part) for part in time.split(":"))
    if hours > 24 or minutes > 59 or (hours == 24 and minutes):
        raise ValueError(f"{text!r}: {time} is no time of day.")
    minute = 60 * hours + minutes
    if date is not None:
        try:
            return _minutes(datetime.fromisoformat(date)) + minute, 0
        except ValueError:
            raise ValueError(f"{text!r}: {date} is no date.") from None
    if day is None:
        return minute % DAY_MINUTES, DAY_MINUTES
    if day.capitalize() not in DAYS:
        raise ValueError(f"{text!r}: {day} is no day of the week; those are {', '.join(DAYS)}.")
    return (DAYS.index(day.capitalize()) * DAY_MINUTES + minute) % WEEK_MINUTES, WEEK_MINUTES


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone known here (a slim image may lack the package tzdata).") from None


def _minutes(moment: datetime) -> int:
    """Minutes since the beginning of year 1, on a clock without time zones."""
    since = moment - datetime(1, 1, 1)
    return since.days * DAY_MINUTES + since.seconds // 60
