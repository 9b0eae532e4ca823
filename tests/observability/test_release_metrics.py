"""The release's own metrics: what they say at each point, in a form that Prometheus reads."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bluegreen.journal import Step
from bluegreen.observability.release_metrics import ReleaseMetrics, step_seconds
from bluegreen.settings import load

from .listening import free_port
from .records import at

TIMES = {"opened": "2026-01-01T12:00:00Z", "standing-up": "2026-01-01T12:00:02Z", "judging": "2026-01-01T12:00:07Z"}
STAGES: dict[str, Any] = {
    "resources": {"verdict": "pass", "duration_s": 0.5},
    "load": {"verdict": "fail", "duration_s": 20.0},
}


def samples(text: str, name: str) -> dict[tuple[str, ...], float]:
    """Values of a family by its own labels' values."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            own = {key: value for key, value in sample.labels.items() if key not in ("namespace", "app")}
            assert sample.labels["namespace"] == "gremlinsai"
            if sample.name == f"bluegreen_release_{name}":
                found[tuple(own.values())] = sample.value
    return found


def test_seconds_in_each_step_so_far() -> None:
    record = at(Step.JUDGING, times=TIMES)
    noon_s = 1767268800.0
    assert step_seconds(record, noon_s + 10) == {("opened",): 2.0, ("standing-up",): 5.0, ("judging",): 3.0}


def test_the_file_follows_the_release(tmp_path: Path) -> None:
    file = tmp_path / "metrics" / "bluegreen.prom"
    metrics = ReleaseMetrics(load({"METRICS_FILE": str(file)}), lambda: None)
    metrics.entered(at(Step.JUDGING, times=TIMES))
    text = file.read_text()
    assert samples(text, "in_progress") == {(): 1}
    assert samples(text, "step")[("judging",)] == 1
    assert sum(samples(text, "step").values()) == 1
    assert sum(samples(text, "outcome").values()) == 0
    metrics.person("may it go on?")
    assert samples(file.read_text(), "needs_person") == {(): 1}
    metrics.entered(at(Step.CLOSED, times=TIMES, outcome="gate-failed"))
    metrics.result({"outcome": "gate-failed", "stages": STAGES})
    text = file.read_text()
    assert samples(text, "in_progress") == {(): 0}
    assert samples(text, "needs_person") == {(): 0}
    assert samples(text, "outcome")[("gate-failed",)] == 1
    assert samples(text, "stage_passed") == {("resources", "pass"): 1, ("load", "fail"): 0}
    assert samples(text, "stage_duration_seconds") == {("resources",): 0.5, ("load",): 20.0}


@pytest.mark.parametrize(("given", "elsewhere"), [({}, False), ({"METRICS_HOST": "0.0.0.0"}, True)])
def test_it_can_be_scraped_while_it_runs_on_loopback_unless_told(given: dict[str, str], elsewhere: bool) -> None:
    port = free_port()
    metrics = ReleaseMetrics(load({"METRICS_PORT": str(port), **given}), lambda: None)
    metrics.entered(at(Step.SWITCHING, times=TIMES))
    with socket.socket() as other:  # an address of this machine that is not the one it listens on by default
        assert (other.connect_ex(("127.0.0.9", port)) == 0) is elsewhere
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    assert samples(text, "step")[("switching",)] == 1
    metrics.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)
