"""What ``bluegreen history`` shows: the last releases, who made them, of what, from where, and how they ended.

The journal keeps them in the cluster, the last ``journal.HISTORY_LENGTH``. Entries come in, lines go out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bluegreen.grammar import shown_image
from bluegreen.journal import Journal, summary
from bluegreen.kube import Kube
from bluegreen.settings import Settings

Entry = Mapping[str, Any]

UNDER_WAY = "under way"
"""What stands for the outcome of a release that is not over."""

_HEADER = ("STARTED", "OUTCOME", "IMAGE", "TRAFFIC", "BY", "COMMIT", "CI JOB")


def read(kube: Kube, settings: Settings) -> list[dict[str, Any]]:
    """The releases that the journal knows, the oldest first; one that is under way, or was killed, is the last."""
    journal = Journal(kube, settings)
    record = journal.read()
    found = list(journal.history)
    if record is not None and record.unfinished and all(entry.get("id") != record.id for entry in found):
        found.append({**summary(record), "outcome": UNDER_WAY, "step": str(record.step)})
    return found


def text(entries: Sequence[Entry]) -> str:
    """The releases as a table, the newest first, each reason under its release."""
    if not entries:
        return "No release was made here yet."
    rows = [_HEADER, *(_row(entry) for entry in entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    blocks = ["\n".join([line, *_notes(entry)]) for line, entry in zip(lines[1:], entries, strict=True)]
    return "\n".join([lines[0], *reversed(blocks)])


def as_json(entries: Sequence[Entry]) -> str:
    """The releases as a JSON list, the oldest first, with everything that the journal keeps of each."""
    return json.dumps(list(entries), indent=2, ensure_ascii=False, sort_keys=True)


def _row(entry: Entry) -> tuple[str, ...]:
    started_by = entry.get("started_by") or {}
    outcome = str(entry.get("outcome") or "")
    traffic = "did not move" if outcome != "switched" else f"{entry.get('live') or 'nobody'} -> {entry['candidate']}"
    who = started_by.get("ci_user") or f"{started_by.get('user', '')}@{started_by.get('host', '')}"
    image = shown_image(str(entry.get("image") or ""), str(entry.get("version") or ""))
    shown = (entry.get("started_at"), outcome, image, traffic, who)
    return (*(str(value or "-") for value in shown), started_by.get("commit", "-")[:12], started_by.get("ci_job", "-"))


def _notes(entry: Entry) -> list[str]:
    notes = [str(entry.get("reason") or "").partition("\n")[0]]
    if names := entry.get("deployments"):
        notes.append(f"of {', '.join(map(str, names))}")
    if entry.get("freeze_override"):
        notes.append(f"in a freeze: {entry['freeze_override']}")
    return [f"    {note}" for note in notes if note]
