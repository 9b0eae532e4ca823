"""Connections upgraded to SPDY/3.1 itself, as clients did before WebSockets: kubectl until 1.30, and what is built so.

``Raw`` carries frames for port-forward's tunnel as a WebSocket would; ``Channels`` gives exec and attach the channels
that they know from WebSockets, each of them a stream of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import NamedTuple

from aiohttp import WSMsgType, web
from aiohttp.abc import AbstractStreamWriter

from bluegreen.localkube.http import spdy
from bluegreen.localkube.status import ApiError

NAME = "SPDY/3.1"
VERSION_HEADER = "X-Stream-Protocol-Version"
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
_CHANNELS = {"stdin": STDIN, "stdout": STDOUT, "stderr": STDERR, "error": ERROR, "resize": RESIZE}
_PIECES = 64  # read from a client that nobody has taken yet, before it has to wait; a choice
_STREAMS_S = 30.0  # how long a client may take to open its streams: the kubelet's StreamCreationTimeout


class Message(NamedTuple):
    """What a client sent, as a WebSocket would hand it over."""

    type: WSMsgType
    data: bytes


def is_asked_for(request: web.BaseRequest) -> bool:
    """Whether a client wants SPDY and not a WebSocket."""
    return request.headers.get("Upgrade", "").lower() == NAME.lower()


class Raw:
    """An upgraded connection: pieces of bytes in, pieces of bytes out."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self._writer: AbstractStreamWriter | None = None
        self.response = web.StreamResponse(status=101, headers={"Connection": "Upgrade", "Upgrade": NAME})
        self.closed = False

    async def prepare(self, protocols: tuple[str, ...]) -> None:
        """Agree to the upgrade, and to the first of these protocols that the client offers. 403 for none."""
        offered = self._request.headers.getall(VERSION_HEADER, [])
        words = [word.strip() for text in offered for word in text.split(",")]
        agreed = next((each for each in protocols if each in words), None)
        if words and agreed is None:
            raise ApiError(
                403, "Forbidden", f"unable to upgrade: unable to negotiate protocol: client supports {words}", {}
            )
        if agreed:
            self.response.headers[VERSION_HEADER] = agreed
        self._request.protocol.set_parser(self)  # type: ignore[arg-type]  # it calls feed_data and feed_eof only
        self._writer = await self.response.prepare(self._request)

    # -- what aiohttp calls where it would parse ---------------------------------
    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Bytes came."""
        self._pieces.put_nowait(bytes(data))
        if self._pieces.qsize() >= _PIECES and self._request.transport:
            self._request.transport.pause_reading()
        return False, b""

    def feed_eof(self) -> None:
        """No more will come."""
        self._pieces.put_nowait(b"")

    # -- what a conversation needs -----------------------------------------------
    async def read(self) -> bytes:
        """What came next; b"" at the end."""
        piece = await self._pieces.get()
        if self._request.transport and self._pieces.qsize() < _PIECES:
            self._request.transport.resume_reading()
        return piece

    async def __aiter__(self) -> AsyncIterator[Message]:
        while piece := await self.read():
            yield Message(WSMsgType.BINARY, piece)

    async def send_bytes(self, data: bytes) -> None:
        """Send; waits for a slow client."""
        transport = self._request.transport
        if self._writer is None or transport is None or transport.is_closing():
            self.closed = True
            raise ConnectionResetError("the client has gone")
        transport.write(data)
        await self._writer.drain()

    async def close(self) -> None:
        """Let the connection go."""
        self.closed = True
        if self._request.transport:
            self._request.transport.close()


class Channels:
    """exec's and attach's streams as channels. ``wanted``: the names of the streams that the client will open."""

    def __init__(self, raw: Raw, wanted: set[str]) -> None:
        self._raw, self._wanted = raw, wanted
        self._headers, self._replies = spdy.HeaderReader(), spdy.HeaderWriter()
        self._frames = spdy.Frames()
        self._streams: dict[int, int] = {}  # channel -> stream
        self._known: dict[int, int] = {}  # stream -> channel
        self._early: list[Message] = []
        self.response = raw.response

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._raw.closed

    async def open(self) -> None:
        """Until the client has opened all its streams. 400 when it does not."""
        try:
            async with asyncio.timeout(_STREAMS_S):
                while not {_CHANNELS[name] for name in self._wanted} <= self._streams.keys():
                    self._early += await self._next()
        except (TimeoutError, spdy.ProtocolError) as error:
            await self.close()
            raise ConnectionResetError("the client did not open its streams") from error

    async def _next(self) -> list[Message]:
        """The messages in what comes next; an empty list where it held none yet. Raises ConnectionResetError."""
        piece = await self._raw.read()
        if not piece:
            raise ConnectionResetError("the client has gone")
        found = []
        for frame in self._frames.feed(piece):
            found += await self._taken(frame)
        return found

    async def _taken(self, frame: spdy.Frame) -> list[Message]:
        if frame.type == spdy.SYN_STREAM:
            await self._accept(frame.body)
        elif frame.type == spdy.PING:
            await self._raw.send_bytes(spdy.control_frame(spdy.PING, frame.body))
        elif frame.type == spdy.HEADERS:
            self._headers.read(frame.body[4:])  # only so that the compression stays in step
        elif frame.type == spdy.GOAWAY:
            raise ConnectionResetError("the client has gone")
        elif frame.type == 0 and frame.stream in self._known:
            return list(self._messages(self._known[frame.stream], frame))
        return []

    @staticmethod
    def _messages(channel: int, frame: spdy.Frame) -> list[Message]:
        found = [Message(WSMsgType.BINARY, bytes([channel]) + frame.body)] if frame.body else []
        if channel == STDIN and frame.flags & spdy.FIN:
            found.append(Message(WSMsgType.BINARY, bytes([CLOSE, STDIN])))
        return found

    async def _accept(self, body: bytes) -> None:
        stream, headers = int.from_bytes(body[:4], "big"), self._headers.read(body[10:])
        channel = _CHANNELS.get(headers.get("streamtype", ""))
        if channel is not None:
            self._streams[channel], self._known[stream] = stream, channel
        reply = stream.to_bytes(4, "big") + self._replies.write({})
        await self._raw.send_bytes(spdy.control_frame(spdy.SYN_REPLY, reply))

    async def __aiter__(self) -> AsyncIterator[Message]:
        while True:
            early, self._early = self._early, []
            for message in early:
                yield message
            try:
                self._early += await self._next()
            except (ConnectionError, spdy.ProtocolError):
                return

    async def send_bytes(self, data: bytes) -> None:
        """Send on the channel that the first byte names, if the client has it open."""
        stream = self._streams.get(data[0])
        if stream is not None:
            await self._raw.send_bytes(spdy.data_frame(stream, data[1:]))

    async def close(self) -> None:
        """End every stream, and the connection."""
        with contextlib.suppress(ConnectionError):
            for stream in self._known:
                await self._raw.send_bytes(spdy.data_frame(stream, b"", last=True))
        await self._raw.close()
