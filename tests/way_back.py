"""What a roll-back cost, from a release's record and the probe's own lines: for tests and for the benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bluegreen.probe.result import Answer


@dataclass(frozen=True)
class WayBack:
    """One roll-back. ``failing_s``: from when the first request that failed was due until the last one had failed."""

    confirmed_s: float  # from the finding until fresh requests were answered by the old colour, several in a row
    failing_s: float
    lost: int
    asked: int

    @classmethod
    def of(cls, reports: Path, record: Mapping[str, Any]) -> WayBack:
        """Measure it."""
        answers = [Answer.of(line) for line in (reports / "probe.jsonl").read_text().splitlines()]
        bad = [answer for answer in answers if not answer.ok]
        failing_s = max(a.ended_s for a in bad) - min(a.at_s for a in bad) if bad else 0.0
        return cls(float(record["way_back_s"]), failing_s, len(bad), len(answers))

    def __str__(self) -> str:
        return (
            f"back {self.confirmed_s * 1000:.0f} ms after the finding; {self.lost} of {self.asked} requests lost "
            f"within {self.failing_s:.2f} s"
        )
