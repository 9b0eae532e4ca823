"""The store's log on disk: a line a write, appended before the write is acknowledged.

A plain ``write`` without ``fsync``: what was acknowledged survives the death of this process at any
moment, not the death of the machine. A put is the object itself; a removal is a small record of its own.
A last line cut short by a kill was never acknowledged and is dropped.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

_LOG = logging.getLogger(__name__)

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
        self._compact_above = _COMPACT_ABOVE

    def replay(self) -> Iterator[dict[str, Any]]:
        """Every record of an earlier run, oldest first. A line that cannot be read ends the log."""
        self._size = 0
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
                self._size += len(line)

    def begin(self, snapshot: Iterable[bytes]) -> None:
        """Go on after ``replay``: with a snapshot, or where there is no room for one behind what was read."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if not self._rewrite(snapshot):
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._file, self._size)

    def _rewrite(self, snapshot: Iterable[bytes]) -> bool:
        """Replace the log by a snapshot in one rename; the old one goes on where that fails."""
        fresh = self._path.with_suffix(".new")
        try:
            file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                size = sum(_write(file, b"\n".join([*batch, b""])) for batch in _batches(snapshot))
                os.replace(fresh, self._path)
            except BaseException:
                os.close(file)
                raise
        except OSError as error:
            _LOG.warning("the log %s could not be rewritten: %s", self._path, error)
            with contextlib.suppress(OSError):
                fresh.unlink()
            return False
        self.close()
        self._file, self._size = file, size
        return True

    def append(self, record: bytes) -> None:
        """Add one record. A write that fails half-way (a full disk) is taken back, and raises OSError."""
        try:
            self._size += _write(self._file, record + b"\n")
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise

    def compact_if_worthwhile(self, live_bytes: int, snapshot: Callable[[], Iterable[bytes]]) -> None:
        """Rewrite the log when most of it has been overtaken by later writes."""
        if self._size > self._compact_above and self._size > _COMPACT_RATIO * live_bytes:
            # after a failure not at every write again, but once the log has doubled
            self._compact_above = _COMPACT_ABOVE if self._rewrite(snapshot()) else 2 * self._size

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _batches(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = iter(lines)
    while batch := list(islice(rest, 256)):
        yield batch


def _write(file: int, data: bytes) -> int:
    """Write all of it; gives how much that was."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
    return len(data)
