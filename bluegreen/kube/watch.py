"""Waiting for a state of the cluster: list once, then watch, whatever happens to the connection.

A thread of its own opens a watch and reads it; the waiting thread never blocks for longer than ``TICK_S``, so that
harm elsewhere, Ctrl-C and the deadline are noticed. A watch that ends is opened again where it stopped; one whose
version has expired (410, as a status or inside the stream) begins with a new list. Older states never overwrite
newer ones, so a list from a stale cache takes nothing back.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from bluegreen import clock
from bluegreen.clock import Deadline
from bluegreen.errors import TimeoutExpiredError
from bluegreen.kube.errors import Expired, KubeError, Unreachable, from_status
from bluegreen.kube.retry import RetryPolicy

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse

Obj = dict[str, Any]
T = TypeVar("T")
OpenWatch = Callable[[dict[str, str], float], "BaseHTTPResponse"]

TICK_S = 0.25
"""At least so often ``on_tick`` is called: a choice, a quarter of the second in which harm must be noticed."""

WATCH_S = 20
"""The server ends a watch after so long (a choice): a connection that died without a word is noticed then."""


class _Reader(threading.Thread):
    """One watch connection, read into a queue: events, then ``None`` for a clean end or the error that ended it."""

    def __init__(self, open_watch: Callable[[], BaseHTTPResponse], events: queue.SimpleQueue[Any]) -> None:
        super().__init__(name="watch", daemon=True)
        self._open_watch, self._events = open_watch, events
        self._response: BaseHTTPResponse | None = None
        self._stopped = False

    def run(self) -> None:
        try:
            self._response = self._open_watch()
            if not self._stopped:
                self._read(self._response)
            end: KubeError | None = None
        except KubeError as problem:
            end = problem
        except Exception as problem:  # whatever breaks a connection: urllib3, ssl and http.client all have their own
            end = Unreachable(f"The watch broke: {problem}.")
        if self._response is not None:
            with contextlib.suppress(Exception):
                self._response.close()
        self._events.put(end)

    def _read(self, response: BaseHTTPResponse) -> None:
        rest = b""
        for chunk in response.stream(65536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line.strip():
                    self._events.put(orjson.loads(line))

    def stop(self) -> None:
        """Wake the thread from its reading; it ends by itself."""
        self._stopped = True
        if self._response is not None:
            with contextlib.suppress(Exception):
                self._response.shutdown()


@dataclass
class Wait:
    """One wait: its state is the objects seen so far and the version to go on from."""

    what: str
    read: Callable[[], tuple[list[Obj], str]]
    """Lists the objects, with the list's resourceVersion."""
    open_watch: OpenWatch
    policy: RetryPolicy
    deadline: Deadline
    awaited: str
    on_tick: Callable[[], None] | None = None
    seen: Callable[[list[Obj]], str] | None = None
    objects: dict[tuple[str, str], Obj] = field(default_factory=dict)
    version: str = ""

    def run(self, until: Callable[[list[Obj]], T | None]) -> T:
        """Wait; see ``Kube.wait``."""
        failures = 0
        while True:
            try:
                if not self.version:
                    self._relist()
                    found = until(self._sorted())
                    if found is not None:
                        return found
                found, quiet = self._watch(until)
                if found is not None:
                    return found
                failures = failures + 1 if quiet else 0
            except Expired:
                self.version, failures = "", failures + 1
            except Unreachable:
                failures += 1
            self._pause(self.policy.pause_s(failures) if failures else 0.0)

    def _relist(self) -> None:
        items, self.version = self.read()
        before, self.objects = self.objects, {}
        for item in items:
            key = _key(item)
            known = before.get(key)
            self.objects[key] = known if known is not None and _newer(known, item) else item

    def _watch(self, until: Callable[[list[Obj]], T | None]) -> tuple[T | None, bool]:
        """Follow one watch to its end. Also says whether nothing at all came of it."""
        events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self.version,
            "timeoutSeconds": str(WATCH_S),
        }
        reader = _Reader(lambda: self.open_watch(query, WATCH_S + 5.0), events)
        started_s, count = clock.now_s(), 0
        reader.start()
        try:
            while True:
                batch = self._batch(events)
                count += len(batch)
                ended = self._take(batch)
                found = until(self._sorted()) if batch else None
                if found is not None or ended:
                    return found, count <= 1 and clock.now_s() - started_s < 1
        finally:
            reader.stop()

    def _batch(self, events: queue.SimpleQueue[Any]) -> list[Any]:
        """The next events, all that are there; perhaps none, after one tick."""
        self._tick()
        batch = []
        with contextlib.suppress(queue.Empty):
            batch.append(events.get(timeout=min(TICK_S, self.deadline.remaining_s) or 0.001))
            while True:
                batch.append(events.get_nowait())
        return batch

    def _take(self, batch: list[Any]) -> bool:
        """Bring the objects up to date; says whether the watch has ended, and raises what ended it badly."""
        for event in batch:
            if event is None:
                return True
            if isinstance(event, KubeError):
                raise event
            self._event(event)
        return False

    def _event(self, event: Obj) -> None:
        obj, kind = event["object"], event["type"]
        if kind == "ERROR":
            raise from_status(self.what, int(obj.get("code") or 500), obj)
        self.version = str(obj["metadata"].get("resourceVersion") or self.version)
        if kind == "BOOKMARK":
            return
        key = _key(obj)
        if kind == "DELETED":
            self.objects.pop(key, None)
        elif key not in self.objects or not _newer(self.objects[key], obj):
            self.objects[key] = obj

    def _sorted(self) -> list[Obj]:
        return [self.objects[key] for key in sorted(self.objects)]

    def _tick(self) -> None:
        if self.on_tick is not None:
            self.on_tick()
        if self.deadline.expired:
            seen = self.seen(self._sorted()) if self.seen else _describe(self._sorted())
            raise TimeoutExpiredError(self.awaited, self.deadline.elapsed_s, seen)

    def _pause(self, seconds: float) -> None:
        """Wait before the next attempt, still ticking."""
        end = Deadline(seconds)
        while not end.expired:
            self._tick()
            clock.sleep_s(min(TICK_S, end.remaining_s, self.deadline.remaining_s))
        self._tick()


def _key(obj: Obj) -> tuple[str, str]:
    return str(obj["metadata"].get("namespace") or ""), str(obj["metadata"]["name"])


def _newer(one: Obj, other: Obj) -> bool:
    """Whether an object is a later state than another of the same uid; unknown counts as no."""
    a, b = one["metadata"], other["metadata"]
    versions = str(a.get("resourceVersion", "")), str(b.get("resourceVersion", ""))
    return a.get("uid") == b.get("uid") and all(v.isdigit() for v in versions) and int(versions[0]) > int(versions[1])


def _describe(objects: list[Obj]) -> str:
    """What was there last, short: at most three names with their phase."""
    if not objects:
        return "no such object"
    named = [
        f"{o['metadata']['name']}{f' {phase}' if (phase := (o.get('status') or {}).get('phase')) else ''}"
        for o in objects[:3]
    ]
    return ", ".join(named) + (f" and {len(objects) - 3} more" if len(objects) > 3 else "")
