"""WebSocket (RFC 6455), as far as an echo needs it: the handshake, text and binary messages, ping, close.

Comes in: a connection whose upgrade was asked for. Goes out: every message, back to its sender. Messages in several
frames are put together; extensions are not offered.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import struct
from collections.abc import Mapping

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_LARGEST = 1 << 20  # bytes of one frame; a choice
_CONTINUED, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10

GOING_AWAY = 1001
"""The code with which a server that ends says goodbye (RFC 6455, section 7.4.1)."""


def accept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of the answer that changes to WebSocket. Raises ValueError for a request that asks for no such."""
    key = headers.get("sec-websocket-key", "")
    if headers.get("upgrade", "").lower() != "websocket" or not key or headers.get("sec-websocket-version") != "13":
        raise ValueError("ask for Upgrade: websocket, version 13, with a Sec-WebSocket-Key")
    digest = hashlib.sha1((key + _GUID).encode(), usedforsecurity=False).digest()
    accept = base64.b64encode(digest).decode()
    return {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept}


def frame(opcode: int, payload: bytes) -> bytes:
    """One whole message as a server sends it: unmasked."""
    size = len(payload)
    if size < 126:
        head = bytes([0x80 | opcode, size])
    elif size < 1 << 16:
        head = struct.pack("!BBH", 0x80 | opcode, 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 127, size)
    return head + payload


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, going_away: asyncio.Event) -> None:
    """Send every message back until the client closes. Once ``going_away`` is set, the client is asked to close."""
    farewell = asyncio.create_task(_say_goodbye(writer, going_away))
    try:
        message = b""
        while True:
            final, opcode, payload = await _next_frame(reader)
            if opcode == _CLOSE:
                writer.write(frame(_CLOSE, payload[:2]))
                return
            if opcode == _PING:
                writer.write(frame(_PONG, payload))
            elif opcode in (_CONTINUED, _TEXT, _BINARY):
                kind, message = opcode or _TEXT, message + payload
                if final:
                    writer.write(frame(kind, message))
                    message = b""
            await writer.drain()
    except asyncio.IncompleteReadError:
        return  # the client went away without a word
    finally:
        farewell.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await farewell


async def _say_goodbye(writer: asyncio.StreamWriter, going_away: asyncio.Event) -> None:
    await going_away.wait()
    writer.write(frame(_CLOSE, struct.pack("!H", GOING_AWAY)))


async def _next_frame(reader: asyncio.StreamReader) -> tuple[bool, int, bytes]:
    """Whether a frame ends its message, its opcode and what it holds. A client must mask; a larger frame ends it."""
    first, second = await reader.readexactly(2)
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
    elif size == 127:
        (size,) = struct.unpack("!Q", await reader.readexactly(8))
    if not second & 0x80 or size > _LARGEST:
        raise asyncio.IncompleteReadError(b"", size)
    mask = await reader.readexactly(4)
    masked = await reader.readexactly(size)
    repeated = (mask * (size // 4 + 1))[:size]
    payload = (int.from_bytes(masked, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")
    return bool(first & 0x80), first & 0x0F, payload
