"""Watches: a stream of changes from a resourceVersion on, one reader of the store's history each.

A watcher holds a position in the history, not a queue: a slow one costs nobody anything, and one that falls behind
what is remembered is told so (410) and ends.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import orjson
from aiohttp import web

from bluegreen.localkube import selectors, tables
from bluegreen.localkube.canonical import canonicalise
from bluegreen.localkube.http import answers
from bluegreen.localkube.http.options import ListOptions
from bluegreen.localkube.kinds import Kind, Obj
from bluegreen.localkube.selectors import Selection
from bluegreen.localkube.status import ApiError
from bluegreen.localkube.store import Change, Store, event_line

SHORTEST_DEFAULT_S = 1800
"""A watch without timeoutSeconds ends after this long or up to twice as long, as kube-apiserver's do."""
BOOKMARK_S = 60.0
"""How often a watch that asked for bookmarks hears of its version when nothing happens, as in Kubernetes."""
_BATCH = 512  # changes written at once, so that one watcher that catches up leaves the others their turn
_INITIAL_END = {"k8s.io/initial-events-end": "true"}


class Watcher:
    """One watch's position and filter. ``changed`` is set when there may be something new for it."""

    def __init__(self, store: Store, kind: Kind, namespace: str, options: ListOptions, form: str, include: str) -> None:
        self.changed = asyncio.Event()
        self._store, self._kind, self._namespace = store, kind, namespace
        self._selected = selectors.selection(kind, options.labels, options.fields)
        self._name = _only_name(self._selected)
        self._form, self._include = form, include
        self._columns = True
        self.position = store.resource_version
        self.close = store.subscribe(kind, self._notice)

    def _notice(self, change: Change) -> None:
        if self._concerns(change):
            self.changed.set()

    def _concerns(self, change: Change) -> bool:
        return (not self._namespace or change.namespace == self._namespace) and self._name in (None, change.name)

    def existing(self) -> list[bytes]:
        """Everything there is now, as ADDED; moves the position to now."""
        self.position = self._store.resource_version
        entries = self._store.entries(self._kind, self._namespace)
        return [self._line("ADDED", each.obj, each.encoded) for each in entries if self._selected.matches(each.obj)]

    def news(self) -> tuple[list[bytes], bool]:
        """The lines since the position, and whether there are more; moves the position. 410 when it fell behind."""
        changes = self._store.history(self._kind, self.position)
        batch = changes[:_BATCH]
        lines = [line for change in batch if self._concerns(change) and (line := self._selected_line(change))]
        more = len(changes) > len(batch)
        self.position = batch[-1].resource_version if more else self._store.resource_version
        return lines, more

    def _selected_line(self, change: Change) -> bytes | None:
        if not self._selected:
            if not self._form:
                return change.line
            return self._line(change.type, change.object, change.encoded)
        previous = change.previous
        matched = previous is not None and self._selected.matches(previous)
        matches = change.type != "DELETED" and self._selected.matches(change.object)
        if matches:
            return self._line("MODIFIED" if matched else "ADDED", change.object, change.encoded)
        if not matched or previous is None:
            return None
        if change.type == "DELETED":
            return self._line("DELETED", change.object, change.encoded)
        # it left the selection: what it was when it last belonged, at the version at which it left
        meta = {**previous["metadata"], "resourceVersion": str(change.resource_version)}
        left = {**previous, "metadata": meta}
        return self._line("DELETED", left, orjson.dumps(left))

    def _line(self, type_: str, obj: Obj, encoded: bytes) -> bytes:
        if not self._form:
            return event_line(type_, encoded)
        if self._form == "metadata":
            return event_line(type_, orjson.dumps(answers.metadata_only(obj)))
        version = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        table = tables.table(self._kind, [obj], version, include=self._include, columns=self._columns)
        self._columns = False
        return event_line(type_, orjson.dumps(table))

    def bookmark(self, *, initial_end: bool = False) -> bytes:
        """The position, for a client that wants to go on from it later."""
        meta: Obj = {"resourceVersion": str(self.position)}
        if initial_end:
            meta["annotations"] = _INITIAL_END
        obj: Obj = {"kind": self._kind.kind, "apiVersion": self._kind.api_version, "metadata": meta}
        canonicalise(self._kind.kind, obj)  # an empty object of the kind, with what such objects always show
        if self._form == "table":
            obj = tables.table(self._kind, [], {"resourceVersion": str(self.position)}, columns=self._columns)
            obj["rows"] = [{"cells": [], "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                                                    "metadata": meta}}]  # fmt: skip
        elif self._form == "metadata":
            obj = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": meta}
        return event_line("BOOKMARK", orjson.dumps(obj))


def _only_name(selected: Selection) -> str | None:
    """The one name a field selector leaves, if it does."""
    names = [term.value for term in selected.fields if term.path == ("metadata", "name") and term.equal]
    return names[0] if names else None


@dataclass(frozen=True)
class Ending:
    """How a fault ends a watch: after a while (None: as it would), by a cut or as expired; and what has expired."""

    after_s: float | None
    floor: int
    expire: Callable[[], None] | None
    cut: Callable[[], NoReturn]


async def serve(
    request: web.BaseRequest, store: Store, kind: Kind, namespace: str, options: ListOptions, form: str, include: str,
    ending: Ending | None = None,
) -> web.StreamResponse:  # fmt: skip
    """Answer a watch until its time is over or its client goes."""
    watcher = Watcher(store, kind, namespace, options, form, include)
    try:
        response = web.StreamResponse(headers={"Content-Type": answers.JSON, "Cache-Control": "no-cache, private"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        if ending is None:
            await _stream(response, watcher, options)
        else:
            await _stream_disturbed(response, watcher, options, ending)
        await response.write_eof()
    finally:
        watcher.close()
    return response


async def _stream_disturbed(
    response: web.StreamResponse, watcher: Watcher, options: ListOptions, ending: Ending
) -> None:
    """The same, until the fault ends it."""
    old = options.version not in ("", "0") and int(options.version) < ending.floor
    if not old:
        try:
            async with asyncio.timeout(ending.after_s):
                await _stream(response, watcher, options)
            return
        except TimeoutError:
            if ending.expire is None:
                ending.cut()
            ending.expire()
    error = ApiError(410, "Expired", f"too old resource version: {options.version or 0} ({watcher.position})")
    await response.write(event_line("ERROR", orjson.dumps(error.as_status())))


async def _stream(response: web.StreamResponse, watcher: Watcher, options: ListOptions) -> None:
    loop = asyncio.get_running_loop()
    timeout_s = options.timeout_s or SHORTEST_DEFAULT_S * (1 + random.random())
    try:
        async with asyncio.timeout(timeout_s):
            await _begin(response, watcher, options)
            ends = loop.time() + timeout_s
            while True:
                await _send_news(response, watcher)
                await _await_change(response, watcher, options, ends)
    except TimeoutError:
        return
    except ApiError as error:
        await response.write(event_line("ERROR", orjson.dumps(error.as_status())))


async def _begin(response: web.StreamResponse, watcher: Watcher, options: ListOptions) -> None:
    """Where a watch starts: at what exists, or behind a version."""
    from_start = options.version in ("", "0") if options.initial_events is None else options.initial_events
    if not from_start:
        if options.version not in ("", "0"):
            watcher.position = int(options.version)
        return
    lines = watcher.existing()
    if options.initial_events and options.bookmarks:
        lines.append(watcher.bookmark(initial_end=True))
    for start in range(0, len(lines), _BATCH):
        await response.write(b"".join(lines[start : start + _BATCH]))


async def _send_news(response: web.StreamResponse, watcher: Watcher) -> None:
    more = True
    while more:
        watcher.changed.clear()
        lines, more = watcher.news()
        if lines:
            await response.write(b"".join(lines))


async def _await_change(response: web.StreamResponse, watcher: Watcher, options: ListOptions, ends: float) -> None:
    """Wait for a change; meanwhile tell a client that wants to know where it stands, also shortly before the end."""
    loop = asyncio.get_running_loop()
    while not watcher.changed.is_set():
        pause_s = min(BOOKMARK_S, max(ends - loop.time() - 2, 0.1)) if options.bookmarks else None
        try:
            async with asyncio.timeout(pause_s):
                await watcher.changed.wait()
        except TimeoutError:
            if loop.time() >= ends:
                raise
            await _send_news(response, watcher)
            await response.write(watcher.bookmark())
            if ends - loop.time() < 2:
                await watcher.changed.wait()
