"""Observers hear everything in order, keep nobody waiting, and break nothing."""

from __future__ import annotations

import sys
import threading

import pytest

from bluegreen.clock import Deadline
from bluegreen.errors import HarnessError
from bluegreen.journal import Record, Step
from bluegreen.observability import Observer, Observers, observers
from bluegreen.settings import load

from .records import at


class Noting(Observer):
    """Notes the steps it hears of; waits for leave first, where it was given something to wait for."""

    def __init__(self, leave: threading.Event | None = None) -> None:
        self.heard: list[str] = []
        self._leave = leave

    def entered(self, record: Record) -> None:
        if self._leave is not None:
            self._leave.wait(30)
        self.heard.append(str(record.step))

    def person(self, sentence: str) -> None:
        self.heard.append(sentence)

    def close(self) -> None:
        self.heard.append("closed")


class Broken(Observer):
    """Raises whatever it is told to."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def entered(self, record: Record) -> None:
        raise self._error


def test_everything_is_heard_in_order_and_before_close_returns() -> None:
    told, noting = Observers(), Noting()
    told.add("noting", noting)
    steps = (Step.OPENED, Step.STANDING_UP, Step.JUDGING)
    for step in steps:
        told.entered(at(step))
    told.person("look")
    told.close()
    told.close()
    assert noting.heard == [*map(str, steps), "look", "closed"]


def test_a_slow_observer_keeps_neither_the_release_nor_the_others_waiting() -> None:
    leave, said = threading.Event(), list[str]()
    told, slow, quick = Observers(said.append), Noting(leave), Noting()
    told.add("slow", slow)
    told.add("quick", quick)
    told.entered(at(Step.OPENED))
    deadline = Deadline(10)
    while quick.heard != ["opened"]:
        assert not deadline.expired
    assert not slow.heard
    leave.set()
    told.close()
    assert slow.heard == ["opened", "closed"]
    assert not said


def test_the_end_waits_so_long_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[Observers.__module__], "FLUSH_S", 0.05)
    leave, said = threading.Event(), list[str]()
    told = Observers(said.append)
    told.add("NOTIFY_URL", Noting(leave))
    told.entered(at(Step.OPENED))
    told.close()
    leave.set()
    assert said == ["NOTIFY_URL: not all was delivered within 0.05 seconds; the release goes on without"]


@pytest.mark.parametrize(
    ("error", "shown"), [(HarnessError("it answered 500."), "it answered 500"), (OSError("s3cret"), "OSError")]
)
def test_what_fails_is_said_once_and_never_with_an_unknown_text(error: Exception, shown: str) -> None:
    said: list[str] = []
    told, noting = Observers(said.append), Noting()
    told.add("broken", Broken(error))
    told.add("noting", noting)
    told.entered(at(Step.OPENED))
    told.entered(at(Step.JUDGING))
    told.close()
    assert said == [f"broken: {shown}; the release goes on without"]
    assert noting.heard == ["opened", "judging", "closed"]


def test_nobody_watches_but_events_unless_asked() -> None:
    found = observers(None, load({}), None, print)  # type: ignore[arg-type]  # neither is used before a step is told
    assert [line._name for line in found._lines] == ["Events"]
