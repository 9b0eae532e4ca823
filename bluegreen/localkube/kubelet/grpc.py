"""gRPC probes: grpc.health.v1.Health/Check over HTTP/2 without TLS, as the kubelet's grpc prober asks and words it.

One connection, one request: what does not serve that is not here.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from bluegreen.localkube.kubelet.answers import Answer, go_duration
from bluegreen.localkube.kubelet.hpack import Decoder, literal

Obj = dict[str, Any]
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
AGAIN_S = 0.2  # before another attempt to connect within the probe's time; a choice
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 6, 7, 9
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
STREAM = 1
LONGEST = 1 << 20  # bytes of a frame that are read; no health answer is near it
SERVING = 1
STATUSES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
OK, UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, UNAVAILABLE = 0, 2, 4, 12, 14
CODES = (
    *("OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists"),
    *("PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented"),
    *("Internal", "Unavailable", "DataLoss", "Unauthenticated"),
)
# How grpc-go takes the status of an answer that is none of gRPC.
FROM_HTTP = {"400": 13, "401": 16, "403": 7, "404": 12, "429": 14, "502": 14, "503": 14, "504": 14}


async def check(host: str, action: Obj, timeout_s: float) -> Answer:
    """Whether a server says that it serves ``action["service"]``, within a time from connecting to the answer."""
    address, service = f"{host}:{action['port']}", str(action.get("service") or "")
    connection: _Connection | None = None
    try:
        async with asyncio.timeout(timeout_s):
            connection = await _connected(host, int(action["port"]))
            reply = await connection.ask(address, service)
    except TimeoutError:
        taken = go_duration(timeout_s)
        if connection is None:
            why = f'timeout: failed to connect service "{address}" within {taken}: context deadline exceeded'
            return Answer(False, why, refused=True)
        return Answer(False, f"timeout: health rpc did not complete within {taken}")
    except (OSError, EOFError, ValueError) as error:
        reply = Reply(UNAVAILABLE, f"error reading from server: {str(error) or 'EOF'}")
    finally:
        if connection is not None:
            connection.close()
    return reply.judged()


@dataclass(frozen=True)
class Reply:
    """What a server answered: a gRPC status with its message, and the health it states."""

    code: int
    message: str = ""
    health: int = 0

    def judged(self) -> Answer:
        """The answer in the prober's words."""
        if self.code == UNIMPLEMENTED:
            what = "this server does not implement the grpc health protocol (grpc.health.v1.Health)"
            return Answer(False, f"error: {what}: {self.message}")
        if self.code != OK:
            name = CODES[self.code] if self.code < len(CODES) else f"Code({self.code})"
            return Answer(False, f"error: health rpc probe failed: rpc error: code = {name} desc = {self.message}")
        if self.health != SERVING:
            name = STATUSES[self.health] if self.health < len(STATUSES) else str(self.health)
            return Answer(False, f'service unhealthy (responded with "{name}")')
        return Answer(True, "service healthy")


async def _connected(host: str, port: int) -> _Connection:
    """A connection whose other side speaks HTTP/2; tried again for as long as nobody does (grpc.WithBlock)."""
    while True:
        with contextlib.suppress(OSError, EOFError, ValueError):
            connection = _Connection(*await asyncio.open_connection(host, port))
            try:
                await connection.greet()
            except BaseException:
                connection.close()
                raise
            return connection
        await asyncio.sleep(AGAIN_S)


@dataclass
class _Connection:
    """HTTP/2 with one stream."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    _decoder: Decoder = field(default_factory=Decoder)

    def close(self) -> None:
        self.writer.close()

    async def greet(self) -> None:
        """Exchange settings. Raises ValueError, OSError or EOFError where the other side speaks something else."""
        self.writer.write(PREFACE + _frame(SETTINGS, 0, 0, b""))
        kind, flags, _, _ = await self._read()
        if kind != SETTINGS or flags & ACK:
            raise ValueError("no HTTP/2 settings")
        self.writer.write(_frame(SETTINGS, ACK, 0, b""))

    async def ask(self, authority: str, service: str) -> Reply:
        """Health/Check of a service. Raises as ``greet`` does where the connection breaks."""
        self.writer.write(_frame(HEADERS, END_HEADERS, STREAM, _request_headers(authority)))
        self.writer.write(_frame(DATA, END_STREAM, STREAM, _request_message(service)))
        headers: dict[str, str] = {}
        block, body, is_last = b"", b"", False
        while True:
            kind, flags, stream, payload = await self._read()
            if kind == PING and not flags & ACK:
                self.writer.write(_frame(PING, ACK, 0, payload))
            elif kind == SETTINGS and not flags & ACK:
                self.writer.write(_frame(SETTINGS, ACK, 0, b""))
            elif kind in (RST_STREAM, GOAWAY):
                raise ValueError(f"stream terminated by {'RST_STREAM' if kind == RST_STREAM else 'GOAWAY'}")
            elif stream == STREAM and kind in (HEADERS, CONTINUATION):
                block += _content(kind, flags, payload)
                is_last = is_last or bool(kind == HEADERS and flags & END_STREAM)
                if flags & END_HEADERS:
                    headers |= self._decoder.read(block)
                    block = b""
                    if is_last:
                        return _reply(headers, body)
            elif stream == STREAM and kind == DATA:
                body += _content(kind, flags, payload)
                if flags & END_STREAM:
                    return _reply(headers, body)

    async def _read(self) -> tuple[int, int, int, bytes]:
        """The next frame: (type, flags, stream, payload)."""
        head = await self.reader.readexactly(9)
        length = int.from_bytes(head[:3])
        if length > LONGEST:
            raise ValueError("frame too large")
        return head[3], head[4], int.from_bytes(head[5:]) & 0x7FFFFFFF, await self.reader.readexactly(length)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def _content(kind: int, flags: int, payload: bytes) -> bytes:
    """A frame's payload without padding and priority."""
    if kind == CONTINUATION:
        return payload
    padding = payload[0] if flags & PADDED else 0
    start = (1 if flags & PADDED else 0) + (5 if kind == HEADERS and flags & PRIORITY else 0)
    return payload[start : len(payload) - padding]


def _request_headers(authority: str) -> bytes:
    named = {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/grpc.health.v1.Health/Check",
        ":authority": authority,
        "content-type": "application/grpc",
        "user-agent": "kube-probe/1.34 grpc-go/1.72.1",
        "te": "trailers",
    }
    return b"".join(literal(name, value) for name, value in named.items())


def _request_message(service: str) -> bytes:
    """HealthCheckRequest in protobuf, with gRPC's prefix: not compressed, its length."""
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    return b"\0" + len(message).to_bytes(4) + message


def _varint(number: int) -> bytes:
    out = b""
    while number >= 128:
        out += bytes([number % 128 + 128])
        number //= 128
    return out + bytes([number])


def _reply(headers: dict[str, str], body: bytes) -> Reply:
    status = headers.get(":status", "")
    if "grpc-status" in headers:
        code = headers["grpc-status"]
        message = unquote(headers.get("grpc-message", ""))
        return Reply(int(code) if code.isdecimal() else UNKNOWN, message, _health(body))
    if status != "200":
        return Reply(FROM_HTTP.get(status, UNKNOWN), f"unexpected HTTP status code received from server: {status}")
    return Reply(UNKNOWN, "server closed the stream without sending trailers")


def _health(body: bytes) -> int:
    """HealthCheckResponse.status; 0 where it is not stated."""
    message = body[5:]
    return message[1] if len(message) >= 2 and message[0] == 0x08 else 0
