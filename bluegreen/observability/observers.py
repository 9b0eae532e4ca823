"""Passes what a release does on to its observers, each in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

from bluegreen.clock import Deadline
from bluegreen.errors import HarnessError
from bluegreen.journal import Record
from bluegreen.observability.observer import Observer
from bluegreen.probe.result import ProbeResult

FLUSH_S = 5.0
"""A choice: how long the end of a release waits for what its observers still have to deliver."""

Call = Callable[[Observer], None]


class Observers:
    """All observers of one release. Its methods return at once, but for ``close``."""

    def __init__(self, tell: Callable[[str], None] = print) -> None:
        self.felt: Callable[[], ProbeResult | None] = lambda: None  # what users felt so far, where a probe runs
        self._tell = tell
        self._lines: list[_Line] = []

    def add(self, name: str, observer: Observer) -> None:
        """Have an observer told from now on; ``name`` is what a failure is told under."""
        self._lines.append(_Line(name, observer, self._tell))

    def entered(self, record: Record) -> None:
        """The journal holds a new step."""
        self._each(lambda observer: observer.entered(record))

    def person(self, sentence: str) -> None:
        """A person has to look, or to answer."""
        self._each(lambda observer: observer.person(sentence))

    def result(self, result: Mapping[str, Any]) -> None:
        """What the tests said is known."""
        self._each(lambda observer: observer.result(result))

    def close(self) -> None:
        """Deliver what is left, within FLUSH_S seconds. May be called again."""
        deadline = Deadline(FLUSH_S)
        for line in self._lines:
            line.end()
        for line in self._lines:
            line.await_end(deadline)
        self._lines = []

    def _each(self, call: Call) -> None:
        for line in self._lines:
            line.put(call)


class _Line:
    """One observer and the thread that tells it; the thread begins with the first that there is to tell."""

    def __init__(self, name: str, observer: Observer, tell: Callable[[str], None]) -> None:
        self._name, self._observer, self._tell = name, observer, tell
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._complained = False

    def put(self, call: Call) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True, name=f"observer {self._name}")
            self._thread.start()
        self._calls.put(call)

    def end(self) -> None:
        if self._thread is not None:
            self._calls.put(None)

    def await_end(self, deadline: Deadline) -> None:
        if self._thread is None:
            return
        self._thread.join(deadline.remaining_s)
        if self._thread.is_alive():
            self._complain(f"not all was delivered within {FLUSH_S:g} seconds")

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            self._try(call)
        self._try(lambda observer: observer.close())

    def _try(self, call: Call) -> None:
        try:
            call(self._observer)
        except HarnessError as error:
            self._complain(error.sentence)
        except (
            Exception
        ) as error:  # whatever it is, it is not the release's: the type says enough, a text may be secret
            self._complain(type(error).__name__)

    def _complain(self, problem: str) -> None:
        if not self._complained:
            self._complained = True
            self._tell(f"{self._name}: {problem.rstrip('.')}; the release goes on without")
