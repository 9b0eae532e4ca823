"""The candidate beside what is live, in HTML: a row an endpoint and a row a series of the applications' own metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from bluegreen.report import words
from bluegreen.report.pieces import Record

HEAD = (
    "<tr><th>Endpoint</th><th>Measured by</th><th>Answers</th><th>Failed</th><th>Median</th>"
    "<th>Times as long</th><th>95 % interval</th><th>p</th><th>Verdict</th><th></th></tr>"
)
CAPTION = (
    "Each pair of figures is the candidate's and live's. Times as long: by how much the candidate's answers are "
    "slower, estimated from their ranks (Hodges-Lehmann), with the interval that the Mann-Whitney test does not "
    "reject. p: how likely chance alone shows so much, corrected for the number of endpoints (Holm)."
)
TONES = {"alike": "good", "worse": "bad", "unclear": "neutral"}


def compare_part(record: Record) -> str:
    """The comparison; nothing where none was asked for, and the reason where it could not be made."""
    found = record.get("compare") or {}
    if not found:
        return ""
    if found.get("skipped"):
        return f'<h2>Compared with live</h2><p class="bg-note">Not compared: {escape(str(found["skipped"]))}.</p>'
    rows = "".join(_row(row) for row in found.get("rows") or [])
    remarks = "".join(f"<li>{escape(str(remark))}</li>" for remark in found.get("remarks") or [])
    against = "fresh pods of the live release" if found.get("mode") == "copy" else "the live pods"
    listed = f"<ul>{remarks}</ul>" if remarks else ""
    return (
        f"<h2>Compared with live</h2><p>Against {against}, both under the same load for "
        f'{words.seconds(found.get("seconds"))}.</p><table class="bg-table bg-compare">{HEAD}{rows}</table>'
        f'<p class="bg-faint">{escape(CAPTION)}</p>{listed}'
    )


def _row(row: Mapping[str, Any]) -> str:
    verdict, ratio = str(row["judgement"]), row.get("ratio") or {}
    interval = f"{ratio['low']:.2f} to {ratio['high']:.2f}" if ratio else "–"
    cells = [
        str(row["source"]),
        _pair(f"{number:,}" for number in row["requests"]),
        _pair(f"{number:,}" for number in row["failures"]),
        _pair(words.milliseconds(value) if value else "–" for value in row["median_ms"]),
        f"{ratio['estimate']:.2f}" if ratio else "–",
        interval,
        "below 0.0001" if row["p"] < 1e-4 else f"{row['p']:.2g}",
    ]
    shown = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    pill = f'<td><span class="bg-pill bg-{TONES.get(verdict, "neutral")}">{escape(verdict)}</span></td>'
    why = f'<td class="bg-faint">{escape(str(row["why"]))}</td>'
    return f"<tr><td>{escape(str(row['endpoint']))}</td>{shown}{pill}{why}</tr>"


def _pair(values: Any) -> str:
    ours, theirs = values if isinstance(values, Sequence) else tuple(values)
    return f"{ours} / {theirs}"
