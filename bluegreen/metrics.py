"""Prometheus metrics: fetched, read, and compared between two scrapes.

Comes in: the text of ``/metrics``. Goes out: families with their type and samples. It judges nothing; ``gate`` does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from bluegreen.errors import HarnessError

STATUS_LABELS = ("status", "status_code", "code", "http_status")
"""Labels by which request counters commonly tell an answer's status."""


class MetricsError(HarnessError):
    """The metrics could not be fetched, or are not in the Prometheus text format."""


@dataclass(frozen=True)
class Sample:
    """One line: its full name (``x_total``, ``x_bucket``, ...), labels and value."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True)
class Family:
    """All samples of one metric. ``type``: counter, gauge, histogram, summary or unknown (no TYPE line)."""

    name: str
    type: str
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class Exposition:
    """What one scrape gave. A counter is found with and without its ``_total``."""

    families: Mapping[str, Family]

    def family(self, name: str) -> Family | None:
        """The family of a metric, or None."""
        return self.families.get(name) or self.families.get(name.removesuffix("_total"))

    def total(self, name: str, **labels: str) -> float | None:
        """The sum of a counter or gauge over all samples that carry ``labels``; None when there is no such family."""
        family = self.family(name)
        if family is None:
            return None
        names = {name, f"{name.removesuffix('_total')}_total"}
        return sum(sample.value for sample in family.samples if sample.name in names and _carries(sample, labels))

    def server_errors(self, counter: str) -> float | None:
        """How many answers with a status of 5xx a request counter has counted; None when it has no status label."""
        family = self.family(counter)
        stated = [(sample, status) for sample in family.samples if (status := _status(sample))] if family else []
        if not stated and family is not None and family.samples:
            return None
        return sum(sample.value for sample, status in stated if status.startswith("5"))


def parse(text: str) -> Exposition:
    """Read the text format. Raises MetricsError naming the line that is none."""
    from prometheus_client.parser import text_string_to_metric_families

    families: dict[str, Family] = {}
    try:
        for found in text_string_to_metric_families(text):
            samples = tuple(Sample(sample.name, sample.labels, sample.value) for sample in found.samples)
            known = families.get(found.name)  # a family in two pieces is one; whether that is well formed the gate says
            families[found.name] = (
                Family(known.name, known.type, known.samples + samples)
                if known
                else Family(found.name, found.type, samples)
            )
    except (ValueError, KeyError, IndexError) as error:
        raise MetricsError(f"The metrics are not in the Prometheus text format: {error}.") from None
    return Exposition(families)


def scrape(url: str, timeout_s: float = 5.0, headers: Mapping[str, str] | None = None) -> Exposition:
    """Fetch and read the metrics at ``url``.

    Raises:
        MetricsError: no answer in time, another status than 200, or not the text format.
    """
    import httpx

    try:
        answer = httpx.get(url, timeout=timeout_s, headers=dict(headers or {}), trust_env=False)
    except httpx.HTTPError as error:
        raise MetricsError(f"{_place(url)} gave no metrics: {type(error).__name__} {error}".strip() + ".") from None
    if answer.status_code != 200:
        raise MetricsError(f"{_place(url)} gave no metrics: status {answer.status_code}.")
    return parse(answer.text)


def delta(before: Exposition, after: Exposition, counter: str, **labels: str) -> float | None:
    """How far a counter moved between two scrapes, below zero when it went backwards; None when it is not there.

    A counter that had no sample yet counts as zero.
    """
    end = after.total(counter, **labels)
    return None if end is None else end - (before.total(counter, **labels) or 0.0)


def histogram_problems(family: Family) -> Iterator[str]:
    """What is wrong with a histogram: buckets that shrink, no +Inf, a count that differs from +Inf, no sum."""
    series: dict[tuple[tuple[str, str], ...], dict[str, float]] = {}
    for sample in family.samples:
        part = sample.name.removeprefix(family.name)
        key = tuple(sorted((name, value) for name, value in sample.labels.items() if name != "le"))
        name = sample.labels.get("le", "") if part == "_bucket" else part
        series.setdefault(key, {})[name] = sample.value
    for key, parts in series.items():
        labels = "{" + ",".join(f"{name}={value}" for name, value in key) + "}"
        if problem := _series_problem(parts):
            yield f"{family.name}{labels}: {problem}"


def _series_problem(parts: Mapping[str, float]) -> str:
    buckets = sorted((float(bound), value) for bound, value in parts.items() if not bound.startswith("_"))
    counts = [value for _, value in buckets]
    if not buckets or not math.isinf(buckets[-1][0]):
        return "it has no bucket +Inf"
    if counts != sorted(counts):
        return "a bucket holds less than a smaller one"
    if "_count" not in parts or "_sum" not in parts:
        return "it has no count or no sum"
    return "" if parts["_count"] == counts[-1] else f"its count {parts['_count']:g} is not its +Inf {counts[-1]:g}"


def _carries(sample: Sample, labels: Mapping[str, str]) -> bool:
    return all(sample.labels.get(name) == value for name, value in labels.items())


def _status(sample: Sample) -> str:
    return next((sample.labels[name] for name in STATUS_LABELS if name in sample.labels), "")


def _place(url: str) -> str:
    """A URL without any user and password it may hold."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or ''}{parts.path}"
