"""Verdicts fail closed, in the order of severity, and every outcome has its exit code."""

from __future__ import annotations

import itertools

import pytest

from bluegreen import verdict
from bluegreen.verdict import GATE_STAGES, SEVERITY, STAGES, Outcome, Verdict

ALL_PASS = dict.fromkeys(GATE_STAGES, Verdict.PASS)


def test_every_verdict_has_its_place_in_the_order_of_severity() -> None:
    assert sorted(SEVERITY) == sorted(Verdict)


@pytest.mark.parametrize(("first", "second"), list(itertools.product(Verdict, Verdict)))
def test_worst_does_not_depend_on_the_order_given(first: Verdict, second: Verdict) -> None:
    assert verdict.worst([first, second]) == verdict.worst([second, first])
    assert SEVERITY.index(verdict.worst([first, second])) == max(SEVERITY.index(first), SEVERITY.index(second))


def test_nothing_at_all_is_no_evidence() -> None:
    assert verdict.worst([]) is Verdict.NO_EVIDENCE


STAGE_CASES = [
    (["passed"], None, Verdict.PASS),
    (["passed", "skipped"], None, Verdict.PASS),
    (["passed", "passed"], 2, Verdict.PASS),
    ([], None, Verdict.NO_EVIDENCE),
    ([], 0, Verdict.NO_EVIDENCE),
    (["skipped", "skipped"], None, Verdict.NO_EVIDENCE),
    (["xfailed"], None, Verdict.NO_EVIDENCE),
    (["xpassed"], None, Verdict.NO_EVIDENCE),
    (["rerun"], None, Verdict.NO_EVIDENCE),
    (["passed", "rerun"], None, Verdict.NO_EVIDENCE),
    (["passed"], 2, Verdict.NO_EVIDENCE),
    (["passed", "crashed"], None, Verdict.NO_EVIDENCE),
    (["passed", "left-out"], None, Verdict.NO_EVIDENCE),
    (["passed", "xfailed"], None, Verdict.NO_EVIDENCE),
    (["passed", "xpassed"], None, Verdict.NO_EVIDENCE),
    (["not-run", "not-run"], None, Verdict.NOT_RUN),
    (["passed", "error"], None, Verdict.ERROR),
    (["passed", "a word nobody knows"], None, Verdict.ERROR),
    (["crashed"], 4, Verdict.NO_EVIDENCE),
    (["passed", "failed", "error"], None, Verdict.FAIL),
    (["failed"], 9, Verdict.FAIL),
]


@pytest.mark.parametrize(("outcomes", "expected", "wanted"), STAGE_CASES)
def test_a_stage_passes_only_on_a_test_that_ran_and_passed(
    outcomes: list[str], expected: int | None, wanted: Verdict
) -> None:
    assert verdict.stage_verdict(outcomes, expected) is wanted


@pytest.mark.parametrize(
    ("attempts", "wanted"),
    [
        (["passed"], "passed"),
        (["failed"], "failed"),
        (["failed", "passed"], "rerun"),
        (["rerun", "passed"], "rerun"),
        (["passed", "passed"], "rerun"),
        (["failed", "failed"], "failed"),
        ([], "skipped"),
    ],
)
def test_a_pass_that_needed_a_second_attempt_is_a_rerun(attempts: list[str], wanted: str) -> None:
    assert verdict.outcome_of_attempts(attempts) == wanted


def test_the_gate_passes_when_every_stage_passed() -> None:
    assert verdict.gate_verdict(ALL_PASS) is Verdict.PASS


@pytest.mark.parametrize("stage", GATE_STAGES)
def test_a_stage_that_is_missing_is_no_evidence(stage: str) -> None:
    assert verdict.gate_verdict({name: Verdict.PASS for name in GATE_STAGES if name != stage}) is Verdict.NO_EVIDENCE


@pytest.mark.parametrize(("stage", "said"), list(itertools.product(GATE_STAGES, Verdict)))
def test_one_stage_is_enough_to_decide_the_gate(stage: str, said: Verdict) -> None:
    assert verdict.gate_verdict({**ALL_PASS, stage: said}) is said


def test_production_does_not_count_before_the_switch() -> None:
    assert STAGES[-1] == "production"
    assert verdict.gate_verdict({**ALL_PASS, "production": Verdict.NOT_RUN}) is Verdict.PASS


def test_a_stage_somebody_added_counts() -> None:
    assert verdict.gate_verdict({**ALL_PASS, "billing": Verdict.FAIL}) is Verdict.FAIL


@pytest.mark.parametrize(
    ("said", "outcome", "code"),
    [
        (Verdict.PASS, Outcome.GATE_PASSED, 0),
        (Verdict.FAIL, Outcome.GATE_FAILED, 1),
        (Verdict.ERROR, Outcome.HARNESS_FAILED, 3),
        (Verdict.NO_EVIDENCE, Outcome.NO_EVIDENCE, 5),
        (Verdict.NOT_RUN, Outcome.NO_EVIDENCE, 5),
    ],
)
def test_the_gate_alone_decides_the_exit_code_before_the_switch(said: Verdict, outcome: Outcome, code: int) -> None:
    assert verdict.gate_outcome(said) is outcome
    assert verdict.exit_code(outcome) == code


@pytest.mark.parametrize("said", list(Verdict))
def test_after_the_switch_anything_but_a_pass_goes_back(said: Verdict) -> None:
    wanted = Outcome.SWITCHED if said is Verdict.PASS else Outcome.ROLLED_BACK
    assert verdict.production_outcome(said) is wanted


def test_exit_codes_are_those_documented() -> None:
    assert {outcome.value: verdict.exit_code(outcome) for outcome in Outcome} == {
        "switched": 0,
        "gate-passed": 0,
        "gate-failed": 1,
        "interrupted": 2,
        "harness-failed": 3,
        "lock-lost": 3,
        "could-not-start": 4,
        "no-evidence": 5,
        "rolled-back": 6,
        "needs-person": 7,
    }
