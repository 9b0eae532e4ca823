"""What is posted to a webhook, and what happens when that does not take it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from bluegreen.journal import Step
from bluegreen.observability import webhook
from bluegreen.settings import load

from .listening import Receiver, receiving
from .records import at

BY = {"user": "root", "host": "ci", "ci_job": "https://ci.invalid/job/7"}


def texts(hook: Receiver) -> list[str]:
    """The messages that were posted."""
    return [json.loads(body)["text"] for _, body in hook.posted]


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


PROBE = {"requests": 1402, "failed": 0, "longest_gap_ms": 54.2}


def test_the_start_and_the_end_are_told_and_no_step_between(hook: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "origin", lambda _: BY)
    told = webhook.Webhook(load({"NOTIFY_URL": hook.url}))
    told.entered(at(Step.OPENED))
    told.entered(at(Step.JUDGING))
    told.entered(at(Step.CLOSED, outcome="rolled-back"))
    told.result({"outcome": "rolled-back", "image": "a:v1", "reason": "it failed.\nMore", "probe": PROBE})
    told.close()
    first, last = texts(hook)
    assert first.startswith("STARTED: gremlinsai-backend in namespace gremlinsai (local): Release")
    assert first.endswith("by root@ci\nhttps://ci.invalid/job/7")
    where = "gremlinsai-backend in namespace gremlinsai (local)"
    felt = "Users: 1,402 requests to live, 0 failed, longest gap 54 ms."
    assert last == f"ROLLED-BACK: {where}: a:v1. it failed. {felt}\nhttps://ci.invalid/job/7"


def test_the_end_of_a_command_that_ran_no_tests_is_told(hook: Receiver) -> None:
    told = webhook.Webhook(load({"NOTIFY_URL": hook.url}))
    told.entered(at(Step.ROLLING_BACK))
    told.entered(at(Step.CLOSED, outcome="interrupted", reason="its run ended while watching"))
    assert not texts(hook)
    told.close()
    assert [text.partition(":")[0] for text in texts(hook)] == ["INTERRUPTED"]


def test_a_failure_in_passing_is_tried_again(hook: Receiver) -> None:
    hook.statuses = [503, 429]
    webhook.post(f"{hook.url}/s3cret", "hello")
    assert texts(hook) == ["hello"] * 3


@pytest.mark.parametrize(("statuses", "tries"), [([404], 1), ([500] * 9, 3)])
def test_what_is_not_taken_is_told_without_the_url(hook: Receiver, statuses: list[int], tries: int) -> None:
    hook.statuses = list(statuses)
    with pytest.raises(webhook.NotDeliveredError) as refused:
        webhook.post(f"{hook.url}/s3cret", "hello")
    assert len(texts(hook)) == tries
    assert str(refused.value) == f"the message could not be delivered: it answered {statuses[0]}"


def test_an_end_that_the_journal_does_not_tell_of_is_told_once(hook: Receiver) -> None:
    settings = load({"NOTIFY_URL": f"{hook.url}/s3cret"})
    result = {"outcome": "lock-lost", "image": "a:v1", "reason": "somebody took it over"}
    lost = webhook.Webhook(settings)
    lost.entered(at(Step.SWITCHING))
    lost.result(result)
    assert [text.partition(":")[0] for text in texts(hook)] == ["LOCK-LOST"]
    told = webhook.Webhook(settings)
    told.person("neither way is safe")
    told.result({**result, "outcome": "needs-person"})
    assert [text.partition(":")[0] for text in texts(hook)[1:]] == ["A PERSON IS NEEDED"]
