"""Bad images: each refused at its stage, or rolled back after the switch, with traffic where it was."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bluegreen import localkube
from bluegreen.verdict import EXIT_CODES, Outcome
from tests.matrix import whole
from tests.matrix.engine import Ended, Engine, Subject
from tests.matrix.row import Row
from tests.matrix.witness import Witness
from tests.release.test_bad_releases import REFUSED


@dataclass(frozen=True)
class Bad:
    """A bad image and how its release ends."""

    fault: str
    stage: str
    outcome: Outcome = Outcome.GATE_FAILED
    settings: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.fault}, to be caught by {self.stage}"


MOST_FELT = 40
"""Failed requests of the witness' probe, 20 a second, after an image turned bad: traffic is to be back within 2 s."""

STEADY = {"LOAD_TEST_DURATION": "4", "LOAD_USERS": "20", "LOAD_P95_MS": "500", "HEALTH_CHECK_TIMEOUT": "12"}
"""A load as hard as by default, for what shows under load only."""

CATALOGUE = (
    *(Bad(fault, stage, settings=STEADY) for fault, stage in REFUSED.items()),
    *(
        Bad(fault, "production", Outcome.ROLLED_BACK, {"POST_SWITCH_WATCH": "30"})
        for fault in ("unready-after-switch", "http-500-after-switch")
    ),
)


def refuse(subject: Subject, bad: Bad) -> Ended:
    """Release a bad image and hold that nothing came of it."""
    with Witness(subject.app) as witness:
        run = whole.release(subject.app, f"{subject.tag()}-bad-{bad.fault}", **bad.settings)
        code = run.end()
        witness.cut_off()
    assert witness.failed <= MOST_FELT, f"{witness.failed} requests failed before traffic was back: {witness.felt}"
    witness.forgive(bad.outcome is Outcome.ROLLED_BACK)
    left = witness.left
    assert left is not None, run.output[-2000:]
    assert left.outcome == bad.outcome, f"it ended {left.outcome}: {run.output[-3000:]}"
    assert code == EXIT_CODES[bad.outcome], f"exit code {code}: {run.output[-2000:]}"
    assert run.said(rf"failed +{bad.stage}: "), f"{bad.stage} did not catch it: {run.output[-2000:]}"
    return Ended(f"{bad.outcome}; {witness.hold()}", witness.requests, witness.failed)


def run(seed: int, count: int | None = None) -> list[Row]:
    """Every image of the catalogue, or ``count`` of them."""
    cases = [*CATALOGUE] if count is None else random.Random(seed).sample(CATALOGUE, min(count, len(CATALOGUE)))
    with localkube.running(localkube.DEFAULT_NAME) as cluster, tempfile.TemporaryDirectory() as folder:
        engine = Engine(cluster, Path(folder), at_once=1)
        return [engine.row("bad images refused, or rolled back after the switch", cases, refuse, seed)]
