"""``bluegreen reset`` killed with -9 at random moments, then run again, or followed by a release: nothing is stuck."""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bluegreen import localkube
from bluegreen.clock import Deadline
from tests.matrix import processes, whole
from tests.matrix.engine import Ended, Engine, Subject
from tests.matrix.row import Row
from tests.matrix.runs import pause

CASES = 16
LONGEST_S = 2.5


@dataclass(frozen=True)
class Reset:
    """When a reset is killed, in seconds after its start, and what comes after it."""

    killed_s: float
    then_release: bool

    def __str__(self) -> str:
        return f"reset killed at {self.killed_s:.2f} s, then {'a release' if self.then_release else 'reset again'}"


def resets(count: int, chance: random.Random) -> list[Reset]:
    """So many by chance."""
    return [Reset(chance.uniform(0.2, LONGEST_S), chance.random() < 0.5) for _ in range(count)]


def cut(subject: Subject, reset: Reset) -> Ended:
    """Kill a reset, then do what comes after it, and hold that it works."""
    app = subject.app
    killed = whole.bluegreen(app, "v1.0.0", "reset", "--yes", app.namespace)
    pause(reset.killed_s, lambda: killed.over)
    place = "over already" if killed.over else "killed"
    killed.kill()
    processes.require_gone(killed.marker, whole.CHILDREN_S)
    if reset.then_release:
        tag = subject.tag()
        done = app.driven(tag, "--wait-for-lock")
        if app.kube.get("Namespace", app.namespace) is not None and done.said.get("outcome") != "switched":
            _await_namespace_gone(subject)  # it was on its way out when the release came: the release said so
            assert done.said.get("kind") in ("CannotStartError", "Forbidden"), (done.said, done.log)
            done = app.driven(tag, "--wait-for-lock")
        assert done.said.get("outcome") == "switched", (done.said, done.log)
        app.at_rest()
        return Ended(f"{place}; {tag} serves", heads=(place,))
    again = whole.bluegreen(app, "v1.0.0", "reset", "--yes", app.namespace)
    assert again.end() == 0, again.output[-2000:]
    assert app.kube.get("Namespace", app.namespace) is None, "the namespace is still there"
    app.released(subject.tag())
    return Ended(f"{place}; all gone, and a release works again", heads=(place,))


def _await_namespace_gone(subject: Subject) -> None:
    app = subject.app
    app.kube.wait(
        "Namespace",
        lambda found: None if found else True,
        fields=f"metadata.name={app.namespace}",
        deadline=Deadline(60),
        awaited="the namespace is gone",
    )


def run(seed: int, count: int | None = None) -> list[Row]:
    """Kill ``count`` resets, ``CASES`` by default."""
    with localkube.running(localkube.DEFAULT_NAME) as cluster, tempfile.TemporaryDirectory() as folder:
        cases = resets(CASES if count is None else count, random.Random(seed))
        return [Engine(cluster, Path(folder)).row("`bluegreen reset` killed with -9", cases, cut, seed)]
