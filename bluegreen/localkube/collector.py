"""When Python looks for cycles among all objects: in quiet moments, because it stops everything else meanwhile.

What the store holds are trees, which go without being looked for; but a look at them takes 0.1 s for a thousand pods,
and Python would take it in the middle of a rollout. Young objects are looked at as always. Connections and tasks that
became cycles are what a full look is for.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import resource

_YOUNG = (10_000, 20)  # how many new objects, and how often those, before the two young generations are looked at
_NEVER = 2**30
_EVERY_S = 5.0
"""How often this looks for a quiet moment. A choice."""
_QUIET = 0.1
"""A moment is quiet when the process used less than this share of a processor since the last look. A choice."""
_AT_LEAST_EVERY_S = 300.0
"""After so long without a quiet moment any will do. A choice."""


class Collector:
    """Collects cycles from ``start()`` until ``stop()``."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._usual = gc.get_threshold()

    async def start(self) -> None:
        """Full collections happen here only from now on."""
        gc.collect()
        gc.freeze()  # what start-up made lives as long as the process: later collections need not look at it
        gc.set_threshold(*_YOUNG, _NEVER)
        self._task = asyncio.create_task(self._run(), name="collector")

    async def stop(self) -> None:
        """Leave it to Python again."""
        gc.set_threshold(*self._usual)
        gc.unfreeze()
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        used_s, since_s = _used_s(), 0.0
        while True:
            await asyncio.sleep(_EVERY_S)
            before_s, used_s = used_s, _used_s()
            since_s += _EVERY_S
            if due(used_s - before_s, since_s) and gc.get_count()[2]:
                gc.collect()
                used_s, since_s = _used_s(), 0.0


def due(used_s: float, since_s: float) -> bool:
    """Whether to collect now: ``used_s`` of a processor in the last stretch, ``since_s`` after the last collection."""
    return used_s < _QUIET * _EVERY_S or since_s >= _AT_LEAST_EVERY_S


def _used_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
