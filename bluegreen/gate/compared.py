"""Stage load: the candidate beside what is live."""

from __future__ import annotations

from collections.abc import Sequence

from bluegreen.compare import ALPHA, Finding, Judgement
from bluegreen.comparison import BY_LOAD, Comparison, Row
from bluegreen.gate.check import Check

WANTED = "no worse than live"


def compared(comparison: Comparison) -> list[Check]:
    """A check a row. What is unclear is no pass; that nothing at all was compared is not one either."""
    if not any(row.source == BY_LOAD for row in comparison.rows):
        why = f"The candidate was not compared with live: {' '.join(comparison.remarks) or 'nothing was measured.'}"
        return [Check.unknown("compare", "nothing", WANTED, why), *map(_check, comparison.rows)]
    return [_check(row) for row in comparison.rows]


def _check(row: Row) -> Check:
    finding, name = row.finding, f"compare: {row.endpoint} ({row.source})"
    sentence = f"{row.endpoint}, by the {row.source}: {finding.why}."
    if finding.judgement is Judgement.UNCLEAR:
        remedy = "Raise COMPARE_DURATION or LOAD_RATE."
        return Check.unknown(name, _measured(finding), WANTED, f"{sentence} {remedy}")
    worse = f"{sentence} By chance alone this is seen in fewer than {ALPHA:.0%} of comparisons (p = {finding.p:.2g})."
    return Check.that(name, finding.judgement is Judgement.ALIKE, _measured(finding), WANTED, worse)


def _measured(finding: Finding) -> str:
    if finding.ratio is None:
        return f"{finding.requests[0]} and {finding.requests[1]} answers"
    return f"{finding.ratio.estimate:.2f} times live's"


def same_content(request: str, differences: Sequence[str]) -> Check:
    """That both releases answer a request alike, but for the fields that may differ."""
    said = f"{request} is answered otherwise than live answers it: {'; '.join(differences)}."
    return Check.that(f"compare: answer to {request}", not differences, len(differences), "live's answer", said)
