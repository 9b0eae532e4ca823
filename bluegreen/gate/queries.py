"""Whether what a Prometheus says of a colour is within its thresholds. No data is no pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bluegreen.gate.check import Check
from bluegreen.prometheus import Sample


@dataclass(frozen=True)
class Thresholds:
    """What a query's values may be: each limit is held against every series; None: there is no such limit.

    ``times_live``: the candidate's largest value may be at most so many times the live colour's largest.
    """

    least: float | None = None
    most: float | None = None
    times_live: float | None = None


def within(name: str, samples: Sequence[Sample], thresholds: Thresholds, live: Sequence[Sample] = ()) -> list[Check]:
    """Every series is within the thresholds, and there is at least one."""
    if not samples:
        return [Check(f"{name}: data", False, "none", "at least one series", f"{name}: Prometheus has no data.")]
    checks = [check for sample in samples for check in _limits(name, sample, thresholds)]
    if thresholds.times_live is not None:
        checks.append(_compared(name, samples, live, thresholds.times_live))
    return checks


def _limits(name: str, sample: Sample, thresholds: Thresholds) -> list[Check]:
    labels = ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()))
    title = f"{name}{{{labels}}}" if labels else name
    checks = []
    if thresholds.most is not None:
        over = f"{title} is {sample.value:g}, and {thresholds.most:g} is allowed."
        checks.append(Check.that(title, sample.value <= thresholds.most, sample.value, f"<= {thresholds.most:g}", over))
    if thresholds.least is not None:
        under = f"{title} is {sample.value:g}, and {thresholds.least:g} is wanted at least."
        checks.append(
            Check.that(title, sample.value >= thresholds.least, sample.value, f">= {thresholds.least:g}", under)
        )
    return checks


def _compared(name: str, samples: Sequence[Sample], live: Sequence[Sample], times: float) -> Check:
    if not live:
        sentence = f"{name}: Prometheus has no data of what is live."
        return Check(f"{name}: live", False, "none", "at least one series", sentence)
    ours, theirs = max(sample.value for sample in samples), max(sample.value for sample in live)
    sentence = f"{name} is {ours:g}, and {theirs:g} of what is live: more than {times:g} times as much."
    return Check.that(f"{name}: against live", ours <= times * theirs, ours, f"<= {times:g} x {theirs:g}", sentence)
