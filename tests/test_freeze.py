"""Freeze windows: when each holds, across midnights, weeks and changes of the clocks, and what is no window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen import freeze

WEEKEND = "Fri 16:00-Mon 08:00 Europe/Berlin"


@pytest.mark.parametrize(
    ("windows", "moment", "held"),
    [
        (WEEKEND, "2026-11-27T14:59+00:00", ""),  # a Friday, 15:59 in Berlin
        (WEEKEND, "2026-11-27T15:00+00:00", WEEKEND),
        (WEEKEND, "2026-11-29T12:00+00:00", WEEKEND),
        (WEEKEND, "2026-11-30T06:59+00:00", WEEKEND),
        (WEEKEND, "2026-11-30T07:00+00:00", ""),
        (WEEKEND, "2026-07-03T13:59+00:00", ""),  # in summer Berlin is an hour further on
        (WEEKEND, "2026-07-03T14:00+00:00", WEEKEND),
        ("Mon 09:00-Mon 10:00", "2026-11-30T09:30+00:00", "Mon 09:00-Mon 10:00"),
        ("Mon 09:00-Mon 10:00", "2026-12-01T09:30+00:00", ""),
        ("22:00-06:00", "2026-11-24T23:00+00:00", "22:00-06:00"),
        ("22:00-06:00", "2026-11-25T05:59+00:00", "22:00-06:00"),
        ("22:00-06:00", "2026-11-25T06:00+00:00", ""),
        ("18:00-24:00 UTC", "2026-11-25T23:59+00:00", "18:00-24:00 UTC"),
        ("18:00-24:00 UTC", "2026-11-25T00:00+00:00", ""),
        ("2026-12-23 00:00-2027-01-02 08:00", "2026-12-22T23:59+00:00", ""),
        ("2026-12-23 00:00-2027-01-02 08:00", "2027-01-02T07:59+00:00", "2026-12-23 00:00-2027-01-02 08:00"),
        ("2026-12-23 00:00-2027-01-02 08:00", "2027-12-24T00:00+00:00", ""),
        (f"22:00-06:00; {WEEKEND};", "2026-11-28T12:00+00:00", WEEKEND),
        ("", "2026-11-28T12:00+00:00", ""),
    ],
)
def test_which_window_holds(windows: str, moment: str, held: str) -> None:
    assert freeze.holding(windows, datetime.fromisoformat(moment)) == held


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("weekends", "not a window"),
        ("Fri 16:00", "not a window"),
        ("Fri 16:00-08:00", "on one side and none"),
        ("Fri 16:00-2026-12-01 08:00", "on one side and none"),
        ("Fri 16:00-Fri 16:00", "ends when it begins"),
        ("2026-12-23 00:00-2026-12-22 08:00", "or before"),
        ("Fri 25:00-Mon 08:00", "no time of day"),
        ("Fri 24:30-Mon 08:00", "no time of day"),
        ("Fre 16:00-Mon 08:00", "no day of the week"),
        ("2026-02-30 00:00-2026-03-02 08:00", "no date"),
        ("Fri 16:00-Mon 08:00 Europe/Atlantis", "no time zone"),
        ("Fri 16:00-Mon 08:00 ../etc/passwd", "not a window"),
        ("Fri 16:00-Mon 08:00 /etc/localtime", "no time zone"),
    ],
)
def test_what_is_no_window(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        freeze.parse(f"22:00-06:00; {text}")


MINUTES = st.integers(0, freeze.WEEK_MINUTES - 1)


@given(begin=MINUTES, end=MINUTES, at=MINUTES)
def test_a_window_of_the_week_and_the_rest_of_the_week_share_no_minute_and_leave_none_out(
    begin: int, end: int, at: int
) -> None:
    if begin == end:
        return
    moment = datetime(2026, 11, 23, tzinfo=UTC) + timedelta(minutes=at)  # counted from a Monday
    window, rest = f"{_side(begin)}-{_side(end)}", f"{_side(end)}-{_side(begin)}"
    assert bool(freeze.holding(window, moment)) != bool(freeze.holding(rest, moment))
    assert bool(freeze.holding(window, moment)) == ((at - begin) % freeze.WEEK_MINUTES < (end - begin) % 10080)


def _side(minute: int) -> str:
    return f"{freeze.DAYS[minute // 1440]} {minute % 1440 // 60:02}:{minute % 60:02}"
