"""Users of an application: keep-alive and fresh connections, slow answers, streams; every failure is noted.

    python -m tests.users URL [HOST]

They run in a process of their own, so that whoever releases does not slow them down, until its input ends; then it
prints what they felt. Their clients are plain sockets: a client library would send a request again, unasked, when a
kept connection turns out to be closed, and so would not feel what a user feels.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from bluegreen import clock

TIMEOUT_S = 15.0

USERS = (
    ("keep-alive", "/api/v1/capabilities", 30, 0.2),
    ("fresh", "/api/v1/capabilities", 24, 0.2),
    ("slow", "/api/v1/slow?seconds=2", 5, 0.0),
    ("stream", "/api/v1/stream?chunks=20&interval=0.1", 5, 0.0),
)
"""Each kind of user: what it asks, how many there are, seconds from one request to the next; 270 requests a second."""

SHORT = ("keep-alive", "fresh")
"""Those whose answers come at once: how long these took tells something."""


@dataclass
class Felt:
    """What users felt. ``took``: when (monotonic clock) each short request was answered, and after how many seconds."""

    answered: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    first_failures: list[str] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)
    took: list[tuple[float, float]] = field(default_factory=list)

    @property
    def longest_gap_s(self) -> float:
        """The longest time without any short answer."""
        ends = sorted(end for end, _ in self.took)
        return max((later - earlier for earlier, later in pairwise(ends)), default=float("inf"))

    def p99_s(self, windows: list[tuple[float, float]]) -> float:
        """What 99 of 100 short answers did not exceed that came within these spans of the monotonic clock."""
        found = sorted(took for end, took in self.took if any(since <= end <= until for since, until in windows))
        return found[int(0.99 * (len(found) - 1))] if found else float("nan")


@contextmanager
def users(url: str, host: str = "") -> Iterator[Felt]:
    """All users at work until the block ends; whoever is in the middle of a request then finishes it.

    ``host``: what their requests name, where it is not the URL's. What they felt is filled in at the end of the block.
    """
    felt = Felt()
    command = [sys.executable, "-m", "tests.users", url, host]
    checkout = Path(__file__).resolve().parents[1]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=checkout) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield felt
        finally:
            said = json.loads(process.communicate(timeout=TIMEOUT_S + 30)[0])
            felt.answered, felt.failed = Counter(said["answered"]), Counter(said["failed"])
            felt.first_failures, felt.versions = said["first_failures"], set(said["versions"])
            felt.took = [(end, took) for end, took in said["took"]]


class Client:
    """One client on a plain socket. ``keep``: it goes on with its connection as long as the server lets it."""

    def __init__(self, host: str, port: int, *, keep: bool, authority: str = "") -> None:
        self.host, self.port, self.keep, self.authority = host, port, keep, authority or host
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def ask(self, path: str) -> str:
        """One request; the version that answered. Raises OSError, EOFError or ValueError for anything but a whole 200.

        EOFError: the connection ended before the answer did.
        """
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
        assert self.reader is not None
        wish = "keep-alive" if self.keep else "close"
        self.writer.write(f"GET {path} HTTP/1.1\r\nHost: {self.authority}\r\nConnection: {wish}\r\n\r\n".encode())
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        await self._body(self.reader, headers)
        if not self.keep or headers.get("connection") == "close":
            self.close()
        if status.split()[1] != "200":
            raise ValueError(status)
        return headers.get("x-version", "")

    async def _body(self, reader: asyncio.StreamReader, headers: dict[str, str]) -> None:
        if "content-length" in headers:
            await reader.readexactly(int(headers["content-length"]))
            return
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await reader.readexactly(size + 2)
        await reader.readexactly(2)

    def close(self) -> None:
        """Let go of the connection."""
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


async def _user(kind: str, path: str, every_s: float, client: Client, felt: Felt, stop: threading.Event) -> None:
    due_s = clock.now_s()
    while not stop.is_set():
        await asyncio.sleep(max(0.0, due_s - clock.now_s()))
        began_s = clock.now_s()
        due_s = max(due_s + every_s, began_s)  # one that is late does not make up for it
        try:
            felt.versions.add(await asyncio.wait_for(client.ask(path), TIMEOUT_S))
            felt.answered[kind] += 1
            if kind in SHORT:
                felt.took.append((clock.now_s(), clock.now_s() - began_s))
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            client.close()
            felt.failed[kind] += 1
            felt.first_failures = [*felt.first_failures, f"{kind}: {error!r}"][:10]
    client.close()


async def _all(url: str, authority: str, stop: threading.Event) -> Felt:
    parts, felt = urlsplit(url), Felt()
    host, port = str(parts.hostname), parts.port or 80
    everybody = [
        _user(kind, path, every_s, Client(host, port, keep=kind != "fresh", authority=authority), felt, stop)
        for kind, path, count, every_s in USERS
        for _ in range(count)
    ]
    await asyncio.gather(*everybody)
    return felt


def main() -> int:
    """Be the users of a URL until the input ends."""
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    print("ready", flush=True)
    felt = asyncio.run(_all(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "", stop))
    print(json.dumps(vars(felt) | {"versions": sorted(felt.versions)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
