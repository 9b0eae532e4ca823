"""How an old colour lets go of its clients: each of its pods is told to, and asked how many are left.

A pod is told by a request (DRAIN_PATH) or by a command run in it (DRAIN_COMMAND), whichever the application offers;
without either its preStop hook has to do. It says how many clients are left at DRAIN_COUNT_PATH, as a JSON object:

    {"open_connections": 7, "clients": {"idle": 4, "requests": 1, "streams": 1, "websockets": 1}}

``open_connections`` (or ``connections``, or ``in_flight``; the largest counts) is the number that matters, and zero
ends the drain; ``clients`` is for the report and may be left out. Every pod is asked at its own address, never through
a Service, which would pick one of them. An application that answers otherwise could not be observed: it gets no
waiting, for nobody knows what for, and the report says so.
"""

from __future__ import annotations

import http.client
import json
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bluegreen import clock
from bluegreen.access import Access, Address
from bluegreen.clock import Deadline
from bluegreen.colour import Obj
from bluegreen.errors import HarnessError
from bluegreen.kube import Kube
from bluegreen.kube.execution import execute
from bluegreen.settings import Settings
from bluegreen.workload import main_container

T = TypeVar("T")

LOOK_EVERY_S = 0.1
"""Pause between two looks at the pods' own counts: the application offers no other way to learn of a change."""

ASK_TIMEOUT_S = 2.0
"""A choice: how long a pod may take to answer one question."""

COMMAND_TIMEOUT_S = 10.0
"""A choice: how long DRAIN_COMMAND may take to begin the drain; it is not to wait for the drain's end."""

AT_ONCE = 16
"""Pods that are asked at the same time."""

COUNTS = ("open_connections", "connections", "in_flight")
"""What a draining pod may call the number of its clients; the largest counts."""

PATH, COMMAND, PRE_STOP = "path", "command", "preStop"
"""The ways in which a pod is told."""


@dataclass(frozen=True)
class Answer:
    """What a pod answered: an HTTP status (0: nothing) and its JSON body, if it had one."""

    status: int
    body: Any = None

    @property
    def good(self) -> bool:
        """Whether the pod did what it was asked."""
        return 200 <= self.status < 300

    def __str__(self) -> str:
        return f"HTTP {self.status}" if self.status else "no answer"


@dataclass(frozen=True)
class Count:
    """The clients that a pod still had when it was asked last: their number, and by kind where it says that."""

    number: int
    kinds: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Told:
    """Which pods were told to drain, and how; ``refusals``: what those said that did not do it."""

    how: str = PRE_STOP
    pods: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)


class Drain:
    """The drain of one colour's pods. ``tell`` and ``watch`` act; ``counts`` holds the last count of each pod."""

    def __init__(self, kube: Kube, settings: Settings, access: Access, pods: Iterable[Obj]) -> None:
        self._kube, self._settings, self._access = kube, settings, access
        self._pods = {pod["metadata"]["name"]: pod for pod in pods if running(pod)}
        self._addresses: dict[str, Address] = {}
        self.told = Told()
        self.counts: dict[str, Count] = {}
        self.clients_before: int | None = None
        self.waited_s = 0.0

    def tell(self) -> None:
        """Tell every pod, and count its clients, before and from then on."""
        self.look()
        self.clients_before = self.clients_left
        if self._settings.drain_command:
            self.told = self._told(COMMAND, self._run)
        elif self._settings.drain_path:
            self.told = self._told(PATH, self._post)

    def watch(self, deadline: Deadline) -> None:
        """Wait until no pod that was told and counts has a client any more, or the time is up."""
        if not self.told.pods:
            return
        self.look()
        while not deadline.expired and any(self.counts[name].number for name in self.told.pods if name in self.counts):
            clock.sleep_s(min(LOOK_EVERY_S, deadline.remaining_s))
            for name in self.look():
                if not self._is_there(name):  # crashed, or evicted: nobody is connected to it
                    self.counts[name] = Count(0)
        self.waited_s = deadline.elapsed_s

    def look(self) -> list[str]:
        """Ask every pod for its count; one that does not answer keeps its last. Returns those."""
        if not self._settings.drain_count_path:
            return []
        answers = self._each(lambda name: self._ask(name, "GET", self._settings.drain_count_path))
        self.counts |= {name: count for name, answer in answers.items() if (count := count_of(answer)) is not None}
        return [name for name, answer in answers.items() if not answer.status and name in self.counts]

    def last_looks(self) -> None:
        """One more look at pods that are being stopped without having been told."""
        if not self.told.pods:
            self.look()

    @property
    def clients_left(self) -> int | None:
        """The clients on all pods when they were asked last; None when no pod counts."""
        return sum(count.number for count in self.counts.values()) if self.counts else None

    def as_json(self) -> dict[str, Any]:
        """What became of it, for the report."""
        return summary(self.told, len(self._pods), self.counts, self.clients_before, self.waited_s)

    def _is_there(self, name: str) -> bool:
        try:
            found = self._kube.get("Pod", name)
        except HarnessError:
            return True  # not known to be gone
        return found is not None and running(found)

    def _told(self, how: str, tell: Callable[[str], str]) -> Told:
        """Tell each pod; ``tell`` returns what went wrong, or nothing."""
        problems = self._each(tell)
        refused = dict.fromkeys(problem for problem in problems.values() if problem)
        done = [name for name, problem in problems.items() if not problem]
        return Told(how if done else PRE_STOP, done, list(refused))

    def _post(self, name: str) -> str:
        answer = self._ask(name, "POST", self._settings.drain_path)
        return "" if answer.good else f"POST {self._settings.drain_path}: {answer}"

    def _run(self, name: str) -> str:
        words = shlex.split(self._settings.drain_command)
        container = main_container(self._pods[name])["name"]
        try:
            done = execute(self._kube, name, container, words, COMMAND_TIMEOUT_S)
        except HarnessError as error:
            return error.sentence
        return "" if done.code == 0 else f"{words[0]} ended with exit code {done.code}"

    def _each(self, do: Callable[[str], T]) -> dict[str, T]:
        """The same for every pod, several at a time."""
        if not self._pods:
            return {}
        with ThreadPoolExecutor(min(AT_ONCE, len(self._pods)), "drain") as pool:
            return dict(zip(self._pods, pool.map(do, self._pods), strict=True))

    def _ask(self, name: str, method: str, path: str) -> Answer:
        """A pod's answer; no answer from one that is gone."""
        try:
            address = self._access.pod(self._pods[name])
        except HarnessError:
            return Answer(0)
        connection = http.client.HTTPConnection(address.host, address.port, timeout=ASK_TIMEOUT_S)
        try:
            connection.request(method, path, headers={"Connection": "close"})
            response = connection.getresponse()
            return Answer(response.status, _json(response.read()))
        except (OSError, http.client.HTTPException):
            return Answer(0)
        finally:
            connection.close()


