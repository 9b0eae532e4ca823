"""A release that waits for a person: the question lies in the cluster, and ``bluegreen approve`` answers it there.

One ConfigMap an application, ``$APP_NAME-release-approval``: ``data.request`` is what is asked, ``data.answer`` what
was said. The answer names the release and the step that it is for, and is written only onto the request that was read:
nobody approves what he has not seen, and an answer to one release never counts for another.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta

from bluegreen import clock, fence
from bluegreen.clock import Deadline
from bluegreen.colour import Obj
from bluegreen.errors import CannotStartError, HarnessError
from bluegreen.journal import Journal
from bluegreen.kube import Kube
from bluegreen.origin import origin
from bluegreen.settings import Settings

MANAGER = "bluegreen-approval"

LOOK_EVERY_S = 1.0
"""A choice: how often a release that waits looks for an answer, and whether live is still well."""


class ApprovalRefusedError(HarnessError):
    """Somebody said no, or nobody said anything in time: the release does not go on."""


@dataclass(frozen=True)
class Request:
    """What is asked."""

    release: str  # the release's id
    step: str  # the step that waits
    question: str
    asked_at: str  # RFC 3339, UTC
    until: str  # RFC 3339, UTC, by the clock of the machine that asks; for people to read


@dataclass(frozen=True)
class Reply:
    """What was said, by whom."""

    release: str
    step: str
    approved: bool
    by: str  # user@host as the answering machine states it; the cluster's audit log knows the account
    reason: str
    at: str  # RFC 3339, UTC


def name_of(settings: Settings) -> str:
    """The ConfigMap's name."""
    return f"{settings.app_name}-release-approval"


def wait(
    kube: Kube,
    settings: Settings,
    release: str,
    step: str,
    *,
    question: str,
    timeout_s: float,
    look: Callable[[], None] = lambda: None,
    tell: Callable[[str], None] = print,
) -> Reply:
    """Ask, and wait until a person approves.

    ``look`` is called about every second and ends the wait by what it raises: a lost lock, harm to live.
    Raises ApprovalRefusedError when the answer is no, or there is none after ``timeout_s`` seconds.
    """
    until = clock.utc() + timedelta(seconds=timeout_s)
    request = Request(release, step, question, clock.timestamp(), until.strftime("%Y-%m-%dT%H:%M:%SZ"))
    _put(kube, settings, request)
    tell(
        f"waiting for approval until {request.until}: {question} (`bluegreen approve`, or `bluegreen approve --refuse`)"
    )
    try:
        reply = _answer(kube, settings, request, Deadline(timeout_s), look)
    finally:
        with suppress(HarnessError):
            _clear(kube, settings, request)
    if reply is None:
        raise ApprovalRefusedError(f"Nobody answered within {timeout_s:g} seconds: {question}")
    said = f"by {reply.by}" + (f": {reply.reason}" if reply.reason else "")
    if not reply.approved:
        raise ApprovalRefusedError(f"Refused {said}")
    tell(f"approved {said}")
    return reply


def pending(kube: Kube, settings: Settings) -> Request | None:
    """What waits for an answer, if anything does."""
    found = kube.get("ConfigMap", name_of(settings))
    return _request(found) if found is not None and "answer" not in (found.get("data") or {}) else None


def await_request(
    kube: Kube, settings: Settings, deadline: Deadline, tell: Callable[[str], None] = print
) -> Request | None:
    """What waits for an answer, as soon as something does; None when nothing did by the deadline.

    For a job that starts beside the release and may be there before it. Raises CannotStartError when a release that ran
    meanwhile is over without having asked.
    """
    journal = Journal(kube, settings)
    before = journal.read()
    told = False
    while (request := pending(kube, settings)) is None:
        record = journal.read()
        if record is not None and not record.unfinished and record != before:
            raise CannotStartError(
                f"Release {record.id} of {record.image} is over and asks nothing: {record.outcome}.",
                "See `bluegreen history`.",
            )
        if deadline.expired:
            return None
        if not told:
            tell(f"waiting until a release of {settings.app_name} in namespace {settings.namespace} asks")
            told = True
        clock.sleep_s(min(LOOK_EVERY_S, deadline.remaining_s))
    return request


def answer(kube: Kube, settings: Settings, *, approved: bool, reason: str = "") -> Request:
    """Answer what waits; gives what was answered.

    Raises CannotStartError when nothing waits, or somebody else answered it meanwhile.
    """
    request = pending(kube, settings)
    if request is None:
        raise CannotStartError(
            f"No release of {settings.app_name} in namespace {settings.namespace} waits for an approval.",
            "See `bluegreen status`.",
        )
    who = origin(os.environ)
    by = f"{who['user']}@{who['host']}"
    reply = Reply(request.release, request.step, approved, by, reason, clock.timestamp())
    text = json.dumps(asdict(reply), sort_keys=True)

    def decide(found: Obj) -> list[fence.Op]:
        if _request(found) != request or "answer" in found["data"]:
            raise CannotStartError("It was answered by somebody else, or is over.", "See `bluegreen status`.")
        return [{"op": "add", "path": "/data/answer", "value": text}]

    _patch(kube, settings, decide, lambda found: (found.get("data") or {}).get("answer") == text)
    return request


def _answer(
    kube: Kube, settings: Settings, request: Request, deadline: Deadline, look: Callable[[], None]
) -> Reply | None:
    """Look for an answer until there is one; None when there is none in time.

    Read again and again and not watched: a watch needs the right to list every ConfigMap of the namespace.
    """
    while not deadline.expired:
        look()
        found = kube.get("ConfigMap", name_of(settings))
        text = ((found or {}).get("data") or {}).get("answer")
        reply = Reply(**json.loads(text)) if text else None
        if reply is not None and (reply.release, reply.step) == (request.release, request.step):
            return reply
        clock.sleep_s(min(LOOK_EVERY_S, deadline.remaining_s))
    return None


def _put(kube: Kube, settings: Settings, request: Request) -> None:
    """Ask; whatever was asked or answered before is over, for the caller holds the lock."""
    data = {"request": json.dumps(asdict(request), sort_keys=True)}
    if kube.get("ConfigMap", name_of(settings)) is None:
        labels = {"app": settings.app_name, "app.kubernetes.io/managed-by": "bluegreen"}
        metadata = {"name": name_of(settings), "labels": labels}
        obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        fence.create(kube, obj, ours=lambda found: found.get("data") == data, otherwise=_in_the_way)
        return
    _patch(
        kube,
        settings,
        lambda _: [{"op": "add", "path": "/data", "value": data}],
        lambda found: found.get("data") == data,
    )


def _clear(kube: Kube, settings: Settings, request: Request) -> None:
    """Nothing waits any more; a request that is not this one stays."""

    def landed(found: Obj) -> bool:
        return _request(found) != request

    _patch(kube, settings, lambda _: [{"op": "add", "path": "/data", "value": {}}], landed)


def _patch(
    kube: Kube, settings: Settings, decide: Callable[[Obj], list[fence.Op]], landed: Callable[[Obj], bool]
) -> None:
    fence.patch(kube, "ConfigMap", name_of(settings), decide, landed=landed, manager=MANAGER)


def _request(found: Obj) -> Request | None:
    text = (found.get("data") or {}).get("request")
    return Request(**json.loads(text)) if text else None


def _in_the_way(found: Obj) -> HarnessError:
    return HarnessError(
        f"ConfigMap {found['metadata']['name']} was made by somebody else just now.", "Look at it, and start again."
    )
