"""Harm to live is told from live's usual failures, and from nothing at all."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bluegreen.harm import harm
from bluegreen.probe.result import Answer, ProbeResult, summarise

STARTED = datetime(2026, 1, 1, tzinfo=UTC)
RATE = 20


def answers(seconds: float, failing: range = range(0)) -> list[Answer]:
    """Requests at the probe's rate; those whose numbers are ``failing`` got no answer."""
    every = range(int(seconds * RATE))
    return [
        Answer(n / RATE, 3.0, 0.0, True, 0 if n in failing else 200, "v1", "refused" if n in failing else "")
        for n in every
    ]


def result(given: list[Answer], mark_s: float | None = 2.0, first: bool = False) -> ProbeResult:
    """What the probe makes of them; the candidate is stood up two seconds after its start."""
    return summarise(given, [("candidate", mark_s)] if mark_s is not None else [], 0.0, STARTED, first)


def test_no_failed_request_is_no_harm() -> None:
    assert harm(result(answers(10)), "candidate") is None


@pytest.mark.parametrize(("failed", "harmed"), [(1, False), (2, False), (3, True), (40, True)])
def test_a_few_failures_after_the_candidate_came_are_harm(failed: int, harmed: bool) -> None:
    sentence = harm(result(answers(10, range(100, 100 + failed))), "candidate")
    assert (sentence is not None) is harmed
    assert not harmed or f"{failed} of" in str(sentence)


def test_failures_before_the_candidate_came_are_not_its_doing() -> None:
    assert harm(result(answers(10, range(0, 30))), "candidate") is None


def test_a_live_service_that_failed_all_along_is_not_harmed_by_failing_on() -> None:
    assert harm(result(answers(10, range(0, 200))), "candidate") is None


def test_a_rare_failure_in_a_long_gate_is_no_harm() -> None:
    assert harm(result(answers(100, range(500, 510))), "candidate") is None


def test_before_the_mark_is_set_nothing_counts() -> None:
    assert harm(result(answers(10, range(0, 200)), mark_s=None), "candidate") is None


def test_a_first_release_harms_nothing_that_never_answered() -> None:
    assert harm(result(answers(10, range(0, 200)), first=True), "candidate") is None
