"""A row of the checklist, and the checklist as a person reads it. Plain data; asks nobody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Answer(StrEnum):
    """What was found; only ``MISSING`` fails the checklist."""

    OK = "ok"
    MISSING = "missing"
    UNKNOWN = "unknown"
    NOT_ASKED = "not asked"


@dataclass(frozen=True)
class Row:
    """One line of the checklist; ``remedy`` is empty where nothing is to be done."""

    what: str
    answer: Answer
    found: str
    remedy: str = ""


def passed(rows: Iterable[Row]) -> bool:
    """Whether nothing is missing."""
    return all(row.answer is not Answer.MISSING for row in rows)


def text(rows: Iterable[Row]) -> str:
    """The checklist as a person reads it."""
    return "\n".join(_lines(list(rows)))


def _lines(rows: list[Row]) -> Iterator[str]:
    wide, width = max(map(len, Answer)), max(len(row.what) for row in rows)
    for row in rows:
        for number, part in enumerate(row.found.splitlines() or [""]):
            answer, what = (row.answer, row.what) if number == 0 else ("", "")
            yield f"{answer:<{wide}}  {what:<{width}}  {part}"
        if row.remedy:
            yield f"{'':<{wide}}  {'':<{width}}  -> {row.remedy}"
