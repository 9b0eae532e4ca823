"""What the command's exit codes mean, for commands that are no release; those of a release stand in ``verdict``."""

from __future__ import annotations

from bluegreen.errors import CannotStartError, HarnessError, InputError, NeedsPersonError

OK, GATE_FAILED, INTERRUPTED, HARNESS_FAILED, COULD_NOT_START, NEEDS_PERSON = 0, 1, 2, 3, 4, 7

_OF_ERRORS: tuple[tuple[type[HarnessError], int], ...] = (
    (InputError, COULD_NOT_START),
    (CannotStartError, COULD_NOT_START),
    (NeedsPersonError, NEEDS_PERSON),
    (HarnessError, HARNESS_FAILED),
)
"""The first class an error is an instance of gives the exit code."""


def of(error: HarnessError) -> int:
    """The exit code of an error."""
    return next(code for kind, code in _OF_ERRORS if isinstance(error, kind))
