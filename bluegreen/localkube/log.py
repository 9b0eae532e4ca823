"""The store's log on disk: a line a write, appended before the write is acknowledged.

A plain ``write`` without ``fsync``: what was acknowledged survives the death of this process at any
moment, not the death of the machine. A put is the object itself; a removal is a small record of its own.
A last line cut short by a kill was never acknowledged and is dropped.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

REMOVED = "removed"
"""The one key of a removal's record: [apiVersion, kind, namespace, name, resourceVersion]."""

_COMPACT_ABOVE = 32 * 1024 * 1024  # bytes; a choice: below it rewriting saves nobody anything
_COMPACT_RATIO = 4  # a log this many times its live objects is rewritten; a choice


class Log:
    """An append-only file, mode 0600 because it holds Secrets; rewritten when most of it is out of date."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1
        self._size = 0

    def replay(self) -> Iterator[dict[str, Any]]:
        """Every record of an earlier run, oldest first. A line that cannot be read ends the log."""
        if not self._path.exists():
            return
        with self._path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    return
                try:
                    yield orjson.loads(line)
                except orjson.JSONDecodeError:
                    return

    def rewrite(self, snapshot: Iterable[bytes]) -> None:
        """Replace the log by a snapshot, in one rename, and append to that from now on."""
        self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        self._file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = 0
        batch: list[bytes] = []
        for line in snapshot:
            batch.append(line)
            if len(batch) == 256:
                self._write(b"\n".join([*batch, b""]))
                batch.clear()
        self._write(b"\n".join([*batch, b""]))
        os.replace(fresh, self._path)

    def append(self, record: bytes) -> None:
        """Add one record. A write that fails half-way (a full disk) is taken back, and raises OSError."""
        self._write(record + b"\n")

    def compact_if_worthwhile(self, live_bytes: int, snapshot: Callable[[], Iterable[bytes]]) -> None:
        """Rewrite the log when most of it has been overtaken by later writes."""
        if self._size > _COMPACT_ABOVE and self._size > _COMPACT_RATIO * live_bytes:
            self.rewrite(snapshot())

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self, data: bytes) -> None:
        view, before = memoryview(data), self._size
        try:
            while view:
                written = os.write(self._file, view)
                self._size += written
                view = view[written:]
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, before)
                self._size = before
            raise
