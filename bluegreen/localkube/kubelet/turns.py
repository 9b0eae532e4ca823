"""Work that many pods want done at once, a little at a time, so that the API's clients get their turn in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bluegreen import clock

SLICE_S = 0.002
"""How long such work may go on before everybody else gets a turn. A choice: requests wait this much longer."""


class Turns:
    """A queue of calls, each at most once in it; ``at_once``: how many before others have their turn, at most."""

    def __init__(self, at_once: int = 1000) -> None:
        self._at_once = at_once
        self._waiting: dict[Callable[[], None], None] = {}
        self._scheduled = False

    def add(self, call: Callable[[], None]) -> None:
        """Call it soon; once, however often it is added before that."""
        self._waiting[call] = None
        if not self._scheduled:
            self._schedule()

    async def take(self) -> None:
        """Wait for a turn."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def give() -> None:
            if not turn.done():
                turn.set_result(None)

        self.add(give)
        await turn

    def _schedule(self) -> None:
        self._scheduled = True
        asyncio.get_running_loop().call_soon(self._work)

    def _work(self) -> None:
        self._scheduled = False
        ends_s = clock.now_s() + SLICE_S
        try:
            for _ in range(min(self._at_once, len(self._waiting))):
                call = next(iter(self._waiting))
                del self._waiting[call]
                call()
                if clock.now_s() >= ends_s:
                    break
        finally:  # a call that fails keeps nobody waiting
            if self._waiting and not self._scheduled:
                self._schedule()
