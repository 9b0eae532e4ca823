"""A small HTTP/1.1 server on asyncio streams that can drain: keep-alive, chunked bodies and answers, pipelining.

Comes in: connections. Goes out: one ``Response`` of the handler a request. It never decides what a path means.
Draining is its point: from then on every answer says ``Connection: close``, connections in use finish what they
do, idle ones get ``idle_s`` for a last request, and whoever waits is told when nothing is left.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote

BODY_LIMIT = 1 << 20  # bytes of a request's body; a choice, far above what the sample's endpoints take
IDLE_LIMIT_S = 120.0  # an idle keep-alive connection is closed after this; above the usual 60 s of proxies in front


Upgraded = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Request:
    """One request; header names in lower case, ``path`` without its query."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    http_1_0: bool = False

    @property
    def wants_keep_alive(self) -> bool:
        """Whether the client would use the connection again."""
        connection = self.headers.get("connection", "").lower()
        return "keep-alive" in connection if self.http_1_0 else "close" not in connection


@dataclass
class Response:
    """One answer: a body, a stream of chunks, or a change to another protocol."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    stream: AsyncIterator[bytes] | None = None
    upgrade: Upgraded | None = None  # with status 101: who has the connection from then on


def json_response(document: Any, status: int = 200, **headers: str) -> Response:
    """An answer in JSON."""
    return Response(status, json.dumps(document).encode() + b"\n", headers=headers)


class BadRequestError(Exception):
    """The bytes are no request this server takes; ``status`` says why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


Handler = Callable[[Request], Awaitable[Response]]


