"""What everybody offers who watches a release from outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bluegreen.journal import Record


class Observer:
    """Hears of a release, in order, in one thread; here it does nothing. What it raises is said once and left alone."""

    def entered(self, record: Record) -> None:
        """The journal holds a new step; with an outcome it is the end."""

    def person(self, sentence: str) -> None:
        """A person has to look, or to answer."""

    def result(self, result: Mapping[str, Any]) -> None:
        """What the tests said is known: the content of ``release.json``. Only where pytest ran the gate."""

    def close(self) -> None:
        """Nothing more will come."""
