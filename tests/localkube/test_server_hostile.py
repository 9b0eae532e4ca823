"""Clients that mean harm or are broken: slow ones, endless ones, malformed HTTP, bodies that grow when read."""

from __future__ import annotations

import contextlib
import gzip
import json
import resource
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bluegreen import clock
from bluegreen.localkube.http import calls, connections
from tests.localkube.serving import TOKEN, Served, serving

MAPS = "/api/v1/namespaces/default/configmaps"
HEAD = f"Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
FUZZ = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, derandomize=True
)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as running:
        yield running


@pytest.fixture
def api(served: Served) -> Iterator[httpx.Client]:
    with served.client() as client:
        yield client


@contextlib.contextmanager
def connected(served: Served, receive_bytes: int = 0) -> Iterator[ssl.SSLSocket]:
    """A TLS connection; with a small receive buffer what is not read piles up at the server."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.socket() as raw:
        raw.settimeout(20)
        if receive_bytes:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        raw.connect(("127.0.0.1", served.port))
        with context.wrap_socket(raw) as wrapped:
            yield wrapped


def everything(sock: ssl.SSLSocket) -> bytes:
    """All that comes until the server closes the connection."""
    received = b""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while data := sock.recv(65536):
            received += data
    return received


def memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# -- slow clients ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "sent", [b"", b"GET /api HTTP/1.1\r\nHost: localh", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"]
)
def test_who_does_not_say_who_he_is_may_not_stay(served: Served, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(connections, "UNKNOWN_S", 0.3)
    with connected(served) as sock:
        sock.sendall(sent)
        assert everything(sock).startswith(b"HTTP/1.1 200" if b"healthz" in sent else b"")


def test_a_refused_client_may_not_stay_either(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "UNKNOWN_S", 0.3)
    with connected(served) as sock:
        sock.sendall(b"GET /api/v1/pods HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer wrong\r\n\r\n")
        assert everything(sock).startswith(b"HTTP/1.1 401")


def test_who_has_a_token_keeps_his_connection(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "UNKNOWN_S", 0.1)
    request = f"GET {MAPS} HTTP/1.1\r\n{HEAD}\r\n".encode()
    with connected(served) as sock:
        sock.sendall(request)
        assert sock.recv(4096).startswith(b"HTTP/1.1 200")
        with connected(served) as other:  # ends after the time that the first one has had by then as well
            everything(other)
        sock.sendall(request)
        assert sock.recv(4096).startswith(b"HTTP/1.1 200")


def test_a_body_that_does_not_come_is_not_waited_for(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "BODY_S", 0.2)
    with connected(served) as sock:
        sock.sendall(f"POST {MAPS} HTTP/1.1\r\n{HEAD}Content-Length: 100\r\n\r\n{{".encode())
        assert sock.recv(4096).startswith(b"HTTP/1.1 504")


def test_slow_clients_leave_the_others_alone(served: Served, api: httpx.Client) -> None:
    with contextlib.ExitStack() as stack:
        for number in range(30):
            sock = stack.enter_context(connected(served))
            part = (b"", b"GE", f"POST {MAPS} HTTP/1.1\r\n{HEAD}Content-Length: 9\r\n\r\n{{".encode())[number % 3]
            sock.sendall(part)
        assert all(api.get(MAPS).status_code == 200 for _ in range(20))


def test_who_asks_and_asks_without_reading_is_not_listened_to(
    served: Served, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.post(MAPS, json={"metadata": {"name": "big"}, "data": {"v": "x" * 50_000}})
    answered, get = [0], served.registry.get

    def counting(*asked: Any) -> Any:
        answered[0] += 1
        return get(*asked)

    monkeypatch.setattr(served.registry, "get", counting)
    with connected(served, receive_bytes=4096) as sock:
        sock.sendall(f"GET {MAPS}/big HTTP/1.1\r\n{HEAD}\r\n".encode() * 1000)  # 50 MB of answers
        before, calm = -1, 0
        while calm < 20:  # until nothing more is answered
            assert api.get("/version").status_code == 200
            calm, before = (calm + 1 if answered[0] == before else 0), answered[0]
    assert 0 < before < 500  # what the buffers between the two hold


# -- bodies that grow --------------------------------------------------------------------------------------------------
def bomb() -> str:
    """YAML whose aliases stand for 9^9 words."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    return "\n".join(["kind: ConfigMap", "apiVersion: v1", "metadata: {name: bomb}", *lines])


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_aliases_are_not_multiplied(api: httpx.Client, method: str) -> None:
    type_ = "application/apply-patch+yaml" if method == "PATCH" else "application/yaml"
    path = MAPS if method == "POST" else f"{MAPS}/bomb"
    before_mb, began_s = memory_mb(), clock.now_s()
    answer = api.request(method, path, content=bomb(), headers={"Content-Type": type_}, params={"fieldManager": "m"})
    assert answer.status_code == 400, answer.text
    assert "excessive aliasing" in answer.json()["message"]
    assert memory_mb() - before_mb < 50
    assert clock.now_s() - began_s < 5


