"""The probe's process: ``python -m bluegreen.probe --url URL --out FILE``; ends when its standard input does.

Requests start at fixed moments (start + n / rate), whether or not earlier ones were answered; a latency counts from
the moment a request was due. Every other one has a connection of its own; the rest share a few kept ones.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import deque
from typing import TextIO

from bluegreen.probe.client import Link, Reply, RequestError, Target
from bluegreen.probe.result import is_good


class Prober:
    """Makes the requests and writes one JSON line for each."""

    def __init__(self, target: Target, out: TextIO, kept: int) -> None:
        self._target, self._out, self._kept = target, out, kept
        self._free = deque(range(kept))  # places of kept connections not in use, the longest unused first
        self._links: dict[int, Link] = {}  # the kept connections, by place
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, rate_per_s: float, stop: asyncio.Event) -> None:
        """Make requests at the rate until told to stop, then wait for those under way."""
        loop = asyncio.get_running_loop()
        started_s, number = loop.time(), 0
        while not stop.is_set():
            due_s = started_s + number / rate_per_s
            await _wait(stop, due_s - loop.time())
            if not stop.is_set():
                task = loop.create_task(self._request(due_s, fresh=number % 2 == 0 or not self._kept))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            number += 1
        if self._running:
            await asyncio.wait(self._running)

    async def _request(self, due_s: float, fresh: bool) -> None:
        loop = asyncio.get_running_loop()
        late_ms = (loop.time() - due_s) * 1000
        reply, error = Reply(0, ""), ""
        try:
            reply = await (self._ask_fresh() if fresh else self._ask_kept())
        except RequestError as failure:
            error = failure.kind
        if not error and not is_good(reply.status):
            error = "status"
        entry = {
            "at_s": round(due_s, 6),
            "ms": round((loop.time() - due_s) * 1000, 3),
            "late_ms": round(late_ms, 3),
            "fresh": fresh,
            "status": reply.status,
            "version": reply.version,
            "error": error,
        }
        self._out.write(json.dumps(entry) + "\n")
        self._out.flush()

    async def _ask_fresh(self) -> Reply:
        link = await Link.open(self._target)
        try:
            return await link.ask(keep_alive=False)
        finally:
            link.close()

    async def _ask_kept(self) -> Reply:
        place = self._take_place()
        try:
            return await self._ask_at(place)
        finally:
            if place < self._kept:
                self._free.append(place)

    def _take_place(self) -> int:
        """The place of the kept connection unused for longest, so that all of them are used in turn.

        While all are waiting for answers, the request gets a connection beyond them, as a client's pool would give.
        """
        return self._free.popleft() if self._free else self._kept

    async def _ask_at(self, place: int) -> Reply:
        link = self._links.pop(place, None)
        if link is not None and not link.reusable:
            link.close()  # the server closed it in good time: no harm done
            link = None
        link = link or await Link.open(self._target)
        try:
            reply = await link.ask(keep_alive=True)
        except RequestError:
            link.close()
            raise
        if link.reusable and place < self._kept:
            self._links[place] = link
        else:
            link.close()
        return reply


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    """Wait until it is time, or told to stop."""
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await stop.wait()
    except TimeoutError:
        pass


async def _until_stdin_ends(stop: asyncio.Event) -> None:
    """Set ``stop`` when standard input ends: the parent closed it, or is gone."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(1024):
        pass
    stop.set()


async def probe(arguments: argparse.Namespace, out: TextIO) -> None:
    """Probe until standard input ends."""
    stop = asyncio.Event()
    watching = asyncio.create_task(_until_stdin_ends(stop))
    target = Target.of(arguments.url, arguments.version_header, arguments.timeout, arguments.host)
    await Prober(target, out, arguments.keep_alive).run(arguments.rate, stop)
    await watching


def main() -> int:
    """The command ``python -m bluegreen.probe``."""
    parser = argparse.ArgumentParser(prog="python -m bluegreen.probe", description=__doc__)
    parser.add_argument("--url", required=True, help="what to ask, such as http://127.0.0.1:8080/")
    parser.add_argument("--host", default="", help="host that requests name, where it is another than the URL's")
    parser.add_argument("--out", required=True, help="file that takes one JSON line a request")
    parser.add_argument("--rate", type=float, default=20.0, help="requests a second (default 20)")
    parser.add_argument("--keep-alive", type=int, default=4, help="kept connections (default 4)")
    parser.add_argument("--timeout", type=float, default=2.0, help="seconds to connect, and to answer (default 2)")
    parser.add_argument("--version-header", default="X-Version", help="header that states the version")
    arguments = parser.parse_args()
    with open(arguments.out, "a", encoding="utf-8") as out:
        asyncio.run(probe(arguments, out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
