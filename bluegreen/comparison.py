"""The candidate beside what is live: both loaded in the same minute, request by request in turn, and compared.

Comes in: both sides' addresses, and how to fetch their metrics. Goes out: a ``Comparison``: a row an endpoint by what
the load generator measured, and a row an endpoint by what the applications say of themselves (Prometheus). ``compare``
holds the statistics, ``gate`` judges the rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bluegreen import compare, load
from bluegreen.compare import Finding, Judgement, Sample
from bluegreen.load import LoadResult, Plan
from bluegreen.metrics import Exposition, Family
from bluegreen.settings import Settings

CANDIDATE, LIVE = "candidate", "live"

BY_LOAD, BY_METRICS = "load test", "Prometheus"
"""Who measured a row."""

LARGER = 0.2
"""A choice: Cliff's delta from which on a difference of two histograms counts; by convention 0.147 is small and 0.33
medium. Buckets are too coarse to tell by how many percent the times differ."""

Scrapes = Sequence[Exposition]


@dataclass(frozen=True)
class Side:
    """One release under comparison: the addresses of its pods now, what it states as its version, its metrics now."""

    urls: Callable[[], Sequence[str]]
    version: str
    scrapes: Callable[[], Scrapes]


@dataclass(frozen=True)
class Row:
    """One endpoint compared. ``source``: who measured it."""

    source: str
    endpoint: str
    finding: Finding

    def to_json(self) -> dict[str, Any]:
        """The row as it goes into release.json."""
        found = dataclasses.asdict(self.finding)
        return {"source": self.source, "endpoint": self.endpoint, **found, "judgement": str(self.finding.judgement)}


@dataclass(frozen=True)
class Comparison:
    """What came of it. ``remarks``: what could not be compared, and why."""

    mode: str
    seconds: float
    rows: Sequence[Row]
    remarks: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """The comparison as it goes into release.json."""
        return {
            "mode": self.mode,
            "seconds": round(self.seconds, 1),
            "rows": [row.to_json() for row in self.rows],
            "remarks": list(self.remarks),
        }


LOOKS = 3
"""How often both sides are loaded at most, until nothing is unclear any more: a choice, for a noisy machine."""


def run(settings: Settings, candidate: Side, live: Side, out_dir: Path) -> Comparison:
    """Load both sides for COMPARE_DURATION seconds and compare them; locust's files are named ``compare.*``.

    What is unclear then is measured again, and judged by all answers together, up to ``LOOKS`` times in all. A time in
    which a pod that was asked went away (an autoscaler's doing, say) does not count: its failures are nobody's fault.
    """
    longer = dataclasses.replace(settings, load_test_duration=settings.compare_duration, load_model="arrivals")
    longer = dataclasses.replace(longer, load_warmup=min(settings.load_warmup, settings.compare_duration / 2))
    versions = {name: side.version for name, side in ((CANDIDATE, candidate), (LIVE, live)) if side.version}
    before, pairs, seconds, rows, remarks = (
        (candidate.scrapes(), live.scrapes()),
        Pairs(),
        0.0,
        list[Row](),
        list[str](),
    )
    for _ in range(LOOKS):
        asked = {CANDIDATE: candidate.urls(), LIVE: live.urls()}
        plan = Plan(next(iter(asked[CANDIDATE]), NOBODY), sides=asked, versions=versions)
        result = load.run_plan(longer, plan, out_dir, name="compare")
        if gone := {*asked[CANDIDATE], *asked[LIVE]} - {*candidate.urls(), *live.urls()}:
            remarks.append(f"{result.seconds:.0f} s do not count: {len(gone)} of the pods asked went away meanwhile.")
            continue
        pairs.add(result)
        seconds += result.seconds
        rows = pairs.rows()
        if not any(row.finding.judgement is Judgement.UNCLEAR for row in rows):
            break
    after = candidate.scrapes(), live.scrapes()
    told, more = by_metrics(settings, before, after)
    return Comparison(settings.compare, seconds, [*rows, *told], [*remarks, *more])


NOBODY = "http://127.0.0.1:9"
"""Asked when a side has no pod that is ready: the discard port, where nobody answers."""


class Pairs:
    """What the load generator measured on both sides, over one load test or several."""

    def __init__(self) -> None:
        self._samples: dict[str, dict[str, Sample]] = {}

    def add(self, result: LoadResult) -> None:
        """Take in a load test of both sides."""
        for endpoint in result.endpoints:
            path, _, side = endpoint.path.rpartition(" [")
            name, side = f"{endpoint.method} {path}", side.rstrip("]")
            had = self._samples.setdefault(name, {}).get(side, Sample(()))
            times = [*had.times_ms, *result.samples.get(f"{side} {name}", ())]
            self._samples[name][side] = Sample(times, had.failures + endpoint.failures)

    def rows(self) -> list[Row]:
        """A row an endpoint, by all that was measured so far."""
        nothing = Sample(())
        pairs = {n: (s.get(CANDIDATE, nothing), s.get(LIVE, nothing)) for n, s in self._samples.items()}
        return [Row(BY_LOAD, name, finding) for name, finding in compare.judge(pairs, LOOKS).items()]


# --- what the applications say of themselves --------------------------------------------------------------------------

Counts = dict[float, float]
"""Answers by the upper bound of their bucket, in seconds."""


def by_metrics(
    settings: Settings, before: tuple[Scrapes, Scrapes], after: tuple[Scrapes, Scrapes]
) -> tuple[list[Row], list[str]]:
    """A row for each series of the first histogram among METRICS, one for the errors, and what could not be compared.

    Live's own users are in its figures: that is what they are for. The counters of a pod that is new count from zero.
    """
    name = next((m.rpartition(":")[0] for m in settings.metrics.split() if m.endswith(":histogram")), "")
    if not name:
        return [], ["METRICS names no histogram, so the applications' own times were not compared."]
    ours, theirs = (_moved(name, first, last) for first, last in zip(before, after, strict=True))
    series = [key for key in ours if key in theirs]
    if not series:
        return [], [f"Not both sides counted answers in {name}, so their own times were not compared."]
    rows = [Row(BY_METRICS, key, _histograms(ours[key], theirs[key])) for key in series]
    enough = [row for row in rows if row.finding.judgement is not Judgement.UNCLEAR]
    corrected = compare.holm({row.endpoint: row.finding.p for row in enough})
    judged = [
        Row(BY_METRICS, row.endpoint, _judged(dataclasses.replace(row.finding, p=corrected[row.endpoint])))
        for row in enough
    ]
    few = [f"{row.endpoint}: {row.finding.why}" for row in rows if row not in enough]
    return [*judged, *_errors(settings, before, after)], few


def _moved(name: str, first: Scrapes, last: Scrapes) -> dict[str, Counts]:
    """How far each series of a histogram moved, over all pods together, by the series' labels."""
    total: dict[str, Counts] = {}
    for scrapes, sign in ((first, -1.0), (last, 1.0)):
        for exposition in scrapes:
            for key, bound, count in _buckets(exposition.family(name)):
                counts = total.setdefault(key, {})
                counts[bound] = counts.get(bound, 0.0) + sign * count
    return {key: _per_bucket(counts) for key, counts in total.items() if max(counts.values()) > 0}


def _buckets(family: Family | None) -> Iterator[tuple[str, float, float]]:
    for sample in family.samples if family else ():
        if sample.name.endswith("_bucket"):
            labels = [value for label, value in sorted(sample.labels.items(), reverse=True) if label != "le"]
            yield " ".join(labels), float(sample.labels["le"]), sample.value


def _per_bucket(at_most: Counts) -> Counts:
    """Buckets hold what lies below their bound; a pod that started anew may make one shrink, which counts as none."""
    counts, below = {}, 0.0
    for bound in sorted(at_most):
        counts[bound] = max(0.0, at_most[bound] - below)
        below = max(below, at_most[bound])
    return counts


def _histograms(candidate: Counts, live: Counts) -> Finding:
    """Two histograms compared by rank: within a bucket all answers are ties."""
    numbers = int(sum(candidate.values())), int(sum(live.values()))
    medians = (_bound(candidate) * 1000, _bound(live) * 1000)
    if min(numbers) < compare.MIN_POINTS:
        why = f"{numbers[0]} and {numbers[1]} answers counted prove nothing: {compare.MIN_POINTS} of each are wanted"
        return Finding(Judgement.UNCLEAR, why, numbers, (0, 0), medians, None, 1.0, 0.0)
    bounds = sorted(candidate.keys() | live.keys())
    ranks = compare.of_counts([(candidate.get(bound, 0.0), live.get(bound, 0.0)) for bound in bounds])
    return Finding(Judgement.ALIKE, "", numbers, (0, 0), medians, None, ranks.p_greater, ranks.delta)


def _judged(finding: Finding) -> Finding:
    worse = finding.p < compare.ALPHA and finding.delta >= LARGER
    said = "its answers fall into slower buckets than live's" if worse else "its buckets are filled as live's"
    why = f"{said} (Cliff's delta {finding.delta:.2f})"
    return dataclasses.replace(finding, judgement=Judgement.WORSE if worse else Judgement.ALIKE, why=why)


def _bound(counts: Counts) -> float:
    """The upper bound of the bucket in which the median lies, in seconds."""
    half, seen = sum(counts.values()) / 2, 0.0
    for bound in sorted(counts):
        seen += counts[bound]
        if seen >= half:
            return bound
    return 0.0


def _errors(settings: Settings, before: tuple[Scrapes, Scrapes], after: tuple[Scrapes, Scrapes]) -> Iterator[Row]:
    """Server errors by the request counter's status label, where both sides have one."""
    counter = settings.request_counter
    counted = []
    for first, last in zip(before, after, strict=True):
        bad, of = _sum(last, counter)[0] - _sum(first, counter)[0], _sum(last, counter)[1] - _sum(first, counter)[1]
        counted.append((max(0, int(bad)), max(0, int(of))))
    (bad, of), (live_bad, live_of) = counted
    if min(of, live_of) < compare.MIN_POINTS:
        return
    p = compare.fisher_greater(bad, of, live_bad, live_of)
    worse = p < compare.ALPHA and bad / of - live_bad / live_of >= compare.ERROR_EXCESS
    why = f"{bad} of {of} answers were server errors, live's {live_bad} of {live_of}"
    judgement = Judgement.WORSE if worse else Judgement.ALIKE
    yield Row(BY_METRICS, "errors", Finding(judgement, why, (of, live_of), (bad, live_bad), (0.0, 0.0), None, p, 0.0))


def _sum(scrapes: Scrapes, counter: str) -> tuple[float, float]:
    """Server errors and requests, over all pods."""
    return (
        sum(exposition.server_errors(counter) or 0.0 for exposition in scrapes),
        sum(exposition.total(counter) or 0.0 for exposition in scrapes),
    )


def skipped(mode: str, why: str) -> dict[str, Any]:
    """What release.json says where nothing was compared, though it was asked for."""
    return {"mode": mode, "seconds": 0.0, "rows": [], "remarks": [], "skipped": why}
