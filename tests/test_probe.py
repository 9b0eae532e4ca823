"""The probe: what it asks, that it hides no failure and blames nobody wrongly, and what it makes of the answers."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from bluegreen import clock
from bluegreen.probe import SWITCH, SWITCHED, Answer, Probe, ProbeResult, summarise
from bluegreen.probe.controller import ProbeDiedError
from bluegreen.probe.result import BUCKETS_LIMIT, UNSERVED, percentile
from tests.backend import backend

STARTED = datetime(2026, 1, 1, tzinfo=UTC)


def answer(at_s: float, ms: float = 2.0, error: str = "", version: str = "v1", fresh: bool = True) -> Answer:
    """One request's answer."""
    return Answer(at_s, ms, 0.0, fresh, 0 if error else 200, "" if error else version, error)


def result(*answers: Answer, marks: list[tuple[str, float]] | None = None, first: bool = False) -> ProbeResult:
    """What is made of them; the probe started at 100 s on the monotonic clock."""
    return summarise(answers, marks or [], 100.0, STARTED, first)


# --- what is made of the answers --------------------------------------------------------------------------------------


def test_requests_failures_and_versions_are_counted_by_kind() -> None:
    found = result(
        answer(100.0),
        answer(100.1, fresh=False),
        answer(100.2, error="refused"),
        answer(100.3, version="v2", fresh=False),
    )
    assert (found.requests, found.failed) == (4, 1)
    assert found.by_version == {"v1": 2, "v2": 1}
    assert found.errors == {"refused": 1}
    assert (found.fresh.requests, found.fresh.failed) == (2, 1)
    assert (found.keep_alive.requests, found.keep_alive.failed) == (2, 0)


def test_the_gap_is_from_good_answer_to_good_answer() -> None:
    answers = [answer(100.0), answer(100.1), answer(100.2, error="timeout"), answer(100.6, ms=50.0), answer(100.7)]
    assert result(*answers).longest_gap_ms == pytest.approx(548.0)  # 100.102 until 100.65


def test_failures_at_the_end_are_part_of_the_gap() -> None:
    answers = [answer(100.0), answer(100.1), answer(101.1, ms=2000.0, error="timeout")]
    assert result(*answers).longest_gap_ms == pytest.approx(2998.0)


def test_in_a_first_release_counting_begins_with_the_first_good_answer() -> None:
    answers = [
        answer(100.0, error="refused"),
        answer(100.5, error="refused"),
        answer(101.0),
        answer(101.5, error="cut"),
    ]
    found = result(*answers, first=True)
    assert (found.requests, found.failed, found.not_counted) == (2, 1, 2)
    assert found.counted_from == "2026-01-01T00:00:01.000Z"
    assert sum(bucket.failed for bucket in found.timeline) == 1
    assert result(*answers).failed == 3


def test_once_traffic_was_taken_back_to_nobody_no_failure_is_a_lost_request() -> None:
    answers = [
        answer(101.0),
        answer(101.5, error="cut"),
        answer(102.0, ms=600.0, error="cut"),
        answer(103.0, error="refused"),
    ]
    found = result(answer(100.0, error="refused"), *answers, marks=[(UNSERVED, 102.5)], first=True)
    assert (found.requests, found.failed, found.not_counted) == (2, 1, 3)
    assert found.longest_gap_ms == pytest.approx(500.0)


def test_a_first_release_that_nobody_ever_answered_counts_nothing() -> None:
    found = result(answer(100.0, error="refused"), first=True)
    assert (found.requests, found.failed, found.counted_from, found.not_counted) == (0, 0, None, 1)
    assert "no answer that counts" in found.sentence


def test_times_are_told_apart_before_during_and_after_the_switch() -> None:
    answers = [answer(100 + n / 10, ms=1.0 if n < 50 else 9.0 if n < 80 else 3.0) for n in range(200)]
    found = result(*answers, marks=[(SWITCH, 105.0), (SWITCHED, 108.0)])
    assert found.p99_ms == {"before": 1.0, "during": 9.0, "after": 3.0}


def test_without_a_switch_everything_is_before() -> None:
    found = result(answer(100.0, ms=5.0))
    assert found.p50_ms == {"before": 5.0, "during": None, "after": None}
    assert found.close_up == ()


def test_a_switch_back_does_not_move_the_moment_of_the_switch() -> None:
    answers = [answer(100 + n) for n in range(20)]
    found = result(*answers, marks=[(SWITCH, 105.0), (SWITCH, 115.0)])
    assert [one.at_s for one in found.close_up] == [3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]


def test_a_failure_is_told_in_words_with_the_step_it_followed() -> None:
    found = result(answer(101.25, error="closed-while-kept", fresh=False), marks=[(SWITCH, 101.0)])
    assert found.first_failures == (
        "00:00:01.250 on a kept connection, after 2 ms: the server closed a kept connection as a request was on its "
        "way, 0.25 s after 'switch'",
    )


def test_a_long_timeline_gets_wider_buckets_and_loses_no_request() -> None:
    answers = [answer(100 + n / 2) for n in range(4000)]
    found = result(*answers)
    assert len(found.timeline) <= BUCKETS_LIMIT + 1
    assert sum(bucket.requests for bucket in found.timeline) == 4000


