"""One thing that was checked, and how failed checks become a failed test."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Check:
    """One thing that was checked.

    ``name``: what was looked at, with the object. ``measured`` and ``wanted``: both sides, as a report shows them.
    ``sentence``: what is wrong, or, when it passed, what is proven. ``unproven``: it did not pass because it could not
    be told, and not because it was wrong.
    """

    name: str
    passed: bool
    measured: str
    wanted: str
    sentence: str
    unproven: bool = False

    @staticmethod
    def equal(name: str, measured: Any, wanted: Any, hint: str = "") -> Check:
        """A check that both sides are the same."""
        passed = measured == wanted
        said = f"{name} is {_shown(measured)}" + ("" if passed else f" and not {_shown(wanted)}")
        return Check(
            name, passed, _shown(measured), _shown(wanted), said + (f": {hint}" if hint and not passed else ".")
        )

    @staticmethod
    def that(name: str, passed: bool, measured: Any, wanted: str, otherwise: str) -> Check:
        """A check of a condition; ``otherwise`` is the sentence when it does not hold."""
        return Check(name, passed, _shown(measured), wanted, f"{name}: {wanted}." if passed else otherwise)

    @staticmethod
    def unknown(name: str, measured: Any, wanted: str, sentence: str) -> Check:
        """A check that could not be made: no pass, and no failure of what was to be checked."""
        return Check(name, False, _shown(measured), wanted, sentence, unproven=True)


class CheckError(AssertionError):
    """Checks that did not pass; pytest shows their sentences as the reason."""

    def __init__(self, failed: Iterable[Check]) -> None:
        self.failed = tuple(failed)
        super().__init__("\n".join(check.sentence for check in self.failed))


class NoEvidenceError(CheckError):
    """Nothing was found wrong, and something could not be told: the stage has no evidence, which is no pass."""


def require(checks: Iterable[Check]) -> list[Check]:
    """Give back the checks when there are some and all passed.

    Raises:
        CheckError: with every sentence of those that did not pass, or because there was nothing to check: that is no
            evidence, and no evidence is not a pass.
        NoEvidenceError: nothing was wrong, but some could not be told.
    """
    __tracebackhide__ = True  # a reader of the report wants the sentences, not this function
    made = list(checks)
    if not made:
        sentence = "Nothing was checked: there was nothing to look at, which proves nothing."
        raise CheckError([Check("checks made", False, "0", "at least 1", sentence)])
    if failed := [check for check in made if not check.passed and not check.unproven]:
        raise CheckError(failed)
    if unproven := [check for check in made if not check.passed]:
        raise NoEvidenceError(unproven)
    return made


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "not set"
    return f"{value:g}" if isinstance(value, float) else str(value)
