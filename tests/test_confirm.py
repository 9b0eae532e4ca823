"""Traffic has arrived when fresh answers in a row say so, and a time-out says what was answered last."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bluegreen import confirm
from bluegreen.clock import Deadline
from bluegreen.confirm import Answer, Target
from bluegreen.errors import TimeoutExpiredError

Reply = tuple[int, str]
"""A status and a version."""


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[int], Reply]], tuple[str, int]]]:
    """A server whose n-th answer is what the given function says; gives its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(reply: Callable[[int], Reply]) -> tuple[str, int]:
        count = iter(range(10**6))

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, version = reply(next(count))
                self.send_response(status)
                self.send_header("X-Version", version)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return "127.0.0.1", server.server_address[1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def target(address: tuple[str, int], version: str = "v2", header: str = "X-Version") -> Target:
    """What must answer there."""
    return Target(*address, "/health", header, version)


@pytest.mark.parametrize("old", [0, 1, 7])
def test_answers_count_in_a_row(serve: Callable[[Callable[[int], Reply]], tuple[str, int]], old: int) -> None:
    address = serve(lambda number: (200, "v1" if number < old else "v2"))
    assert confirm.answers(target(address), Deadline(5)) == old + confirm.IN_A_ROW


def test_one_old_answer_in_between_begins_the_row_anew(
    serve: Callable[[Callable[[int], Reply]], tuple[str, int]],
) -> None:
    address = serve(lambda number: (200, "v1" if number == 3 else "v2"))
    assert confirm.answers(target(address), Deadline(5)) == 4 + confirm.IN_A_ROW


def test_the_old_version_for_ever_is_a_time_out_that_names_it(
    serve: Callable[[Callable[[int], Reply]], tuple[str, int]],
) -> None:
    address = serve(lambda number: (200, "v1"))
    with pytest.raises(TimeoutExpiredError) as late:
        confirm.answers(target(address), Deadline(0.2))
    assert "v1" in late.value.sentence
    assert "v2" in late.value.sentence


def test_errors_of_the_right_version_do_not_count(
    serve: Callable[[Callable[[int], Reply]], tuple[str, int]],
) -> None:
    address = serve(lambda number: (503, "v2"))
    with pytest.raises(TimeoutExpiredError, match="HTTP 503 from version v2"):
        confirm.answers(target(address), Deadline(0.2))
    confirm.reachable(target(address), Deadline(1))


@pytest.mark.parametrize(("header", "version"), [("", "v2"), ("X-Version", "")])
def test_where_no_version_is_known_any_healthy_answer_counts(
    serve: Callable[[Callable[[int], Reply]], tuple[str, int]], header: str, version: str
) -> None:
    address = serve(lambda number: (200, "whatever"))
    assert confirm.answers(target(address, version, header), Deadline(5)) == confirm.IN_A_ROW


def test_nobody_there_is_a_problem_and_not_an_error() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = target(free.getsockname())
        assert confirm.ask(nobody).problem
        with pytest.raises(TimeoutExpiredError):
            confirm.reachable(nobody, Deadline(0.1))


@pytest.mark.parametrize(
    ("answer", "good"),
    [
        (Answer(200, "v2"), True),
        (Answer(302, "v2"), True),
        (Answer(200, "v1"), False),
        (Answer(200, ""), False),
        (Answer(404, "v2"), False),
        (Answer(problem="refused"), False),
    ],
)
def test_an_answer_is_good_when_it_is_healthy_and_of_the_version(answer: Answer, good: bool) -> None:
    assert answer.good(target(("127.0.0.1", 1))) is good
