"""Whole processes killed with -9 at random moments: releases of every kind, a worker's too, and the commands that mend.

Half of the moments lie anywhere in a run's life; the other half within a step of the release, so that the short steps
are met too. Half are mended by ``bluegreen recover``, half simply by the next release: a whole run, or the library's.
"""

from __future__ import annotations

import random
import signal
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bluegreen import clock, localkube
from bluegreen.clock import Deadline
from bluegreen.journal import Step
from tests.matrix import processes, whole
from tests.matrix.engine import Ended, Engine, Subject
from tests.matrix.row import Row
from tests.matrix.whole import Run
from tests.matrix.witness import Witness

MOMENTS = 100
LEASE_S = 1.5
"""Longer than the Lease of a driven release."""


@dataclass(frozen=True)
class Kind:
    """One kind of run: what it does, how many cases of a hundred it gets, and its steps with their rough lengths."""

    share: int
    arguments: Sequence[str] = ()
    fault: str = ""
    command: str = ""  # of ``bluegreen``, in place of a release
    settings: Mapping[str, str] = field(default_factory=dict)
    length: float = 1.0  # its length as a multiple of a release's
    steps: Mapping[Step, float] = field(default_factory=dict)
    killed: Sequence[str] = ()  # the driver's arguments for the release that it is to mend
    felt: bool = False  # whether live turns bad in it, as its image does: then failed requests are no defect


FORWARD = {
    Step.OPENED: 0.05,
    Step.STANDING_UP: 0.2,
    Step.JUDGING: 0.5,
    Step.SWITCHING: 0.03,
    Step.WATCHING: 0.2,
    Step.RETIRING: 0.1,
}
REFUSED = {Step.STANDING_UP: 0.2, Step.JUDGING: 0.3, Step.REVERTING: 0.1}
BACK = {Step.SWITCHING: 0.03, Step.WATCHING: 0.3, Step.ROLLING_BACK: 0.1}

RECOVER, NEXT, NEXT_DRIVEN = "recover", "the next release", "the next release, driven"
MENDERS = (RECOVER, RECOVER, NEXT, NEXT_DRIVEN)

KINDS = {
    "release": Kind(30, steps=FORWARD),
    "release -n 2": Kind(20, ("-n", "2"), steps=FORWARD, length=1.3),
    "release --rehearse": Kind(
        16, ("--rehearse",), steps={**FORWARD, Step.SWITCHING: 0.15, Step.REHEARSING: 0.15}, length=1.3
    ),
    "refused release": Kind(8, fault="-bad-http-500", steps=REFUSED, length=0.7),
    "refused release -n 2": Kind(6, ("-n", "2"), fault="-bad-http-500", steps=REFUSED),
    "rolled-back release": Kind(
        8, fault="-bad-http-500-after-switch", settings={"POST_SWITCH_WATCH": "30"}, steps=BACK, length=2.0, felt=True
    ),
    "rollback": Kind(12, command="rollback", steps={**FORWARD, Step.JUDGING: 0.05}, length=0.5),
    "recover of a revert": Kind(
        8, command="recover", steps={Step.REVERTING: 0.1}, length=0.4, killed=("--kill", "before", "--step", "judging")
    ),
    "recover of a switch": Kind(
        8,
        command="recover",
        steps={Step.ROLLING_BACK: 0.1},
        length=0.4,
        killed=("--kill", "after", "--step", "watching"),
    ),
}
"""The kinds of runs, with their shares."""


@dataclass(frozen=True)
class Cut:
    """One kill: of which kind of run, when, and how it is mended."""

    kind: str
    step: Step | None  # counted from the beginning of this step; None: of the process
    delay: float  # as a share of a whole release's time
    mender: str

    def __str__(self) -> str:
        since = f"{self.step} began" if self.step is not None else "the start"
        return f"{self.kind}, killed {self.delay:.3f} of a release after {since}, mended by {self.mender}"


