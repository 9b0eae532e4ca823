"""What hangs before and after each step of a release: migrations, approvals, notifications.

A step is one of the journal's (``journal.Step``): hooks run before the step is written down, so that a hook that
refuses leaves the release where it was. On the way forward an exception of a hook refuses the step, and the release
goes back; on the way back, and once a release is over, it is only told: nothing may keep live traffic from returning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bluegreen.errors import HarnessError, HookError
from bluegreen.journal import Step

BACKWARD = frozenset({Step.REVERTING, Step.ROLLING_BACK, Step.CLOSED})
"""The steps that no hook can refuse."""

UNDOING = frozenset({Step.REVERTING, Step.ROLLING_BACK})
"""The steps whose coming says that the one before did not end well."""


class Listener(Protocol):
    """Whoever hears of steps. What it raises refuses the step, where a step can be refused."""

    def before(self, step: Step) -> None:
        """A step is about to be taken."""

    def after(self, step: Step, failed: bool) -> None:
        """A step is over; ``failed`` when what follows undoes the release."""


class StepHooks:
    """Tells a listener of each step once, in order. Without a listener it does nothing."""

    def __init__(self, listener: Listener | None = None, tell: Callable[[str], None] = print) -> None:
        self._listener, self._tell = listener, tell
        self._announced: Step | None = None
        self._present: Step | None = None

    @property
    def listening(self) -> bool:
        """Whether anybody hears."""
        return self._listener is not None

    def entering(self, step: Step) -> None:
        """A step is about to be taken; saying so twice is saying it once. Raises HookError when it is refused."""
        if self._listener is None or step is self._announced:
            return
        self._announced = step
        listener, over = self._listener, self._present
        self._present = None
        if over is not None:
            self._run(lambda: listener.after(over, step in UNDOING), f"after {over}", step)
        if step is not Step.CLOSED:
            self._run(lambda: listener.before(step), f"before {step}", step)

    def entered(self, step: Step) -> None:
        """The step is written down and being taken."""
        self._present = step if step is not Step.CLOSED else None

    def _run(self, hook: Callable[[], None], when: str, following: Step) -> None:
        try:
            hook()
        except Exception as error:
            said = error.sentence if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
            if following in BACKWARD:
                self._tell(f"a hook {when} failed, and the release goes on: {said}")
                return
            remedy = error.remedy if isinstance(error, HarnessError) else ""
            raise HookError(f"A hook {when} refused: {said}", remedy) from error
