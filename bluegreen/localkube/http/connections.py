"""Connections to the API server: one that does not say in time who it is ends.

Whoever has a token may keep a connection for long; who has none gets as long as kube-apiserver gives for a request's
head, so that nobody can fill the server with connections that ask for nothing, or slowly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

UNKNOWN_S = 32.0
"""How long a connection may last before a request on it was authenticated: kube-apiserver's ReadHeaderTimeout."""

_OF_THE_SERVER = frozenset(["request_factory", "handler_cancellation"])  # options that are no connection's


class Connection(web.RequestHandler):
    """One connection; ``known``: whether a request on it was authenticated."""

    __slots__ = ("_patience", "known")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request."""
        super().connection_made(transport)
        self.known = False
        self._patience = asyncio.get_running_loop().call_later(UNKNOWN_S, self._end_unknown)

    def _end_unknown(self) -> None:
        if not self.known:
            self.force_close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop waiting."""
        self._patience.cancel()
        super().connection_lost(exc)


class Connections(web.Server):
    """Makes connections: aiohttp's server with these."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], **options: Any) -> None:
        super().__init__(handler, **options)
        self._options = {key: value for key, value in options.items() if key not in _OF_THE_SERVER}

    def __call__(self) -> Connection:
        """A new connection's protocol."""
        return Connection(self, loop=asyncio.get_running_loop(), **self._options)
