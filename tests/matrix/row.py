"""What a part of the matrix is and gives: the small contract between ``python -m tests.matrix`` and its parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Row:
    """One line of the table: something that was tried many times, and how often it ended as it must.

    ``requests`` and ``failed`` count what was asked of the live address meanwhile, by a probe or by a load; both are 0
    where nobody asked. ``may_fail``: whether a failed request is the subject of the row rather than a defect.
    ``wrong`` holds a line for each case that did not end as it must, with what reproduces it.
    """

    what: str
    tried: int
    right: int
    seed: int
    requests: int = 0
    failed: int = 0
    may_fail: bool = False
    wrong: Sequence[str] = ()
    figures: Mapping[str, str] = field(default_factory=dict)  # further figures of this row, in words

    @property
    def ok(self) -> bool:
        """Whether everything ended as it must. Nothing tried is no evidence, and not ok."""
        return 0 < self.tried == self.right and not self.wrong and (self.failed == 0 or self.may_fail)


class Part(Protocol):
    """One matrix: a module, or an object, with this function."""

    def run(self, seed: int, count: int | None) -> Iterable[Row]:
        """Try ``count`` cases chosen by ``seed``, or all of them when None; prints a line a case to standard error."""
        ...
