"""The processes that pods of the embedded cluster are, to be frozen and woken by tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def processes(pods: list[str]) -> list[int]:
    """The processes of these pods, by the name each was told in its environment."""
    told = {f"POD_NAME={pod}".encode() for pod in pods}
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if told & set((folder / "environ").read_bytes().split(b"\0")):
                found.append(int(folder.name))
    return found


@contextmanager
def frozen(pods: list[str]) -> Iterator[None]:
    """The pods' processes stand still: they take connections and answer nothing, and are ready until probes say no."""
    pids = processes(pods)
    assert len(pids) >= len(pods)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
