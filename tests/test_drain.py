"""How an old colour lets go of its clients: what its pods' answers mean, and what is told of it."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from bluegreen import localkube
from bluegreen.clock import Deadline
from bluegreen.drain import COMMAND, PATH, Answer, Count, Told, count_of, summary
from tests.apps import App

LASTING = {
    "websockets": "GET /api/v1/socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    "streams": "GET /api/v1/stream?chunks=60&interval=1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "long_polls": "GET /api/v1/poll?seconds=60 HTTP/1.1\r\nHost: x\r\n\r\n",
}
"""Requests of clients that stay: what the sample calls each in its count."""


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        (Answer(200, {"open_connections": 3, "in_flight": 1}), Count(3)),
        (Answer(200, {"connections": 0, "in_flight": 2}), Count(2)),
        (Answer(200, {"open_connections": 0, "in_flight": 0}), Count(0)),
        (
            Answer(200, {"open_connections": 2, "clients": {"streams": 2, "x": "y"}}),
            Count(2, {"streams": 2}),
        ),
        (Answer(200, {"open_connections": 2, "clients": 2}), Count(2)),
        (Answer(404, {"open_connections": 3}), None),
        (Answer(200, {"status": "draining"}), None),
        (Answer(200, {"in_flight": "many"}), None),
        (Answer(200, {"in_flight": True}), None),
        (Answer(200, {"in_flight": -1}), None),
        (Answer(200, ["no object"]), None),
        (Answer(0), None),
    ],
)
def test_a_pods_clients_are_the_most_it_counts(answer: Answer, count: Count | None) -> None:
    assert count_of(answer) == count


TOLD = Told(PATH, ["a", "b"])


@pytest.mark.parametrize(
    ("told", "counts", "expected", "words"),
    [
        (TOLD, {"a": Count(0), "b": Count(0)}, ("clients gone", 0, True), "had left after 1.2 s"),
        (TOLD, {"a": Count(2), "b": Count(5)}, ("time over", 7, True), "7 clients still connected"),
        (TOLD, {"a": Count(1, {"long_polls": 1, "idle": 0})}, ("time over", 1, True), "1 client (1 long polls)"),
        (TOLD, {}, ("not observed", None, False), "offers no count"),
        (Told(refusals=["HTTP 404"]), {}, ("not observed", None, False), "preStop hook of 2 pods (HTTP 404)"),
        (Told(), {"a": Count(3)}, ("stopped", 3, True), "3 clients still connected when its pods were last seen"),
        (Told(), {"a": Count(0)}, ("clients gone", 0, True), "left to the preStop hook"),
        (Told(COMMAND, ["a"]), {"a": Count(0)}, ("clients gone", 0, True), "1 of 2 pods told by the drain command"),
    ],
)
def test_what_is_told_of_a_drain(told: Told, counts: dict[str, Count], expected: Any, words: str) -> None:
    said = summary(told, 2, counts, None, 1.25)
    assert (said["ended"], said["clients_left"], said["observed"]) == expected
    assert words in said["how"]


# --- with an application ----------------------------------------------------------------------------------------------


@pytest.fixture
def app(cluster: localkube.Cluster, tmp_path: Path) -> Iterator[App]:
    """An application of the test's own."""
    app = App(cluster, tmp_path)
    yield app
    app.remove()


@contextmanager
def staying(address: str) -> Iterator[None]:
    """One client of each lasting kind, connected and answered, or waiting, until the block ends; says nothing more."""
    parts = urlsplit(address)
    with ExitStack() as stack:
        for kind, request in LASTING.items():
            client = stack.enter_context(socket.create_connection((parts.hostname, parts.port or 80), timeout=10))
            client.sendall(request.encode())
            if kind != "long_polls":  # which is answered last of all
                assert client.recv(12).startswith(b"HTTP/1.1 ")
        yield


def counted(app: App, kind: str) -> int:
    """The clients of a kind on all of live's pods."""
    assert app.live is not None
    pods = app.kube.list("Pod", labels=f"app=gremlinsai-backend,version={app.live}")
    asked = [httpx.get(f"http://{pod['status']['podIP']}:8080/api/v1/admin/connections") for pod in pods]
    return sum(answer.json()["clients"][kind] for answer in asked)


def test_on_the_default_settings_a_drain_is_observed(app: App) -> None:
    app.released("v1.0.0")
    release = app.released("v1.1.0", DRAIN_TIMEOUT="15")
    drain = release.record["drain"]
    assert (drain["ended"], drain["clients_left"], drain["pods_told"]) == ("clients gone", 0, 2), drain
    assert drain["clients_before"] >= 0
    assert release.record["probe"]["failed"] == 0
    app.at_rest()


def test_clients_that_stay_are_waited_for_and_counted_by_kind(app: App) -> None:
    first = app.released("v1.0.0")
    assert first.handle is not None
    with staying(first.handle.live_urls["http"]):
        deadline = Deadline(20)
        while [counted(app, kind) for kind in LASTING] != [1, 1, 1]:
            assert not deadline.expired
        drain = app.released("v1.1.0", DRAIN_TIMEOUT="2").record["drain"]
    assert (drain["ended"], drain["observed"]) == ("time over", True), drain
    assert {kind: drain["clients_by_kind"].get(kind) for kind in LASTING} == dict.fromkeys(LASTING, 1), drain
    assert drain["waited_s"] >= 2
    assert "1 websockets" in drain["how"]
    app.at_rest()


TELL = """
import os, urllib.request
drain = f"http://{os.environ['POD_IP']}:8080/api/v1/admin/drain"
urllib.request.urlopen(urllib.request.Request(drain, method="POST"))
"""
"""A program that tells the pod it runs in."""


@pytest.fixture(scope="module")
def released(cluster: localkube.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An application that serves, for tests that each release it once more."""
    app = App(cluster, tmp_path_factory.mktemp("drain"))
    app.released("v1.0.0")
    yield app
    app.remove()


@pytest.mark.parametrize(
    ("settings", "told", "ended", "words"),
    [
        (
            {"DRAIN_COMMAND": shlex.join(["python3", "-c", TELL])},
            "command",
            "clients gone",
            "told by the drain command",
        ),
        ({"DRAIN_COMMAND": "sh -c 'exit 3'"}, "preStop", None, "sh ended with exit code 3"),
        (
            {"DRAIN_PATH": "/no/such/path", "DRAIN_COUNT_PATH": "/none/either"},
            "preStop",
            "not observed",
            "POST /no/such/path: HTTP 404",
        ),
        ({"DRAIN_PATH": "none"}, "preStop", None, "left to the preStop hook"),
        ({"ACCESS": "port-forward"}, "path", "clients gone", "2 of 2 pods told by the drain path"),
    ],
    ids=["command", "failing command", "another team's", "count only", "port-forward"],
)
def test_every_way_of_telling(
    released: App, settings: dict[str, str], told: str, ended: str | None, words: str
) -> None:
    drain = released.released("v1.1.0", **{"DRAIN_TIMEOUT": "15", **settings}).record["drain"]
    assert drain["told"] == told, drain
    assert ended in (None, drain["ended"]), drain
    assert words in drain["how"]
    released.at_rest()
