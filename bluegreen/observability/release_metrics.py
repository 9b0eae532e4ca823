"""A release's own metrics, for a Prometheus: a text file, a Pushgateway, or a port of this machine while it runs.

Families (labels ``namespace`` and ``app`` on each): see ``families``, whose help texts are the documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, push_to_gateway, start_http_server, write_to_textfile
from prometheus_client.core import GaugeMetricFamily, Metric

from bluegreen import clock
from bluegreen.errors import HarnessError
from bluegreen.journal import Record, Step
from bluegreen.observability import words
from bluegreen.observability.observer import Observer
from bluegreen.probe.result import ProbeResult
from bluegreen.settings import Settings
from bluegreen.verdict import Outcome

JOB = "bluegreen"
PUSH_TIMEOUT_S = 3.0


class NotPublishedError(HarnessError):
    """The metrics could not be written or pushed."""


Samples = Mapping[Any, float]
"""Values by the texts of the labels that come after ``namespace`` and ``app``, as a tuple."""


@dataclass(frozen=True)
class Snapshot:
    """A release so far. ``stages``: verdict and seconds by stage, once the tests are over."""

    record: Record | None = None
    outcome: str = ""
    needs_person: bool = False
    ended_s: float = 0.0  # since the epoch; 0 while it runs
    stages: Mapping[str, tuple[str, float]] = field(default_factory=dict)


class ReleaseMetrics(Observer):
    """Keeps a snapshot and publishes it after each change."""

    def __init__(self, settings: Settings, felt: Callable[[], ProbeResult | None]) -> None:
        self._settings, self._felt = settings, felt
        self.snapshot = Snapshot()
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._server: Any = None

    def collect(self) -> Iterator[Metric]:
        """What prometheus_client asks for at each scrape, push and write."""
        labels = {"namespace": self._settings.namespace, "app": self._settings.app_name}
        yield from families(self.snapshot, self._felt(), labels, clock.utc().timestamp())

    def entered(self, record: Record) -> None:
        """A new step."""
        over = words.is_over(record)
        ended_s = clock.utc().timestamp() if over else 0.0
        outcome = record.outcome if over else ""
        self.snapshot = Snapshot(record, outcome, ended_s=ended_s, stages=self.snapshot.stages)
        self._publish()

    def person(self, sentence: str) -> None:
        """Somebody has to look."""
        self.snapshot = replace(self.snapshot, needs_person=bool(sentence))
        self._publish()

    def result(self, result: Mapping[str, Any]) -> None:
        """The stages, and an outcome that the journal does not know: that a person is needed."""
        stages = {name: (stage["verdict"], stage["duration_s"]) for name, stage in result["stages"].items()}
        ended_s = self.snapshot.ended_s or clock.utc().timestamp()
        self.snapshot = replace(self.snapshot, stages=stages, outcome=result["outcome"], ended_s=ended_s)
        self._publish()

    def close(self) -> None:
        """Nothing listens any more."""
        if self._server is not None:
            server, thread = self._server
            server.shutdown()
            server.server_close()
            thread.join()

    def _publish(self) -> None:
        settings = self._settings
        try:
            if settings.metrics_port and self._server is None:
                self._server = start_http_server(settings.metrics_port, settings.metrics_host, self._registry)
            if settings.metrics_file:
                settings.metrics_file.parent.mkdir(parents=True, exist_ok=True)
                write_to_textfile(str(settings.metrics_file), self._registry)
            if settings.pushgateway_url:
                key = {"namespace": settings.namespace, "app": settings.app_name}
                push_to_gateway(settings.pushgateway_url, JOB, self._registry, key, PUSH_TIMEOUT_S)
        except OSError as error:
            raise NotPublishedError(f"the release's metrics could not be published: {error}") from error


def families(snap: Snapshot, felt: ProbeResult | None, labels: Mapping[str, str], now_s: float) -> Iterator[Metric]:
    """All families of a snapshot; ``now_s``: seconds since the epoch."""
    record = snap.record
    if record is None:
        return
    names, values = list(labels), list(labels.values())

    def gauge(name: str, text: str, samples: Samples, *more: str) -> Metric:
        found = GaugeMetricFamily(f"bluegreen_release_{name}", text, labels=[*names, *more])
        for key, value in samples.items():
            found.add_metric([*values, *key], value)
        return found

    started_s = _seconds(record.started_at)
    info = (record.id, record.image, str(record.candidate), str(record.live or "nobody"))
    yield gauge("info", "The last release.", {info: 1}, "release", "image", "candidate", "live_before")
    yield gauge("started_timestamp_seconds", "When it began; that it changed is that a release began.", {(): started_s})
    yield gauge("in_progress", "1 while it runs.", {(): 0 if snap.ended_s else 1})
    yield gauge("duration_seconds", "How long it took, or has taken so far.", {(): (snap.ended_s or now_s) - started_s})
    yield gauge("step", "1 for the step it is in.", {(str(step),): step is record.step for step in Step}, "step")
    yield gauge(
        "step_duration_seconds", "How long each step took so far.", step_seconds(record, snap.ended_s or now_s), "step"
    )
    outcomes = {(str(outcome),): outcome == snap.outcome for outcome in Outcome}
    yield gauge("outcome", "1 for how it ended; all 0 while it runs.", outcomes, "outcome")
    yield gauge("needs_person", "1 when a person has to look, or to answer.", {(): snap.needs_person})
    took = {(name,): seconds for name, (_, seconds) in snap.stages.items()}
    yield gauge("stage_duration_seconds", "How long each stage's tests took.", took, "stage")
    passed = {(name, verdict): float(verdict == "pass") for name, (verdict, _) in snap.stages.items()}
    yield gauge("stage_passed", "1 for a stage that passed, 0 for another verdict.", passed, "stage", "verdict")
    if felt is not None:
        yield gauge("live_requests", "Requests of the probe to the live service.", {(): felt.requests})
        yield gauge("live_requests_failed", "Those of them that failed.", {(): felt.failed})
        yield gauge(
            "live_longest_gap_seconds", "The longest time without a good answer.", {(): felt.longest_gap_ms / 1000}
        )


def step_seconds(record: Record, until_s: float) -> dict[tuple[str, ...], float]:
    """Seconds that a release spent in each step, from when each was entered; ``until_s``: the last one's end."""
    entered = sorted((_seconds(at), step) for step, at in record.times.items())
    ends = [*(at_s for at_s, _ in entered[1:]), until_s]
    return {
        (step,): max(0.0, end_s - at_s)
        for (at_s, step), end_s in zip(entered, ends, strict=True)
        if step != Step.CLOSED
    }


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp()
