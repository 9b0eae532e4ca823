"""How tests' reports become outcomes by stage."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen.plugin import witness
from bluegreen.plugin.completeness import LeftOut
from bluegreen.plugin.stages import Tally, phase_of
from bluegreen.verdict import Verdict, stage_verdict


def report(nodeid: str, when: str, outcome: str, longrepr: Any = None, **more: Any) -> pytest.TestReport:
    made = pytest.TestReport(nodeid, ("", 0, ""), {}, outcome, longrepr, when, duration=0.5, **more)  # type: ignore[arg-type]
    setattr(made, witness.SEEN, True)
    setattr(made, witness.UNPROVEN, "")
    return made


def ran(
    tally: Tally, nodeid: str, setup: str = "passed", call: str | None = "passed", teardown: str = "passed"
) -> None:
    tally.record(report(nodeid, "setup", setup))
    if call:
        tally.record(report(nodeid, "call", call))
    tally.record(report(nodeid, "teardown", teardown))


@pytest.mark.parametrize(
    ("steps", "outcome"),
    [
        ({}, "passed"),
        ({"call": "failed"}, "failed"),
        ({"setup": "failed", "call": None}, "error"),
        ({"teardown": "failed"}, "error"),
        ({"call": "failed", "teardown": "failed"}, "error"),
    ],
)
def test_the_worst_of_setup_call_and_teardown_counts(steps: dict[str, Any], outcome: str) -> None:
    tally = Tally({"t": "health"})
    ran(tally, "t", **steps)
    assert tally.outcomes("health") == [outcome]


def test_skips_say_whether_the_phase_was_closed() -> None:
    tally = Tally({"a": "load", "b": "health"})
    tally.record(report("a", "setup", "skipped", ("f", 1, "Skipped: not run: the gate is not passed (api fail)")))
    tally.record(report("b", "setup", "skipped", ("f", 1, "Skipped: no metrics here")))
    assert tally.outcomes("load") == ["not-run"]
    assert tally.outcomes("health") == ["skipped"]


def test_a_pass_after_a_rerun_stays_a_rerun() -> None:
    tally = Tally({"a": "health"})
    tally.record(report("a", "call", "rerun"))
    ran(tally, "a")
    assert tally.outcomes("health") == ["rerun"]
    assert stage_verdict(tally.outcomes("health")) is Verdict.NO_EVIDENCE


def test_an_expected_failure_that_passes_is_no_pass() -> None:
    tally = Tally({"a": "health"})
    passed = report("a", "call", "passed")
    passed.wasxfail = "known"  # type: ignore[attr-defined]
    tally.record(passed)
    assert stage_verdict(tally.outcomes("health")) is not Verdict.PASS


def test_a_worker_that_died_leaves_no_evidence() -> None:
    tally = Tally({"a": "health", "b": "health"})
    ran(tally, "b")
    tally.record(report("a", "???", "failed", "worker 'gw0' crashed while running 'a'"))
    assert tally.outcomes("health") == ["crashed", "passed"]
    assert stage_verdict(tally.outcomes("health")) is Verdict.NO_EVIDENCE


def test_a_test_that_never_ended_keeps_its_stage_from_passing() -> None:
    tally = Tally({"a": "health", "b": "health"})
    ran(tally, "a")
    assert not tally.complete("gate")
    assert stage_verdict(tally.outcomes("health")) is not Verdict.PASS


def test_a_test_left_out_is_missing_evidence() -> None:
    tally = Tally({"a": "health"}, [LeftOut("b", "health", "left out by -k 'a'")])
    ran(tally, "a")
    assert stage_verdict(tally.outcomes("health")) is Verdict.NO_EVIDENCE


def test_a_stage_without_tests_is_no_evidence_and_a_team_may_add_its_own() -> None:
    tally = Tally({"a": "migrations"})
    assert stage_verdict(tally.outcomes("api")) is Verdict.NO_EVIDENCE
    assert tally.stages.index("load") < tally.stages.index("migrations") < tally.stages.index("production")
    assert phase_of("migrations") == "gate"


def test_a_pass_that_nobody_saw_or_that_proves_nothing_is_no_evidence() -> None:
    tally = Tally({"a": "health", "b": "health", "c": "health"})
    unseen, empty, again = (report(name, "call", "passed") for name in "abc")
    delattr(unseen, witness.SEEN)
    setattr(empty, witness.UNPROVEN, "it asserted nothing and asked nobody")
    setattr(again, witness.UNPROVEN, f"{witness.TRIED_AGAIN}; at first: OSError")
    for made in (unseen, empty, again):
        tally.record(made)
    assert tally.outcomes("health") == ["no-evidence", "no-evidence", "rerun"]
    assert tally.tests["b"].sentence == "it asserted nothing and asked nobody"
