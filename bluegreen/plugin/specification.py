"""The hooks that a team implements in its conftest.py or in a plugin of its own.

A step is a word of the journal: ``opened``, ``standing-up``, ``judging`` (the gate), ``switching``, ``watching``,
``retiring``, and on the way back ``reverting`` and ``rolling-back``. What a hook raises refuses the step; on the way
back, and once a release is over, it is only told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from bluegreen.plugin.hooks import Context


@pytest.hookspec
def pytest_bluegreen_before_step(step: str, context: Context) -> None:
    """A step is about to be taken. Raise to refuse it: the release then goes back."""


@pytest.hookspec
def pytest_bluegreen_after_step(step: str, failed: bool, context: Context) -> None:
    """A step is over; ``failed`` when what follows undoes the release."""


@pytest.hookspec
def pytest_bluegreen_outcome(outcome: str, reason: str, context: Context) -> None:
    """The release is over and put in order: ``switched``, ``gate-failed`` and so on, as in ``release.json``."""
