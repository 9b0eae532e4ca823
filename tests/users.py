"""Users of an application: keep-alive and fresh connections, slow answers, streams; every failure is noted."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import aiohttp

TIMEOUT_S = 15.0

USERS = (
    ("keep-alive", "/api/v1/capabilities", 25, 0.2),
    ("fresh", "/api/v1/capabilities", 20, 0.2),
    ("slow", "/api/v1/slow?seconds=2", 5, 0.0),
    ("stream", "/api/v1/stream?chunks=20&interval=0.1", 5, 0.0),
)
"""Each kind of user: what it asks, how many there are, seconds between two requests; some 200 requests a second."""


@dataclass
class Felt:
    """What users felt."""

    answered: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    first_failures: list[str] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)


@contextmanager
def users(url: str) -> Iterator[Felt]:
    """All users at work until the block ends; whoever is in the middle of a request then finishes it."""
    felt, stop = Felt(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_all(url, felt, stop)))
    thread.start()
    try:
        yield felt
    finally:
        stop.set()
        thread.join()


async def _all(url: str, felt: Felt, stop: threading.Event) -> None:
    kept, fresh = aiohttp.TCPConnector(limit=0), aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=kept) as keeping, aiohttp.ClientSession(connector=fresh) as leaving:
        await asyncio.gather(
            *(
                _user(kind, f"{url}{path}", pause_s, leaving if kind == "fresh" else keeping, felt, stop)
                for kind, path, count, pause_s in USERS
                for _ in range(count)
            )
        )


async def _user(
    kind: str, url: str, pause_s: float, session: aiohttp.ClientSession, felt: Felt, stop: threading.Event
) -> None:
    while not stop.is_set():
        try:
            async with session.get(url, timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as answer:
                await answer.read()
                answer.raise_for_status()
                felt.answered[kind] += 1
                felt.versions.add(answer.headers.get("X-Version", ""))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            felt.failed[kind] += 1
            felt.first_failures = [*felt.first_failures, f"{kind}: {error!r}"][:10]
        await asyncio.sleep(pause_s)
