"""What the load test measured, in HTML: figures, the histogram, a row an endpoint, the errors."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from bluegreen.report import svg, words
from bluegreen.report.pieces import Record, figure, tiles

HEAD = "<tr><th>Request</th><th>Number</th><th>Failed</th><th>p50</th><th>p95</th><th>p99</th><th>slowest</th></tr>"
CAPTION = "Answers by their time, counted from the moment each request was due."


def load_part(record: Record) -> str:
    """The load test's figures, by endpoint, and its histogram; nothing when there was none."""
    load = record.get("load") or {}
    if not load:
        return ""
    limit = (record.get("settings") or {}).get("LOAD_P95_MS")
    early = load.get("stopped_early")
    ended = f'<p class="bg-note">Ended before its time: {escape(str(early))}.</p>' if early else ""
    rows = [_row(f"{entry['method']} {entry['path']}", entry) for entry in load.get("endpoints") or []]
    return (
        f"<h2>Load test</h2>{ended}{tiles(_figures(load))}{figure(svg.histogram(load, float(limit or 0)), CAPTION)}"
        f'<table class="bg-table bg-figures">{HEAD}{"".join(rows)}{_row("all", load)}</table>{_errors(load)}'
    )


def _figures(load: Mapping[str, Any]) -> dict[str, str]:
    wanted = load.get("wanted_rps")
    return {
        "requests": f"{load['requests']:,}",
        "succeeded": f"{load['success_rate']:.2%}",
        "requests/s": f"{load['rps']:.0f}" + (f" of {wanted:.0f}" if wanted else ""),
        "p95": words.milliseconds(load["p95_ms"]),
        "late / dropped arrivals": f"{load.get('late', 0):,} / {load.get('dropped', 0):,}",
        "the generator's own lag, p95": words.milliseconds(load.get("lag_p95_ms")),
    }


def _row(name: str, figures: Mapping[str, Any]) -> str:
    times = [words.milliseconds(figures.get(key)) for key in ("p50_ms", "p95_ms", "p99_ms", "max_ms")]
    cells = [f"{figures['requests']:,}", f"{figures['failures']:,}", *times]
    return f"<tr><td>{escape(name)}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _errors(load: Mapping[str, Any]) -> str:
    said = [f"{e['count']:,} × {e['method']} {e['path']}: {e['error']}" for e in load.get("errors") or []]
    lines = "".join(f"<li>{escape(line)}</li>" for line in said)
    return f'<ul class="bg-bad-list">{lines}</ul>' if lines else ""