class Connection:
    """One open connection: its streams, the path that it is being answered for ("" while it is idle), and the time-out
    of its wait for the next request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.path = ""
        self.idle_wait: asyncio.Timeout | None = None


class Server:
    """Serves ``handler`` on an address until drained. One event loop; no threads."""

    def __init__(self, handler: Handler, idle_s: float) -> None:
        self._handler = handler
        self._idle_s = idle_s
        self._connections: set[Connection] = set()
        self._changed = asyncio.Event()
        self._listener: asyncio.Server | None = None
        self.in_flight = 0
        self.drain_begun = asyncio.Event()
        self.drain_begun_s = 0.0  # on the event loop's clock

    @property
    def draining(self) -> bool:
        """Whether it was told to drain."""
        return self.drain_begun.is_set()

    @property
    def paths(self) -> list[str]:
        """What each open connection is being answered for; "" for an idle one."""
        return [connection.path for connection in self._connections]

    @property
    def open_connections(self) -> int:
        """Connections now open, idle ones included."""
        return len(self._connections)

    @property
    def port(self) -> int:
        """The port it listens on."""
        assert self._listener is not None
        return int(self._listener.sockets[0].getsockname()[1])

    async def listen(self, host: str, port: int) -> None:
        """Listen on ``host`` (empty: every address). Raises OSError when the port is taken."""
        self._listener = await asyncio.start_server(self._serve, host or None, port, backlog=1024)

    def drain(self) -> None:
        """Answer ``Connection: close`` from now on; close idle connections ``idle_s`` from now."""
        if self.draining:
            return
        self.drain_begun.set()
        self.drain_begun_s = asyncio.get_running_loop().time()
        until = self.drain_begun_s + self._idle_s
        for connection in self._connections:
            if connection.idle_wait is not None:
                connection.idle_wait.reschedule(until)

    async def until_no_connections(self) -> None:
        """Return when no connection is open."""
        while self._connections:
            self._changed.clear()
            await self._changed.wait()

    def close(self) -> None:
        """Stop listening and cut what is still open."""
        if self._listener is not None:
            self._listener.close()
        for connection in self._connections:
            connection.writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer)
        self._connections.add(connection)
        try:
            while await self._exchange(connection):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away; nobody is left to tell
        finally:
            self._connections.discard(connection)
            self._changed.set()
            writer.close()

    async def _exchange(self, connection: Connection) -> bool:
        """One request and its answer; whether the connection stays open."""
        try:
            request = await self._next_request(connection)
        except BadRequestError as error:
            refusal = json_response({"error": str(error)}, error.status)
            await _send(connection.writer, refusal, keep_alive=False, head_only=False)
            return False
        if request is None:
            return False
        self.in_flight += 1
        connection.path = request.path
        try:
            response = await self._handler(request)
            if response.upgrade is not None:
                await _hand_over(connection, response, response.upgrade)
                return False
            keep_alive = request.wants_keep_alive and not self.draining
            await _send(connection.writer, response, keep_alive, request.method == "HEAD")
        finally:
            self.in_flight -= 1
            connection.path = ""
        return keep_alive

    async def _next_request(self, connection: Connection) -> Request | None:
        """The next request of a connection, or None when it ended or was idle for too long."""
        try:
            async with asyncio.timeout(self._idle_s if self.draining else IDLE_LIMIT_S) as connection.idle_wait:
                head = await connection.reader.readuntil(b"\r\n\r\n")
        except TimeoutError:
            return None
        except asyncio.IncompleteReadError as error:
            if error.partial.strip():
                raise BadRequestError(400, "the request ended in its header") from None
            return None
        except asyncio.LimitOverrunError:
            raise BadRequestError(431, "the request's header is too large") from None
        finally:
            connection.idle_wait = None
        return await _read_request(head, connection)


async def _read_request(head: bytes, connection: Connection) -> Request:
    method, target, version, headers = _parse_head(head)
    if headers.get("expect", "").lower() == "100-continue":
        connection.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await _read_body(headers, connection.reader)
    path, _, query = target.partition("?")
    return Request(method, unquote(path), dict(parse_qsl(query)), headers, body, version == "HTTP/1.0")


def _parse_head(head: bytes) -> tuple[str, str, str, dict[str, str]]:
    lines = head.decode("latin-1").strip("\r\n").split("\r\n")
    start = lines[0].split(" ")
    if len(start) != 3 or start[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise BadRequestError(400, f"not a request line: {lines[0][:80]!r}")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise BadRequestError(400, f"not a header: {line[:80]!r}")
        headers[name.lower()] = value.strip()
    return start[0], start[1], start[2], headers


async def _read_body(headers: dict[str, str], reader: asyncio.StreamReader) -> bytes:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return await _read_chunks(reader)
    length = headers.get("content-length", "0")
    if not length.isdecimal():
        raise BadRequestError(400, f"Content-Length is no number: {length[:20]!r}")
    if int(length) > BODY_LIMIT:
        raise BadRequestError(413, f"a body of {length} bytes is above the limit of {BODY_LIMIT}")
    return await reader.readexactly(int(length)) if int(length) else b""


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while True:
        size_text = (await reader.readuntil(b"\r\n")).split(b";")[0].strip()
        try:
            size = int(size_text, 16)
        except ValueError:
            raise BadRequestError(400, f"not the size of a chunk: {size_text[:20]!r}") from None
        if len(body) + size > BODY_LIMIT:
            raise BadRequestError(413, f"a body above the limit of {BODY_LIMIT} bytes")
        body += (await reader.readexactly(size + 2))[:size]
        if size == 0:
            return body


async def _hand_over(connection: Connection, response: Response, upgraded: Upgraded) -> None:
    """Answer 101, and leave the connection to the protocol that follows, until that has ended."""
    connection.writer.write(_head(response.status, response.headers))
    await connection.writer.drain()
    await upgraded(connection.reader, connection.writer)


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _send(writer: asyncio.StreamWriter, response: Response, keep_alive: bool, head_only: bool) -> None:
    headers = {"Content-Type": response.content_type, **response.headers}
    headers |= {"Transfer-Encoding": "chunked"} if response.stream else {"Content-Length": str(len(response.body))}
    headers |= {"Connection": "keep-alive" if keep_alive else "close"}
    head = _head(response.status, headers)
    writer.write(head if head_only or response.stream else head + response.body)
    if response.stream and not head_only:
        async for chunk in response.stream:
            writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
    await writer.drain()
