"""The open ports of the router: each takes HTTP/1.1 and asks a table where a request goes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence

from aiohttp import web

from bluegreen.localkube.forward import BACKLOG, Target
from bluegreen.localkube.ports import UNPRIVILEGED_OFFSET
from bluegreen.localkube.router.relay import Relay, said
from bluegreen.localkube.router.rules import Backend, Request, Table

_LOG = logging.getLogger(__name__)
_END_S = 0.5  # how long requests under way get when the cluster ends
KEEP_ALIVE_S = 75.0
"""How long an idle connection of a client stays open: nginx's keepalive_timeout."""

Place = tuple[str, int]
Targets = Callable[[Backend], Sequence[Target]]


class Door:
    """One address and port; its ``table`` may be replaced at any time."""

    def __init__(self, relay: Relay, targets: Targets, table: Table) -> None:
        self.table = table
        self._relay, self._targets, self._turn = relay, targets, 0
        self._server: asyncio.Server | None = None
        self._handler = web.Server(self._serve, access_log=None, keepalive_timeout=KEEP_ALIVE_S, logger=_LOG)
        self.closed = False

    async def open(self, place: Place) -> int:
        """Open it and give the port: where this user may not bind it, a higher one. Raises OSError."""
        loop = asyncio.get_running_loop()
        address, port = place
        try:
            server = await loop.create_server(self._handler, address, port, backlog=BACKLOG)
        except PermissionError:
            port += UNPRIVILEGED_OFFSET
            server = await loop.create_server(self._handler, address, port, backlog=BACKLOG)
        self._server = server
        if self.closed:  # meanwhile
            server.close()
        return port

    async def close(self) -> None:
        """Take no more connections; requests under way are answered."""
        self.closed = True
        if self._server is not None:
            self._server.close()
        await self._handler.shutdown(_END_S)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        rule, backend = self.table.choose(_looked_at(request))
        if rule is None:
            return said(404, "no rule matches")
        if backend is None or backend.problem:
            return said(500, backend.problem if backend else "no backend has any weight")
        targets = list(self._targets(backend))
        self._turn += 1
        start = self._turn % len(targets) if targets else 0
        with contextlib.suppress(ConnectionError):  # the client is gone: there is nobody to tell
            return await self._relay.hand_on(request, [*targets[start:], *targets[:start]])
        return said(499, "the client is gone")


def _looked_at(request: web.BaseRequest) -> Request:
    url = request.rel_url
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers.setdefault(name.lower(), value)
    host = request.host.partition(":")[0]
    return Request(host.lower(), url.path, request.method, headers, dict(url.query))
