"""Tries cases, a few at a time, each on an application that serves a good version; what came of them makes a row."""

from __future__ import annotations

import itertools
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from bluegreen import clock, localkube
from bluegreen.errors import HarnessError
from tests.apps import App
from tests.matrix.row import Row

AT_ONCE = 2
"""Cases under way at a time: they mostly wait."""

REUSED = 8
"""Cases on one application before it is given up for a fresh one: what one case left must not mend the next."""

Case = TypeVar("Case")


@dataclass
class Ended:
    """How one case ended: in words, what was asked of the live address meanwhile, and under which heads it counts."""

    words: str
    requests: int = 0
    failed: int = 0
    heads: Sequence[str] = ()


@dataclass
class Subject:
    """An application that serves a good version, and a source of versions that it never ran."""

    app: App
    cases: int = 0
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def tag(self) -> str:
        """A version that was never released here."""
        return f"v{next(self.numbers)}.0.0"


class Engine:
    """One cluster, and the applications on it."""

    def __init__(self, cluster: localkube.Cluster, folder: Path, at_once: int = AT_ONCE) -> None:
        self.cluster, self.folder, self.at_once = cluster, folder, at_once
        self._told = threading.Lock()

    def subject(self) -> Subject:
        """A fresh application whose both colours have served: the second version does, the first is kept."""
        subject = Subject(App(self.cluster, self.folder))
        subject.app.released(subject.tag())
        subject.app.released(subject.tag())
        return subject

    def row(self, what: str, cases: Sequence[Case], act: Callable[[Subject, Case], Ended], seed: int) -> Row:
        """Try all cases; an AssertionError or an error of the harness is a case that did not end as it must."""
        tally = _Tally(what, len(cases), seed)
        waiting = iter(enumerate(cases, 1))
        choosing = threading.Lock()

        def work() -> None:
            subject: Subject | None = None
            while True:
                with choosing:
                    number, case = next(waiting, (0, None))
                if case is None:
                    break
                if subject is None:
                    subject = self.subject()
                good = self._try(tally, number, case, act, subject)
                subject.cases += 1
                if not good or subject.cases >= REUSED:
                    self._remove(subject)
                    subject = None
            if subject is not None:
                self._remove(subject)

        with ThreadPoolExecutor(self.at_once) as pool:
            for future in [pool.submit(work) for _ in range(self.at_once)]:
                future.result()
        return tally.row()

    def _try(
        self, tally: _Tally, number: int, case: Case, act: Callable[[Subject, Case], Ended], subject: Subject
    ) -> bool:
        started_s = clock.now_s()
        try:
            ended = act(subject, case)
        except (AssertionError, HarnessError) as error:
            ended = None
            told = f"NOT AS IT MUST BE: {error}"
            tally.lose(f"case {number}, {case}: {error}")
        else:
            told = ended.words
            tally.win(ended)
        with self._told:
            spent_s = clock.now_s() - started_s
            print(f"{number}/{tally.tried} {case}: {told} ({spent_s:.1f} s)", file=sys.stderr, flush=True)
        return ended is not None

    @staticmethod
    def _remove(subject: Subject) -> None:
        with suppress(HarnessError):
            subject.app.remove()


class _Tally:
    """What came of the cases so far."""

    def __init__(self, what: str, tried: int, seed: int) -> None:
        self.what, self.tried, self.seed = what, tried, seed
        self.wrong: list[str] = []
        self.right, self.requests, self.failed = 0, 0, 0
        self.heads: Counter[str] = Counter()
        self._changing = threading.Lock()

    def win(self, ended: Ended) -> None:
        with self._changing:
            self.right += 1
            self.requests += ended.requests
            self.failed += ended.failed
            self.heads.update(ended.heads)

    def lose(self, line: str) -> None:
        with self._changing:
            self.wrong.append(line)

    def row(self) -> Row:
        figures = {head: str(count) for head, count in sorted(self.heads.items())}
        return Row(self.what, self.tried, self.right, self.seed, self.requests, self.failed, False, self.wrong, figures)
