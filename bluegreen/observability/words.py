"""What is said of a release to those outside, in one sentence each. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bluegreen.journal import Record, Step
from bluegreen.settings import Settings
from bluegreen.verdict import Outcome, exit_code

_DOING: dict[Step, str] = {
    Step.OPENED: "begins: {image} as {candidate}, {serves}",
    Step.STANDING_UP: "stands up {candidate} with {replicas} pods of {image}",
    Step.JUDGING: "judges {candidate} by the gate",
    Step.SWITCHING: "moves live traffic {live} -> {candidate}",
    Step.REHEARSING: "rehearses the way back: live traffic {candidate} -> {live}",
    Step.WATCHING: "watches production on {candidate}",
    Step.KEPT: "is over: {outcome}; {live} stays at full size until {kept_until}",
    Step.RETIRING: "is verified; {live} drains and is retired",
    Step.REFUSED: "is over: {outcome}; {candidate} stays to be looked at",
    Step.REVERTING: "goes back: {candidate} is removed, live traffic never moved",
    Step.ROLLING_BACK: "rolls back: live traffic {candidate} -> {live}",
    Step.CLOSED: "is over: {outcome}",
}


def is_over(record: Record) -> bool:
    """Whether a step is the end of its release, with an outcome."""
    return record.step in (Step.CLOSED, Step.KEPT, Step.REFUSED)


def is_good(record: Record) -> bool:
    """Whether a step is one on the way forward, or a good end."""
    if is_over(record):
        return exit_code(Outcome(record.outcome)) == 0
    return record.step not in (Step.REVERTING, Step.ROLLING_BACK)


def step_sentence(record: Record) -> str:
    """A step, for people: ``Release 2026… moves live traffic blue -> green.``"""
    live = record.live or "nobody"
    serves = f"while {live} serves {record.live_image}" if record.live else "while nobody serves"
    facts = {
        "image": record.image,
        "candidate": record.candidate,
        "live": live,
        "serves": serves,
        "replicas": record.replicas,
        "outcome": record.outcome,
        "kept_until": record.kept_until,
    }
    said = _DOING[record.step].format(**facts)
    reason = record.reason.partition("\n")[0]
    return f"Release {record.id} {said}{f': {reason}' if reason and not is_good(record) else ''}"


def what(settings: Settings) -> str:
    """Which application, where."""
    return f"{settings.app_name} in namespace {settings.namespace} ({settings.cluster})"


def felt_sentence(probe: Mapping[str, Any]) -> str:
    """What users felt, from the probe's figures in ``release.json``; "" where nothing was counted."""
    if not probe.get("requests"):
        return ""
    return (
        f"Users: {probe['requests']:,} requests to live, {probe['failed']:,} failed, "
        f"longest gap {probe['longest_gap_ms']:.0f} ms"
    )
