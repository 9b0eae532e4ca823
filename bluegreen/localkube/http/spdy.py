"""kubectl's port-forward: SPDY/3.1 inside a WebSocket, a pair of SPDY streams (data, error) for each connection.

As much of SPDY as its one user speaks: no flow control, no priorities, no pushed streams.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import WSMsgType

SUBPROTOCOL = "SPDY/3.1+portforward.k8s.io"
SYN_STREAM, SYN_REPLY, RST_STREAM, PING, GOAWAY, HEADERS = 1, 2, 3, 6, 7, 8
FIN = 1
_CONTROL = 0x8003  # the control bit and version 3
_CANCEL = 5
_CHUNK = 32 * 1024
_LARGEST = 1 << 24
# the dictionary that SPDY/3 gives zlib: header names and a few values, each with its length, then what often follows
_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow"
    " authorization cache-control connection content-base content-encoding content-language content-length"
    " content-location content-md5 content-range content-type date etag expect expires from host if-match"
    " if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma"
    " proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade"
    " user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie"
    " keep-alive origin"
)
_REST = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
    "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


def _dictionary() -> bytes:
    words = [word.replace("_", " ").encode() for word in _WORDS.split()]
    return b"".join(len(word).to_bytes(4, "big") + word for word in words) + _REST.encode()


DICTIONARY = _dictionary()


class ProtocolError(Exception):
    """The peer does not speak SPDY/3.1 as used here."""


@dataclass(frozen=True)
class Frame:
    """A frame: ``type`` 0 is data, whose ``stream`` is set; for control frames the body still holds it."""

    type: int
    flags: int
    body: bytes
    stream: int = 0


class Frames:
    """Bytes to frames, however they are cut."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete now."""
        self._buffer += data
        while len(self._buffer) >= 8:
            length = int.from_bytes(self._buffer[5:8], "big")
            if len(self._buffer) < 8 + length:
                return
            head, flags = int.from_bytes(self._buffer[:4], "big"), self._buffer[4]
            body = bytes(self._buffer[8 : 8 + length])
            del self._buffer[: 8 + length]
            if head >> 31:
                yield Frame(head & 0xFFFF, flags, body)
            else:
                yield Frame(0, flags, body, head)


def data_frame(stream: int, data: bytes, *, last: bool = False) -> bytes:
    """A frame of data, or the end of a stream."""
    return stream.to_bytes(4, "big") + bytes([FIN if last else 0]) + len(data).to_bytes(3, "big") + data


def control_frame(type_: int, body: bytes, flags: int = 0) -> bytes:
    """A control frame."""
    return _CONTROL.to_bytes(2, "big") + type_.to_bytes(2, "big") + bytes([flags]) + len(body).to_bytes(3, "big") + body


class HeaderReader:
    """Reads header blocks, which share one compression over the whole connection."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(zdict=DICTIONARY)

    def read(self, block: bytes) -> dict[str, str]:
        """A block's headers."""
        try:
            plain = self._zlib.decompress(block, _LARGEST)
        except zlib.error as error:
            raise ProtocolError(str(error)) from error
        headers, at = {}, 4
        for _ in range(int.from_bytes(plain[:4], "big")):
            name, at = _text(plain, at)
            headers[name], at = _text(plain, at)
        return headers


class HeaderWriter:
    """Writes header blocks."""

    def __init__(self) -> None:
        self._zlib = zlib.compressobj(zdict=DICTIONARY)

    def write(self, headers: dict[str, str]) -> bytes:
        """A block for some headers."""
        plain = len(headers).to_bytes(4, "big")
        for word in (each.encode() for pair in headers.items() for each in pair):
            plain += len(word).to_bytes(4, "big") + word
        return self._zlib.compress(plain) + self._zlib.flush(zlib.Z_SYNC_FLUSH)


def _text(plain: bytes, at: int) -> tuple[str, int]:
    length = int.from_bytes(plain[at : at + 4], "big")
    if at + 4 + length > len(plain):
        raise ProtocolError("a header block is cut short")
    return plain[at + 4 : at + 4 + length].decode(errors="replace"), at + 4 + length


@dataclass
class Pair:
    """The two streams of one connection, and the connection once it stands."""

    error: int = 0
    data: int = 0
    port: int = 0
    writer: asyncio.StreamWriter | None = None
    task: asyncio.Task[None] | None = None


