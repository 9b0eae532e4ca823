"""The SPDY that kubectl's port-forward speaks: frames, headers, and a tunnel to a real listener."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.localkube.http import spdy
from bluegreen.localkube.http.spdy import Frame, Frames, HeaderReader, HeaderWriter, ProtocolError


def test_the_dictionary_is_the_protocols() -> None:
    # the length and the checksum that zlib streams of other implementations state
    assert (len(spdy.DICTIONARY), zlib.adler32(spdy.DICTIONARY)) == (1423, 0xE3C6A7C2)


def test_headers_survive_a_connection_long_compression() -> None:
    writer, reader = HeaderWriter(), HeaderReader()
    for headers in ({"port": "80", "streamtype": "data"}, {}, {"x": "ü" * 500}, {"port": "80"}):
        assert reader.read(writer.write(headers)) == headers


@pytest.mark.parametrize("block", [b"junk", b"\x78\xbb\xe3\xc6\xa7\xc2\xff\xff"])
def test_what_is_no_header_block_ends_the_tunnel(block: bytes) -> None:
    with pytest.raises(ProtocolError):
        HeaderReader().read(block)


@given(st.lists(st.tuples(st.integers(1, 2**31 - 1), st.binary(max_size=20), st.booleans()), max_size=6), st.data())
def test_frames_come_out_however_they_were_cut(sent: list[tuple[int, bytes, bool]], data: st.DataObject) -> None:
    stream = b"".join(spdy.data_frame(number, body, last=last) for number, body, last in sent)
    stream += spdy.control_frame(spdy.PING, b"\x00\x00\x00\x07")
    frames, found, at = Frames(), list[Frame](), 0
    while at < len(stream):
        size = data.draw(st.integers(1, 9))
        found += frames.feed(stream[at : at + size])
        at += size
    assert [(frame.stream, frame.body, bool(frame.flags & spdy.FIN)) for frame in found[:-1]] == sent
    assert found[-1] == Frame(spdy.PING, 0, b"\x00\x00\x00\x07")


class Client:
    """kubectl's side of a tunnel."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket, self._writer, self._frames = socket, HeaderWriter(), Frames()

    async def connect(self, port: int, error: int, data: int) -> None:
        for stream, kind in ((error, "error"), (data, "data")):
            headers = self._writer.write({"streamtype": kind, "port": str(port), "requestid": str(data)})
            body = stream.to_bytes(4, "big") + bytes(4) + bytes(2) + headers
            await self._socket.send_bytes(spdy.control_frame(spdy.SYN_STREAM, body))

    async def send(self, frame: bytes) -> None:
        await self._socket.send_bytes(frame)

    async def received(self, streams: set[int]) -> dict[int, bytes]:
        """What came on streams, until all of them have ended."""
        found = dict.fromkeys(streams, b"")
        open_ = set(streams)
        while open_:
            message = await self._socket.receive(5)
            assert message.type == WSMsgType.BINARY
            for frame in self._frames.feed(message.data):
                if frame.type == 0:
                    found[frame.stream] += frame.body
                    open_ -= {frame.stream} if frame.flags & spdy.FIN else set()
        return found


async def tunnelled(use: Any) -> Any:
    """Run ``use(client)`` against a server whose WebSocket is forwarded to loopback."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await spdy.Forwarder(socket, "127.0.0.1").run()
        return socket

    runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with ClientSession() as session, session.ws_connect(f"http://127.0.0.1:{port}/") as socket:
            return await asyncio.wait_for(use(Client(socket)), 10)
    finally:
        await runner.cleanup()


async def echo() -> AsyncIterator[int]:
    """A listener that gives back in capitals what it gets; gives its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while text := await reader.read(1000):
            writer.write(text.upper())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def test_connections_are_carried_side_by_side_and_ended() -> None:
    async def use(client: Client) -> dict[int, bytes]:
        async for port in echo():
            await client.connect(port, 1, 3)
            await client.connect(port, 5, 7)
            await client.send(spdy.data_frame(3, b"one"))
            await client.send(spdy.data_frame(7, b"two") + spdy.data_frame(3, b"!", last=True))
            await client.send(spdy.data_frame(7, b"", last=True))
            return await client.received({1, 3, 5, 7})
        raise AssertionError

    assert asyncio.run(tunnelled(use)) == {1: b"", 3: b"ONE!", 5: b"", 7: b"TWO"}


def test_a_port_that_nobody_listens_on_is_told_on_the_error_stream() -> None:
    async def use(client: Client) -> dict[int, bytes]:
        async for port in echo():
            free = port
        await client.connect(free, 1, 3)
        return await client.received({1, 3})

    said = asyncio.run(tunnelled(use))
    assert said[3] == b""
    assert said[1].startswith(b"error forwarding port")


def test_a_connection_given_up_leaves_the_tunnel_open() -> None:
    async def use(client: Client) -> dict[int, bytes]:
        async for port in echo():
            await client.connect(port, 1, 3)
            await client.send(spdy.control_frame(spdy.RST_STREAM, (3).to_bytes(4, "big") + (5).to_bytes(4, "big")))
            await client.connect(port, 5, 7)
            await client.send(spdy.data_frame(7, b"still", last=True))
            return await client.received({5, 7})
        raise AssertionError

    assert asyncio.run(tunnelled(use))[7] == b"STILL"


def test_a_port_that_is_no_number_is_refused() -> None:
    async def use(client: Client) -> dict[int, bytes]:
        headers = {"streamtype": "error", "port": "x", "requestid": "1"}
        for stream, kind in ((1, "error"), (3, "data")):
            block = client._writer.write({**headers, "streamtype": kind})
            body = stream.to_bytes(4, "big") + bytes(6) + block
            await client.send(spdy.control_frame(spdy.SYN_STREAM, body))
        return await client.received({1, 3})

    assert asyncio.run(tunnelled(use))[1].startswith(b"error forwarding port")
