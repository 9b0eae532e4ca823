"""The evidence of a failure in HTML: events, logs and object states, captured before anything was deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

LOG_LIMIT = 40_000  # characters of one log in the page; the end of a log says why, and the file holds all of it


def evidence_html(evidence: Mapping[str, Any]) -> str:
    """What ``bluegreen.evidence.capture`` took, of one colour or of several by name; nothing when there is none."""
    captures = [evidence] if "events" in evidence or "logs" in evidence else list(evidence.values())
    return "".join(_capture(capture) for capture in captures if isinstance(capture, Mapping))


def _capture(capture: Mapping[str, Any]) -> str:
    title = f"Evidence of {capture.get('colour', 'the candidate')}"
    when = (
        f"Captured at {capture.get('captured_at')}, before anything was deleted." if capture.get("captured_at") else ""
    )
    file = f" All of it: {capture['file']}." if capture.get("file") else ""
    return f'<div class="bg"><h2>{escape(title)}</h2><p>{escape(when + file)}</p>{"".join(_parts(capture))}</div>'


def _parts(capture: Mapping[str, Any]) -> Iterator[str]:
    problems = "".join(f"<li>{escape(str(problem))}</li>" for problem in capture.get("problems") or [])
    if problems:
        yield f'<ul class="bg-bad-list">{problems}</ul>'
    events = capture.get("events") or []
    if events:
        yield _folded(f"{len(events)} events", _events(events), is_open=True)
    for name, text in (capture.get("logs") or {}).items():
        yield _folded(f"log of {name}", f"<pre>{escape(_tail(str(text)))}</pre>")
    for name, found in (capture.get("objects") or {}).items():
        yield _folded(str(name), f"<pre>{escape(json.dumps(found, indent=2, default=str))}</pre>")


def _events(events: list[Mapping[str, Any]]) -> str:
    return f'<table class="bg-table bg-events">{"".join(map(_event, events))}</table>'


def _event(event: Mapping[str, Any]) -> str:
    shown = {name: escape(str(event.get(name, ""))) for name in ("time", "type", "reason", "object", "message")}
    return (
        f'<tr class="bg-event-{shown["type"].lower()}"><td>{shown["time"]}</td><td>{shown["reason"]}</td>'
        f"<td>{shown['object']}</td><td>{shown['message']}{_times(event.get('count'))}</td></tr>"
    )


def _times(count: Any) -> str:
    return f' <span class="bg-faint">× {count}</span>' if isinstance(count, int) and count > 1 else ""


def _tail(text: str) -> str:
    return (
        text if len(text) <= LOG_LIMIT else f"… {len(text) - LOG_LIMIT:,} characters before this …\n{text[-LOG_LIMIT:]}"
    )


def _folded(title: str, body: str, is_open: bool = False) -> str:
    return f"<details{' open' if is_open else ''}><summary>{escape(title)}</summary>{body}</details>"
