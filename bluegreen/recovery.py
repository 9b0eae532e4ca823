"""Mending what a killed run left behind: found in the journal, finished or reverted, before anything else is done."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from bluegreen import clock, moves
from bluegreen.desk import Desk
from bluegreen.journal import MENDS, Journal, Mend, Record, Step
from bluegreen.kube import Kube
from bluegreen.lock import Lock
from bluegreen.origin import origin
from bluegreen.retire import retire
from bluegreen.settings import Settings
from bluegreen.steps import Steps
from bluegreen.verdict import Outcome

LOOK_EVERY_S = 5.0
"""A choice: how often a wait for an old colour's time looks whether anybody has retired it or gone back to it."""

_MOVES: Mapping[Mend, Callable[[Desk, str], None]] = {
    Mend.NOTHING: lambda _, __: None,
    Mend.LATER: lambda desk, _: moves.finish(desk, retire),
    Mend.REVERT: lambda desk, reason: moves.revert(desk, reason, Outcome.INTERRUPTED),
    Mend.ROLL_BACK: lambda desk, reason: moves.roll_back(desk, reason, Outcome.INTERRUPTED),
    Mend.FINISH: lambda desk, _: moves.finish(desk, retire),
}

_SENTENCES: Mapping[Mend, str] = {
    Mend.NOTHING: "there was nothing to mend",
    Mend.LATER: "is over, and its old colour, kept until now, is retired",
    Mend.REVERT: "was reverted: its candidate is removed, live traffic had not moved",
    Mend.ROLL_BACK: "was rolled back: live traffic is where it was before, its candidate is removed",
    Mend.FINISH: "was finished: it had been verified, the old colour is retired",
}


def mend(desk: Desk) -> str | None:
    """Finish or revert the unfinished release in the journal; the sentence that says what was done, or None.

    The caller holds the lock and has stamped its epoch. Raises NeedsPersonError when neither is safe.
    """
    record = desk.journal.record
    return _mend(desk, record) if record is not None and record.unfinished else None


def _mend(desk: Desk, record: Record) -> str:
    how = MENDS[record.step]
    reason = record.reason or f"its run ended while {record.step}"
    with desk.steps.step(f"mend release {record.id}") as step:
        _MOVES[how](desk, reason)
        step.detail = told(record, how)
    return told(record, how)


def claim_and_mend(desk: Desk, leave: Callable[[Record], bool] = lambda record: record.kept_for_s > 0) -> str | None:
    """Take the place of whoever ran before, so that it can change nothing any more, and mend what it left.

    ``leave``: whether what stands of an earlier release on purpose (KEPT, REFUSED) stays as it is; by default an old
    colour does until its time is up, and a refused candidate does not.
    """
    left = desk.journal.claim()
    desk.traffic.remember(left.moved_besides if left is not None else "")
    if left is None or MENDS[left.step] is Mend.NOTHING:
        return None
    if left.step in (Step.KEPT, Step.REFUSED) and leave(left):
        return None
    moves.claim(desk)
    return _mend(desk, left)


def told(record: Record, how: Mend) -> str:
    """What was done about an unfinished release, in one sentence."""
    ended = "" if how is Mend.LATER else f", which ended while {record.step},"
    return f"release {record.id} ({record.image}){ended} {_SENTENCES[how]}"


def recover(settings: Settings, kube: Kube, progress: Callable[[str], None] = print) -> str:
    """``bluegreen recover``: mend what a killed run left, and say what was done.

    It may be the last step of a run that was killed a moment ago, so it watches a lock that still looks held until the
    holder shows a sign of life or the lease has run out. Raises CannotStartError when the release is still alive, and
    NeedsPersonError when mending is not safe.
    """
    if Journal(kube, settings).read() is None:
        return "Nothing to recover: there never was a release here."
    run_id = new_id()
    lock = Lock(kube, settings, identity(run_id, "recover"))
    desk = moves.desk(kube, settings, settings.reports_dir / f"{run_id}-recover", run_id, lock, Steps(progress))
    lock.take(patient=progress)
    with desk.attended():
        try:
            done = claim_and_mend(desk)
        except KeyboardInterrupt:  # what was begun is done before this ends: half mended is no state to leave
            mend(desk)
            raise
    left = desk.journal.record
    kept = f" {keeping(left)}" if left is not None and left.step is Step.KEPT else ""
    return f"Recovered: {done}." if done else f"Nothing to recover: the last release is over.{kept}"


def retire_kept(
    settings: Settings, kube: Kube, progress: Callable[[str], None] = print, *, now: bool = False, wait: bool = False
) -> str:
    """``bluegreen retire``: retire the old colour that a release kept, when its time is up; what was done, in words.

    ``now``: before its time; ``wait``: stay until then, without holding the lock. Raises CannotStartError when a
    release runs, NeedsPersonError when the colour may not go.
    """
    journal = Journal(kube, settings)
    record = journal.read()
    if wait and not now and record is not None and record.kept_for_s:
        progress(keeping(record))
        while (record := journal.read()) is not None and (left_s := record.kept_for_s):
            clock.sleep_s(min(left_s, LOOK_EVERY_S))
    if record is None or record.step is not Step.KEPT:
        return "Nothing to retire: no old colour is kept."
    if record.kept_for_s and not now:
        return keeping(record)
    run_id = new_id()
    lock = Lock(kube, settings, identity(run_id, "retire"))
    desk = moves.desk(kube, settings, settings.reports_dir / f"{run_id}-retire", run_id, lock, Steps(progress))
    lock.take()
    with desk.attended():
        done = claim_and_mend(desk, leave=lambda left: bool(left.kept_for_s) and not now)
    return f"Retired: {done}." if done else "Nothing to retire: another run was faster."


def keeping(record: Record) -> str:
    """Until when an old colour is kept and what can be done about it, in one sentence."""
    what = f"{record.live} ({record.live_image}) is kept at full size"
    if not record.kept_for_s:
        return f"{what}, and its time was up at {record.kept_until}: `bluegreen retire` retires it."
    return (
        f"{what} until {record.kept_until} ({record.kept_for_s:.0f} s): until then `bluegreen rollback` returns to it "
        "with one patch; afterwards `bluegreen retire` (or the next release) retires it."
    )


def new_id() -> str:
    """The id of a run: its time in UTC for people, and enough chance that no two are alike."""
    return f"{clock.utc():%Y%m%d-%H%M%S}-{os.urandom(3).hex()}"


def identity(run_id: str, what: str = "release") -> str:
    """How a run names itself as the holder of the lock."""
    who = origin(os.environ)
    return f"{who['user']}@{who['host']} (pid {who['pid']}, {what} {run_id})"
