"""One HTTP request, told exactly: how long it took, who answered, and in which way it failed.

The usual clients send a request again without a word when a kept connection turns out to be closed. That is the very
failure a release must not cause, so this client never repeats anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11


@dataclass(frozen=True)
class Target:
    """Where the requests go."""

    host: str
    port: int
    path: str
    tls: ssl.SSLContext | None
    version_header: str
    timeout_s: float
    authority: str = ""

    @staticmethod
    def of(url: str, version_header: str, timeout_s: float, authority: str = "") -> Target:
        """The target that a URL names; ``authority``: the host that requests name, where it is another one."""
        parts = urlsplit(url)
        tls = ssl.create_default_context() if parts.scheme == "https" else None
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        host, port = parts.hostname or "", parts.port or (443 if tls else 80)
        return Target(host, port, path, tls, version_header, timeout_s, authority)

    def headers(self, keep_alive: bool) -> list[tuple[str, str]]:
        """The headers of a request; an ordinary user's."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return [
            ("Host", self.authority or f"{host}:{self.port}"),
            ("User-Agent", "bluegreen-probe"),
            ("Accept", "*/*"),
            ("Connection", "keep-alive" if keep_alive else "close"),
        ]


class RequestError(Exception):
    """A request without a whole answer; ``kind`` is a key of ``result.ERRORS``."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True)
class Reply:
    """A whole answer: its status, and the version it states (empty when it states none)."""

    status: int
    version: str


class Link:
    """One connection to the target. ``used`` counts its answers; ``reusable`` says whether it takes another request."""

    def __init__(self, target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._target, self._reader, self._writer = target, reader, writer
        self._http = h11.Connection(h11.CLIENT)
        self._began = self._ended = False  # whether anything of the present answer has come, and whether no more will
        self.used = 0

    @staticmethod
    async def open(target: Target) -> Link:
        """Connect. Raises RequestError when that fails."""
        try:
            async with asyncio.timeout(target.timeout_s):
                reader, writer = await asyncio.open_connection(target.host, target.port, ssl=target.tls)
        except TimeoutError:
            raise RequestError("connect-timeout") from None
        except ConnectionRefusedError:
            raise RequestError("refused") from None
        except OSError:  # no route, no such name, a failed TLS handshake
            raise RequestError("connect-failed") from None
        return Link(target, reader, writer)

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent: not when the server said ``Connection: close``, or has closed."""
        return self._http.our_state is h11.IDLE and not self._reader.at_eof() and not self._writer.is_closing()

    async def ask(self, keep_alive: bool) -> Reply:
        """Send one GET and read the whole answer. Raises RequestError."""
        try:
            async with asyncio.timeout(self._target.timeout_s):
                return await self._exchange(keep_alive)
        except TimeoutError:
            raise RequestError("timeout") from None
        except OSError:
            self._ended = True
            raise RequestError(self._how_it_ended()) from None
        except h11.ProtocolError:
            raise RequestError(self._how_it_ended()) from None

    async def _exchange(self, keep_alive: bool) -> Reply:
        request = h11.Request(method="GET", target=self._target.path, headers=self._target.headers(keep_alive))
        self._writer.write(self._http.send(request) or b"")
        self._http.send(h11.EndOfMessage())
        self._began = False
        await self._writer.drain()
        reply: Reply | None = None
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                received = await self._reader.read(65536)
                self._began, self._ended = self._began or bool(received), not received
                self._http.receive_data(received)
            elif isinstance(event, h11.Response):
                reply = Reply(event.status_code, self._version(event))
            elif isinstance(event, h11.EndOfMessage) and reply is not None:
                self._finish()
                return reply
            elif isinstance(event, h11.ConnectionClosed):
                raise ConnectionResetError

    def _version(self, response: h11.Response) -> str:
        wanted = self._target.version_header.lower().encode()
        return next((value.decode("latin-1") for name, value in response.headers if name == wanted), "")

    def _finish(self) -> None:
        self.used += 1
        with contextlib.suppress(h11.ProtocolError):
            self._http.start_next_cycle()

    def _how_it_ended(self) -> str:
        """Which failure it is when no whole answer came: nothing of it, a part of it, or something else than HTTP."""
        if not self._began:
            return "closed-while-kept" if self.used else "closed"
        return "cut" if self._ended else "not-http"

    def close(self) -> None:
        """Close the connection; what is unsent is dropped."""
        self._writer.close()
