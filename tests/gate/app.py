"""The bad applications of the catalogue: the sample backend with one thing wrong, chosen by the variable BAD.

Run as a program; ``BAD`` is ``NAME`` or ``NAME KEY=NUMBER ...``. ``SHARED`` is a folder that all pods of one release
see, for faults that only one of them has.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bluegreen.sample import __main__ as program
from bluegreen.sample.app import App, is_api
from bluegreen.sample.faults import AfterSwitch, Fault, now_s
from bluegreen.sample.http import Request, Response, json_response
from bluegreen.sample.settings import SampleSettings

BUSY_RATE = 20
"""API requests within a second above which faults under load begin: the gate's own requests stay below it."""


class Bad(Fault):
    """A fault with numbers, a look at every request before it is answered, and another at its answer."""

    def __init__(self, start_limit_s: float, **numbers: float) -> None:
        super().__init__(start_limit_s)
        self.numbers = numbers
        self.recent: list[float] = []
        self.asked = 0
        self.chance = random.Random(7)
        self.app: Any = None

    def number(self, name: str, default: float) -> float:
        """A number of this fault's."""
        return self.numbers.get(name, default)

    def busy(self) -> bool:
        """Whether more requests came within the last second than a gate's tests make; counts this one."""
        self.recent = [*(at for at in self.recent if at > now_s() - 1), now_s()]
        return len(self.recent) > BUSY_RATE

    def chosen(self, name: str) -> bool:
        """Whether this is the one pod of the release that has the fault: the first to ask."""
        try:
            os.close(os.open(Path(os.environ["SHARED"]) / name, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True

    async def early(self, request: Request) -> Response | None:
        """An answer in place of the application's, or None."""
        return None

    async def late(self, request: Request, response: Response) -> Response:
        """The application's answer, perhaps another one."""
        return response


# -- readiness, health, crashes ----------------------------------------------------------------------------------------
class ReadyThenNot(Bad):
    """Ready until it was first asked for its health by the gate."""

    was_asked = False

    def ready(self) -> bool:
        return not self.was_asked

    async def early(self, request: Request) -> Response | None:
        self.was_asked = self.was_asked or ("x-bluegreen" in request.headers and request.path.endswith("/health"))
        return None


class OneNotReady(Bad):
    """One of the pods never becomes ready."""

    def __init__(self, start_limit_s: float, **numbers: float) -> None:
        super().__init__(start_limit_s, **numbers)
        self.never = self.chosen("never-ready")

    def ready(self) -> bool:
        return not self.never


class CrashesOnce(Bad):
    """One pod's process ends once, at its start."""

    def __init__(self, start_limit_s: float, **numbers: float) -> None:
        super().__init__(start_limit_s, **numbers)
        if self.chosen("crashed"):
            os._exit(3)


class CrashesAfter(Bad):
    """Every process ends some seconds after its start."""

    def watch(self) -> None:
        asyncio.get_running_loop().call_later(self.number("seconds", 60), os._exit, 3)


class ReadyFlaps(Bad):
    """A dependency comes and goes: of every three answers about readiness one is no, which no probe acts upon."""

    def ready(self) -> bool:
        self.asked += 1
        return self.asked % 3 != 0


class ReadyFlapsUnderLoad(Bad):
    """The dependency is away for a second of every three once there is traffic."""

    loaded_s = 0.0

    async def api(self) -> int:
        if self.busy():
            self.loaded_s = self.loaded_s or now_s()
        return 0

    def ready(self) -> bool:
        return not self.loaded_s or (now_s() - self.loaded_s) % 3 < 1.5


class SaysOfItself(Bad):
    """Health answers 200 with another word."""

    word = "degraded"

    def health(self) -> str:
        return self.word


class MigrationsPending(SaysOfItself):
    """The schema is older than the code."""

    word = "migrations pending"


class EmptyHealth(Bad):
    """Health answers 200 with nothing."""

    async def late(self, request: Request, response: Response) -> Response:
        return replace(response, body=b"") if request.path.endswith("/health") else response


class HealthFails(Bad):
    """Health, or /live, answers 503 to the gate; ``live=1``."""

    async def late(self, request: Request, response: Response) -> Response:
        path = "/live" if self.number("live", 0) else "/health"
        fails = request.path.endswith(path) and "x-bluegreen" in request.headers
        return json_response({"status": "failing"}, 503) if fails else response


class DependencyAway(Bad):
    """Its database's name does not resolve, so that it is never ready."""

    def ready(self) -> bool:
        try:
            socket.getaddrinfo("database.does-not-exist.invalid", 5432)
        except OSError:
            return False
        return True


class BurnsMemory(Bad):
    """Takes more memory at its start than its limit allows."""

    def watch(self) -> None:
        asyncio.get_running_loop().call_later(0.2, self._take)

    def _take(self) -> None:
        self.kept = bytearray(b"x") * int(self.number("megabytes", 200) * 1_000_000)


# -- the API -----------------------------------------------------------------------------------------------------------
class Status(Bad):
    """API requests are answered with a status; ``only=1``: one path alone; ``one=1``: on one pod alone; ``head=1``:
    HEAD requests alone; ``post=1``: requests that change something alone."""

    def __init__(self, start_limit_s: float, **numbers: float) -> None:
        super().__init__(start_limit_s, **numbers)
        self.mine = not self.number("one", 0) or self.chosen("status")

    async def late(self, request: Request, response: Response) -> Response:
        if not self.mine or (self.number("head", 0) and request.method != "HEAD"):
            return response
        if self.number("post", 0) and request.method != "POST":
            return response
        wanted = request.path == "/api/v1/capabilities" if self.number("only", 0) else is_api(request.path)
        return json_response({"error": "no"}, int(self.number("status", 500))) if wanted else response


class Body(Bad):
    """API answers have the right status and the wrong body: empty=1, html=1, text=1 (type alone), version=1."""

    async def late(self, request: Request, response: Response) -> Response:
        if not is_api(request.path) or response.status != 200:
            return response
        if self.number("empty", 0):
            return replace(response, body=b"")
        if self.number("html", 0):
            return replace(response, body=b"<html>We are back soon.</html>", content_type="text/html")
        if self.number("text", 0):
            return replace(response, content_type="text/plain")
        if self.number("version", 0):
            return replace(response, body=json.dumps({**json.loads(response.body), "version": "v0.9.9"}).encode())
        return replace(response, body=json.dumps({"capabilities": [], "version": self.app.version}).encode())


class Wire(Bad):
    """API answers that a client cannot take as they are, named by the number that is set: ``gzip``: called compressed
    and cut short; ``long``, ``short``: a Content-Length that is not the body's; ``huge``: a header of 70 kB; ``loop``:
    a redirect to itself; ``nan``: JSON with a NaN; ``latin``: JSON that is no UTF-8."""

    async def late(self, request: Request, response: Response) -> Response:
        if not is_api(request.path) or response.status != 200:
            return response
        if self.number("loop", 0):
            return Response(302, headers={"Location": request.path})
        if self.number("huge", 0):
            return replace(response, headers={"X-Trace": "t" * 70_000})
        if self.number("nan", 0):
            return replace(response, body=response.body.replace(b"{", b'{"score": NaN, ', 1))
        if self.number("latin", 0):
            return replace(response, body=response.body.replace(b"{", b'{"name": "Ren\xe9", ', 1))
        if self.number("gzip", 0):
            return replace(response, body=gzip.compress(response.body)[:-12], headers={"Content-Encoding": "gzip"})
        length = len(response.body) + (500 if self.number("long", 0) else -5)
        headers = {"Content-Type": "application/json", "Content-Length": str(length)}
        return Response(200, headers=headers, upgrade=partial(self._write, response.body))

    async def _write(self, body: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(body)
        await writer.drain()


class Truncated(Bad):
    """The connection is cut in the middle of an answer."""

    async def late(self, request: Request, response: Response) -> Response:
        return replace(response, stream=self._cut(response.body)) if is_api(request.path) else response

    async def _cut(self, body: bytes) -> AsyncIterator[bytes]:
        yield body[: len(body) // 2]
        raise ConnectionResetError


class Hangs(Bad):
    """One of so many API requests is never answered; ``of=1``: each; ``one=1``: on one pod alone."""

    async def early(self, request: Request) -> Response | None:
        if not is_api(request.path):
            return None
        self.asked += 1
        if self.asked == 1 and self.number("one", 0):
            self.numbers["mine"] = float(self.chosen("hangs"))
        if self.number("mine", 1) and self.asked % int(self.number("of", 50)) == 0:
            await asyncio.sleep(60)
        return None


class OtherVersion(Bad):
    """States another version; ``one=1``: on one pod alone; ``silent=1``: states none."""

    def __init__(self, start_limit_s: float, **numbers: float) -> None:
        super().__init__(start_limit_s, **numbers)
        mine = not self.number("one", 0) or self.chosen("version")
        self.claimed_version = "v0.9.9" if mine and not self.number("silent", 0) else ""

    async def late(self, request: Request, response: Response) -> Response:
        if self.number("silent", 0):
            response.headers.pop("X-Version", None)
        return response


class ClosesConnections(Bad):
    """Answers one request a connection."""

    async def early(self, request: Request) -> Response | None:
        request.headers["connection"] = "close"
        return None


class DropsAtTerm(Bad):
    """Ends at once when told to stop, whatever is under way: an answer takes 200 ms."""

    def watch(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, os._exit, 0)

    async def early(self, request: Request) -> Response | None:
        if is_api(request.path):
            await asyncio.sleep(0.2)
        return None


# -- under load --------------------------------------------------------------------------------------------------------
class Errors(Bad):
    """Under load a share of API requests fails; ``hidden=1``: they are answered 200 and only counted as errors."""

    async def late(self, request: Request, response: Response) -> Response:
        if not is_api(request.path) or not self.busy() or self.chance.random() >= self.number("share", 0.1):
            return response
        self.app.metrics.error(500)
        return response if self.number("hidden", 0) else json_response({"error": "no"}, 500)


class Slow(Bad):
    """Under load API answers take longer: ``ms`` more, for a ``share`` of them."""

    async def early(self, request: Request) -> Response | None:
        if is_api(request.path) and self.busy() and self.chance.random() < self.number("share", 1):
            await asyncio.sleep(self.number("ms", 800) / 1000)
        return None


class LeaksMemory(Bad):
    """Keeps some memory of every API request."""

    def __init__(self, start_limit_s: float, **numbers: float) -> None:
        super().__init__(start_limit_s, **numbers)
        self.kept: list[bytearray] = []

    async def early(self, request: Request) -> Response | None:
        if is_api(request.path) and self.busy():
            self.kept.append(bytearray(b"x") * int(self.number("kilobytes", 1000) * 1000))
        return None


class LeaksConnections(Bad):
    """Each request takes a connection to the database and none is given back: after some there are no more."""

    async def early(self, request: Request) -> Response | None:
        if not is_api(request.path):
            return None
        self.asked += 1
        spent = self.asked > self.number("pool", 100)
        return json_response({"error": "the pool is exhausted"}, 503) if spent else None


class FallsOver(Bad):
    """Fails as long as more than so many requests are under way."""

    async def early(self, request: Request) -> Response | None:
        if not is_api(request.path):
            return None
        await asyncio.sleep(0.1)
        over = self.app.http.in_flight > self.number("users", 50)
        return json_response({"error": "too many"}, 503) if over else None


class Exits(Bad):
    """Ends under load."""

    async def early(self, request: Request) -> Response | None:
        if is_api(request.path) and self.busy():
            self.asked += 1
            if self.asked > self.number("after", 30):
                os._exit(9)
        return None


class BurnsCpu(Bad):
    """Under load each API request blocks the process for some milliseconds."""

    async def early(self, request: Request) -> Response | None:
        if is_api(request.path) and self.busy():
            until_s = now_s() + self.number("ms", 100) / 1000
            while now_s() < until_s:
                pass
        return None


# -- metrics -----------------------------------------------------------------------------------------------------------
class Metrics(Bad):
    """What /metrics answers is wrong in one way, named by the number that is set."""

    def __init__(self, start_limit_s: float, **numbers: float) -> None:
        super().__init__(start_limit_s, **numbers)
        self.scraped = 0

    async def late(self, request: Request, response: Response) -> Response:
        if request.path != "/metrics":
            return response
        self.scraped += 1
        way = next((way for way in WAYS if self.number(way, 0)), "")
        return WAYS[way](response, self.scraped)


def _missing(response: Response, _: int) -> Response:
    return json_response({"error": "not found"}, 404)


def _unparsable(response: Response, _: int) -> Response:
    return replace(response, body=response.body + b"this is { no metric\n")


def _html(response: Response, _: int) -> Response:
    return replace(response, body=b"<html>metrics</html>\n", content_type="text/html")


def _gone(response: Response, _: int) -> Response:
    lines = [line for line in response.body.decode().splitlines() if "active_conversations" not in line]
    return replace(response, body=("\n".join(lines) + "\n").encode())


def _retyped(response: Response, _: int) -> Response:
    said = response.body.replace(b"active_conversations gauge", b"active_conversations untyped")
    return replace(response, body=said)


def _counter(response: Response, value: int) -> Response:
    """Every series of the request counter shows one number."""
    lines = [
        f"{line.rpartition(' ')[0]} {value}" if line.startswith("gremlinsai_api_requests_total{") else line
        for line in response.body.decode().splitlines()
    ]
    return replace(response, body=("\n".join(lines) + "\n").encode())


def _stuck(response: Response, _: int) -> Response:
    return _counter(response, 5)


def _backwards(response: Response, scraped: int) -> Response:
    return _counter(response, 1_000_000 - 10_000 * scraped)


def _crooked(response: Response, _: int) -> Response:
    lines = [
        f"{line.rpartition(' ')[0]} 0" if 'le="+Inf"' in line else line for line in response.body.decode().splitlines()
    ]
    return replace(response, body=("\n".join(lines) + "\n").encode())


def _twice(response: Response, _: int) -> Response:
    line = next(one for one in response.body.splitlines() if one.startswith(b"gremlinsai_active_conversations "))
    return replace(response, body=response.body + line + b"\n")


def _negative(response: Response, _: int) -> Response:
    return _counter(response, -5)


WAYS = {
    "twice": _twice,
    "negative": _negative,
    "missing": _missing,
    "unparsable": _unparsable,
    "html": _html,
    "gone": _gone,
    "retyped": _retyped,
    "stuck": _stuck,
    "backwards": _backwards,
    "crooked": _crooked,
}


# -- after the switch --------------------------------------------------------------------------------------------------
class After(Bad, AfterSwitch):
    """Turns bad some seconds after its first user: status=500, unready=1, exit=1, hang=1, or version=1."""

    first_user_s: float | None = None

    def bad(self) -> bool:
        return self.first_user_s is not None and now_s() - self.first_user_s >= self.number("seconds", 2)

    def ready(self) -> bool:
        return not (self.number("unready", 0) and self.bad())

    async def early(self, request: Request) -> Response | None:
        if self.bad() and self.number("exit", 0):
            os._exit(1)
        if self.bad() and self.number("hang", 0) and is_api(request.path):
            await asyncio.sleep(60)
        return None

    async def late(self, request: Request, response: Response) -> Response:
        if self.bad() and self.number("version", 0):
            response.headers["X-Version"] = "v0.9.9"
        status = int(self.number("status", 0))
        return json_response({"error": "no"}, status) if status and self.bad() and is_api(request.path) else response


BADS: dict[str, type[Bad]] = {
    "good": Bad,
    "ready-then-not": ReadyThenNot,
    "one-not-ready": OneNotReady,
    "crashes-once": CrashesOnce,
    "crashes-after": CrashesAfter,
    "ready-flaps": ReadyFlaps,
    "ready-flaps-under-load": ReadyFlapsUnderLoad,
    "degraded": SaysOfItself,
    "migrations-pending": MigrationsPending,
    "empty-health": EmptyHealth,
    "health-fails": HealthFails,
    "dependency-away": DependencyAway,
    "burns-memory": BurnsMemory,
    "status": Status,
    "body": Body,
    "wire": Wire,
    "truncated": Truncated,
    "hangs": Hangs,
    "other-version": OtherVersion,
    "closes-connections": ClosesConnections,
    "drops-at-term": DropsAtTerm,
    "errors": Errors,
    "slow": Slow,
    "leaks-memory": LeaksMemory,
    "leaks-connections": LeaksConnections,
    "falls-over": FallsOver,
    "exits": Exits,
    "burns-cpu": BurnsCpu,
    "metrics": Metrics,
    "after": After,
}


class BadApp(App):
    """The sample backend with one thing wrong."""

    def __init__(self, settings: SampleSettings) -> None:
        super().__init__(settings)
        name, *numbers = os.environ.get("BAD", "good").split()
        given = {key: float(value) for key, _, value in (number.partition("=") for number in numbers)}
        self.fault: Bad = BADS[name](settings.start_limit_s, **given)
        self.fault.app = self

    async def answer(self, request: Request) -> Response:
        early = await self.fault.early(request)
        if early is not None:
            early.headers["X-Version"] = self.version
            return early
        response = await super().answer(request)
        late = await self.fault.late(request, response)
        if late is not response:
            late.headers = {**response.headers, **late.headers}
        return late


if __name__ == "__main__":
    program.App = BadApp  # type: ignore[misc]
    sys.exit(program.main())
