"""Releases whose reports/ is on a full disk: before they begin, or from some moment on. A real one: a small tmpfs.

It is mounted in a mount namespace of the run's own (``unshare``), so that it is gone with the run.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bluegreen import localkube
from bluegreen.verdict import EXIT_CODES, Outcome
from tests.apps import CHECKOUT
from tests.matrix import whole
from tests.matrix.engine import Ended, Engine, Subject
from tests.matrix.row import Row
from tests.matrix.witness import Witness

CASES = 40

MOUNTED = """
set -e
mkdir -p "$REPORTS_DIR"
mount -t tmpfs -o size=2m none "$REPORTS_DIR"
head -c "$1" /dev/zero > "$REPORTS_DIR/occupied" || true
shift
exec "$@"
"""
"""Runs a command with its reports on a disk of 2 MiB, of which so many bytes are taken already."""

SIZE = 2 * 1024 * 1024


@dataclass(frozen=True)
class Disk:
    """How many bytes a release may write, and which release."""

    free: int
    bad: bool
    workers: bool

    def __str__(self) -> str:
        what = f"{'bad' if self.bad else 'good'} release{' -n 2' if self.workers else ''}"
        return f"{what} with {self.free // 1024} KiB left for reports"


def disks(count: int, chance: random.Random) -> list[Disk]:
    """So many by chance; one in four is full from the beginning. A whole report takes 1.1 MiB, most at its end."""
    sizes = [0 if chance.random() < 0.25 else int(2 ** chance.uniform(12, 20.3)) for _ in range(count)]
    return [Disk(size // 4096 * 4096, chance.random() < 0.25, chance.random() < 0.33) for size in sizes]


def unshared() -> list[str]:
    """The command that gives what follows mounts of its own; where root may not be had, as root of a user namespace."""
    return ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]


def available() -> str:
    """Why such a disk cannot be had here; empty when it can."""
    if shutil.which("unshare") is None:
        return "there is no unshare here"
    with tempfile.TemporaryDirectory() as folder:
        command = [*unshared(), "mount", "-t", "tmpfs", "-o", "size=1m", "none", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr.strip()


def filled(subject: Subject, disk: Disk) -> Ended:
    """Release with so much room, and hold that verdict, exit code and traffic are what they must be."""
    with Witness(subject.app) as witness:
        tag = subject.tag() + ("-bad-http-500" if disk.bad else "")
        suite = [sys.executable, "-m", "pytest", str(CHECKOUT / "suites" / "release"), "-p", "no:cacheprovider"]
        command = [*unshared(), "sh", "-c", MOUNTED, "sh", str(SIZE - disk.free), *suite]
        run = whole.start(subject.app, [*command, *(["-n", "2"] if disk.workers else [])], tag)
        code = run.end()
        left = witness.cut_off()
    words = witness.hold()
    outcome = Outcome(left.outcome) if left is not None else Outcome.COULD_NOT_START
    right = Outcome.GATE_FAILED if disk.bad else Outcome.SWITCHED
    assert outcome is right, f"it ended {outcome}: {run.output[-3000:]}"
    assert code == EXIT_CODES[outcome], f"exit code {code}, but it ended {outcome}: {run.output[-3000:]}"
    assert run.said(f"(?m)^{str(outcome).upper()}"), f"the terminal does not say {outcome}: {run.output[-3000:]}"
    assert "Traceback" not in run.output, run.output[-3000:]
    if left is not None:
        before, after = witness.before.live, witness.survivor[0]
        told = f"traffic +{before} -> {after}" if before is not after else f"traffic +stays with {after}"
        assert run.said(told), f"the terminal tells other than {told!r}: {run.output[-3000:]}"
    return Ended(f"ended {outcome}; {words}", witness.requests, witness.failed, (f"ended {outcome}",))


def run(seed: int, count: int | None = None) -> list[Row]:
    """``count`` releases with little room for their reports, ``CASES`` by default."""
    what = "releases with a full disk under reports/"
    if why := available():
        return [Row(what, 1, 0, seed, wrong=[f"not tried: {why}"])]
    with localkube.running(localkube.DEFAULT_NAME) as cluster, tempfile.TemporaryDirectory() as folder:
        cases = disks(CASES if count is None else count, random.Random(seed))
        return [Engine(cluster, Path(folder)).row(what, cases, filled, seed)]
