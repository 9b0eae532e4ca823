"""What the outcomes of tests mean for a release. Pure: in go words and numbers, out come verdicts and exit codes.

The gate fails closed. A stage passes only when a test of it ran and passed and nothing in it went wrong; whatever kept
its tests from running (a selection, a skip, a crash, an empty result) makes it "no evidence", which is never a pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

GATE_STAGES = ("resources", "health", "api", "monitoring", "network", "load")
"""The stages before the switch, in order; load waits for all others."""

RETURN_STAGES = ("health",)
"""What a return within ROLLBACK_WINDOW has to pass: that it is well now. Live traffic has proven the rest."""

STAGES = (*GATE_STAGES, "production")
"""All stages of a release in order; production runs after the switch."""


class Verdict(StrEnum):
    """What is known about a stage, or about several."""

    PASS = "pass"  # at least one test ran and passed, and nothing went wrong
    NOT_RUN = "not-run"  # left out on purpose: an earlier stage did not pass
    NO_EVIDENCE = "no-evidence"  # no test ran and passed, so nothing is known
    ERROR = "error"  # the measuring itself broke: a fixture, a worker
    FAIL = "fail"  # a test measured something and it was wrong


SEVERITY = (Verdict.PASS, Verdict.NOT_RUN, Verdict.NO_EVIDENCE, Verdict.ERROR, Verdict.FAIL)
"""From harmless to worst. A failure outranks an error: it is known, not guessed."""


class Outcome(StrEnum):
    """How a release ended, in the words of ``release.json``."""

    SWITCHED = "switched"  # live traffic is on the candidate, verified
    GATE_PASSED = "gate-passed"  # --gate-only: every stage passed and nothing was switched, as asked
    GATE_FAILED = "gate-failed"  # the gate refused; live traffic never moved
    INTERRUPTED = "interrupted"  # Ctrl-C or SIGTERM; reverted
    HARNESS_FAILED = "harness-failed"  # the harness itself broke; reverted
    COULD_NOT_START = "could-not-start"  # bad input, locked, not permitted; nothing was changed
    NO_EVIDENCE = "no-evidence"  # nothing failed, but a stage has no test that ran and passed; not switched
    LOCK_LOST = "lock-lost"  # the release is another process' now, or nobody's; this one changed nothing more
    ROLLED_BACK = "rolled-back"  # switched, failed there, and switched back
    NEEDS_PERSON = "needs-person"  # neither going on nor going back is safe


EXIT_CODES: Mapping[Outcome, int] = {
    Outcome.SWITCHED: 0,
    Outcome.GATE_PASSED: 0,
    Outcome.GATE_FAILED: 1,
    Outcome.INTERRUPTED: 2,
    Outcome.HARNESS_FAILED: 3,
    Outcome.LOCK_LOST: 3,
    Outcome.COULD_NOT_START: 4,
    Outcome.NO_EVIDENCE: 5,
    Outcome.ROLLED_BACK: 6,
    Outcome.NEEDS_PERSON: 7,
}

# What one test says about its stage; None says nothing either way, and a word that is not here is an error.
_SAYS: Mapping[str, Verdict | None] = {
    "passed": Verdict.PASS,
    "failed": Verdict.FAIL,
    "error": Verdict.ERROR,
    "crashed": Verdict.NO_EVIDENCE,  # a worker died in it: nothing was measured
    "rerun": Verdict.NO_EVIDENCE,
    "no-evidence": Verdict.NO_EVIDENCE,  # it ran and could not tell
    "left-out": Verdict.NO_EVIDENCE,  # the suite has it, and this run does not
    "xfailed": Verdict.NO_EVIDENCE,  # it failed, and its author expected it to: that proves nothing good
    "xpassed": Verdict.NO_EVIDENCE,
    "not-run": Verdict.NOT_RUN,
    "unfinished": Verdict.NOT_RUN,
    "skipped": None,
}

BAD = ("failed", "error")
"""How tests end that found something wrong, or broke."""

UNPROVEN = tuple(outcome for outcome, says in _SAYS.items() if says is Verdict.NO_EVIDENCE)
"""How tests end, or were kept from running, that prove nothing."""

_GATE_OUTCOMES: Mapping[Verdict, Outcome] = {
    Verdict.PASS: Outcome.GATE_PASSED,
    Verdict.NOT_RUN: Outcome.NO_EVIDENCE,
    Verdict.NO_EVIDENCE: Outcome.NO_EVIDENCE,
    Verdict.ERROR: Outcome.HARNESS_FAILED,
    Verdict.FAIL: Outcome.GATE_FAILED,
}


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The most severe of the verdicts; of none at all, no evidence."""
    return max(verdicts, key=SEVERITY.index, default=Verdict.NO_EVIDENCE)


def exit_code(outcome: Outcome) -> int:
    """The exit code of the process for this outcome, 0 to 7."""
    return EXIT_CODES[outcome]


def outcome_of_attempts(attempts: Sequence[str]) -> str:
    """One test's outcome from all its attempts, in order: a pass that needed a second attempt is ``rerun``.

    Every attempt but the last is known to have gone wrong, or there would have been no other.
    """
    if not attempts:
        return "skipped"
    return "rerun" if len(attempts) > 1 and attempts[-1] == "passed" else attempts[-1]


def stage_verdict(outcomes: Sequence[str], expected: int | None = None) -> Verdict:
    """A stage's verdict from one outcome a test, in the words of ``_SAYS``.

    ``expected`` is the number of tests that were to run; when fewer reported, what passed is not enough evidence.
    """
    said = [_SAYS.get(outcome, Verdict.ERROR) for outcome in outcomes]
    verdict = worst(says for says in said if says is not None)
    incomplete = expected is not None and len(outcomes) < expected
    return Verdict.NO_EVIDENCE if incomplete and verdict is Verdict.PASS else verdict


def gate_verdict(stages: Mapping[str, Verdict], needed: Iterable[str] = GATE_STAGES) -> Verdict:
    """The worst of the gate's stages. One that is needed and missing is no evidence; production is no part of it."""
    missing = [Verdict.NO_EVIDENCE for stage in needed if stage not in stages]
    return worst([*missing, *(verdict for stage, verdict in stages.items() if stage != "production")])


def gate_outcome(verdict: Verdict) -> Outcome:
    """What the gate's verdict makes of a release that goes no further than the gate."""
    return _GATE_OUTCOMES[verdict]


def production_outcome(verdict: Verdict) -> Outcome:
    """What production's verdict makes of a release that has switched: anything but a pass goes back."""
    return Outcome.SWITCHED if verdict is Verdict.PASS else Outcome.ROLLED_BACK