def running(pod: Obj) -> bool:
    """Whether a pod may have clients: it runs, ready or not, on its way out or not."""
    status = pod.get("status") or {}
    return status.get("phase") == "Running" and bool(status.get("podIP"))


def count_of(answer: Answer) -> Count | None:
    """The clients that a pod still has by its own answer; None when it says none."""
    body = answer.body
    if not answer.good or not isinstance(body, dict):
        return None
    numbers = [body[name] for name in COUNTS if _whole(body.get(name))]
    kinds = body.get("clients")
    known = {str(kind): n for kind, n in kinds.items() if _whole(n)} if isinstance(kinds, dict) else {}
    return Count(max(numbers), known) if numbers else None


def summary(
    told: Told, pods: int, counts: Mapping[str, Count], clients_before: int | None, waited_s: float
) -> dict[str, Any]:
    """What became of a drain, for the report: how the pods were told, who could be observed, and who was still there.

    ``ended`` is ``clients gone``, ``time over`` (of the pods that were told), ``stopped`` (with clients, by pods that
    could not be told), or ``not observed``.
    """
    by_kind: Counter[str] = Counter()
    for count in counts.values():
        by_kind.update(count.kinds)
    left = sum(count.number for count in counts.values()) if counts else None
    ended = "not observed" if left is None else "clients gone" if not left else "time over" if told.pods else "stopped"
    return {
        "how": f"{_manner(told, pods)}; {_end(ended, left, by_kind, waited_s)}",
        "told": told.how,
        "pods": pods,
        "pods_told": len(told.pods),
        "observed": left is not None,
        "ended": ended,
        "clients_before": clients_before,
        "clients_left": left,
        "clients_by_kind": {kind: number for kind, number in by_kind.items() if number},
        "waited_s": round(waited_s, 3),
    }


def _manner(told: Told, pods: int) -> str:
    why = f" ({', '.join(told.refusals)})" if told.refusals else ""
    if not told.pods:
        return f"left to the preStop hook of {_many(pods, 'pod')}{why}"
    by = {PATH: "by the drain path", COMMAND: "by the drain command"}[told.how]
    return f"{len(told.pods)} of {_many(pods, 'pod')} told {by}{why}"


def _end(ended: str, left: int | None, by_kind: Mapping[str, int], waited_s: float) -> str:
    kinds = ", ".join(f"{number} {kind.replace('_', ' ')}" for kind, number in by_kind.items() if number)
    were = f"{_many(left or 0, 'client')}{f' ({kinds})' if kinds else ''} still connected"
    return {
        "clients gone": f"all clients had left after {waited_s:.1f} s",
        "time over": f"{were} when the drain time ended after {waited_s:.1f} s",
        "stopped": f"{were} when its pods were last seen",
        "not observed": "the application offers no count of its clients, so it could not be observed",
    }[ended]


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
