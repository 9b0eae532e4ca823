"""A client that costs next to nothing: one kept TLS connection, requests written as bytes, answers read by length.

A client library takes longer over a request than the server does; with this one a measurement is of the server.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol
from urllib.parse import urlsplit


class Server(Protocol):
    """What a client has to know of a server: a cluster says so of its own."""

    @property
    def server(self) -> str:
        """Its URL."""

    @property
    def token(self) -> str:
        """What to show it."""

    @property
    def authority(self) -> Path:
        """Whose certificate to trust."""


def trusting(cluster: Server) -> ssl.SSLContext:
    """TLS that trusts the cluster's authority."""
    return ssl.create_default_context(cafile=str(cluster.authority))


class Wire:
    """One connection to a cluster's API. Answers are (status, body); only bodies with a length are read."""

    def __init__(self, cluster: Server, trust: ssl.SSLContext | None = None) -> None:
        where = urlsplit(cluster.server)
        assert where.hostname is not None
        plain = socket.create_connection((where.hostname, where.port or 443), timeout=120)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = (trust or trusting(cluster)).wrap_socket(plain, server_hostname=where.hostname)
        host = f"{where.hostname}:{where.port}"
        self._head = f"Host: {host}\r\nAuthorization: Bearer {cluster.token}\r\n".encode()
        self._buffer = bytearray(256 * 1024)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.sock.close()

    def send(self, method: str, path: str, body: bytes = b"", content_type: str = "application/json") -> None:
        """Write a request."""
        head = f"{method} {path} HTTP/1.1\r\n".encode() + self._head
        if body or method != "GET":
            head += f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n".encode()
        self.sock.sendall(head + b"\r\n" + body)

    def ask(self, method: str, path: str, body: bytes = b"", content_type: str = "application/json") -> bytes:
        """A request and its answer's body. AssertionError unless it succeeded."""
        self.send(method, path, body, content_type)
        received = bytearray()
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._receive()
        head = bytes(received[:end])
        status = int(head[9:12])
        missing = _length(head) - (len(received) - end - 4)
        while missing > 0:
            data = self._receive()
            received += data
            missing -= len(data)
        assert status < 300, (method, path, status, bytes(received[end:])[:500])
        return bytes(received[end + 4 :])

    def _receive(self) -> memoryview:
        count = self.sock.recv_into(self._buffer)
        if not count:
            raise ConnectionResetError("the server closed the connection")
        return memoryview(self._buffer)[:count]


def _length(head: bytes) -> int:
    lower = head.lower()
    at = lower.index(b"content-length:")
    return int(lower[at + 15 :].partition(b"\r\n")[0])


@contextmanager
def own_namespace(wire: Wire, name: str) -> Iterator[str]:
    """A namespace for measurements; gives its path. It is gone, with all that was in it, afterwards."""
    wire.ask("POST", "/api/v1/namespaces", json.dumps({"metadata": {"name": name}}).encode())
    try:
        yield f"/api/v1/namespaces/{name}"
    finally:
        wire.ask("DELETE", f"/api/v1/namespaces/{name}")


def encoded(obj: dict[str, Any]) -> bytes:
    """An object as a body."""
    return json.dumps(obj).encode()
