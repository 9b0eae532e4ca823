"""Mending what a killed run left behind: found in the journal, finished or reverted, before anything else is done."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from bluegreen import clock, moves
from bluegreen.journal import MENDS, Journal, Mend, Record
from bluegreen.kube import Kube
from bluegreen.lock import Lock
from bluegreen.moves import Desk
from bluegreen.origin import origin
from bluegreen.retire import retire
from bluegreen.settings import Settings
from bluegreen.steps import Steps
from bluegreen.verdict import Outcome

_MOVES: Mapping[Mend, Callable[[Desk, str], None]] = {
    Mend.NOTHING: lambda _, __: None,
    Mend.REVERT: lambda desk, reason: moves.revert(desk, reason, Outcome.INTERRUPTED),
    Mend.ROLL_BACK: lambda desk, reason: moves.roll_back(desk, reason, Outcome.INTERRUPTED),
    Mend.FINISH: lambda desk, _: moves.finish(desk, retire),
}

_SENTENCES: Mapping[Mend, str] = {
    Mend.NOTHING: "there was nothing to mend",
    Mend.REVERT: "was reverted: its candidate is removed, live traffic had not moved",
    Mend.ROLL_BACK: "was rolled back: live traffic is where it was before, its candidate is removed",
    Mend.FINISH: "was finished: it had been verified, the old colour is retired",
}


def mend(desk: Desk) -> str | None:
    """Finish or revert the unfinished release in the journal; the sentence that says what was done, or None.

    The caller holds the lock and has stamped its epoch. Raises NeedsPersonError when neither is safe.
    """
    record = desk.journal.record
    if record is None or not record.unfinished:
        return None
    how = MENDS[record.step]
    reason = record.reason or f"its run ended while {record.step}"
    with desk.steps.step(f"mend release {record.id}") as step:
        _MOVES[how](desk, reason)
        step.detail = told(record, how)
    return told(record, how)


def claim_and_mend(desk: Desk) -> str | None:
    """Take the place of whoever ran before, so that it can change nothing any more, and mend what it left."""
    left = desk.journal.claim()
    if left is None or not left.unfinished:
        return None
    moves.claim(desk)
    return mend(desk)


def told(record: Record, how: Mend) -> str:
    """What was done about an unfinished release, in one sentence."""
    return f"release {record.id} ({record.image}), which ended while {record.step}, {_SENTENCES[how]}"


def recover(settings: Settings, kube: Kube, progress: Callable[[str], None] = print) -> str:
    """``bluegreen recover``: mend what a killed run left, and say what was done.

    Raises CannotStartError when the release is still alive, and NeedsPersonError when mending is not safe.
    """
    if Journal(kube, settings).read() is None:
        return "Nothing to recover: there never was a release here."
    run_id = new_id()
    lock = Lock(kube, settings, identity(run_id, "recover"))
    lock.take()
    try:
        desk = moves.desk(kube, settings, settings.reports_dir / f"{run_id}-recover", run_id, lock, Steps(progress))
        done = claim_and_mend(desk)
    finally:
        lock.release()
    return f"Recovered: {done}." if done else "Nothing to recover: the last release is over."


def new_id() -> str:
    """The id of a run: its time in UTC for people, and enough chance that no two are alike."""
    return f"{clock.utc():%Y%m%d-%H%M%S}-{os.urandom(3).hex()}"


def identity(run_id: str, what: str = "release") -> str:
    """How a run names itself as the holder of the lock."""
    who = origin(os.environ)
    return f"{who['user']}@{who['host']} (pid {who['pid']}, {what} {run_id})"
