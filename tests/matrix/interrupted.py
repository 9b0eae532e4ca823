"""Runs told to end by SIGINT or SIGTERM, once or twice, at random moments; and releases that lose an xdist worker.

Nobody mends anything afterwards: such a run puts its release in order itself, and its exit code says how it ended.
"""

from __future__ import annotations

import os
import random
import signal
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bluegreen import localkube
from bluegreen.clock import Deadline
from bluegreen.journal import Record, Step
from bluegreen.verdict import EXIT_CODES, Outcome
from tests.matrix import processes, whole
from tests.matrix.engine import Ended, Engine, Subject
from tests.matrix.row import Row
from tests.matrix.runs import KINDS, begin, measured_s, pause
from tests.matrix.whole import Run
from tests.matrix.witness import Witness

SIGNALS = 60
WORKERS = 30

SIGNALLED = ("release", "release -n 2", "refused release", "rolled-back release", "rollback", "recover of a switch")
WITH_WORKERS = ("release -n 2", "refused release -n 2")

COULD_NOT_START = EXIT_CODES[Outcome.COULD_NOT_START]
INTERRUPTED = EXIT_CODES[Outcome.INTERRUPTED]


@dataclass(frozen=True)
class Blow:
    """Something that befalls a run: signals to it, or -9 to one of its workers."""

    kind: str
    step: Step | None
    delay: float
    number: signal.Signals
    again: float  # seconds until the second signal; 0: there is none
    worker: int = -1  # which worker gets the signal; -1: the run itself

    def __str__(self) -> str:
        since = f"{self.step} began" if self.step is not None else "the start"
        who = f"worker {self.worker} of {self.kind}" if self.worker >= 0 else self.kind
        twice = f" and again {self.again:.2f} s later" if self.again else ""
        return f"{who}, {self.number.name} {self.delay:.3f} of a release after {since}{twice}"


def signals(count: int, chance: random.Random) -> list[Blow]:
    """So many interruptions by chance, half of them doubled."""
    return [
        _blow(chance, SIGNALLED, chance.choice([signal.SIGINT, signal.SIGTERM]), chance.choice([0, 1]))
        for _ in range(count)
    ]


def lost_workers(count: int, chance: random.Random) -> list[Blow]:
    """So many crashes of a worker by chance."""
    return [_blow(chance, WITH_WORKERS, signal.SIGKILL, 0, chance.choice([0, 1])) for _ in range(count)]


def _blow(chance: random.Random, kinds: tuple[str, ...], number: signal.Signals, twice: int, worker: int = -1) -> Blow:
    name = chance.choice(kinds)
    kind = KINDS[name]
    step = chance.choice([None, chance.choice([*kind.steps])])
    most = kind.length if step is None else kind.steps[step]
    return Blow(name, step, chance.uniform(0, most), number, twice * chance.uniform(0.01, 1.5), worker)


class Striking:
    """Strikes runs, and holds that they end in order by themselves."""

    def __init__(self, release_s: float) -> None:
        self.release_s = release_s

    def __call__(self, subject: Subject, blow: Blow) -> Ended:
        """Strike one run, let it end, and hold what must be true."""
        kind = KINDS[blow.kind]
        with Witness(subject.app) as witness:
            run = begin(subject, kind, witness)
            hit = self._strike(run, blow, witness)
            code = run.end()
            left = witness.cut_off()
            require_right_code(code, left, run)
            if left is not None and left.unfinished and not begun(run):
                whole.recovered(subject.app, witness.before.tag)  # interrupted before it began to mend
        witness.forgive(kind.felt)
        words = witness.hold()
        outcome = left.outcome or "unfinished" if left is not None else "nothing opened"
        head = f"ended {outcome}" if hit else "ran to its end"
        return Ended(f"{head}, exit code {code}; {words}", witness.requests, witness.failed, (head,))

    def _strike(self, run: Run, blow: Blow, witness: Witness) -> bool:
        if blow.step is not None:
            witness.await_step(blow.step, Deadline(whole.LONGEST_S), lambda: run.over)
        pause(blow.delay * self.release_s, lambda: run.over)
        if run.over:
            return False
        if blow.worker >= 0:
            return kill_worker(run, blow.worker)
        run.signal(blow.number)
        if blow.again:
            pause(blow.again, lambda: run.over)
            run.signal(blow.number)
        return True


def begun(run: Run) -> bool:
    """Whether a command has come as far as mending."""
    return not run.said("bluegreen: interrupted") or run.said("mend release")


def kill_worker(run: Run, which: int) -> bool:
    """Kill an xdist worker of a run with -9; False when it has none at this moment."""
    workers = processes.workers_of(run.marker)
    if not workers:
        return False
    with suppress(ProcessLookupError):
        os.kill(workers[which % len(workers)], signal.SIGKILL)
    return True


def require_right_code(code: int, left: Record | None, run: Run) -> None:
    """The exit code says what the journal says; a run that had opened nothing was interrupted, or never came to it."""
    if left is None and "in makegateway" in run.output:
        return  # a worker died as xdist was starting it: pytest's own error, before anything of a release began
    assert "Traceback" not in run.output, run.output[-3000:]
    assert "INTERNALERROR" not in run.output, run.output[-3000:]
    if left is None:
        fitting = {INTERRUPTED, COULD_NOT_START, -signal.SIGTERM, -signal.SIGINT}
        assert code in fitting, f"exit code {code}, though nothing was opened: {run.output[-2000:]}"
    elif not left.unfinished and code != -signal.SIGTERM:
        fitting = {EXIT_CODES[Outcome(left.outcome)], *([INTERRUPTED, 0] if "recover" in run.output.lower() else [])}
        assert code in fitting, f"exit code {code}, journal {left.outcome}: {run.output[-2000:]}"


def struck(what: str, blows: list[Blow], seed: int) -> list[Row]:
    """Strike all of these on a cluster of their own."""
    with localkube.running(localkube.DEFAULT_NAME) as cluster, tempfile.TemporaryDirectory() as folder:
        engine = Engine(cluster, Path(folder))
        return [engine.row(what, blows, Striking(measured_s(engine)), seed)]


def run(seed: int, count: int | None = None) -> list[Row]:
    """Interrupt ``count`` runs, ``SIGNALS`` by default."""
    blows = signals(SIGNALS if count is None else count, random.Random(seed))
    return struck("whole runs interrupted by SIGINT or SIGTERM, once or twice", blows, seed)
