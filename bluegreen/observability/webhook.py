"""Notifications to a webhook, in the form that Slack, Mattermost and Rocket.Chat take: ``{"text": "…"}``.

At the start of a release, at its end, and where a person is needed. The URL is a secret: whoever has it can post.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import httpx

from bluegreen import clock
from bluegreen.errors import HarnessError
from bluegreen.journal import Record, Step
from bluegreen.kube.retry import RetryPolicy, retry_after_s
from bluegreen.observability import words
from bluegreen.observability.observer import Observer
from bluegreen.origin import origin
from bluegreen.settings import Settings

TIMEOUT_S = 3.0
"""A choice: for one attempt to deliver."""

POLICY = RetryPolicy(attempts=3, first_s=0.3, cap_s=1.0, total_s=4.5)
"""Few and short: a message that comes late is worth less than a release that ends."""


class NotDeliveredError(HarnessError):
    """The webhook did not take a message. Says why without the URL."""


class Webhook(Observer):
    """Posts to NOTIFY_URL."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._by = origin(os.environ)
        self._ended: Record | None = None  # the end, until it is told: what users felt is known a moment later
        self._told = False  # whether the end, or the need for a person, was told

    def entered(self, record: Record) -> None:
        """The start; the end is told once all is known of it, and the steps between them are for Events."""
        self._ended = record if words.is_over(record) else None
        if record.step is Step.OPENED:
            self._post(started(self._settings, record, self._by))

    def person(self, sentence: str) -> None:
        """Always."""
        self._post(f"A PERSON IS NEEDED: {words.what(self._settings)}: {sentence}")
        self._told = self._ended is None

    def result(self, result: Mapping[str, Any]) -> None:
        """The end, as the run knows it; one that called for a person was told already."""
        if self._ended is not None or not self._told:
            self._post(ended(self._settings, result))
        self._ended = None

    def close(self) -> None:
        """The end of a command that ran no tests."""
        if self._ended is not None:
            found = {"outcome": self._ended.outcome, "image": self._ended.image, "reason": self._ended.reason}
            self._post(ended(self._settings, found))

    def _post(self, text: str) -> None:
        post(self._settings.notify_url, f"{text}\n{self._by['ci_job']}" if self._by.get("ci_job") else text)


def started(settings: Settings, record: Record, by: Mapping[str, str]) -> str:
    """What is said at the beginning, and of whom."""
    who = by.get("ci_user") or f"{by['user']}@{by['host']}"
    return f"STARTED: {words.what(settings)}: {words.step_sentence(record)}, by {who}"


def ended(settings: Settings, result: Mapping[str, Any]) -> str:
    """What is said at the end. ``result``: keys outcome, image, reason, and perhaps candidate and probe."""
    reason = str(result.get("reason") or "").partition("\n")[0].rstrip(".")
    at = f" as {result['candidate']}" if result.get("candidate") else ""
    parts = [f"{result['image']}{at}", reason, words.felt_sentence(result.get("probe") or {})]
    return f"{result['outcome'].upper()}: {words.what(settings)}: {'. '.join(part for part in parts if part)}."


def post(url: str, text: str) -> None:
    """Deliver one message. Raises NotDeliveredError after a few attempts."""
    started_s, failures = clock.now_s(), 0
    while True:
        asked_s = 0.0
        try:
            answer = httpx.post(url, json={"text": text}, timeout=TIMEOUT_S)
            if answer.is_success:
                return
            problem, asked_s = f"it answered {answer.status_code}", retry_after_s(answer.headers.get("Retry-After"))
            final = answer.status_code < 500 and answer.status_code != 429
        except httpx.HTTPError as error:
            problem, final = type(error).__name__, False
        failures += 1
        pause_s = POLICY.pause_s(failures, asked_s)
        if final or POLICY.over(failures, clock.now_s() - started_s, pause_s):
            raise NotDeliveredError(f"the message could not be delivered: {problem}")
        clock.sleep_s(pause_s)
