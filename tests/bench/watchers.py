"""Many watches at once, each on a connection of its own, that keep every event they see."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bluegreen import clock, localkube
from tests.bench.wire import trusting

WATCHERS = 100
LIMIT_S = 180.0


@dataclass
class Watcher:
    """One watch: the resourceVersions it has seen, in the order in which they came."""

    versions: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Seen:
    """All watchers, and the seconds from the first update until the last watcher had seen the last one."""

    watchers: list[Watcher]
    seconds: float


async def watch_all(
    cluster: localkube.Cluster, path: str, since: str, updates: int, update: Callable[[], None]
) -> Seen:
    """Open the watches from version ``since``, call ``update`` in a thread, and read until each has seen enough.

    Reads on for a moment after the last update, so that an event sent twice is noticed.
    """
    trust, watchers = trusting(cluster), [Watcher() for _ in range(WATCHERS)]
    opened = await asyncio.gather(*(_open(cluster, trust, path, since) for _ in watchers))
    began_s = clock.now_s()
    async with asyncio.timeout(LIMIT_S):
        reading = [
            asyncio.create_task(_read(reader, watcher, updates))
            for (reader, _), watcher in zip(opened, watchers, strict=True)
        ]
        await asyncio.to_thread(update)
        await asyncio.gather(*reading)
    took_s = clock.now_s() - began_s
    await asyncio.gather(*(_no_more(reader, watcher) for (reader, _), watcher in zip(opened, watchers, strict=True)))
    for _, writer in opened:
        writer.close()
    return Seen(watchers, took_s)


async def _open(
    cluster: localkube.Cluster, trust: ssl.SSLContext, path: str, since: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    where = urlsplit(cluster.server)
    reader, writer = await asyncio.open_connection(where.hostname, where.port, ssl=trust, limit=2**24)
    head = f"GET {path}?watch=true&resourceVersion={since} HTTP/1.1\r\nHost: {where.netloc}\r\n"
    writer.write(f"{head}Authorization: Bearer {cluster.token}\r\n\r\n".encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200"), answer
    assert b"chunked" in answer.lower(), answer
    return reader, writer


async def _read(reader: asyncio.StreamReader, watcher: Watcher, updates: int) -> None:
    while len(watcher.versions) < updates:
        await _chunk(reader, watcher)


async def _no_more(reader: asyncio.StreamReader, watcher: Watcher) -> None:
    try:
        async with asyncio.timeout(1):
            await _chunk(reader, watcher)
    except TimeoutError:
        return


async def _chunk(reader: asyncio.StreamReader, watcher: Watcher) -> None:
    """One chunk: whole lines, an event each."""
    size = int(await reader.readline(), 16)
    data = await reader.readexactly(size + 2)
    for line in data[:-2].splitlines():
        event = json.loads(line)
        assert event["type"] == "MODIFIED", event
        watcher.versions.append(int(event["object"]["metadata"]["resourceVersion"]))
