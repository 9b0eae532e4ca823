"""Handing a request on to an endpoint and its answer back. Knows nothing of Kubernetes.

Each request gets a connection of its own to the endpoint, so that none meets one that is just being closed. An endpoint
that takes no connection, or ends it without a word to a request that may be repeated, is passed over for the next one,
as nginx does it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from bluegreen.localkube.forward import Target
from bluegreen.localkube.http.hop_by_hop import kept

CONNECT_S = 5.0
"""How long an endpoint may take to accept a connection: nginx's proxy_connect_timeout in ingress-nginx."""

ANSWER_S = 60.0
"""How long it may stay silent: proxy_read_timeout there."""

_CHUNK = 64 * 1024
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})
_SKIPPED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class Relay:
    """The router's side towards endpoints."""

    def __init__(self) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=ANSWER_S)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=timeout,
            auto_decompress=False,
            skip_auto_headers=_SKIPPED,
        )

    async def stop(self) -> None:
        """Let go of every connection."""
        await self._session.close()

    async def hand_on(self, request: web.BaseRequest, targets: Sequence[Target]) -> web.StreamResponse:
        """The answer of the first target that gives one; 503 without targets, 502 or 504 where none does."""
        problem: Exception | None = None
        for target in targets:
            try:
                async with self._asked(request, target) as answer:
                    return await _handed_back(request, answer)
            except aiohttp.ClientConnectorError as error:  # nothing was sent
                problem = error
            except (aiohttp.ClientError, TimeoutError) as error:
                problem = error
                if request.method not in _REPEATABLE or request.can_read_body:
                    break
        if problem is None:
            return said(503, "no endpoint is ready")
        return said(504 if isinstance(problem, TimeoutError) else 502, "no endpoint answered")

    def _asked(
        self, request: web.BaseRequest, target: Target
    ) -> contextlib.AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return self._session.request(
            request.method,
            URL(f"http://{target[0]}:{target[1]}{_path(request)}", encoded=True),
            headers=_sent_headers(request),
            data=request.content if request.can_read_body else None,
            allow_redirects=False,
        )


async def _handed_back(request: web.BaseRequest, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    """Pass an answer on as it comes; one that breaks off breaks off for the client too."""
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=kept(answer.headers))
    await response.prepare(request)
    try:
        async for piece in answer.content.iter_chunked(_CHUNK):
            await response.write(piece)
        await response.write_eof()
    except (aiohttp.ClientError, TimeoutError):
        if request.transport is not None:
            request.transport.abort()
    return response


def said(status: int, why: str) -> web.Response:
    """The router's own answer."""
    return web.Response(status=status, text=f"router: {why}\n")


def _path(request: web.BaseRequest) -> str:
    """Path and query as they were sent; of a whole URL, these."""
    raw = request.raw_path
    return raw if raw.startswith("/") else URL(raw, encoded=True).raw_path_qs


def _sent_headers(request: web.BaseRequest) -> CIMultiDict[str]:
    headers = kept(request.headers)
    earlier = headers.get("X-Forwarded-For")
    address = request.remote or ""
    headers["X-Forwarded-For"] = f"{earlier}, {address}" if earlier else address
    headers.setdefault("X-Forwarded-Host", request.host)
    headers.setdefault("X-Forwarded-Proto", "http")
    headers["Connection"] = "close"
    return headers
