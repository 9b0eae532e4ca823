"""The report's pictures: the probe's timeline, every answer around the switch, the load test's latencies.

Each function gives one ``<svg>`` as text that needs nothing from outside; an empty text where there is nothing to draw.
Coordinates are pixels of a drawing 1,000 wide that the page scales.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

WIDTH = 1000
LEFT, RIGHT = 46, 12  # room for the axis on the left, and for half a label on the right
MARK_ROWS = 4  # rows for the names of marks, above a picture
FAILED = "#c8372d"
INK, FAINT, GRID = "#3d4852", "#8a949e", "#e6e9ed"

ColourOf = Callable[[str], str]
"""The colour that a version is drawn in."""


def timeline(probe: Mapping[str, Any], colour_of: ColourOf) -> str:
    """Answers a second by version, failures on top, latency below, the steps of the release as marks."""
    buckets = list(probe.get("timeline") or [])
    if not buckets:
        return ""
    width_s = float(probe.get("bucket_s") or 1)
    end_s = max(float(bucket["at_s"]) + width_s for bucket in buckets)
    x = _scale(0, end_s, LEFT, WIDTH - RIGHT)
    marks = _marks(probe.get("marks") or [], x, top=8, bottom=238)
    most = max(int(bucket["requests"]) for bucket in buckets)
    parts = [
        *_rate_bars(buckets, x, width_s, _scale(0, most, 150, 70), colour_of),
        _text(LEFT - 6, 76, f"{most / width_s:.0f}/s", "end"),
        _text(LEFT - 6, 153, "0", "end"),
        _line(LEFT, 150, WIDTH - RIGHT, 150, GRID),
        *_latency(buckets, x, width_s),
        *_seconds_axis(0, end_s, x, 240),
        *marks,
    ]
    return _svg(262, "Answers of the live service during the release", parts)


def _rate_bars(
    buckets: Iterable[Mapping[str, Any]],
    x: Callable[[float], float],
    width_s: float,
    y: Callable[[float], float],
    colour_of: ColourOf,
) -> Iterator[str]:
    for bucket in buckets:
        left, right, below = x(bucket["at_s"]), x(bucket["at_s"] + width_s), 0
        stack = [(colour_of(version), count) for version, count in sorted(bucket["versions"].items())]
        for colour, count in [*stack, (FAILED, int(bucket["failed"]))]:
            if count:
                yield _rect(left, y(below + count), max(0.8, right - left - 0.6), y(below) - y(below + count), colour)
                below += count


def _latency(buckets: Sequence[Mapping[str, Any]], x: Callable[[float], float], width_s: float) -> Iterator[str]:
    """The slowest answer of each bucket as an area, the median as a line."""
    most = max(10.0, *(float(bucket["max_ms"]) for bucket in buckets))
    y = _scale(0, most, 236, 172)
    middle = [(x(float(bucket["at_s"]) + width_s / 2), bucket) for bucket in buckets if bucket["max_ms"]]
    if not middle:
        return
    top = " ".join(f"{at:.1f},{y(bucket['max_ms']):.1f}" for at, bucket in middle)
    yield f'<polygon points="{middle[0][0]:.1f},236 {top} {middle[-1][0]:.1f},236" fill="#dfe5ec"/>'
    line = " ".join(f"{at:.1f},{y(bucket['p50_ms']):.1f}" for at, bucket in middle)
    yield f'<polyline points="{line}" fill="none" stroke="{INK}" stroke-width="1.4"/>'
    yield _text(LEFT - 6, 178, f"{most:.0f} ms", "end")
    yield _line(LEFT, 236, WIDTH - RIGHT, 236, GRID)


def close_up(probe: Mapping[str, Any], colour_of: ColourOf) -> str:
    """Every single answer around the switch: a dot on a fresh connection, a ring on a kept one, a cross failed."""
    answers = list(probe.get("close_up") or [])
    switch_s = next((float(m["at_s"]) for m in probe.get("marks") or [] if m["name"] == "switch"), None)
    if not answers or switch_s is None:
        return ""
    start_s, end_s = answers[0]["at_s"] - switch_s, max(answer["at_s"] for answer in answers) - switch_s
    x = _scale(start_s, max(end_s, start_s + 0.1), LEFT, WIDTH - RIGHT)
    slowest = max(20.0, *(float(answer["ms"]) for answer in answers if not answer["error"]), 0.0)
    y = _scale(0, math.sqrt(slowest), 200, 52)  # a root keeps both 2 ms and 200 ms visible
    ticks = [tick for tick in (1, 5, 10, 20, 50, 100, 200, 500, 1000, 2000) if tick <= slowest][-5:]
    shifted = [{"name": mark["name"], "at_s": mark["at_s"] - switch_s} for mark in probe.get("marks") or []]
    parts = [
        *(_line(LEFT, y(math.sqrt(tick)), WIDTH - RIGHT, y(math.sqrt(tick)), GRID) for tick in ticks),
        *(_text(LEFT - 6, y(math.sqrt(tick)) + 4, f"{tick} ms", "end") for tick in ticks),
        *(_answer(answer, x(answer["at_s"] - switch_s), y, colour_of) for answer in answers),
        *_seconds_axis(start_s, end_s, x, 206),
        *_marks([mark for mark in shifted if start_s <= mark["at_s"] <= end_s], x, top=8, bottom=204),
    ]
    return _svg(228, "Every answer around the switch", parts)


def _answer(answer: Mapping[str, Any], at: float, y: Callable[[float], float], colour_of: ColourOf) -> str:
    kind = "fresh" if answer["fresh"] else "kept"
    if answer["error"]:
        look = f'd="M{at - 4:.1f},40 l8,8 m0,-8 l-8,8" stroke="{FAILED}" stroke-width="2"'
        return f"<path {look}><title>{escape(answer['error'])}, {kind}</title></path>"
    colour, title = colour_of(answer["version"]), f"{answer['ms']:.1f} ms, {answer['version'] or 'no version'}, {kind}"
    look = f'fill="{colour}"' if answer["fresh"] else f'fill="#fff" stroke="{colour}" stroke-width="1.6"'
    height = y(math.sqrt(max(0.0, answer["ms"])))
    return f'<circle cx="{at:.1f}" cy="{height:.1f}" r="3.2" {look}><title>{escape(title)}</title></circle>'


def histogram(load: Mapping[str, Any], limit_ms: float) -> str:
    """How many answers of the load test took how long, with the percentiles and the limit (0: none)."""
    counts = {int(ms): int(count) for ms, count in (load.get("histogram_ms") or {}).items() if count}
    if not counts:
        return ""
    named = [(name, float(load.get(f"{name}_ms") or 0)) for name in ("p50", "p95", "p99")]
    shown = [limit_ms] if min(counts) / 4 <= limit_ms <= 4 * max(counts) else []
    edges = bin_edges(math.floor(min([*counts, *shown]) * 0.8), math.ceil(max([*counts, *shown]) * 1.1))
    x = _scale(math.log1p(edges[0]), math.log1p(edges[-1]), LEFT, WIDTH - RIGHT)
    heights = [sum(count for ms, count in counts.items() if a <= ms < b) for a, b in itertools.pairwise(edges)]
    y = _scale(0, max(heights), 182, 66)
    marks: list[dict[str, Any]] = [{"name": f"{name} {at:g} ms", "at_s": math.log1p(at)} for name, at in named]
    marks += [{"name": f"limit {at:g} ms", "at_s": math.log1p(at), "colour": FAILED} for at in shown]
    parts = [
        *(
            _rect(x(math.log1p(a)), y(n), x(math.log1p(b)) - x(math.log1p(a)) - 1, 182 - y(n), "#7f93ab")
            for (a, b), n in zip(itertools.pairwise(edges), heights, strict=True)
            if n
        ),
        _line(LEFT, 182, WIDTH - RIGHT, 182, GRID),
        *(_text(x(math.log1p(t)), 198, f"{t} ms", "middle") for t in _log_ticks(edges[0], edges[-1])),
        _text(LEFT - 6, 72, f"{max(heights):,}", "end"),
        *_marks(marks, x, top=8, bottom=182),
    ]
    return _svg(206, "Latency of the load test's answers", parts)


def bin_edges(least: int, most: int) -> list[int]:
    """Edges of whole milliseconds from ``least`` to above ``most``, each bin at least 1 ms and about 5 % wide."""
    edges = [least]
    while edges[-1] <= most:
        edges.append(max(edges[-1] + 1, round(edges[-1] * 1.05)))
    return edges


def _log_ticks(least: int, most: int) -> list[int]:
    """Round numbers between the two, most of them 1, 2 and 5 times a power of ten."""
    ticks = [digit * 10**power for power in range(6) for digit in (1, 2, 3, 5, 7)]
    return [tick for tick in ticks if least <= tick <= most][-14:]


def _marks(marks: Iterable[Mapping[str, Any]], x: Callable[[float], float], top: float, bottom: float) -> Iterator[str]:
    """Vertical lines with their names, each name in the first row that has room for it."""
    taken: list[list[tuple[float, float]]] = [[] for _ in range(MARK_ROWS)]
    for mark in sorted(marks, key=lambda mark: float(mark["at_s"])):
        at, name = x(float(mark["at_s"])), str(mark["name"])
        length = 6.6 * len(name) + 8  # about the width of the name at the drawing's font size
        left = at if at + length <= WIDTH else at - length
        row = next((row for row, names in enumerate(taken) if _free(names, left, left + length)), MARK_ROWS - 1)
        taken[row].append((left, left + length))
        height, side = top + 13 * row, ("start" if left == at else "end")
        colour = str(mark.get("colour", FAINT))
        dashed = f'stroke="{colour}" stroke-dasharray="2 3"'
        yield f'<line x1="{at:.1f}" y1="{height}" x2="{at:.1f}" y2="{bottom}" {dashed}/>'
        yield _text(at + (4 if side == "start" else -4), height + 8, name, side, INK)


def _free(names: Iterable[tuple[float, float]], left: float, right: float) -> bool:
    return all(right <= start or left >= end for start, end in names)


def _seconds_axis(start_s: float, end_s: float, x: Callable[[float], float], height: float) -> Iterator[str]:
    span = max(end_s - start_s, 0.1)
    step = next((s for s in (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600) if span / s <= 12), 1800)
    for number in range(math.ceil(start_s / step), math.floor(end_s / step) + 1):
        yield _text(x(number * step), height + 14, f"{number * step:g} s", "middle")


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    factor = (end - start) / ((high - low) or 1)
    return lambda value: start + (value - low) * factor


def _text(x: float, y: float, text: str, anchor: str, colour: str = FAINT) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(0.5, width):.1f}" height="{max(0.5, height):.1f}" fill="{colour}"/>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _svg(height: int, title: str, parts: Iterable[str]) -> str:
    return (
        f'<svg class="bg-picture" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}" '
        f'xmlns="http://www.w3.org/2000/svg" font-size="11" font-family="inherit">{"".join(parts)}</svg>'
    )
