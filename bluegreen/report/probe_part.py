"""What the probe found, in HTML: figures, the timeline, every answer around the switch, the first failures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from bluegreen.report import svg, words
from bluegreen.report.pieces import Record, figure, tiles, version_colours

TIMELINE = (
    "Good answers a second by version, failures in red; below, the slowest answer of each moment (area) and the "
    "median (line)."
)
CLOSE_UP = "Every answer around the switch. Dots: fresh connections, rings: kept ones, red crosses: failures."


def probe_part(record: Record) -> str:
    """The probe's figures, its pictures and the first failures; nothing when there was no probe."""
    probe = record.get("probe") or {}
    if not probe:
        return ""
    colour_of = version_colours(record)
    return (
        f"<h2>What users would have felt</h2><p>{escape(words.probe_sentence(probe))} {_left_out(probe)}</p>"
        + tiles(_figures(probe))
        + _legend(probe, colour_of)
        + figure(svg.timeline(probe, colour_of), TIMELINE)
        + figure(svg.close_up(probe, colour_of), f"{CLOSE_UP} {_handover(probe)}")
        + _first_failures(probe)
    )


def _figures(probe: Mapping[str, Any]) -> dict[str, str]:
    p99, fresh, kept = (probe.get(name) or {} for name in ("p99_ms", "fresh", "keep_alive"))
    around = " / ".join(words.milliseconds(p99.get(part)) for part in ("before", "during", "after"))
    return {
        "requests": f"{probe.get('requests', 0):,}",
        "failed": f"{probe.get('failed', 0):,}",
        "longest gap": words.milliseconds(probe.get("longest_gap_ms")),
        "p99 before / during / after the switch": around,
        "failed on fresh connections": f"{fresh.get('failed', 0):,} of {fresh.get('requests', 0):,}",
        "failed on kept connections": f"{kept.get('failed', 0):,} of {kept.get('requests', 0):,}",
    }


def _left_out(probe: Mapping[str, Any]) -> str:
    number = probe.get("not_counted") or 0
    if not number:
        return ""
    return (
        f"{number:,} requests are left out: nothing served before the first good answer, or after traffic was taken "
        "back to nobody."
    )


def _handover(probe: Mapping[str, Any]) -> str:
    """When the first answer of the new version came, and the last of the old one, after the patch was sent."""
    switch_s = next((float(mark["at_s"]) for mark in probe.get("marks") or [] if mark["name"] == "switch"), None)
    good = [answer for answer in probe.get("close_up") or [] if not answer["error"]]
    if switch_s is None or not good or good[0]["version"] == good[-1]["version"]:
        return ""
    old, new = good[0]["version"], good[-1]["version"]

    def ended_ms(version: str, fresh: tuple[bool, ...]) -> list[float]:
        chosen = [answer for answer in good if answer["version"] == version and answer["fresh"] in fresh]
        return [(answer["at_s"] - switch_s) * 1000 + answer["ms"] for answer in chosen]

    window_ms = (good[-1]["at_s"] - switch_s) * 1000
    last = [_last(max(ended_ms(old, (fresh,)), default=0.0), window_ms) for fresh in (True, False)]
    return (
        f"First answer of {new}: {min(ended_ms(new, (True, False))):.0f} ms after the patch was sent; "
        f"last of {old}: {last[0]} on a fresh connection, {last[1]} on a kept one."
    )


def _last(at_ms: float, window_ms: float) -> str:
    """When the last answer came; at the window's end nobody knows yet. A kept connection stays until it is drained."""
    if at_ms >= window_ms - 500:
        return "beyond this picture"
    return f"{at_ms:.0f} ms" if at_ms > 0 else "before it"


def _legend(probe: Mapping[str, Any], colour_of: Callable[[str], str]) -> str:
    entries = [
        (colour_of(version), version or "no version stated", count)
        for version, count in sorted((probe.get("by_version") or {}).items())
    ]
    if probe.get("failed"):
        entries.append((svg.FAILED, "failed", probe["failed"]))
    shown = "".join(
        f'<span><i style="background:{colour}"></i>{escape(name)} ({count:,})</span>' for colour, name, count in entries
    )
    return f'<div class="bg-legend">{shown}</div>'


def _first_failures(probe: Mapping[str, Any]) -> str:
    lines = "".join(f"<li>{escape(failure)}</li>" for failure in probe.get("first_failures") or [])
    if not lines:
        return ""
    return f'<details open class="bg-bad-list"><summary>first failures</summary><ul>{lines}</ul></details>'
