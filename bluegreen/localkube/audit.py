"""The audit log: a line for each request to the API that was answered, as Kubernetes writes it at the level Metadata.

Off by default. A line is an Event of audit.k8s.io/v1 in JSON: who asked for what and how it ended, never a body. A
request that goes on for long (a watch, a log, an exec) has its line when it ends.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import orjson
from aiohttp import web

from bluegreen import clock
from bluegreen.localkube.http.paths import Target
from bluegreen.localkube.kinds import Obj
from bluegreen.localkube.rbac import User


@dataclass
class Noted:
    """What one request turned out to be; ``target`` stays None for a path that is no resource."""

    user: User | None = None
    verb: str = ""
    target: Target | None = None
    status: int = 0  # of one that goes on for long, from when it was let in: its client ends it, without an answer


_NOTED: ContextVar[Noted | None] = ContextVar("audit", default=None)


class AuditLog:
    """An open log; lines are appended and reach the file at once."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    @contextlib.contextmanager
    def request(self, request: web.BaseRequest) -> Iterator[Noted]:
        """One request: its line is written at the end of the block, with the status noted by then."""
        noted, received = Noted(), clock.micro_timestamp()
        _NOTED.set(noted)
        try:
            yield noted
        finally:
            os.write(self._file, orjson.dumps(event(request, noted, received)) + b"\n")

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def note(user: User, verb: str, target: Target | None) -> None:
    """Remember who asks for what, for the line of the request that is being answered, if there is to be one."""
    noted = _NOTED.get()
    if noted is not None:
        noted.user, noted.verb, noted.target = user, verb, target


def begun(request: web.BaseRequest) -> None:
    """Remember that a request that goes on for long was let in."""
    noted = _NOTED.get()
    if noted is not None:
        noted.status = 101 if "Upgrade" in request.headers else 200


def event(request: web.BaseRequest, noted: Noted, received: str) -> Obj:
    """The Event of one request; code 0 when its client went away before the answer. One whose sender was not known has
    neither user nor object."""
    found = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": str(uuid.uuid4()),
        "stage": "ResponseComplete",
        "requestURI": request.raw_path,
        "verb": noted.verb or request.method.lower(),
        "user": noted.user.as_user_info() if noted.user is not None else {},
        "sourceIPs": [request.remote or ""],
        "userAgent": request.headers.get("User-Agent", ""),
        "responseStatus": {"metadata": {}, "code": noted.status},
        "requestReceivedTimestamp": received,
        "stageTimestamp": clock.micro_timestamp(),
    }
    return found | ({"objectRef": _reference(noted.target)} if noted.target is not None else {})


def _reference(target: Target) -> Obj:
    named = {
        "resource": target.resource,
        "namespace": target.namespace,
        "name": target.name,
        "apiGroup": target.group,
        "apiVersion": target.kind.version if target.kind is not None else "",
        "subresource": target.subresource,
    }
    return {key: value for key, value in named.items() if value}
