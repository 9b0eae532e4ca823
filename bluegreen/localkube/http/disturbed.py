"""A request that a fault strikes: late, refused, cut off, or answered from an older state; and the faults' own API."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import NoReturn

import orjson
from aiohttp import web

from bluegreen.errors import InputError
from bluegreen.localkube import faults
from bluegreen.localkube.fault_board import Board
from bluegreen.localkube.http import answers, options
from bluegreen.localkube.http.options import ListOptions
from bluegreen.localkube.http.paths import Target
from bluegreen.localkube.status import ApiError, bad_request
from bluegreen.localkube.strikes import Asked, Strike

PATH = "/localkube/faults"
"""Where faults are listed (GET), set (POST) and cleared (DELETE, ``?name=`` for one). In no discovery document."""
_LARGEST = 64 * 1024  # bytes of a body: a choice
_LONG = frozenset(["attach", "exec", "log", "portforward"])

Serve = Callable[[], Awaitable[web.StreamResponse]]


def asked(request: web.BaseRequest, user: str, target: Target | None, query: options.Query) -> Asked:
    """What of a request decides whether a fault strikes it."""
    client = request.headers.get("User-Agent", "")
    if target is None:
        return Asked(client, user)
    watching = request.method == "GET" and options.flag(query, "watch")
    verb = target.verb(request.method, watch=watching)
    return Asked(client, user, verb, target.resource, target.namespace)


async def answer(request: web.BaseRequest, target: Target | None, strike: Strike, serve: Serve) -> web.StreamResponse:
    """Serve a request as far as its strike lets it."""
    if strike.delay_s:
        await asyncio.sleep(strike.delay_s)
    struck = strike.answer
    if struck is None:
        return await serve()
    streams = options.flag(options.parse(request.query_string), "watch") or (target and target.subresource in _LONG)
    if struck.done and not streams:  # what streams would have answered before it could be lost
        with contextlib.suppress(ApiError):
            await serve()
    if not struck.status:
        cut(request)
    message = f"{struck.message} (fault {strike.by})"
    details, headers = {}, {}
    if struck.status == 429:
        details, headers = {"retryAfterSeconds": strike.retry_after_s}, {"Retry-After": str(strike.retry_after_s)}
    raise ApiError(struck.status, struck.reason, message, details, headers)


def cut(request: web.BaseRequest) -> NoReturn:
    """End the connection without another byte."""
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError("cut by a fault")


def older(asked_for: ListOptions, strike: Strike, board: Board) -> int:
    """The version from which a read is to be answered; 0: from the present."""
    version = asked_for.version
    from_cache = bool(version) and asked_for.version_match != "Exact"
    if not strike.behind_s or asked_for.continue_ or not (from_cache or (strike.plain_reads and not version)):
        return 0
    return max(board.version_behind(strike.behind_s), int(version or 0))


def as_of(asked_for: ListOptions, version: int) -> ListOptions:
    """The same list of an older state; a watch cache, which is what lags, knows no pages at version 0."""
    limit = 0 if asked_for.version == "0" else asked_for.limit
    return replace(asked_for, version=str(version), version_match="Exact", limit=limit)


# -- the faults' own API -----------------------------------------------------------------------------------------------
async def manage(request: web.BaseRequest, board: Board, query: options.Query) -> web.StreamResponse:
    """List, set or clear faults; 400 naming field and value for what cannot be meant."""
    if request.method == "GET":
        return answers.document({"faults": board.all()})
    if request.method == "DELETE":
        return answers.document({"faults": board.clear(query.get("name", ""))})
    if request.method == "POST":
        return answers.document(board.set(await _read(request)))
    raise ApiError(405, "MethodNotAllowed", "faults are listed (GET), set (POST) and cleared (DELETE)", {})


async def _read(request: web.BaseRequest) -> faults.Fault:
    if (request.content_length or 0) > _LARGEST:
        raise ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {_LARGEST}", {})
    try:
        given = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the body is no JSON: {error}") from None
    if not isinstance(given, dict):
        raise bad_request("the body is no JSON object")
    try:
        return faults.read(given)
    except InputError as mistakes:
        raise bad_request(str(mistakes)) from None