def cuts(count: int, chance: random.Random) -> list[Cut]:
    """So many kills, by chance."""
    found = []
    for name in chance.choices([*KINDS], [kind.share for kind in KINDS.values()], k=count):
        kind = KINDS[name]
        step = chance.choice([None, chance.choice([*kind.steps])])
        most = kind.length if step is None else kind.steps[step]
        found.append(Cut(name, step, chance.uniform(0, most), chance.choice(MENDERS)))
    return found


class Killing:
    """Kills runs; knows how long a whole release takes here and now, by the last one that went to its end."""

    def __init__(self, release_s: float) -> None:
        self.release_s = release_s

    def __call__(self, subject: Subject, cut: Cut) -> Ended:
        """Kill one run, mend it, and hold what must be true."""
        with Witness(subject.app) as witness:
            run = begin(subject, KINDS[cut.kind], witness)
            place = self._kill(run, cut, witness)
            processes.require_gone(run.marker, whole.CHILDREN_S)
            left = witness.cut_off()
            next_tag = self._mend(subject, cut, witness)
        witness.forgive(KINDS[cut.kind].felt)
        words = witness.hold(next_tag)
        at = f"journal at {left.step}" if left is not None else "nothing opened"
        return Ended(f"{place}, {at}; {words}", witness.requests, witness.failed, (f"killed with {at}", place))

    def _mend(self, subject: Subject, cut: Cut, witness: Witness) -> str:
        """Mend what is left; the version that the next release brought, "" where it was ``recover``."""
        if cut.mender == RECOVER:
            whole.recovered(subject.app, witness.before.tag)
            return ""
        tag = subject.tag()
        if cut.mender == NEXT:
            self.release_s = whole.released(subject.app, tag).took_s
        else:
            done = subject.app.driven(tag, "--wait-for-lock")
            assert done.said.get("outcome") == "switched", (done.said, done.log)
        return tag

    def _kill(self, run: Run, cut: Cut, witness: Witness) -> str:
        """Kill it when it is time; where it was, in words."""
        if cut.step is not None:
            witness.await_step(cut.step, Deadline(whole.LONGEST_S), lambda: run.over)
        pause(cut.delay * self.release_s, lambda: run.over)
        if run.over:
            return "ran to its end"
        run.kill()
        return "killed"


def begin(subject: Subject, kind: Kind, witness: Witness) -> Run:
    """Start a run of this kind."""
    tag = subject.tag() + kind.fault
    if not kind.command:
        return whole.release(subject.app, tag, *kind.arguments, **kind.settings)
    if kind.killed:
        done = subject.app.driven(tag, *kind.killed)
        assert done.code == -signal.SIGKILL, done.log
        clock.sleep_s(LEASE_S)  # so that it finds the lock of somebody who is gone, and mends
    return whole.bluegreen(subject.app, witness.before.tag, kind.command)


def pause(seconds: float, over: Callable[[], bool]) -> None:
    """Wait so long, or until it is over."""
    deadline = Deadline(seconds)
    while not (over() or deadline.expired):
        clock.sleep_s(min(0.02, deadline.remaining_s))


def measured_s(engine: Engine) -> float:
    """The seconds of a whole release here and now."""
    subject = engine.subject()
    took_s = whole.released(subject.app, subject.tag()).took_s
    subject.app.remove()
    return took_s


def run(seed: int, count: int | None = None) -> list[Row]:
    """Kill ``count`` whole processes, ``MOMENTS`` by default, on a cluster of their own."""
    chance = random.Random(seed)
    with localkube.running(localkube.DEFAULT_NAME) as cluster, tempfile.TemporaryDirectory() as folder:
        engine = Engine(cluster, Path(folder))
        killing = Killing(measured_s(engine))
        chosen = cuts(MOMENTS if count is None else count, chance)
        return [engine.row("whole runs killed with -9 at a random moment", chosen, killing, seed)]
