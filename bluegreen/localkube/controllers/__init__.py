"""The controllers: one reconcile loop a file, all run by one ``Manager`` inside the cluster's process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial

from bluegreen import clock
from bluegreen.localkube.controllers.base import CUSTOM, Context, Controller, Key
from bluegreen.localkube.controllers.roster import Options, controllers
from bluegreen.localkube.controllers.workqueue import WorkQueue
from bluegreen.localkube.kinds import KINDS, Kind
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.status import ApiError
from bluegreen.localkube.store import Change

__all__ = ["Manager", "Options"]

SLICE_S = 0.002
"""How long passes may follow each other before the API gets its turn. A choice: requests wait this much longer."""
EXPECTED_REFUSALS = frozenset((403, 404, 409, 410, 422, 429))
"""Refusals that a pass meets in the ordinary course of things; they are retried without a traceback."""
log = logging.getLogger(__name__)


class Manager:
    """Runs every controller over one registry, from ``start()`` until ``stop()``.

    Starting looks at every object once, so a cluster that comes back goes on where it was. Admission that belongs
    to controllers (quota) works from construction on.
    """

    def __init__(self, registry: Registry, options: Options | None = None) -> None:
        self.context = Context(registry)
        self.controllers: tuple[Controller, ...] = controllers(self.context, options or Options())
        self._lag_s: dict[str, float] = {}  # a fault on demand: how late a controller, by name, sees changes
        self._wake = asyncio.Event()
        self._queues = {controller.name: WorkQueue(self._wake.set) for controller in self.controllers}
        self._unsubscribe: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Follow all changes, look at everything that is there, and keep going in the background."""
        store = self.context.store
        watchers = self._watchers()
        custom = watchers.pop(CUSTOM, [])
        for key, interested in watchers.items():
            self._look_at_all(KINDS[key], interested)
            self._unsubscribe.append(store.subscribe(KINDS[key], partial(self._follow, interested)))
        for kind in store.kinds.custom:
            self._look_at_all(kind, custom)
        self._unsubscribe.append(store.subscribe_custom(lambda _, change: self._follow(custom, change)))
        self._task = asyncio.create_task(self._run(), name="controllers")

    def _look_at_all(self, kind: Kind, interested: Iterable[Controller]) -> None:
        for entry in self.context.store.entries(kind):
            version = int(entry.obj["metadata"]["resourceVersion"])
            self._follow(interested, Change("ADDED", entry.obj, entry.encoded, None, version))

    async def stop(self) -> None:
        """Stop following and drop all work; objects stay as they are."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._unsubscribe.clear()
        for queue in self._queues.values():
            queue.close()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def enqueue(self, controller: str, key: Key) -> None:
        """Have a controller look at a key though nothing changed in the store (new measurements, a test)."""
        self._queues[controller].add(key)

    def set_lag(self, controller: str, lag_s: float) -> None:
        """Let a controller see changes so much later from now on; what has waited so far it sees at once."""
        self._lag_s.pop(controller, None)
        if lag_s:
            self._lag_s[controller] = lag_s
        self._queues[controller].hurry()

    @property
    def idle(self) -> bool:
        """Whether no key is waiting to be worked on now (timers may be set)."""
        return not any(self._queues.values())

    def _watchers(self) -> dict[str, list[Controller]]:
        watchers: dict[str, list[Controller]] = {}
        for controller in self.controllers:
            for kind in controller.watches:
                watchers.setdefault(kind, []).append(controller)
        return watchers

    def _follow(self, interested: Iterable[Controller], change: Change) -> None:
        for controller in interested:
            lag_s = self._lag_s.get(controller.name) if self._lag_s else None
            for key in controller.keys(change):
                if lag_s:
                    self._queues[controller.name].add_after(key, lag_s)
                else:
                    self._queues[controller.name].add(key)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            started_s = clock.now_s()
            while self.step():
                if clock.now_s() - started_s > SLICE_S:
                    await asyncio.sleep(0)
                    started_s = clock.now_s()

    def step(self) -> bool:
        """One pass of every controller that has work; whether there was any."""
        worked = False
        for controller in self.controllers:
            key = self._queues[controller.name].pop()
            if key is not None:
                worked = True
                self._pass(controller, key)
        return worked

    def _pass(self, controller: Controller, key: Key) -> None:
        queue, started_s = self._queues[controller.name], clock.now_s()
        try:
            again_s = controller.reconcile(key)
        except ApiError as error:
            level = logging.DEBUG if error.code in EXPECTED_REFUSALS else logging.WARNING
            log.log(level, "%s %s: %s", controller.name, "/".join(key), error.message)
            queue.failed(key)
        except Exception:
            log.exception("%s %s: pass failed", controller.name, "/".join(key))
            queue.failed(key)
        else:
            queue.done(key, clock.now_s() - started_s, again_s)
