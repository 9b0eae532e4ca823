"""Ten releases of one application started together: one runs, nine stop at once. Other applications wait for nobody."""

from __future__ import annotations

import random
import re
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bluegreen import clock, localkube
from tests.apps import App
from tests.matrix import whole
from tests.matrix.engine import Ended, Engine, Subject
from tests.matrix.row import Row
from tests.matrix.witness import Witness

ROUNDS = 5
RELEASES = 10
COULD_NOT_START = 4

NEIGHBOUR = {"APP_NAME": "neighbour", "SERVICE_NAME": "neighbour-service"}
"""Another application of the same namespace."""


@dataclass
class Timed:
    """A whole run with the moments of its beginning and its end."""

    run: whole.Run
    began_s: float
    code: int = -1
    ended_s: float = 0.0
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._await)
        self.thread.start()

    def _await(self) -> None:
        self.code = self.run.process.wait()
        self.ended_s = clock.now_s()


def all_ended(starts: list[Callable[[], whole.Run]]) -> list[Timed]:
    """Start all of these at once and wait for all."""
    runs = [Timed(start(), clock.now_s()) for start in starts]
    for one in runs:
        one.thread.join(whole.LONGEST_S)
        one.run.end()
    return runs


def contend(subject: Subject, others: App) -> Ended:
    """Ten on one application, one on its neighbour, and one on an application elsewhere; hold what must be true."""
    app, tags = subject.app, [subject.tag() for _ in range(RELEASES)]
    with Witness(app, NEIGHBOUR["APP_NAME"]) as witness:
        ten = [lambda tag=tag: whole.release(app, tag) for tag in tags]  # type: ignore[misc]
        strangers = [lambda: whole.release(app, tags[0], **NEIGHBOUR), lambda: whole.release(others, tags[0])]
        ended = all_ended([*ten, *strangers])
        witness.cut_off()
    words = witness.hold()
    contenders, free = ended[:RELEASES], ended[RELEASES:]
    winners = [one for one in contenders if one.code == 0]
    losers = [one for one in contenders if one.code != 0]
    assert len(winners) == 1, [(one.code, one.run.output[-600:]) for one in contenders]
    for one in losers:
        _require_told(one, winners[0])
    for one in free:
        assert one.code == 0, f"another application's release ended with {one.code}: {one.run.output[-2000:]}"
    slowest_s = max(one.ended_s - one.began_s for one in losers)
    winner_s = winners[0].ended_s - winners[0].began_s
    took = f"nine stopped within {slowest_s:.1f} s, the one took {winner_s:.1f} s"
    return Ended(f"{took}; {words}", witness.requests, witness.failed)


def _require_told(loser: Timed, winner: Timed) -> None:
    """It stopped while the one ran, and named the holder, since when, and what to do; it left no report behind."""
    output = loser.run.output
    assert loser.code == COULD_NOT_START, (loser.code, output[-2000:])
    assert loser.ended_s < winner.ended_s, "it waited for the one to end"
    said = r"is being released by \S+@\S+ \(pid (\d+), release \S+\) since 20\d\d-\S+Z?\..*Wait until that release ends"
    found = re.search(said, " ".join(output.split()))
    assert found, f"it does not say who holds the lock, since when and what to do: {output[-2000:]}"
    assert int(found[1]) == winner.run.process.pid, f"it names {found[1]} as the holder"
    assert "Traceback" not in output, output[-2000:]
    assert not (loser.run.folder / "reports").exists(), "it left a report"


def run(seed: int, count: int | None = None) -> list[Row]:
    """``count`` rounds of ten, ``ROUNDS`` by default. The seed decides nothing here but the order of the table."""
    rounds = [f"round {number}" for number in range(ROUNDS if count is None else count)]
    random.Random(seed).shuffle(rounds)
    with localkube.running(localkube.DEFAULT_NAME) as cluster, tempfile.TemporaryDirectory() as folder:
        others = App(cluster, Path(folder))
        engine = Engine(cluster, Path(folder), at_once=1)

        def act(subject: Subject, _: str) -> Ended:
            return contend(subject, others)

        row = engine.row("ten releases at once on one application, two on others", rounds, act, seed)
        others.remove()
        return [row]
