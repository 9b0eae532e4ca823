"""Releases killed with -9 at every boundary and at random moments, mended by ``recover`` or by the next release.

    python -m tests.matrix kills [--seed N]

Prints a line a kill and a table at the end; exits with 1 when one was not mended. The ordinary tests run a sample.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from bluegreen import clock, localkube, recovery
from bluegreen.clock import Deadline
from bluegreen.colour import Colour
from bluegreen.errors import CannotStartError
from tests.apps import App, Driven
from tests.matrix.row import Row

MOMENTS = 100
"""The other hundred are those of whole runs, in ``matrix.runs``."""
LONGEST_S = 4.5
"""About as long as such a release takes on a small machine."""

SCENARIOS = {"forward": (), "refused": ("--refuse",), "rolled-back": ("--roll-back",), "rehearsed": ("--rehearse",)}
"""What the killed release was about to do, and the driver's arguments for it."""

GOOD, CANDIDATE, NEXT = "v1.0.0", "v1.1.0", "v1.2.0"


@dataclass(frozen=True)
class Kill:
    """One kill and the way it is mended."""

    scenario: str
    when: str  # "before" or "after" a write, or "at" a moment
    place: float  # the number of the write, or seconds after the start of the process
    by_next_run: bool

    def __str__(self) -> str:
        where = f"at {self.place:.2f} s" if self.when == "at" else f"{self.when} write {self.place:.0f}"
        return f"{self.scenario}, killed {where}, mended by {'the next run' if self.by_next_run else 'recover'}"


def writes_of(app: App, scenario: str) -> list[str]:
    """The writes of a whole release of this scenario, in order. Leaves the application at rest."""
    done = app.driven(CANDIDATE, *SCENARIOS[scenario])
    assert done.code == 0, done.log
    return [str(write) for write in done.said["writes"]]


def survive(app: App, kill: Kill) -> str:
    """Kill a release of an application that serves ``GOOD``, mend it, and hold what must be true; what it ended as.

    Raises AssertionError with what was not true.
    """
    with app.watched() as selectors:
        killed = _killed(app, kill)
        if killed.code != 0:
            assert killed.code == -signal.SIGKILL, killed.log
            _mend(app, kill.by_next_run)
    assert set(selectors) <= {str(colour) for colour in Colour}, selectors
    app.at_rest()
    assert app.live is not None
    kept = {app.tag(colour) for colour in Colour if app.deployment(colour) is not None}
    live = app.tag(app.live)
    if kill.by_next_run and killed.code != 0:
        assert live == NEXT, live
        assert kept & {GOOD, CANDIDATE}, kept
    else:
        assert GOOD in kept, kept
    return f"serves {live}, keeps {', '.join(sorted(kept))}"


def _killed(app: App, kill: Kill) -> Driven:
    if kill.when != "at":
        return app.driven(CANDIDATE, *SCENARIOS[kill.scenario], "--kill", kill.when, "--write", f"{kill.place:.0f}")
    command, environment = app.command(CANDIDATE, *SCENARIOS[kill.scenario])
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=log)
        try:
            process.wait(kill.place)
        except subprocess.TimeoutExpired:
            process.kill()
        code = process.wait()
        log.seek(0)
        return Driven(code, {}, log.read())


def _mend(app: App, by_next_run: bool) -> None:
    if by_next_run:
        done = app.driven(NEXT, "--wait-for-lock")
        assert done.said.get("outcome") == "switched", (done.said, done.log)
        return
    deadline = Deadline(20)
    while True:
        try:
            recovery.recover(app.settings(CANDIDATE), app.kube, lambda _: None)
            return
        except CannotStartError:  # the killed holder's Lease has not run out yet
            assert not deadline.expired


def boundaries(writes: Callable[[str], list[str]], chance: random.Random) -> Iterable[Kill]:
    """Every boundary of every scenario, mended either way by chance."""
    for scenario in SCENARIOS:
        for number in range(1, len(writes(scenario)) + 1):
            for when in ("before", "after"):
                yield Kill(scenario, when, number, chance.random() < 0.5)


def moments(longest_s: float, count: int, chance: random.Random) -> Iterable[Kill]:
    """Random moments in the life of the process."""
    for _ in range(count):
        yield Kill(chance.choice([*SCENARIOS]), "at", chance.uniform(0.5, longest_s), chance.random() < 0.5)


def run(seed: int, count: int | None = None) -> list[Row]:
    """The matrix on a cluster of its own: every boundary and ``MOMENTS`` moments, or ``count`` of each."""
    chance = random.Random(seed)
    with localkube.running() as cluster, tempfile.TemporaryDirectory() as folder:
        reference = App(cluster, Path(folder))
        reference.released(GOOD)
        places = list(boundaries(lambda scenario: writes_of(reference, scenario), chance))
        reference.remove()
        if count is not None:
            places = chance.sample(places, min(count, len(places)))
        instants = list(moments(LONGEST_S, MOMENTS if count is None else count, chance))
        return [
            _row("driven releases killed with -9 at a write to the API", places, cluster, Path(folder), seed),
            _row("driven releases killed with -9 at a random moment", instants, cluster, Path(folder), seed),
        ]


def _row(what: str, kills: list[Kill], cluster: localkube.Cluster, folder: Path, seed: int) -> Row:
    lost: list[str] = []
    for number, kill in enumerate(kills, 1):
        started_s = clock.now_s()
        app = App(cluster, folder)
        try:
            app.released(GOOD)
            ended = survive(app, kill)
        except AssertionError as error:
            ended = f"LOST: {error}"
            lost.append(f"{kill}: {error}")
        finally:
            app.remove()
        print(f"{number}/{len(kills)} {kill}: {ended} ({clock.now_s() - started_s:.1f} s)", file=sys.stderr, flush=True)
    return Row(what, len(kills), len(kills) - len(lost), seed, wrong=lost)
