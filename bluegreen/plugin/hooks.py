"""How a release's steps reach pytest's hooks (``specification``), what a hook has at hand, and the hooks of settings.

Hooks run in the process that owns the release, never in a worker.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bluegreen.errors import HarnessError
from bluegreen.journal import Step

if TYPE_CHECKING:
    from bluegreen.approval import Reply
    from bluegreen.jobs import Ended
    from bluegreen.kube import Kube
    from bluegreen.release import Release
    from bluegreen.settings import Settings

REFUSALS = (pytest.fail.Exception, pytest.skip.Exception, pytest.exit.Exception)
"""pytest's own outcomes, which are no ordinary exceptions: in a hook each of them is a refusal."""


@dataclass(frozen=True)
class Context:
    """What a hook has at hand."""

    settings: Settings
    cluster: Kube
    release: Release
    progress: Callable[[str], None]

    def run_job(self, file: str | Path, timeout_s: float = 600.0) -> Ended:
        """Run the Job or Pod of a manifest to its end in the cluster; it is removed afterwards.

        Placeholders of settings are put in. Raises JobFailedError with what it printed, TimeoutExpiredError, and
        InputError for a file that holds anything else.
        """
        from bluegreen import jobs
        from bluegreen.clock import Deadline

        ended = jobs.run(
            self.cluster,
            jobs.read(self.settings, Path(file)),
            release=self.release.id,
            deadline=Deadline(timeout_s),
            on_tick=self.release.lock.check,
        )
        self.progress(f"{ended.name} {'succeeded' if ended.succeeded else 'failed'}")
        return jobs.must_succeed(ended)

    def await_approval(self, step: str, question: str = "", timeout_s: float | None = None) -> Reply:
        """Wait until a person says ``bluegreen approve``; live is looked at meanwhile.

        Raises ApprovalRefusedError when the answer is no, or there is none in time (APPROVAL_TIMEOUT).
        """
        from bluegreen import approval

        asked = question or f"may {self.settings.docker_image} go on to {step}?"
        self.release.desk.observers.person(f"{asked} Answer with `bluegreen approve`, or `--refuse`.")
        return approval.wait(
            self.cluster,
            self.settings,
            self.release.id,
            step,
            question=asked,
            timeout_s=self.settings.approval_timeout if timeout_s is None else timeout_s,
            look=self.release.look,
            tell=self.progress,
        )


class BuiltIn:
    """What settings alone hang on steps: a migration before the candidate stands up, an approval."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_bluegreen_before_step(self, step: str, context: Context) -> None:
        """MIGRATION runs before ``standing-up``, an approval before the steps that APPROVAL names."""
        migration = context.settings.migration if step == Step.STANDING_UP else None
        if migration is not None and not context.release.desk.record.leaves_bad:  # the old version needs none
            context.run_job(migration, context.settings.migration_timeout)
        if step in context.settings.approval.split():
            context.await_approval(step)


class Calls:
    """Carries the steps of a release to pytest's hooks."""

    def __init__(self, config: pytest.Config, context: Context) -> None:
        self._hook, self._context = config.hook, context

    def before(self, step: Step) -> None:
        """A step is about to be taken."""
        self._call(lambda: self._hook.pytest_bluegreen_before_step(step=str(step), context=self._context))

    def after(self, step: Step, failed: bool) -> None:
        """A step is over."""
        self._call(lambda: self._hook.pytest_bluegreen_after_step(step=str(step), failed=failed, context=self._context))

    def outcome(self, outcome: str, reason: str) -> None:
        """The release is over: what fails now is only told."""
        try:
            self._call(
                lambda: self._hook.pytest_bluegreen_outcome(outcome=outcome, reason=reason, context=self._context)
            )
        except Exception as error:
            self._context.progress(f"a hook of the outcome failed: {type(error).__name__}: {error}")

    def _call(self, hook: Callable[[], object]) -> None:
        try:
            hook()
        except REFUSALS as error:
            raise HarnessError(str(error)) from error
