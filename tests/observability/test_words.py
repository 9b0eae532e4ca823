"""Each step has a sentence, and the bad ones are told from the good ones."""

from __future__ import annotations

import pytest

from bluegreen.journal import Step
from bluegreen.observability import events, words

from .records import at

OVER = (Step.KEPT, Step.REFUSED, Step.CLOSED)


@pytest.mark.parametrize("step", Step)
def test_every_step_has_a_sentence_and_a_reason(step: Step) -> None:
    record = at(step, outcome="switched" if step in OVER else "", kept_until="2026-01-01T13:00:00Z")
    sentence = words.step_sentence(record)
    assert sentence.startswith(f"Release {record.id} ")
    assert "{" not in sentence
    assert events.reason(record).isalnum()


def test_what_a_switch_says() -> None:
    assert words.step_sentence(at(Step.SWITCHING)).endswith("moves live traffic blue -> green")
    assert words.step_sentence(at(Step.OPENED, live=None)).endswith("as green, while nobody serves")


def test_going_back_says_why() -> None:
    record = at(Step.ROLLING_BACK, reason="http-500: 4 of 10 failed\nand more")
    assert words.step_sentence(record).endswith("live traffic green -> blue: http-500: 4 of 10 failed")
    assert not words.is_good(record)


@pytest.mark.parametrize(
    ("outcome", "good"), [("switched", True), ("gate-passed", True), ("gate-failed", False), ("rolled-back", False)]
)
def test_the_outcome_tells_a_good_end_from_a_bad_one(outcome: str, good: bool) -> None:
    assert words.is_good(at(Step.CLOSED, outcome=outcome)) is good
    assert events.reason(at(Step.CLOSED, outcome=outcome)) == "Release" + outcome.title().replace("-", "")
