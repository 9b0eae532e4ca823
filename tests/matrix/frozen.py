"""Releases frozen at a write to the API (SIGSTOP), taken over when their Lease has run out, and woken: nothing moves.

Half are woken when the next release is over, half as soon as the next one has stamped its epoch. What they were about
to send is sent then, with no check in between: what refuses it is the API.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bluegreen import clock, localkube
from bluegreen.clock import Deadline
from tests.apps import App, Driven
from tests.kill_matrix import SCENARIOS
from tests.matrix.engine import Ended, Engine, Subject
from tests.matrix.row import Row
from tests.matrix.witness import Witness

TAKEN_OVER = ("LockLostError", "JournalLostError", "FencedOffError")
WATCHED = ("Service", "Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget", "ConfigMap", "Lease")
LONGEST_S = 120.0


@dataclass(frozen=True)
class Freeze:
    """One frozen release: at which write of which scenario, and when it is woken."""

    scenario: str
    when: str
    number: int
    woken_late: bool

    def __str__(self) -> str:
        woken = "after the next release" if self.woken_late else "as soon as the next one has stamped its epoch"
        return f"{self.scenario}, frozen {self.when} write {self.number}, woken {woken}"


def freezes(writes: dict[str, int], chance: random.Random) -> list[Freeze]:
    """Every write of every scenario, before and after it."""
    return [
        Freeze(scenario, when, number, chance.random() < 0.5)
        for scenario in SCENARIOS
        for number in range(1, writes[scenario] + 1)
        for when in ("before", "after")
    ]


def frozen(subject: Subject, freeze: Freeze) -> Ended:
    """Freeze a release, let the next one take over, wake it, and hold that it changed nothing."""
    app, next_tag = subject.app, subject.tag()
    with Witness(app) as witness:
        with sleeper(app, subject.tag(), freeze) as process:
            await_frozen(process)
            witness.cut_off()
            if freeze.woken_late:
                require_switched(app.driven(next_tag, "--wait-for-lock"))
                before = state(app)
                ended = wake(process)
                after = state(app)
                changed = {key: (before.get(key), after.get(key)) for key in {*before, *after}}
                changed = {key: pair for key, pair in changed.items() if pair[0] != pair[1]}
                assert not changed, f"the woken release changed something: {changed}"
            else:
                ended = _woken_in_between(app, next_tag, process, witness)
        _require_silenced(ended, witness)
        epochs = [release for release, _ in witness.steps]
        assert epochs == sorted(epochs, key=epochs.index), f"two releases wrote the journal in turns: {witness.steps}"
    words = witness.hold(next_tag)
    return Ended(f"{ended.said.get('kind', 'nothing left to do')}; {words}", witness.requests, witness.failed)


def _woken_in_between(app: App, tag: str, process: subprocess.Popen[str], witness: Witness) -> Driven:
    """Wake it while the next release runs, right after that one became the journal's writer."""
    done: list[Driven] = []
    running = threading.Thread(target=lambda: done.append(app.driven(tag, "--wait-for-lock")))
    writer = _writer(app)
    running.start()
    deadline = Deadline(LONGEST_S)
    while _writer(app) == writer and running.is_alive():
        assert not deadline.expired, "nobody took over"
        clock.sleep_s(0.01)
    ended = wake(process)
    running.join(LONGEST_S)
    assert done, "the next release hung"
    require_switched(done[0])
    return ended


def _writer(app: App) -> str:
    journal = app.kube.get("ConfigMap", "gremlinsai-backend-release-journal")
    return str((journal or {}).get("data", {}).get("writer"))


def _require_silenced(ended: Driven, witness: Witness) -> None:
    """It found out that it was taken over, unless there was nothing left for it to do."""
    left = witness.left
    over = left is None or not left.unfinished  # frozen before it opened its release, or after it had closed it
    assert ended.said.get("kind") in TAKEN_OVER or (over and ended.code in (0, 1)), (ended.code, ended.said, ended.log)
    assert "Traceback" not in ended.log, ended.log


def require_switched(driven: Driven) -> None:
    """A release that got through."""
    assert driven.said.get("outcome") == "switched", (driven.said, driven.log)


@contextmanager
def sleeper(app: App, tag: str, freeze: Freeze) -> Iterator[subprocess.Popen[str]]:
    """A driven release that will freeze itself; ended in any case."""
    where = ("--freeze", "--kill", freeze.when, "--write", str(freeze.number))
    command, environment = app.command(tag, *SCENARIOS[freeze.scenario], *where)
    log, out = app.folder / f"{tag}-{app.namespace}.log", app.folder / f"{tag}-{app.namespace}.out"
    with open(log, "w") as errors, open(out, "w") as said:
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=errors, text=True)
    process.args = (str(out), str(log))
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def await_frozen(process: subprocess.Popen[str]) -> None:
    """Wait until the process has stopped itself."""
    deadline = Deadline(LONGEST_S)
    while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert process.poll() is None, "it ended before it froze"
        assert not deadline.expired, "it never froze"
        clock.sleep_s(0.02)


def wake(process: subprocess.Popen[str]) -> Driven:
    """Let it go on; how it ended."""
    os.kill(process.pid, signal.SIGCONT)
    code = process.wait(LONGEST_S)
    out, log = (Path(file).read_text() for file in process.args)  # type: ignore[arg-type]
    return Driven(code, json.loads(out) if out else {}, log)


def state(app: App) -> dict[str, Any]:
    """All that a release writes, as it is in the cluster; what controllers write of themselves is left out."""
    return {
        f"{kind}/{obj['metadata']['name']}": {
            **{key: value for key, value in obj.items() if key not in ("metadata", "status")},
            "labels": obj["metadata"].get("labels"),
            "annotations": obj["metadata"].get("annotations"),
            "uid": obj["metadata"]["uid"],
        }
        for kind in WATCHED
        for obj in app.kube.list(kind)
    }


def run(seed: int, count: int | None = None) -> list[Row]:
    """Freeze a release at ``count`` of the writes it makes, or at each of them."""
    chance = random.Random(seed)
    with localkube.running() as cluster, tempfile.TemporaryDirectory() as folder:
        engine = Engine(cluster, Path(folder))
        reference = engine.subject()
        writes = {
            scenario: len(reference.app.driven(reference.tag(), *arguments).said["writes"])
            for scenario, arguments in SCENARIOS.items()
        }
        reference.app.remove()
        cases = freezes(writes, chance)
        if count is not None:
            cases = chance.sample(cases, min(count, len(cases)))
        return [engine.row("releases frozen at a write past their Lease, then woken", cases, frozen, seed)]
