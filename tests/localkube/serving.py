"""An API server alone, without controllers and kubelet, in a thread of the test's own process."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from bluegreen.localkube import certificates
from bluegreen.localkube.authority import Authority
from bluegreen.localkube.credentials import Certificates
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.roles import bootstrap
from bluegreen.localkube.server import ApiServer
from bluegreen.localkube.store import Store

TOKEN = "the-administrators-token"


@dataclass
class Served:
    """A server that answers: ``do`` runs a function in its thread, where the registry may be used."""

    registry: Registry
    authority: Authority
    url: str
    port: int
    verify: ssl.SSLContext
    loop: asyncio.AbstractEventLoop

    def client(self, token: str = TOKEN, **options: Any) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, verify=self.verify, timeout=10, **options)

    def do(self, function: Callable[[], Any]) -> Any:
        async def call() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(10)


@cache
def _keys() -> tuple[TemporaryDirectory[str], Certificates]:
    directory = TemporaryDirectory()
    files = Certificates(Path(directory.name))
    certificates.make(files, ["127.0.0.1"])
    return directory, files


def new_registry(path: Path | None = None) -> Registry:
    """A registry with the namespace ``default`` and its service account."""
    registry = Registry(Store(path))
    registry.create(KINDS["Namespace"], "", {"metadata": {"name": "default"}})
    registry.create(KINDS["ServiceAccount"], "default", {"metadata": {"name": "default"}})
    return registry


@contextlib.contextmanager
def serving(pods: Any = None) -> Iterator[Served]:
    """A server on a free port."""
    registry = new_registry()
    bootstrap(registry)
    authority = Authority(registry.store, TOKEN)
    files = _keys()[1]
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(files.server, files.server_key)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = ApiServer(registry, authority, pods, tls)
    try:
        port = asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
        verify = ssl.create_default_context(cafile=str(files.authority))
        yield Served(registry, authority, f"https://127.0.0.1:{port}", port, verify, loop)
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
