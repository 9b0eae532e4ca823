"""The ways in which a sample can be bad: each a small class, each caught at one stage of the gate.

A fault is asked at fixed points (is the process ready, what does /health say, may this API request be answered);
the healthy ``Fault`` answers as a good backend does.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from dataclasses import dataclass, field


def now_s() -> float:
    """Seconds on the event loop's monotonic clock."""
    return asyncio.get_running_loop().time()


@dataclass
class Fault:
    """A healthy backend, and the points where a fault may differ.

    ``start_limit_s``: how long a deployment waits for readiness; ``started_s``: when this process started.
    """

    start_limit_s: float = 300.0
    started_s: float = field(default_factory=now_s)

    deaf_metrics_port = False  # the metrics port takes connections and answers nothing
    empty_metrics = False  # /metrics answers, but holds none of the application's families
    claimed_version = ""  # the version it claims instead of its own

    def watch(self) -> None:
        """Called once when the process serves; a fault may schedule its own end."""

    def ready(self) -> bool:
        """Whether /ready says yes."""
        return True

    def health(self) -> str:
        """The status that /health states, with HTTP 200."""
        return "healthy"

    def live_traffic(self) -> None:
        """Called for each request of a user: not the kubelet's, not the gate's."""

    async def api(self) -> int:
        """Called before each API request is answered; the status to fail with, or 0."""
        return 0


class NeverReady(Fault):
    """Caught by resources: no pod becomes ready."""

    def ready(self) -> bool:
        return False


class CrashLoop(NeverReady):
    """Caught by resources: the container exits shortly after it started."""

    def watch(self) -> None:
        asyncio.get_running_loop().call_later(0.3, os._exit, 1)


class SlowStart(Fault):
    """Caught by resources: ready only 20 s after a deployment has stopped waiting."""

    def ready(self) -> bool:
        return now_s() - self.started_s >= self.start_limit_s + 20


class Unhealthy(Fault):
    """Caught by health: the status is 200, the body says unhealthy."""

    def health(self) -> str:
        return "unhealthy"


class Http500(Fault):
    """Caught by api: health and metrics are fine, everything a user asks for is not."""

    async def api(self) -> int:
        return 500


class WrongVersion(Fault):
    """Caught by api: it is another build than its image says."""

    claimed_version = "v0.0.0-another-build"


class NoMetrics(Fault):
    """Caught by monitoring: /metrics answers 200 without the application's families."""

    empty_metrics = True


class Deaf(Fault):
    """Caught by network: the metrics port takes connections and never answers."""

    deaf_metrics_port = True


@dataclass
class Rated(Fault):
    """Knows how many API requests it was asked in the last second."""

    asked_s: deque[float] = field(default_factory=deque)

    def rate(self) -> int:
        """Count this request, and say how many there were within the last second."""
        self.asked_s.append(now_s())
        while self.asked_s[0] <= self.asked_s[-1] - 1:
            self.asked_s.popleft()
        return len(self.asked_s)


@dataclass
class Flaky10(Rated):
    """Caught by load: every tenth API request fails while there are more than 20 a second."""

    over_rate: int = 0

    async def api(self) -> int:
        if self.rate() <= 20:
            return 0
        self.over_rate += 1
        return 500 if self.over_rate % 10 == 0 else 0


class Slow(Fault):
    """Caught by load: 800 ms an API answer."""

    async def api(self) -> int:
        await asyncio.sleep(0.8)
        return 0


class DiesUnderLoad(Rated):
    """Caught by load: the process ends once it is asked more than 30 API requests within a second."""

    async def api(self) -> int:
        if self.rate() > 30:
            os._exit(1)
        return 0


@dataclass
class AfterSwitch(Fault):
    """Turns bad ``after_s`` after the first request of a user: after the switch, and never before."""

    first_user_s: float | None = None
    after_s = 5.0

    def live_traffic(self) -> None:
        self.first_user_s = self.first_user_s or now_s()

    def bad(self) -> bool:
        """Whether its time has come."""
        return self.first_user_s is not None and now_s() - self.first_user_s >= self.after_s


class UnreadyAfterSwitch(AfterSwitch):
    """Caught by production, rolled back: the pods leave the live Service."""

    def ready(self) -> bool:
        return not self.bad()


class Http500AfterSwitch(AfterSwitch):
    """Caught by production, rolled back: users get 500."""

    async def api(self) -> int:
        return 500 if self.bad() else 0


class Http500LongAfterSwitch(Http500AfterSwitch):
    """The same, when a team may already have stopped looking."""

    after_s = 20.0


FAULTS: dict[str, type[Fault]] = {
    "": Fault,
    "never-ready": NeverReady,
    "crash-loop": CrashLoop,
    "slow-start": SlowStart,
    "unhealthy": Unhealthy,
    "http-500": Http500,
    "wrong-version": WrongVersion,
    "no-metrics": NoMetrics,
    "deaf": Deaf,
    "flaky-10": Flaky10,
    "slow": Slow,
    "dies-under-load": DiesUnderLoad,
    "unready-after-switch": UnreadyAfterSwitch,
    "http-500-after-switch": Http500AfterSwitch,
    "http-500-20s-after-switch": Http500LongAfterSwitch,
}
