"""A grace period that can be shortened while it runs, as a second deletion does."""

from __future__ import annotations

import asyncio
from typing import Any

from bluegreen import clock


class Grace:
    """Ends at a moment that may move closer."""

    def __init__(self, seconds: float) -> None:
        self._end_s = clock.now_s() + seconds
        self._shortened = asyncio.Event()

    @property
    def remaining_s(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._end_s - clock.now_s())

    def shorten(self, seconds: float) -> None:
        """Let it end that many seconds from now, if that is earlier."""
        if clock.now_s() + seconds < self._end_s:
            self._end_s = clock.now_s() + seconds
            self._shortened.set()

    async def wait(self, future: asyncio.Future[Any], at_least_s: float = 0.0) -> bool:
        """Wait for a future, for what is left of the period; whether it was done in time."""
        earliest_s = clock.now_s() + at_least_s
        while not future.done():
            left_s = max(self._end_s, earliest_s) - clock.now_s()
            if left_s <= 0:
                return False
            self._shortened.clear()
            shortened = asyncio.ensure_future(self._shortened.wait())
            await asyncio.wait({future, shortened}, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            shortened.cancel()
        return True
