"""gRPC probes: against a server that writes the frames of HTTP/2 itself, and header blocks from RFC 7541's examples."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from bluegreen.localkube.kubelet import grpc
from bluegreen.localkube.kubelet.answers import Answer
from bluegreen.localkube.kubelet.hpack import Decoder, decoded, literal

HOST = "127.0.0.1"
SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


def frame(kind: int, flags: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags, 0, 0, 0, 1]) + payload


def answer(status: int | None, code: str, message: str = "") -> bytes:
    """A server's answer: headers, a health status if there is one, and trailers."""
    headers = frame(1, 4, b"\x88" + literal("content-type", "application/grpc"))  # 0x88: ":status 200" by number
    body = b"" if status is None else frame(0, 0, b"\0\0\0\0\x02\x08" + bytes([status]))
    return headers + body + frame(1, 5, literal("grpc-status", code) + literal("grpc-message", message))


@contextlib.asynccontextmanager
async def serving(serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[int]:
    """A server at a free port, until all its connections have ended."""
    connections: list[asyncio.Task[Any]] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.current_task())  # type: ignore[arg-type]
        with contextlib.closing(writer):
            await serve(reader, writer)

    server = await asyncio.start_server(connected, HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*connections)


async def asked(reply: bytes | None, service: str = "", timeout_s: float = 5.0) -> tuple[Answer, bytes]:
    """What the probe makes of a server's reply (None: it says nothing), and what the server was sent."""
    seen = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SETTINGS)
        while piece := await reader.read(4096):
            seen.extend(piece)
            if reply is not None and b"/grpc.health.v1.Health/Check" in seen:
                writer.write(reply)

    async with serving(serve) as port:
        found = await grpc.check(HOST, {"port": port, "service": service}, timeout_s)
    return found, bytes(seen)


# The sentences stand in the kubelet's pkg/probe/grpc.
@pytest.mark.parametrize(
    ("reply", "ok", "words"),
    [
        (answer(1, "0"), True, "service healthy"),
        (answer(2, "0"), False, 'service unhealthy (responded with "NOT_SERVING")'),
        (answer(0, "0"), False, 'service unhealthy (responded with "UNKNOWN")'),
        (
            answer(None, "5", "unknown%20service"),
            False,
            "error: health rpc probe failed: rpc error: code = NotFound desc = unknown service",
        ),
        (
            answer(None, "12", "no such service"),
            False,
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): no such service",
        ),
    ],
    ids=["serving", "not serving", "unknown", "no such service", "no health"],
)
def test_an_answer_is_judged_in_the_kubelets_words(reply: bytes, ok: bool, words: str) -> None:
    found, _ = asyncio.run(asked(reply))
    assert (found.ok, found.message) == (ok, words)


def test_the_service_is_named_and_settings_are_acknowledged() -> None:
    _, seen = asyncio.run(asked(answer(1, "0"), "my.service"))
    assert seen.startswith(grpc.PREFACE)
    assert b"\x0a\x0amy.service" in seen
    assert bytes([0, 0, 0, 4, 1, 0, 0, 0, 0]) in seen


def test_a_server_that_does_not_answer_is_given_up() -> None:
    found, _ = asyncio.run(asked(None, timeout_s=0.2))
    assert found.message == "timeout: health rpc did not complete within 0.2s"


@pytest.mark.parametrize(
    "speaks", [b"", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"], ids=["silence", "HTTP/1.1"]
)
def test_what_is_no_grpc_server_cannot_be_connected_to(speaks: bytes) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(speaks)
        await writer.drain()

    async def test() -> tuple[Answer, int]:
        async with serving(serve) as port:
            return await grpc.check(HOST, {"port": port}, 0.3), port

    found, port = asyncio.run(test())
    words = f'timeout: failed to connect service "{HOST}:{port}" within 0.3s: context deadline exceeded'
    assert (found.ok, found.message) == (False, words)


def test_header_blocks_are_read_as_rfc_7541_writes_them() -> None:
    decoder = Decoder()  # C.6.1 and C.6.2: responses with Huffman codes, the second one by numbers of the first's table
    first = (
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3"
    )
    assert decoder.read(bytes.fromhex(first))[":status"] == "302"
    assert decoder.read(bytes.fromhex("4883640effc1c0bf"))[":status"] == "307"
    assert decoded(bytes.fromhex("f1e3c2e5f23a6ba0ab90f4ff")) == "www.example.com"  # C.4.1


@pytest.mark.parametrize(
    "read", [lambda: decoded(b"\xff\xff"), lambda: Decoder().read(b"\xff\x00"), lambda: Decoder().read(b"\x00")]
)
def test_a_broken_header_block_is_refused(read: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"known|number|early"):
        read()
