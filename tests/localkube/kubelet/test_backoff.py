"""The back-off: none after the first failure, then doubling up to five minutes, anew after a long good run."""

from __future__ import annotations

from bluegreen.localkube.kubelet.backoff import BackOff


def test_it_doubles_from_ten_seconds_to_five_minutes() -> None:
    back_off, now_s, waits = BackOff(), 1000.0, []
    for _ in range(8):
        waits.append(back_off.remaining_s(now_s, now_s))
        now_s += waits[-1]
        back_off.advance(now_s)
    assert waits == [0, 10, 20, 40, 80, 160, 300, 300]


def test_time_that_has_passed_since_the_failure_counts() -> None:
    back_off = BackOff()
    back_off.advance(1000.0)
    assert back_off.remaining_s(1002.0, 1005.0) == 7.0
    assert back_off.remaining_s(1002.0, 1050.0) == 0.0


def test_a_long_good_run_forgets_it() -> None:
    back_off = BackOff()
    back_off.advance(1000.0)
    back_off.advance(1010.0)
    assert back_off.remaining_s(2000.0, 2000.0) == 0.0
    back_off.advance(2000.0)
    assert back_off.current_s == 10.0
