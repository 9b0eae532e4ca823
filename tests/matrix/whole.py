"""Whole processes, as a user starts them: ``pytest suites/release`` and the command ``bluegreen``."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bluegreen import clock
from bluegreen.clock import Deadline
from tests.apps import CHECKOUT, App
from tests.matrix import processes

QUICK = {
    "LEASE_DURATION": "2",
    "LOAD_TEST_DURATION": "6",
    "LOAD_WARMUP": "1",
    "LOAD_USERS": "4",
    "LOAD_MIN_REQUESTS": "1",
    "LOAD_P95_MS": "20000",
    "POST_SWITCH_WATCH": "1",
}
"""A short and easy gate: what is tested is what becomes of a run that is cut off, not the load."""

CHILDREN_S = 20.0
"""The longest that children of a killed run may live; they learn of its end by a closed pipe or their parent's id."""

LONGEST_S = 240.0
"""A whole run on a machine with other things to do; one that takes longer hangs."""


@dataclass
class Run:
    """One whole process with its children, its output in a file."""

    process: subprocess.Popen[bytes]
    folder: Path
    began_s: float = field(default_factory=clock.now_s)
    took_s: float = 0.0  # from its start to its end, once that was waited for

    @property
    def marker(self) -> str:
        """What stands in the environment of each of its processes."""
        return self.folder.name

    @property
    def output(self) -> str:
        """Everything that it has printed so far."""
        return (self.folder / "output").read_text(errors="replace")

    @property
    def over(self) -> bool:
        """Whether the process itself has ended."""
        return self.process.poll() is not None

    def kill(self) -> None:
        """End the process with -9, and nothing but the process; its children must see to themselves."""
        self.process.kill()
        self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it is over."""
        if not self.over:
            self.process.send_signal(number)

    def end(self, longest_s: float = LONGEST_S) -> int:
        """Wait for the end; the exit code. Raises AssertionError for a run that hangs, after ending it."""
        try:
            code = self.process.wait(longest_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"it hung for {longest_s:g} s: {self.output[-2000:]}") from None
        self.took_s = clock.now_s() - self.began_s
        processes.require_gone(self.marker, CHILDREN_S)
        return code

    def said(self, pattern: str) -> bool:
        """Whether something was printed."""
        return re.search(pattern, self.output) is not None


def environment(app: App, tag: str, folder: Path, **more: str) -> dict[str, str]:
    """What such a process gets: its settings, and of ours nothing but PATH and HOME."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    own = {"BLUEGREEN_HOME": str(app.cluster.base), "TMPDIR": str(folder), "REPORTS_DIR": str(folder / "reports")}
    return {**kept, **app.environment(tag, **QUICK), **own, **more}


def start(app: App, command: Sequence[str], tag: str, **more: str) -> Run:
    """Start a process for an application, in a folder of its own, and come back at once."""
    folder = app.folder / f"run-{uuid.uuid4().hex}"
    folder.mkdir(parents=True)
    with open(folder / "output", "wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(app, tag, folder, **more),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return Run(process, folder)


def release(app: App, tag: str, *arguments: str, **more: str) -> Run:
    """Start ``pytest suites/release``."""
    suite = str(CHECKOUT / "suites" / "release")
    return start(app, [sys.executable, "-m", "pytest", suite, "-p", "no:cacheprovider", *arguments], tag, **more)


def bluegreen(app: App, tag: str, *arguments: str, **more: str) -> Run:
    """Start ``bluegreen`` with these arguments."""
    return start(app, [sys.executable, "-m", "bluegreen.cli", *arguments], tag, **more)


def released(app: App, tag: str, *arguments: str) -> Run:
    """A whole release that got through, begun as soon as the lock of a run that is gone could be had."""
    return once_free(lambda: release(app, tag, *arguments))


def recovered(app: App, tag: str) -> Run:
    """``bluegreen recover`` that got through, as soon as it could have the lock."""
    return once_free(lambda: bluegreen(app, tag, "recover"))


def once_free(begin) -> Run:  # type: ignore[no-untyped-def]
    """Begin again for as long as the exit code says that nothing could be begun (4), and demand success."""
    deadline = Deadline(LONGEST_S)
    while True:
        run: Run = begin()
        code = run.end()
        if code != 4 or deadline.expired:
            assert code == 0, f"exit code {code}: {run.output[-3000:]}"
            return run
        clock.sleep_s(0.2)
