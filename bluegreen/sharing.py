"""A switch in steps (TRAFFIC_STEPS): a share of live traffic goes to the candidate and is watched, then a larger one.

Each step is one patch of each route. They are made while the journal says ``switching``: a run that is killed at one is
rolled back, and so is a release that users feel; that takes one patch of each route too, whatever the share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bluegreen import clock, confirm, moves
from bluegreen.clock import Deadline
from bluegreen.desk import Desk
from bluegreen.errors import HarnessError
from bluegreen.probe import Probe

LOOK_EVERY_S = 0.25
"""A choice: pause between two looks at a share; the probe asks twenty times a second meanwhile."""


class ShareHarmedError(HarnessError):
    """What the candidate did with its share of live traffic: everything goes back."""


def mark_of(percent: int) -> str:
    """The step's name, and the probe's mark at its beginning."""
    return f"{percent} % of traffic"


def share_out(desk: Desk, probe: Probe | None, harmed: Callable[[str, float], str | None]) -> int:
    """Take every step but the last one; returns the percentage that the candidate has now.

    ``harmed``: what users felt since a mark, given the candidate's share, in words; None when nothing. Raises
    ShareHarmedError, and ForeignWriteError when somebody else moved traffic meanwhile.
    """
    live, candidate, was = desk.record.live, desk.record.candidate, 0
    if live is None:
        if desk.settings.shares:
            desk.steps.progress("nothing served before this release: there is nobody to share traffic with")
        return 0
    for percent in desk.settings.shares:
        name = mark_of(percent)
        with desk.steps.step(name) as step:
            if probe is not None:
                probe.mark(name)
            desk.traffic.share(live, candidate, was, percent)
            was = percent
            moves.followed(desk, Deadline(desk.settings.rollback_timeout))
            try:
                _watch(desk, percent, harmed)
            finally:
                step.detail = _told(desk, percent, probe)
    return was


def _watch(desk: Desk, percent: int, harmed: Callable[[str, float], str | None]) -> None:
    """For TRAFFIC_STEP_WATCH: the share is as it was left, the candidate answers, and nobody is harmed."""
    deadline = Deadline(desk.settings.traffic_step_watch)
    while True:
        look(desk, percent, harmed)
        if deadline.expired:
            return
        clock.sleep_s(min(LOOK_EVERY_S, deadline.remaining_s))


def look(desk: Desk, percent: int, harmed: Callable[[str, float], str | None]) -> None:
    """One look. The candidate is asked by itself too: of a small share the probe feels little."""
    record = desk.record
    desk.lock.check()
    desk.traffic.require(record.live, record.candidate, percent)
    preview = desk.access.preview()
    target = moves.target(desk, record.version).at(preview.host, preview.port)
    if not confirm.ask(target).good(target) and not (answer := confirm.ask(target)).good(target):
        raise ShareHarmedError(f"With {percent} % of live traffic {record.candidate} answers {answer}.")
    if (sentence := harmed(mark_of(percent), percent / 100)) is not None:
        raise ShareHarmedError(f"With {percent} % of live traffic at {record.candidate}: {sentence}")


def _told(desk: Desk, percent: int, probe: Probe | None) -> str:
    found = account(percent, probe)
    by = ", ".join(f"{number} by {version or 'no version'}" for version, number in sorted(found["by_version"].items()))
    said = f"{found['requests']} requests, {found['failed']} failed{f'; answered {by}' if by else ''}"
    desk.shares.append(found)
    return f"{percent} % at {desk.record.candidate}, {100 - percent} % at {desk.record.live}: {said}"


def account(percent: int, probe: Probe | None) -> dict[str, Any]:
    """A step for the report. Keys: percent, requests, failed, longest_gap_ms, by_version (good answers)."""
    felt = probe.felt(mark_of(percent)) if probe is not None else None
    return {
        "percent": percent,
        "requests": felt.requests if felt is not None else 0,
        "failed": felt.failed if felt is not None else 0,
        "longest_gap_ms": felt.longest_gap_ms if felt is not None else None,
        "by_version": felt.by_version if felt is not None else {},
    }
