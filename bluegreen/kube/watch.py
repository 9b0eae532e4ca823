"""Waiting for a state of the cluster: list once, then watch, whatever happens to the connection.

A thread of its own lists, opens a watch and reads it; the waiting thread never blocks for longer than ``TICK_S``, so
that harm elsewhere, Ctrl-C and the deadline are noticed. A watch that ends is opened again where it stopped; one whose
version has expired (410, as a status or inside the stream) begins with a new list. Older states never overwrite newer
ones, so a list from a stale cache takes nothing back.
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


@dataclass(frozen=True)
class _Listed:
    """What a list answered: all objects, and the version to watch from."""

    items: list[Obj]
    version: str


class _Reader(threading.Thread):
    """One list (where a version is missing) and one watch, read into a queue.

    It gives a ``_Listed``, then events, then ``None`` for a clean end or the error that ended it. After the list it
    waits for ``go_on``: most waits end with the first look, and then no watch is opened.
    """

    def __init__(self, read: Callable[[], tuple[list[Obj], str]], open_watch: OpenWatch, version: str) -> None:
        super().__init__(name="watch", daemon=True)
        self.events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._list, self._open_watch, self._version = read, open_watch, version
        self._go = threading.Event()
        self._response: BaseHTTPResponse | None = None
        self._stopped = False

    def run(self) -> None:
        end: KubeError | None = None
        try:
            self._follow()
        except KubeError as problem:
            end = problem
        except Exception as problem:  # whatever breaks a connection: urllib3, ssl and http.client all have their own
            end = Unreachable(f"The watch broke: {problem}.")
        if self._response is not None:
            with contextlib.suppress(Exception):
                self._response.close()
        self.events.put(end)

    def _follow(self) -> None:
        if not self._version:
            items, self._version = self._list()
            self.events.put(_Listed(items, self._version))
            self._go.wait()
        if self._stopped:
            return
        self._response = self._open_watch(
            {
                "watch": "true",
                "allowWatchBookmarks": "true",
                "resourceVersion": self._version,
                "timeoutSeconds": str(WATCH_S),
            },
            WATCH_S + 5.0,
        )
        if not self._stopped:
            self._read(self._response)

    def _read(self, response: BaseHTTPResponse) -> None:
        rest = b""
        for chunk in response.stream(65536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line.strip():
                    self.events.put(orjson.loads(line))

    def go_on(self) -> None:
        """The list did not end the wait: open the watch."""
        self._go.set()

    def stop(self) -> None:
        """Wake the thread from its reading; it ends by itself."""
        self._stopped = True
        self._go.set()
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
                found, quiet = self._follow(until)
                if found is not None:
                    return found
                failures = failures + 1 if quiet else 0
            except Expired:
                self.version, failures = "", failures + 1
            except Unreachable:
                failures += 1
            self._pause(self.policy.pause_s(failures) if failures else 0.0)

    def _follow(self, until: Callable[[list[Obj]], T | None]) -> tuple[T | None, bool]:
        """One list and watch to its end. Also says whether nothing at all came of it."""
        reader = _Reader(self.read, self.open_watch, self.version)
        started_s, count = clock.now_s(), 0
        reader.start()
        try:
            while True:
                batch = self._batch(reader.events)
                count += len(batch)
                ended = self._take(batch)
                found = until(self._sorted()) if self.version and any(batch) else None
                if found is not None or ended:
                    return found, count <= 1 and clock.now_s() - started_s < 1
                if batch:
                    reader.go_on()
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
            if isinstance(event, _Listed):
                self._relist(event)
            else:
                self._event(event)
        return False

    def _relist(self, listed: _Listed) -> None:
        before, self.objects, self.version = self.objects, {}, listed.version
        for item in listed.items:
            key = _key(item)
            known = before.get(key)
            self.objects[key] = known if known is not None and _newer(known, item) else item

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
