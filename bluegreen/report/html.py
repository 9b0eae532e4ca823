"""The HTML that stands above pytest-html's table of tests. Everything shown is escaped; nothing comes from outside."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from bluegreen.report import words
from bluegreen.report.compare_part import compare_part
from bluegreen.report.load_part import load_part
from bluegreen.report.pieces import Record, colour
from bluegreen.report.probe_part import probe_part


def summary_html(record: Record) -> str:
    """Verdict, facts, stages, what users felt, load, steps and patches. Never raises: a report must come about."""
    style = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    parts = (_banner, _facts, _stages, _rehearsal, _shares, probe_part, load_part, compare_part, _steps, _patches)
    return f'<style>{style}</style><div class="bg">{"".join(_drawn(part, record) for part in parts)}</div>'


def _drawn(part: Callable[[Record], str], record: Record) -> str:
    """A part of the report, or a line saying why it is missing: one odd value must not cost the whole report."""
    try:
        return part(record)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        name = part.__name__.strip("_").removesuffix("_part")
        return f'<p class="bg-note">The part "{escape(name)}" could not be drawn: {escape(repr(error))}</p>'


def _banner(record: Record) -> str:
    announced = words.banner(record)
    reason = f'<pre class="bg-reason">{escape(str(record["reason"]))}</pre>' if record.get("reason") else ""
    return (
        f'<header class="bg-banner bg-{announced.tone}"><div class="bg-verdict">{escape(announced.title)}</div>'
        f"<div>{escape(announced.sentence)}</div>{_colours(record)}{reason}</header>"
    )


def _colours(record: Record) -> str:
    """The two colours, and which of them serves."""
    before, after = record.get("colour_before"), record.get("colour_after")
    chips = [
        f'<span class="bg-chip" style="--c:{colour(name)}">{escape(str(name or "nobody"))}</span>'
        for name in (before, after)
    ]
    arrow = '<span class="bg-arrow">→</span>'
    return f'<div class="bg-way">live traffic {arrow.join(chips) if before != after else chips[1]}</div>'


def _facts(record: Record) -> str:
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in words.facts(record).items()
    )
    return f'<dl class="bg-facts">{cells}</dl>'


def _stages(record: Record) -> str:
    rows = "".join(_stage(name, stage) for name, stage in (record.get("stages") or {}).items())
    if not rows:
        return ""
    head = "<tr><th>Stage</th><th>Verdict</th><th>Tests passed</th><th>Time</th><th></th></tr>"
    return f'<h2>Stages</h2><table class="bg-table bg-stages">{head}{rows}</table>'


def _stage(name: str, stage: Mapping[str, Any]) -> str:
    passed = words.passed_of(stage)
    verdict = str(stage.get("verdict"))
    said = "".join(
        f'<div class="bg-failure"><b>{escape(test)}</b><pre>{escape(sentence)}</pre></div>'
        for test, sentence in words.failures(stage)
    )
    return (
        f"<tr><td><b>{escape(name)}</b></td>"
        f'<td><span class="bg-pill bg-{words.TONES.get(verdict, "neutral")}">{escape(verdict)}</span></td>'
        f'<td>{passed}</td><td class="bg-number">{words.seconds(stage.get("duration_s"))}</td>'
        f"<td>{said}{_tests(stage.get('tests') or [])}</td></tr>"
    )


def _tests(tests: Iterable[Mapping[str, Any]]) -> str:
    lines = "".join(
        f'<li class="bg-{escape(str(test.get("outcome")))}">{escape(_readable(str(test.get("name"))))}'
        f'<span class="bg-faint"> {escape(str(test.get("outcome")))}, {words.seconds(test.get("duration_s"))}</span>'
        f"{_measured(test.get('measured') or {})}</li>"
        for test in tests
    )
    return f"<details><summary>what was tested</summary><ul>{lines}</ul></details>" if lines else ""


def _measured(values: Mapping[str, Any]) -> str:
    said = ", ".join(f"{name} {_short(value)}" for name, value in values.items())
    return f'<div class="bg-faint">measured: {escape(said)}</div>' if said else ""


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 200 else text[:200] + "…"


def _readable(name: str) -> str:
    """A test's name as words."""
    return name.removeprefix("test_").replace("_", " ")


def _rehearsal(record: Record) -> str:
    """The moves of a rehearsed switch."""
    rows = "".join(f"<tr><td>{escape(way)}</td><td>{escape(said)}</td></tr>" for way, said in words.rehearsed(record))
    return f'<h2>Rehearsed switch</h2><table class="bg-table">{rows}</table>' if rows else ""


def _shares(record: Record) -> str:
    """The steps of a switch in steps."""
    rows = "".join(f"<tr><td>{escape(share)}</td><td>{escape(said)}</td></tr>" for share, said in words.shared(record))
    return f'<h2>Switch in steps</h2><table class="bg-table">{rows}</table>' if rows else ""


def _steps(record: Record) -> str:
    steps = record.get("steps") or []
    if not steps:
        return ""
    end_s = max(float(step.get("started_s", 0)) + float(step.get("duration_s") or 0) for step in steps) or 1.0
    rows = "".join(_step(step, end_s) for step in steps)
    return f'<h2>Steps</h2><table class="bg-table bg-steps">{rows}</table>'


def _step(step: Mapping[str, Any], end_s: float) -> str:
    start_s, took_s = float(step.get("started_s", 0)), float(step.get("duration_s") or 0)
    left, width = 100 * start_s / end_s, max(0.4, 100 * took_s / end_s)
    bar = f'<i style="left:{left:.2f}%;width:{min(width, 100 - left):.2f}%"></i>'
    detail = escape(str(step.get("detail") or ""))
    return (
        f"<tr><td>{escape(str(step.get('name')))}</td><td class='bg-number'>{words.seconds(took_s)}</td>"
        f'<td class="bg-bar">{bar}</td><td class="bg-faint">{detail}</td></tr>'
    )


def _patches(record: Record) -> str:
    patches = record.get("patches") or []
    shown = "".join(f"<pre>{escape(json.dumps(patch, indent=1, default=str))}</pre>" for patch in patches)
    return (
        f"<h2>Patches sent</h2><p>All changes of the live Service, exactly as sent, in order.</p>{shown}"
        if shown
        else ""
    )
