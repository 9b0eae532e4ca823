"""Releases on a machine whose wall clock jumps by hours in mid-release, and whose next holder has another clock.

Half go on to their end, which must be as good as ever; half are killed after the jump, and mended by a process with
the right time, or with the wrong one where the release had the right one.
"""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bluegreen import localkube
from tests.apps import CHECKOUT
from tests.matrix import processes, whole
from tests.matrix.engine import Ended, Engine, Subject
from tests.matrix.row import Row
from tests.matrix.runs import measured_s, pause
from tests.matrix.witness import Witness

CASES = 30
PLUGIN = ("-p", "tests.matrix.jumping")


@dataclass(frozen=True)
class Jump:
    """A release whose clock jumps once or twice, and perhaps its end by -9 some time after the first jump."""

    at: float  # as a share of a release's time
    hours: float
    back: bool  # whether it jumps back later
    killed: float  # as a share of a release's time; 0: not killed
    next_is_off: bool  # whether the next release's clock is wrong from its start, and by the other sign

    def __str__(self) -> str:
        end = f"killed at {self.killed:.2f}" if self.killed else "not killed"
        return f"clock {self.hours:+.1f} h at {self.at:.2f} of a release{', and back' if self.back else ''}, {end}"


def jumps(count: int, chance: random.Random) -> list[Jump]:
    """So many by chance."""
    return [
        Jump(
            chance.uniform(0, 0.8),
            chance.choice([-1, 1]) * chance.uniform(0.5, 12),
            chance.random() < 0.3,
            chance.choice([0.0, chance.uniform(0.2, 1.0)]),
            chance.random() < 0.5,
        )
        for _ in range(count)
    ]


class Jumping:
    """Releases with a jumping clock; knows how long one takes."""

    def __init__(self, release_s: float) -> None:
        self.release_s = release_s

    def __call__(self, subject: Subject, jump: Jump) -> Ended:
        """One release with its jump; killed and followed by another where that was drawn."""
        with Witness(subject.app) as witness:
            run = self._start(subject, *self._moments(jump))
            if not jump.killed:
                code = run.end()
                assert code == 0, f"exit code {code}: {run.output[-3000:]}"
                witness.cut_off()
                next_tag = ""
            else:
                pause(jump.killed * self.release_s, lambda: run.over)
                run.kill()
                processes.require_gone(run.marker, whole.CHILDREN_S)
                witness.cut_off()
                next_tag = subject.tag()
                off = [(0.0, -jump.hours)] if jump.next_is_off else [(0.0, 0.0)]
                whole.once_free(lambda: self._start(subject, off, next_tag))
        return Ended(witness.hold(next_tag), witness.requests, witness.failed)

    def _moments(self, jump: Jump) -> tuple[list[tuple[float, float]]]:
        back = [(jump.at + 0.2, 0.0)] if jump.back else []
        return ([(jump.at, jump.hours), *back],)

    def _start(self, subject: Subject, moments: list[tuple[float, float]], tag: str = "") -> whole.Run:
        told = ",".join(f"{share * self.release_s:.2f}:{hours * 3600:.0f}" for share, hours in moments)
        more = {"CLOCK_JUMPS": told, "PYTHONPATH": str(CHECKOUT)}
        return whole.release(subject.app, tag or subject.tag(), *PLUGIN, **more)


def run(seed: int, count: int | None = None) -> list[Row]:
    """``count`` releases with a jumping clock, ``CASES`` by default."""
    with localkube.running(localkube.DEFAULT_NAME) as cluster, tempfile.TemporaryDirectory() as folder:
        engine = Engine(cluster, Path(folder))
        cases = jumps(CASES if count is None else count, random.Random(seed))
        return [engine.row("releases whose wall clock jumps by hours", cases, Jumping(measured_s(engine)), seed)]
