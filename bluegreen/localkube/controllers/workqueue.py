"""A controller's work: each key at most once, now or at a time, with back-off after failures.

A key whose pass is expensive waits a multiple of that cost before its next pass, so that many changes to one large
object (a ReplicaSet of a thousand pods) are taken together instead of one by one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from bluegreen import clock
from bluegreen.localkube.controllers.base import Key

COST_FACTOR = 5.0
"""Pause after a pass, as a multiple of its cost: one key gets at most a sixth of the process. A choice."""
CHEAP_S = 0.001
"""Passes below this cost are repeated at once; most objects never wait."""
FIRST_RETRY_S = 0.005
"""Back-off after a first failure, doubled each time: client-go's default rate limiter."""
LONGEST_RETRY_S = 60.0
"""Longest back-off (client-go: 1000 s, too long for somebody watching a laptop). A choice."""


@dataclass
class WorkQueue:
    """Keys to work on. ``wake`` is called whenever a key becomes ready."""

    wake: Callable[[], None]
    _ready: dict[Key, None] = field(default_factory=dict)
    _timers: dict[Key, tuple[float, asyncio.TimerHandle]] = field(default_factory=dict)
    _failures: dict[Key, int] = field(default_factory=dict)
    _resting: dict[Key, float] = field(default_factory=dict)  # key -> moment before which it is not run

    def __len__(self) -> int:
        return len(self._ready)

    def add(self, key: Key) -> None:
        """Run a key as soon as may be."""
        rest_s = self._resting.get(key, 0.0) - clock.now_s() if self._resting else 0.0
        if rest_s > 0:
            self.add_after(key, rest_s)
            return
        self._resting.pop(key, None)
        self._forget_timer(key)
        self._ready[key] = None
        self.wake()

    def add_after(self, key: Key, delay_s: float) -> None:
        """Run a key after so many seconds; an earlier time already set stands."""
        due_s = clock.now_s() + delay_s
        if key in self._ready or (key in self._timers and self._timers[key][0] <= due_s):
            return
        self._forget_timer(key)
        handle = asyncio.get_running_loop().call_later(delay_s, self._due, key)
        self._timers[key] = (due_s, handle)

    def hurry(self) -> None:
        """Run at once what has a time set."""
        for key in list(self._timers):
            self.add(key)

    def pop(self) -> Key | None:
        """The key that has waited longest, if any."""
        if not self._ready:
            return None
        key = next(iter(self._ready))
        del self._ready[key]
        return key

    def done(self, key: Key, cost_s: float, again_s: float | None) -> None:
        """A pass succeeded, took ``cost_s``, and wants to run again after ``again_s``."""
        self._failures.pop(key, None)
        if cost_s > CHEAP_S:
            self._resting[key] = clock.now_s() + cost_s * COST_FACTOR
            if key in self._ready:
                del self._ready[key]
                self.add(key)
        if again_s is not None:
            self.add_after(key, max(again_s, FIRST_RETRY_S))

    def failed(self, key: Key) -> None:
        """A pass failed: run it again after its back-off."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.add_after(key, min(FIRST_RETRY_S * 2**failures, LONGEST_RETRY_S))

    def close(self) -> None:
        """Drop all work."""
        for _, handle in self._timers.values():
            handle.cancel()
        self._ready.clear()
        self._timers.clear()

    def _due(self, key: Key) -> None:
        del self._timers[key]
        self._resting.pop(key, None)
        self._ready[key] = None
        self.wake()

    def _forget_timer(self, key: Key) -> None:
        timer = self._timers.pop(key, None)
        if timer:
            timer[1].cancel()
