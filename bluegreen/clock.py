"""Time, in one place: the only importer of ``time`` and of the wall clock, so that tests never sleep.

Durations are monotonic; the wall clock is for people and for the cluster's own timestamps.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


def now_s() -> float:
    """Seconds on the monotonic clock; only differences mean anything."""
    return time.monotonic()


def wall_s() -> float:
    """Seconds since the epoch on the wall clock, which may jump: for people, files and certificates only."""
    return time.time()


def utc() -> datetime:
    """The wall clock in UTC, with microseconds."""
    return datetime.now(UTC)


def timestamp() -> str:
    """The wall clock as Kubernetes writes ``metav1.Time``: RFC 3339 in UTC, whole seconds."""
    return f"{utc().isoformat(timespec='seconds')[:19]}Z"  # a tenth of strftime's time; every write asks twice


def timestamp_in(seconds: float) -> str:
    """The same, of a moment so many seconds from now."""
    return f"{(utc() + timedelta(seconds=seconds)).isoformat(timespec='seconds')[:19]}Z"


def micro_timestamp() -> str:
    """The wall clock as Kubernetes writes ``metav1.MicroTime``: RFC 3339 in UTC with six decimals."""
    return f"{utc().isoformat(timespec='microseconds')[:26]}Z"


def sleep_s(seconds: float) -> None:
    """Block this thread. For pauses between attempts only: waits watch conditions."""
    if seconds > 0:
        time.sleep(seconds)


@dataclass(frozen=True)
class Deadline:
    """A moment on the monotonic clock that a wait may not pass."""

    seconds: float
    started_s: float = field(default_factory=now_s)

    @property
    def remaining_s(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.started_s + self.seconds - now_s())

    @property
    def elapsed_s(self) -> float:
        """Seconds since the deadline was set."""
        return now_s() - self.started_s

    @property
    def expired(self) -> bool:
        """Whether the moment has passed."""
        return self.remaining_s <= 0
