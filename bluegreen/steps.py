"""The steps of a release as a person follows them: a line a step with its time, kept for the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bluegreen import clock


@dataclass
class Step:
    """One step under way or over. ``detail`` is set by whoever takes it."""

    name: str
    started_s: float  # since the release began
    duration_s: float = 0.0
    detail: str = ""
    failed: bool = False

    def as_json(self) -> dict[str, Any]:
        """JSON-able."""
        times = {"started_s": round(self.started_s, 3), "duration_s": round(self.duration_s, 3)}
        return {"name": self.name, **times, "detail": self.detail, "failed": self.failed}


@dataclass
class Steps:
    """All steps of one release, in the order in which they began."""

    progress: Callable[[str], None]
    began_s: float = field(default_factory=clock.now_s)
    taken: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Time what happens inside and tell it, also when it fails."""
        step = Step(name, clock.now_s() - self.began_s)
        self.taken.append(step)
        try:
            yield step
        except BaseException:
            step.failed = True
            raise
        finally:
            step.duration_s = clock.now_s() - self.began_s - step.started_s
            self.progress(line(step))

    def durations_s(self) -> dict[str, float]:
        """Seconds a step name, summed over repetitions."""
        total: dict[str, float] = {}
        for step in self.taken:
            total[step.name] = round(total.get(step.name, 0.0) + step.duration_s, 3)
        return total


def line(step: Step) -> str:
    """A step in one line."""
    text = f"{step.name}: {step.detail}" if step.detail else step.name
    return f"{text} {'failed after' if step.failed else 'in'} {step.duration_s:.2f} s"