@pytest.mark.parametrize(
    ("values", "share", "expected"), [([], 0.5, None), ([1.0], 0.99, 1.0), ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0)]
)
def test_a_percentile_is_a_value_that_was_measured(values: list[float], share: float, expected: float | None) -> None:
    assert percentile(values, share) == expected


# --- asking -----------------------------------------------------------------------------------------------------------


def until(probe: Probe, enough: Callable[[ProbeResult], bool]) -> ProbeResult:
    """The first result that is enough; fails after 20 s."""
    deadline = clock.Deadline(20)
    while not enough(found := probe.snapshot()):
        assert not deadline.expired, found
        clock.sleep_s(0.02)
    return found


@contextlib.contextmanager
def probing(url: str, folder: Path, **options: Any) -> Iterator[Probe]:
    """A probe at 100 requests a second, stopped whatever happens."""
    probe = Probe(url, "X-Version", folder / "probe.jsonl", **{"rate_per_s": 100.0, **options})
    probe.start()
    try:
        yield probe
    finally:
        probe.stop()


def test_a_healthy_server_is_asked_on_fresh_and_kept_connections_without_a_failure(tmp_path: Path) -> None:
    with backend(version="v7") as server, probing(server.url + "/", tmp_path) as probe:
        until(probe, lambda found: found.requests >= 60)
        found = probe.stop()
        assert found == probe.stop()
    assert found.failed == 0, found.first_failures
    assert set(found.by_version) == {"v7"}
    assert abs(found.fresh.requests - found.keep_alive.requests) <= 1


def test_requests_keep_their_schedule_while_the_server_is_slow(tmp_path: Path) -> None:
    with backend() as server, probing(server.url + "/api/v1/slow?seconds=0.5", tmp_path) as probe:
        found = until(probe, lambda found: found.requests >= 60)
    assert found.failed == 0, found.first_failures
    assert found.p50_ms["before"] is not None
    assert found.p50_ms["before"] >= 500
    assert found.requests / found.duration_s > 20  # a closed client on four connections would make 8


def test_a_drain_is_felt_by_nobody(tmp_path: Path) -> None:
    with backend(version="v1") as server, probing(server.url + "/", tmp_path) as probe:
        before = until(probe, lambda found: found.requests >= 40)
        httpx.post(server.url + "/api/v1/admin/drain")
        found = until(probe, lambda found: found.requests >= before.requests + 60)
        drained = httpx.get(server.url + "/api/v1/admin/connections").json()
    assert found.failed == 0, found.first_failures
    assert drained["open_connections"] <= 2  # none is kept any more


def test_a_server_that_goes_away_is_refused_and_marked(tmp_path: Path) -> None:
    with backend() as server, probing(server.url + "/", tmp_path) as probe:
        until(probe, lambda found: found.requests >= 20)
        probe.mark("the end")
        server.process.kill()
        found = until(probe, lambda found: found.errors.get("refused", 0) >= 10)
    assert any("the connection was refused" in failure for failure in found.first_failures)
    assert "after 'the end'" in found.first_failures[-1]
    assert found.marks[0].name == "the end"


def test_an_error_answer_is_a_failure_with_its_status(tmp_path: Path) -> None:
    with backend("http-500") as server, probing(server.url + "/", tmp_path) as probe:
        found = until(probe, lambda found: found.failed >= 5)
    assert found.errors == {"status": found.failed}
    assert "the answer was an error (500)" in found.first_failures[0]


class Rude:
    """A server that answers each connection's first request well and does something rude to the second."""

    def __init__(self, second: bytes | None) -> None:
        self._second = second  # what is sent then, before the connection is closed; None: nothing, and not closed
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Version: v1\r\nContent-Length: 2\r\n\r\nok")
            if not connection.recv(65536):
                return
            if self._second is None:
                connection.recv(65536)  # until the client gives up
            else:
                connection.sendall(self._second)

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()


@pytest.mark.parametrize(
    ("second", "error"),
    [
        (b"", "closed-while-kept"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal", "cut"),
        (b"nonsense\r\n\r\n", "not-http"),
        (None, "timeout"),
    ],
)
def test_a_kept_connection_that_fails_is_never_asked_again_in_secret(
    tmp_path: Path, second: bytes | None, error: str
) -> None:
    server = Rude(second)
    try:
        with probing(server.url, tmp_path, timeout_s=0.3) as probe:
            found = until(probe, lambda found: found.errors.get(error, 0) >= 3)
    finally:
        server.close()
    assert found.fresh.failed == 0
    assert set(found.errors) == {error}


def test_a_probe_that_ends_by_itself_is_noticed(tmp_path: Path) -> None:
    no_schedule = {"rate_per_s": 0.0}
    with (
        probing("http://127.0.0.1:1/", tmp_path, **no_schedule) as probe,
        pytest.raises(ProbeDiedError, match="ZeroDivisionError"),
    ):
        until(probe, lambda found: False)


def test_the_process_ends_when_its_standard_input_does(tmp_path: Path) -> None:
    with backend() as server, probing(server.url + "/", tmp_path) as probe:
        until(probe, lambda found: found.requests >= 1)
        process = probe._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.close()  # as the system does when the parent is killed
        assert process.wait(20) == 0