def test_ordinary_aliases_are_followed(api: httpx.Client) -> None:
    text = "metadata: {name: aliased, labels: &l {a: b}, annotations: *l}"
    answer = api.post(MAPS, content=text, headers={"Content-Type": "application/yaml"})
    assert answer.json()["metadata"]["annotations"] == {"a": "b"}
    api.delete(f"{MAPS}/aliased")


def test_a_value_that_contains_itself_is_refused(api: httpx.Client) -> None:
    text = "metadata: &m {name: a, annotations: *m}"
    answer = api.post(MAPS, content=text, headers={"Content-Type": "application/yaml"})
    assert answer.status_code == 400, answer.text


def test_a_body_is_bounded_as_it_is_when_unpacked(served: Served) -> None:
    packed = gzip.compress(b" " * 50_000_000)
    with served.client() as client:
        before_mb = memory_mb()
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        assert client.post(MAPS, content=packed, headers=headers).status_code in (400, 413, 415)
        assert memory_mb() - before_mb < 40


@pytest.mark.parametrize("depth", [100, 260, 600, 1100, 100_000])
@pytest.mark.parametrize("field", ["x", "data", "managedFields"])
def test_deep_bodies_are_no_mistake_of_the_server(api: httpx.Client, depth: int, field: str) -> None:
    deep = '{"a":' * depth + "{}" + "}" * depth
    entry = f'{{"manager":"m","operation":"Update","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{deep}}}'
    meta = '{"name":"deep"}' if field != "managedFields" else f'{{"name":"deep","managedFields":[{entry}]}}'
    body = f'{{"metadata":{meta}}}' if field == "managedFields" else f'{{"metadata":{meta},"{field}":{deep}}}'
    for type_ in ("json", "merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml", "yaml"):
        patching = "patch" in type_
        answer = api.request(
            "PATCH" if patching else "POST", f"{MAPS}/deep" if patching else MAPS, content=body,
            headers={"Content-Type": f"application/{type_}"}, params={"fieldManager": "m"},
        )  # fmt: skip
        assert answer.status_code != 500, (type_, answer.text[:300])
    operation = [{"op": "add", "path": "/metadata/annotations", "value": "DEEP"}]
    patch = json.dumps(operation).replace('"DEEP"', deep)
    answer = api.patch(f"{MAPS}/deep", content=patch, headers={"Content-Type": "application/json-patch+json"})
    assert answer.status_code != 500, answer.text[:300]
    api.delete(f"{MAPS}/deep")


# -- malformed HTTP ----------------------------------------------------------------------------------------------------
GOOD = (
    f"POST {MAPS}?dryRun=All HTTP/1.1\r\n{HEAD}Content-Type: application/json\r\nContent-Length: 27\r\n\r\n"
    '{"metadata":{"name":"raw"}}'
).encode()
PIECES = st.sampled_from(
    [b"\r\n", b"\n", b"\x00", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n", b"Content-Length: -1\r\n",
     b"Expect: 100-continue\r\n", b"Upgrade: websocket\r\nConnection: upgrade\r\n", b"HTTP/9.9", b" ", b":", b"\xff",
     b"%00", b"%", b"../", b"CONNECT ", b"Host: evil\r\n", b"Content-Encoding: br\r\n", b"ffffffffffffffff\r\n"]
)  # fmt: skip


@FUZZ
@given(st.lists(st.tuples(st.integers(0, len(GOOD)), st.one_of(PIECES, st.binary(max_size=8))), max_size=4),
       st.integers(0, len(GOOD)))  # fmt: skip
def test_what_is_hardly_http_is_refused(served: Served, changes: list[tuple[int, bytes]], cut: int) -> None:
    text = GOOD
    for place, piece in changes:
        text = text[:place] + piece + text[place:]
    if not changes:
        text = text[:cut]
    with connected(served) as sock:
        sock.settimeout(5)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            sock.sendall(text)
            sock.unwrap() if cut % 2 else sock.shutdown(socket.SHUT_WR)
        received = b""
        with contextlib.suppress(TimeoutError, ConnectionError, OSError):
            received = everything(sock)
    assert b"HTTP/1.1 500" not in received, (text, received)


def test_the_server_still_answers(api: httpx.Client) -> None:
    assert api.get(MAPS).status_code == 200


def test_no_answer_shows_the_token(served: Served) -> None:
    with connected(served) as sock:
        sock.sendall(GOOD.replace(b"HTTP/1.1", b"HTTP/1.x"))
        said = everything(sock)
    assert said.startswith(b"HTTP/1.") and TOKEN.encode() not in said  # noqa: PT018
