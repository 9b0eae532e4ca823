"""Releases as people and machines outside see them: Events, metrics, traces, notifications, all of one release."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bluegreen import clock
from bluegreen.clock import Deadline
from tests.observability.listening import free_port, receiving
from tests.observability.test_traces import spans

from .conftest import App, assert_nobody_felt_it

PUSHGATEWAY = shutil.which("prometheus-pushgateway")
PROMTOOL = shutil.which("promtool")


@pytest.fixture
def pushgateway() -> Iterator[str]:
    """A real Pushgateway; its URL."""
    if PUSHGATEWAY is None:
        pytest.skip("there is no prometheus-pushgateway here (Debian's package has it)")
    url = f"http://127.0.0.1:{(port := free_port())}"
    process = subprocess.Popen([PUSHGATEWAY, f"--web.listen-address=127.0.0.1:{port}"], stderr=subprocess.DEVNULL)
    deadline = Deadline(30)
    try:
        while True:
            try:
                httpx.get(f"{url}/-/ready", trust_env=False).raise_for_status()
                break
            except httpx.HTTPError:
                assert not deadline.expired
                clock.sleep_s(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def test_a_release_is_seen_in_every_way(app: App, pushgateway: str) -> None:
    file = app.folder / "bluegreen.prom"
    with receiving() as hook, receiving() as collector:
        watched = {
            "NOTIFY_URL": f"{hook.url}/services/x",
            "OTLP_ENDPOINT": collector.url,
            "PUSHGATEWAY_URL": pushgateway,
            "METRICS_FILE": str(file),
            "METRICS_PORT": str(free_port()),
        }
        good = app.release("gremlinsai/backend:v1.0.0", **watched)
        assert good.code == 0, good.output
        assert_nobody_felt_it(good.record)
        reasons = events(app)
        pushed = httpx.get(f"{pushgateway}/metrics", trust_env=False).text
        bad = app.release("gremlinsai/backend:v1.1.0-bad-http-500", **watched)
        assert bad.code == 1, bad.output
        texts = [json.loads(body)["text"] for _, body in hook.posted]
        trace = spans(collector)
    steps = ["Opened", "StandingUp", "Judging", "Switching", "Watching", "Retiring", "Switched"]
    assert reasons == [f"Release{step}" for step in steps]
    assert events(app)[-2:] == ["ReleaseReverting", "ReleaseGateFailed"]
    assert [text.partition(":")[0] for text in texts] == ["STARTED", "SWITCHED", "STARTED", "GATE-FAILED"]
    assert re.search(r"Users: [\d,]+ requests to live, 0 failed, longest gap \d+ ms", texts[1])
    for text in (pushed, file.read_text()):
        names = {family.name for family in text_string_to_metric_families(text)}
        assert {"bluegreen_release_outcome", "bluegreen_release_stage_passed"} <= names
        assert "bluegreen_release_live_requests_failed" in names
    assert 'bluegreen_release_outcome{app="gremlinsai-backend"' in file.read_text()
    assert {"release", "take the lock", "stand up the candidate", "switch", "remove candidate"} <= set(trace)
    if PROMTOOL is not None:
        subprocess.run([PROMTOOL, "check", "metrics"], input=file.read_bytes(), check=True)


def events(app: App) -> list[str]:
    """The reasons of the Events about the live Service, as kubectl would find them, in order."""
    service = app.kube.get("Service", "gremlinsai-service")
    assert service is not None
    fields = f"involvedObject.kind=Service,involvedObject.uid={service['metadata']['uid']}"
    found = [e for e in app.kube.list("Event", fields=fields) if e["source"].get("component") == "bluegreen"]
    return [e["reason"] for e in sorted(found, key=lambda e: int(e["metadata"]["resourceVersion"]))]


def test_nobody_to_tell_is_said_and_stops_nothing(app: App) -> None:
    nobody = "http://127.0.0.1:9"
    result = app.release("", NOTIFY_URL=f"{nobody}/s3cret", OTLP_ENDPOINT=nobody, PUSHGATEWAY_URL=nobody)
    assert result.code == 0, result.output
    assert "NOTIFY_URL: the message could not be delivered: ConnectError; the release goes on without" in result.output
    assert "metrics: the release's metrics could not be published" in result.output
    assert f"OTLP_ENDPOINT={nobody} did not take the trace" in result.output
    assert "s3cret" not in result.output
