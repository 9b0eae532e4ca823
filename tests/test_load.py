"""The load test: honest figures, nothing left running, and a locust file that works alone."""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bluegreen import clock, gate, load
from bluegreen.clock import Deadline
from bluegreen.errors import TimeoutExpiredError
from bluegreen.settings import Settings
from bluegreen.settings import load as load_settings
from bluegreen.thresholds import Limits, Thresholds
from tests.backend import Backend, backend


def settings(**env: str) -> Settings:
    """Settings of a short load test of version v1."""
    given = {"LOAD_TEST_DURATION": "2", "LOAD_WARMUP": "0.5", "LOAD_USERS": "5", "DOCKER_IMAGE": "app:v1", **env}
    return load_settings(given)


@pytest.fixture(scope="module")
def sample() -> Iterator[Backend]:
    """A healthy sample, shared by tests that only ask."""
    with backend() as running:
        yield running


# --- reading ----------------------------------------------------------------------------------------------------------


def figures(*endpoints: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """A summary file's content."""
    return {
        **{"seconds": 2.0, "users": 5, "rate": 75.0, "late": 0, "dropped": 0, "workers": 0},
        **{"endpoints": list(endpoints), "errors": []},
        **changed,
    }


def endpoint(path: str, histogram: dict[str, int], failures: int = 0) -> dict[str, Any]:
    """One endpoint's figures."""
    entry = {"method": "GET", "path": path, "failures": failures, "max_ms": max(map(float, histogram)) + 0.4}
    return {**entry, "requests": sum(histogram.values()), "histogram_ms": histogram}


def test_figures_of_all_endpoints_are_put_together() -> None:
    found = load.read(figures(endpoint("/b", {"10": 90, "400": 10}), endpoint("/a", {"10": 100}, failures=50)))
    assert (found.requests, found.failures, found.success_rate, found.rps) == (200, 50, 0.75, 100.0)
    assert (found.p50_ms, found.p95_ms, found.p99_ms, found.max_ms) == (10, 10, 400, 400.4)
    assert [one.path for one in found.endpoints] == ["/a", "/b"]
    assert found.endpoints[1].p95_ms == 400
    assert found.histogram_ms == {10: 190, 400: 10}


def test_no_request_at_all_is_no_success() -> None:
    found = load.read(figures(seconds=0.0))
    assert (found.requests, found.success_rate, found.rps, found.p95_ms) == (0, 0.0, 0.0, 0.0)


def test_a_result_survives_json() -> None:
    found = load.read(figures(endpoint("/", {"3": 7})))
    assert json.loads(json.dumps(found.to_json()))["endpoints"][0]["p95_ms"] == 3


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 10.0), (0.9, 10.0), (0.91, 20.0), (0.99, 20.0), (1.0, 500.0), (0.991, 500.0)]
)
def test_a_percentile_is_not_exceeded_by_that_share(share: float, expected: float) -> None:
    assert load.percentile({10: 900, 20: 90, 500: 10}, share) == expected


# --- running ----------------------------------------------------------------------------------------------------------


def test_a_healthy_server_is_asked_at_the_rate_and_the_warm_up_is_left_out(sample: Backend, tmp_path: Path) -> None:
    found = load.run(settings(), sample.url, tmp_path)
    assert found.failures == 0, found.errors
    assert {one.path for one in found.endpoints} == {"/", "/api/v1/capabilities"}
    assert 0.5 * 75 <= found.rps <= 1.2 * 75
    assert found.requests <= 1.2 * 75 * 1.6  # 1.5 of 2 s
    assert "<html" in Path(found.report).read_text()


def test_an_answer_of_another_version_is_a_failure(sample: Backend, tmp_path: Path) -> None:
    found = load.run(settings(DOCKER_IMAGE="app:v2", LOAD_TEST_DURATION="3", LOAD_WARMUP="0"), sample.url, tmp_path)
    assert found.requests == found.failures > 0
    assert found.errors[0].error == "answered by version v1 and not v2"


def test_nobody_listening_is_all_failures(tmp_path: Path) -> None:
    with backend() as gone:
        pass
    found = load.run(settings(LOAD_TEST_DURATION="3", LOAD_WARMUP="0"), gone.url, tmp_path)
    assert found.requests == found.failures > 0
    assert "ConnectionRefused" in found.errors[0].error


