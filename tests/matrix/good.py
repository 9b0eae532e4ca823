"""Healthy images, released one after the other while something else keeps every core busy: none may be refused."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bluegreen import localkube
from bluegreen.verdict import EXIT_CODES, Outcome
from tests.matrix import whole
from tests.matrix.engine import Ended, Engine, Subject
from tests.matrix.row import Row
from tests.matrix.witness import Witness

RELEASES = 100

DEFAULTS = {"LOAD_MIN_REQUESTS": "100", "LOAD_P95_MS": "500", "LOAD_USERS": "20", "LOAD_TEST_DURATION": "10"}
"""The thresholds of the defaults; the load test is half as long."""


@contextmanager
def busy_cores() -> Iterator[None]:
    """Something else that wants every core, at the same priority, for as long as the block runs."""
    loop = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(100_000))"
    burners = [subprocess.Popen([sys.executable, "-c", loop]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def let_through(subject: Subject, number: int) -> Ended:
    """Release a healthy image and hold that it serves, and that nobody noticed."""
    with Witness(subject.app) as witness:
        run = whole.release(subject.app, subject.tag(), **DEFAULTS)
        code = run.end()
        witness.cut_off()
    assert code == EXIT_CODES[Outcome.SWITCHED], f"release {number} was refused, exit code {code}: {run.output[-3000:]}"
    return Ended(f"switched; {witness.hold()}", witness.requests, witness.failed)


def run(seed: int, count: int | None = None) -> list[Row]:
    """``RELEASES`` in a row, or ``count``; the seed changes nothing here."""
    cases = range(1, 1 + (RELEASES if count is None else count))
    with (
        localkube.running(localkube.DEFAULT_NAME) as cluster,
        tempfile.TemporaryDirectory() as folder,
        busy_cores(),
    ):
        engine = Engine(cluster, Path(folder), at_once=1)
        return [engine.row("healthy images let through while every core is busy", cases, let_through, seed)]
