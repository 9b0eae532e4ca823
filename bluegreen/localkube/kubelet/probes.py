"""Probes of one running container: when they run, how often they must fail or succeed, and what follows.

``Counter`` decides, without time or I/O; ``Prober`` runs the probes and tells the container what they mean.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bluegreen import clock
from bluegreen.localkube.kubelet.answers import Answer
from bluegreen.localkube.kubelet.handlers import Place, act

Obj = dict[str, Any]
MESSAGE_LIMIT = 1024  # characters of a probe's output in an event, as the kubelet cuts it
SYNC_S = 1.0
"""The kubelet learns of a started container within this time (its relist period) and probes it then."""
NUDGE_S = 0.02  # how soon a port that refused is tried again in that time; a choice


class Kind(StrEnum):
    """A probe's kind; the value is its name in a container."""

    STARTUP = "startupProbe"
    READINESS = "readinessProbe"
    LIVENESS = "livenessProbe"

    @property
    def word(self) -> str:
        """How events call it."""
        return self.value.removesuffix("Probe").capitalize()


@dataclass
class Counter:
    """Counts equal results in a row and says when they pass a threshold."""

    success_threshold: int
    failure_threshold: int
    last: bool | None = None
    row: int = 0

    def add(self, ok: bool | None) -> bool | None:
        """One more result: True or False once it has been so often enough, None before. None is no result."""
        if ok is None:
            return None
        self.row = self.row + 1 if ok == self.last else 1
        self.last = ok
        return ok if self.row >= (self.success_threshold if ok else self.failure_threshold) else None


@dataclass(frozen=True)
class Timing:
    """A probe's times, in seconds."""

    initial_delay_s: int
    period_s: int
    timeout_s: int

    @staticmethod
    def of(probe: Obj) -> Timing:
        """The times that a probe states, or Kubernetes' defaults."""
        return Timing(
            int(probe.get("initialDelaySeconds") or 0),
            int(probe.get("periodSeconds") or 10),
            int(probe.get("timeoutSeconds") or 1),
        )


@dataclass
class Outcome:
    """What the probes of a container instance say now."""

    started: bool = False
    ready: bool = False
    unhealthy: asyncio.Event = field(default_factory=asyncio.Event)
    failed: Kind | None = None  # whose failure made it unhealthy


class Prober:
    """Runs a container instance's probes until it is cancelled."""

    def __init__(
        self,
        container: Obj,
        place: Place,
        *,
        changed: Callable[[], None],
        event: Callable[[str, str, str], None],
    ) -> None:
        """``changed``: started or ready changed. ``event``: (type, reason, message) about the container."""
        self.container, self.place = container, place
        at_once = not container.get(Kind.STARTUP)
        self.outcome = Outcome(started=at_once, ready=at_once and not container.get(Kind.READINESS))
        self._changed, self._event = changed, event
        self._began_s = clock.now_s()
        self._asked_s: dict[Kind, float] = {}
        self._alive: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """The startup probe first, then readiness and liveness side by side."""
        startup, readiness, liveness = (self.container.get(kind) for kind in Kind)
        if startup and not await self._until_started(startup):
            return
        self._set(started=True, ready=not readiness)
        async with asyncio.TaskGroup() as group:
            if readiness:
                group.create_task(self._readiness(readiness, fresh=not startup))
            if liveness:
                self._alive.append(group.create_task(self._liveness(liveness)))

    def stop_liveness(self) -> None:
        """The pod goes: only readiness is still asked."""
        for task in self._alive:
            task.cancel()

    def _set(self, *, started: bool | None = None, ready: bool | None = None) -> None:
        before = self.outcome.started, self.outcome.ready
        if started is not None:
            self.outcome.started = started
        if ready is not None:
            self.outcome.ready = ready
        if before != (self.outcome.started, self.outcome.ready):
            self._changed()

    async def _until_started(self, probe: Obj) -> bool:
        counter, period_s = _counter(probe), Timing.of(probe).period_s
        ok = await self._first(Kind.STARTUP, probe)
        while (verdict := counter.add(ok)) is None:
            ok = await self._next(Kind.STARTUP, probe, period_s)
        if not verdict:
            self._unhealthy(Kind.STARTUP)
        return verdict

    async def _readiness(self, probe: Obj, fresh: bool) -> None:
        counter, period_s = _counter(probe), Timing.of(probe).period_s
        await self._delay(probe)
        ok = await (self._first if fresh else self._ask)(Kind.READINESS, probe)
        while True:
            verdict = counter.add(ok)
            if verdict is not None:
                self._set(ready=verdict)
            ok = await self._next(Kind.READINESS, probe, period_s)

    async def _liveness(self, probe: Obj) -> None:
        counter, timing = _counter(probe), Timing.of(probe)
        # the kubelet's ticker was started with the pod: its first tick comes about a period after the start
        await asyncio.sleep(max(timing.initial_delay_s, timing.period_s) - (clock.now_s() - self._began_s))
        ok = await self._ask(Kind.LIVENESS, probe)
        while counter.add(ok) is not False:
            ok = await self._next(Kind.LIVENESS, probe, timing.period_s)
        self._unhealthy(Kind.LIVENESS)

    def _unhealthy(self, kind: Kind) -> None:
        self.outcome.failed = kind
        self.outcome.unhealthy.set()

    async def _next(self, kind: Kind, probe: Obj, period_s: int) -> bool | None:
        """The result a period after the last probe began."""
        await asyncio.sleep(self._asked_s[kind] + period_s - clock.now_s())
        return await self._ask(kind, probe)

    async def _delay(self, probe: Obj) -> None:
        await asyncio.sleep(Timing.of(probe).initial_delay_s - (clock.now_s() - self._began_s))

    async def _first(self, kind: Kind, probe: Obj) -> bool | None:
        """The result of the first probe: after the initial delay, and within the kubelet's first sync.

        That moment is chance on a real node. Here it is when the port answers, so that no period is lost.
        """
        await self._delay(probe)
        if "exec" in probe:
            await asyncio.sleep(self._began_s + SYNC_S / 2 - clock.now_s())
        while True:
            answer = await self._act(kind, probe)
            if not answer.refused or clock.now_s() - self._began_s > SYNC_S:
                return self._judged(kind, answer)
            await asyncio.sleep(NUDGE_S)

    async def _ask(self, kind: Kind, probe: Obj) -> bool | None:
        return self._judged(kind, await self._act(kind, probe))

    async def _act(self, kind: Kind, probe: Obj) -> Answer:
        self._asked_s[kind] = clock.now_s()
        return await act(probe, self.place, Timing.of(probe).timeout_s)

    def _judged(self, kind: Kind, answer: Answer) -> bool | None:
        """The answer as a result; None for a probe that could not be tried, which counts for nothing."""
        if not answer.ok:
            self._event("Warning", "Unhealthy", sentence(kind, answer))
        return None if answer.broken else answer.ok


def sentence(kind: Kind, answer: Answer) -> str:
    """A failed probe, in the kubelet's words."""
    verb = "errored and resulted in unknown state" if answer.broken else "failed"
    return f"{kind.word} probe {verb}: {answer.message[:MESSAGE_LIMIT]}"


def _counter(probe: Obj) -> Counter:
    return Counter(int(probe.get("successThreshold") or 1), int(probe.get("failureThreshold") or 3))
