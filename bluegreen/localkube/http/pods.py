"""What the server needs of the kubelet, and the plain streams of a pod: its logs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Protocol

from aiohttp import web

from bluegreen import clock
from bluegreen.localkube.go_formats import wrong_time
from bluegreen.localkube.http import options
from bluegreen.localkube.http.calls import Call
from bluegreen.localkube.kinds import Obj
from bluegreen.localkube.kubelet.logs import LogOptions, moment
from bluegreen.localkube.status import ApiError, Cause, bad_request, invalid


class Streams(Protocol):
    """The streams of a program in a container. An empty piece ends ``stdout`` and ``stderr``."""

    stdout: asyncio.Queue[bytes]
    stderr: asyncio.Queue[bytes]

    async def write(self, data: bytes) -> None:
        """Feed it."""

    def close_input(self) -> None:
        """End its input."""

    def resize(self, columns: int, rows: int) -> None:
        """Tell its terminal how large it is."""

    def close(self) -> None:
        """Let go of it."""


class Program(Streams, Protocol):
    """A program started in a container on somebody's behalf; ``close`` kills it if it still runs."""

    ended: asyncio.Future[int]


class PodDoor(Protocol):
    """The kubelet, as far as requests about pods go. Everything raises ApiError for what cannot be served.

    ``exec`` and ``attach`` raise NotStreamedError where nothing runs that they could be connected to.
    """

    def logs(self, namespace: str, name: str, container: str, options: LogOptions) -> AsyncIterator[bytes]:
        """A container's output."""

    def exec(self, namespace: str, name: str, container: str, argv: list[str], *, stdin: bool, tty: bool) -> Program:
        """Start a program in a container."""

    async def attach(self, namespace: str, name: str, container: str, *, stdin: bool) -> Streams:
        """Be attached to a container's own program."""

    def pod_address(self, namespace: str, name: str) -> str:
        """The address of a running pod; "" when it has none."""


def door(call: Call) -> PodDoor:
    """The kubelet; 503 in a cluster that runs without one."""
    if call.pods is None:
        raise ApiError(503, "ServiceUnavailable", "no kubelet is running", {})
    return call.pods


def log_options(query: options.Query, pod: str) -> LogOptions:
    """What of a log is asked for; 400 and 422 for what cannot be meant."""
    since_s = options.number(query, "sinceSeconds")
    since_time = query.get("sinceTime", "")
    causes = []
    if since_s is not None and since_time:
        why = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
        causes.append(Cause("[]", "FieldValueForbidden", why))  # as Kubernetes prints a path of nothing
    if since_s is not None and since_s < 1:
        causes.append(Cause("sinceSeconds", "FieldValueInvalid", f"Invalid value: {since_s}: must be greater than 0"))
    if causes:
        raise invalid("PodLogOptions", "", pod, causes)
    return LogOptions(
        previous=options.flag(query, "previous"),
        follow=options.flag(query, "follow"),
        timestamps=options.flag(query, "timestamps"),
        tail_lines=options.number(query, "tailLines"),
        limit_bytes=options.number(query, "limitBytes"),
        since=_since(since_s, since_time),
    )


def _since(since_s: int | None, since_time: str) -> str:
    if since_s is not None:
        return moment(clock.utc() - timedelta(seconds=min(since_s, 10**9)))
    if not since_time:
        return ""
    if refusal := wrong_time(since_time, micro=False):
        raise bad_request(refusal)
    try:
        return moment(datetime.fromisoformat(since_time).astimezone(UTC))
    except (ValueError, OverflowError) as error:
        raise bad_request(f'parsing time "{since_time}": {error}') from error


def _waits(spec: Obj, container: str) -> bool:
    """Whether a pod has no node yet, and the container that is asked for."""
    names = [each["name"] for key in ("containers", "initContainers") for each in spec.get(key) or ()]
    return not spec.get("nodeName") and (container in names or (not container and len(spec["containers"]) == 1))


async def log(call: Call) -> web.StreamResponse:
    """GET pods/NAME/log."""
    target = call.target
    asked = log_options(call.query, target.name)
    if _waits(call.registry.get(call.kind, target.namespace, target.name)["spec"], call.query.get("container", "")):
        return web.Response(status=204)  # there is no kubelet to ask
    text = door(call).logs(target.namespace, target.name, call.query.get("container", ""), asked)
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    response.enable_chunked_encoding()
    await response.prepare(call.request)
    async for piece in text:
        await response.write(piece)
    await response.write_eof()
    return response
