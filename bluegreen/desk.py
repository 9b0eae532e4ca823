"""What every move of a release has at hand: the cluster, the journal, the lock, traffic, both colours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bluegreen import jobs
from bluegreen.access import Access
from bluegreen.deployments import Deployments
from bluegreen.errors import HarnessError, NeedsPersonError
from bluegreen.hooks import StepHooks
from bluegreen.journal import Journal, Record, Step
from bluegreen.kube import Kube
from bluegreen.lock import Lock
from bluegreen.observability import Observers
from bluegreen.settings import Settings
from bluegreen.steps import Steps
from bluegreen.traffic import Traffic
from bluegreen.verdict import Outcome


@dataclass
class Desk:
    """Everything a move needs at hand, for the holder of the lock."""

    kube: Kube
    settings: Settings
    out_dir: Path
    lock: Lock
    journal: Journal
    traffic: Traffic
    deployments: Deployments
    access: Access
    steps: Steps
    evidence: dict[str, dict[str, Any]] = field(default_factory=dict)  # by colour
    drain: dict[str, Any] = field(default_factory=dict)
    hooks: StepHooks = field(default_factory=StepHooks)
    observers: Observers = field(default_factory=Observers)
    shares: list[dict[str, Any]] = field(default_factory=list)  # each step of a switch in steps, see ``sharing``
    moved: list[dict[str, Any]] = field(default_factory=list)  # each confirmed move forward, and back in a rehearsal

    @property
    def record(self) -> Record:
        """The release under way."""
        if self.journal.record is None:
            raise HarnessError("No release is under way.")
        return self.journal.record

    def enter(self, step: Step, reason: str = "") -> None:
        """Write the step down, if no hook refuses it and the lock is still held."""
        self.lock.check()
        self.hooks.entering(step)
        self.lock.check()  # a hook may take its time
        self.journal.enter(step, reason)
        self.hooks.entered(step)

    def rest(self, step: Step, outcome: Outcome, reason: str = "", kept_until: str = "") -> None:
        """Write down how it ended, and what of it still stands on purpose."""
        self.lock.check()
        jobs.sweep(self.kube, self.record.id)
        self.journal.rest(step, outcome, reason, kept_until)
        self.hooks.entering(Step.CLOSED)

    def close(self, outcome: Outcome) -> None:
        """Write down how it ended."""
        self.lock.check()
        jobs.sweep(self.kube, self.record.id)
        self.journal.close(outcome)
        self.hooks.entering(Step.CLOSED)

    @contextmanager
    def attended(self) -> Iterator[None]:
        """Whatever happens inside, leave the desk tidy: nothing runs on, the lock is free, observers are told.

        That a person is needed is told to them too.
        """
        try:
            yield
        except NeedsPersonError as error:
            self.observers.person(str(error))
            raise
        finally:
            self.access.close()
            self.lock.release()
            self.observers.close()
