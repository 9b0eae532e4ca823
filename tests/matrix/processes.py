"""Which processes belong to one run, so that none of them is left when it is gone.

Each run gets a folder of its own as TMPDIR. A child inherits it, locust's bare environment included, and whoever was
handed a file of the run names it on its command line.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from bluegreen import clock
from bluegreen.clock import Deadline

PAUSE_S = 0.05


def of_run(marker: str) -> dict[int, str]:
    """The processes whose environment or command line holds the marker: process id -> command line."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # it ended meanwhile, or is somebody else's
            line = (entry / "cmdline").read_bytes()
            if line and marker.encode() in (entry / "environ").read_bytes() + line:
                found[int(entry.name)] = line.replace(b"\0", b" ").decode(errors="replace").strip()
    return found


def require_gone(marker: str, patience_s: float) -> float:
    """Wait until no process of a run is left; the seconds it took. Raises AssertionError with those that remain."""
    deadline = Deadline(patience_s)
    while left := of_run(marker):
        assert not deadline.expired, f"left behind after {patience_s:g} s: {left}"
        clock.sleep_s(PAUSE_S)
    return deadline.elapsed_s


def workers_of(marker: str) -> list[int]:
    """The process ids of a run's xdist workers."""
    return sorted(pid for pid, line in of_run(marker).items() if "execnet" in line or "sys.stdin.readline()" in line)