def test_a_stall_shows_in_the_latency_and_as_late_and_dropped_arrivals(tmp_path: Path) -> None:
    """A closed client would call this server as fast as 800 ms an answer; requests were due far more often."""
    with backend("slow") as slow:
        found = load.run(settings(LOAD_TEST_DURATION="4"), slow.url, tmp_path)
    assert found.failures == 0, found.errors
    assert found.p95_ms > 1200
    assert found.late > 0
    assert found.dropped > 0
    assert found.busy < 0.9, "it mostly waited for answers"


def test_a_generator_that_is_asked_for_too_much_says_how_busy_it_was(sample: Backend, tmp_path: Path) -> None:
    found = load.run(settings(LOAD_RATE="20000", LOAD_USERS="50"), sample.url, tmp_path)
    assert found.rps < 0.5 * 20_000
    assert found.busy > 0.5


def test_arrivals_show_a_stall_that_closed_users_hide(tmp_path: Path) -> None:
    """Coordinated omission: a server that stalls for a second once is asked by closed users once in that second.

    At fixed arrivals every request that was due in the stall counts it: of 4 s a quarter was waited through.
    """
    with stalling(for_s=1.0) as url:
        closed = load.run(stalled_settings(LOAD_MODEL="users"), url, tmp_path / "closed")
    with stalling(for_s=1.0) as url:
        arrivals = load.run(stalled_settings(), url, tmp_path / "arrivals")
    assert closed.max_ms > 800, "the stall itself was met"
    assert closed.p95_ms < 400, f"closed users hide it: {closed.p95_ms}"
    assert arrivals.p95_ms > 600, f"arrivals do not: {arrivals.p95_ms}"
    assert closed.wanted_rps == 0
    assert arrivals.late > closed.late


def stalled_settings(**env: str) -> Settings:
    """Two users, 40 requests a second, four seconds."""
    return settings(
        LOAD_TEST_DURATION="5", LOAD_WARMUP="1", LOAD_USERS="2", LOAD_RATE="40", VERSION_HEADER="none", **env
    )


@contextmanager
def stalling(for_s: float) -> Iterator[str]:
    """A server that answers at once, but for one stall in which it answers nobody, 2.5 s after its first request."""
    turn, began = threading.Lock(), threading.Event()

    def stall() -> None:
        if began.wait(60):
            clock.sleep_s(2.5)
            with turn:
                clock.sleep_s(for_s)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self) -> None:
            began.set()
            with turn:
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")
                self.wfile.flush()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threads = [threading.Thread(target=server.serve_forever), threading.Thread(target=stall)]
        for thread in threads:
            thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        began.set()
        server.shutdown()
        for thread in threads:
            thread.join()


def test_a_test_that_is_decided_is_ended_and_its_figures_kept(sample: Backend, tmp_path: Path) -> None:
    wrong = settings(DOCKER_IMAGE="app:v2", LOAD_TEST_DURATION="60")
    limits = Thresholds(Limits(success=0.99))
    began = Deadline(60)
    found = load.run(wrong, sample.url, tmp_path, hopeless=partial(gate.hopeless, thresholds=limits))
    assert began.elapsed_s < 45
    assert "cannot be reached any more" in found.stopped_early
    assert found.failures == found.requests > 0
    assert Path(found.report).exists()


def test_its_processes_make_the_load_together(sample: Backend, tmp_path: Path) -> None:
    found = load.run(settings(LOAD_PROCESSES="2", LOAD_TEST_DURATION="4", LOAD_USERS="6"), sample.url, tmp_path)
    assert found.failures == 0, found.errors
    assert found.workers == 2
    assert 0.3 * 90 <= found.rps <= 1.5 * 90


def test_sides_are_asked_in_turn_and_their_times_are_kept(sample: Backend, tmp_path: Path) -> None:
    with backend() as other:
        plan = load.Plan(sample.url, sides={"candidate": [sample.url], "live": [other.url]}, versions={"live": "v1"})
        found = load.run_plan(settings(LOAD_TEST_DURATION="3"), plan, tmp_path, name="compare")
    assert found.failures == 0, found.errors
    keys = {f"{side} GET {path}" for side in ("candidate", "live") for path in ("/", "/api/v1/capabilities")}
    assert set(found.samples) == keys
    assert sum(map(len, found.samples.values())) == found.requests
    sizes = [len(times) for times in found.samples.values()]
    assert max(sizes) - min(sizes) <= 0.2 * sum(sizes) + 5
    assert "samples" not in found.to_json()
    assert (tmp_path / "compare.html").exists()


