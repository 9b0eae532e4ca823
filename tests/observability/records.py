"""Records of releases that stand at a given step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bluegreen.colour import Colour
from bluegreen.journal import Record, Step

OPENED = Record(
    id="20260101-120000-abcdef",
    step=Step.OPENED,
    image="gremlinsai/backend:v1.1.0",
    version="v1.1.0",
    candidate=Colour.GREEN,
    live=Colour.BLUE,
    live_image="gremlinsai/backend:v1.0.0",
    live_version="v1.0.0",
    replicas=3,
    started_at="2026-01-01T12:00:00Z",
    started_by={"user": "root", "host": "ci"},
    times={"opened": "2026-01-01T12:00:00Z"},
)


def at(step: Step, **changes: Any) -> Record:
    """The release at a step."""
    return replace(OPENED, step=step, **changes)