class Socket(Protocol):
    """What carries the frames: a WebSocket, or the connection itself."""

    def __aiter__(self) -> AsyncIterator[Any]:
        """Messages with a ``type`` and, for BINARY ones, their ``data``."""

    async def send_bytes(self, data: bytes, /) -> None:
        """Send."""


class Forwarder:
    """Serves one tunnel: connects to ports of ``address`` and copies until the client goes."""

    def __init__(self, socket: Socket, address: str) -> None:
        self._socket, self._address = socket, address
        self._headers, self._replies = HeaderReader(), HeaderWriter()
        self._pairs: dict[str, Pair] = {}
        self._by_stream: dict[int, Pair] = {}
        self._early: dict[int, list[tuple[bytes, bool]]] = {}  # data that came before its connection stood

    async def run(self) -> None:
        """Read frames until the tunnel closes."""
        frames = Frames()
        try:
            async for message in self._socket:
                if message.type != WSMsgType.BINARY:
                    continue
                for frame in frames.feed(message.data):
                    if frame.type == GOAWAY:
                        return
                    await self._take(frame)
        except (ProtocolError, ConnectionError):
            return
        finally:
            await self._end()

    async def _take(self, frame: Frame) -> None:
        if frame.type == 0:
            await self._take_data(frame.stream, frame.body, last=bool(frame.flags & FIN))
        elif frame.type == SYN_STREAM:
            await self._open(frame.body)
        elif frame.type == PING:
            await self._send(control_frame(PING, frame.body))
        elif frame.type == RST_STREAM:
            self._reset(int.from_bytes(frame.body[:4], "big"))
        elif frame.type == HEADERS:
            self._headers.read(frame.body[4:])  # only so that the compression stays in step

    async def _open(self, body: bytes) -> None:
        """A new stream: once a connection has both of its two, it is made."""
        stream, headers = int.from_bytes(body[:4], "big"), self._headers.read(body[10:])
        await self._send(control_frame(SYN_REPLY, stream.to_bytes(4, "big") + self._replies.write({})))
        port = headers.get("port", "")
        pair = self._pairs.setdefault(headers.get("requestid") or port, Pair())
        if headers.get("streamtype") == "error":
            pair.error = stream
        else:
            pair.data = stream
            self._by_stream[stream] = pair
        pair.port = int(port) if port.isascii() and port.isdecimal() else 0
        if pair.error and pair.data and pair.task is None:
            pair.task = asyncio.create_task(self._connect(pair))

    async def _connect(self, pair: Pair) -> None:
        try:
            reader, pair.writer = await asyncio.open_connection(self._address, pair.port)
        except (OSError, OverflowError) as error:
            why = f"error forwarding port {pair.port}: {error}"
            await self._send(data_frame(pair.error, why.encode()))
            await self._finish(pair)
            return
        for data, last in self._early.pop(pair.data, []):
            await self._take_data(pair.data, data, last=last)
        try:
            while data := await reader.read(_CHUNK):
                await self._send(data_frame(pair.data, data))
        except ConnectionError as error:
            await self._send(data_frame(pair.error, f"error forwarding port {pair.port}: {error}".encode()))
        await self._finish(pair)

    async def _finish(self, pair: Pair) -> None:
        """Both streams end: the client waits for the error stream's end before it lets the connection go."""
        await self._send(data_frame(pair.data, b"", last=True))
        await self._send(data_frame(pair.error, b"", last=True))

    async def _take_data(self, stream: int, data: bytes, *, last: bool) -> None:
        pair = self._by_stream.get(stream)
        if pair is None:
            return
        if pair.writer is None:
            self._early.setdefault(stream, []).append((data, last))
            return
        with contextlib.suppress(ConnectionError, RuntimeError):
            if data:
                pair.writer.write(data)
                await pair.writer.drain()
            if last:
                pair.writer.write_eof()

    def _reset(self, stream: int) -> None:
        """The client has given a connection up."""
        pair = self._by_stream.pop(stream, None)
        self._early.pop(stream, None)
        if pair is None:
            return
        self._pairs = {key: each for key, each in self._pairs.items() if each is not pair}
        _let_go(pair)

    async def _send(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            await self._socket.send_bytes(data)

    async def _end(self) -> None:
        pairs = list(self._pairs.values())
        for pair in pairs:
            _let_go(pair)
        await asyncio.gather(*(pair.task for pair in pairs if pair.task), return_exceptions=True)


def _let_go(pair: Pair) -> None:
    if pair.task:
        pair.task.cancel()
    if pair.writer:
        pair.writer.close()