def test_test_traffic_is_marked_and_the_requests_are_those_asked_for(tmp_path: Path) -> None:
    """http-500-after-switch turns bad 5 s after an unmarked request: asked for long enough, it must stay good."""
    wanted = ['POST /api/v1/chat {"message": "hi"}', "GET /api/v1/conversations"]
    with backend("http-500-after-switch") as server:
        found = load.run(settings(LOAD_TEST_DURATION="7", LOAD_USERS="1"), server.url, tmp_path, requests=wanted)
    assert found.failures == 0, found.errors
    assert {(one.method, one.path) for one in found.endpoints} == {
        ("POST", "/api/v1/chat"),
        ("GET", "/api/v1/conversations"),
    }


def test_the_deadline_ends_locust_and_says_so(sample: Backend, tmp_path: Path) -> None:
    with pytest.raises(TimeoutExpiredError, match="The load test's end: not so after"):
        load.run(settings(LOAD_TEST_DURATION="30"), sample.url, tmp_path, deadline=Deadline(1.5))
    assert processes_of(tmp_path) == []


def test_figures_that_were_not_written_are_no_result(sample: Backend, tmp_path: Path) -> None:
    with pytest.raises(load.LoadTestError, match="is no request: write METHOD /path"):
        load.run(settings(), sample.url, tmp_path, requests=["nonsense"])


def processes_of(folder: Path) -> list[int]:
    """The processes whose command line names this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in words and b"locust" in words:
                found.append(int(entry.name))
    return found


def test_locust_gets_no_secret_and_ends_when_we_are_killed(sample: Backend, tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; from bluegreen import load; from tests.test_load import settings\n"
        "load.run(settings(LOAD_TEST_DURATION='60'), sys.argv[1], pathlib.Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", script, sample.url, str(tmp_path / "out")]
    ours = subprocess.Popen(command, env={**os.environ, "DB_PASSWORD": "canary-4711", "LOCUST_USERS": "1"})
    try:
        await_that(lambda: (tmp_path / "out/locust.log").exists() and "spawned" in log(tmp_path))
        theirs = [pid for pid in processes_of(tmp_path / "out") if pid != ours.pid]
        environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in theirs]
        ours.send_signal(signal.SIGKILL)
    finally:
        ours.kill()
        ours.wait()
    assert environments
    assert all(b"canary-4711" not in found and b"LOCUST_USERS" not in found for found in environments)
    await_that(lambda: processes_of(tmp_path / "out") == [])


def log(folder: Path) -> str:
    """What locust has said."""
    return (folder / "out/locust.log").read_text()


def await_that(condition: Any) -> None:
    """Return when the condition holds; fails after 20 s."""
    deadline = Deadline(20)
    while not condition():
        assert not deadline.expired
        clock.sleep_s(0.05)


# --- the locust file alone --------------------------------------------------------------------------------------------


def locust(*options: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run locust with our file, from a folder that has nothing of this project."""
    command = [sys.executable, "-m", "locust", "-f", str(load.locustfile()), *options]
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60)


def test_it_works_alone_with_either_kind_of_user(sample: Backend, tmp_path: Path) -> None:
    for kind, name in (("fast", "FastUser"), ("plain", "PlainUser")):
        ran = locust(
            *("--headless", "--host", sample.url, "-u", "3", "-r", "3", "-t", "3s", "--user-kind", kind),
            *("--per-user", "20", "--summary-file", f"{kind}.json"),
            cwd=tmp_path,
        )
        assert ran.returncode == 0, ran.stderr
        assert name in ran.stderr
        found = load.read(json.loads((tmp_path / f"{kind}.json").read_text()))
        assert found.failures == 0, found.errors
        assert len(found.endpoints) == 4
        assert 3 * 3 * 20 * 0.2 <= found.requests <= 3 * 3 * 20 * 1.2


def test_its_processes_share_one_rate(sample: Backend, tmp_path: Path) -> None:
    ran = locust(
        *("--headless", "--host", sample.url, "-u", "8", "-r", "8", "-t", "3s", "--processes", "2"),
        *("--rate", "80", "--summary-file", "figures.json"),
        cwd=tmp_path,
    )
    assert ran.returncode == 0, ran.stderr
    found = load.read(json.loads((tmp_path / "figures.json").read_text()))
    assert found.failures == 0, found.errors
    assert 0.5 * 80 <= found.rps <= 1.4 * 80


def test_its_page_is_on_loopback_unless_told_otherwise(sample: Backend, tmp_path: Path) -> None:
    ran = locust(
        *("--autostart", "--autoquit", "0", "--host", sample.url, "-u", "1", "-t", "1s", "--web-port", "0"),
        cwd=tmp_path,
    )
    assert "Starting web interface at http://127.0.0.1:" in ran.stderr, ran.stderr
