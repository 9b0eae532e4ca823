"""The least that an API server in Python can do: aiohttp over TLS, a fixed answer. The cluster's is measured beside it.

Run as a program with the files of a certificate and its key: prints its port, serves until its input ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from bluegreen import localkube
from bluegreen.localkube.credentials import Certificates

ANSWER = b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"b"},"data":{"a":"1"}}'


@dataclass(frozen=True)
class Place:
    """Where the bare server answers: what ``Wire`` needs to know of a cluster."""

    server: str
    token: str
    authority: Path


@contextlib.contextmanager
def bare_server(cluster: localkube.Cluster) -> Iterator[Place]:
    """A bare server with the cluster's own certificate, in a process of its own."""
    files = Certificates(cluster.state.certificates)
    command = [sys.executable, "-m", "tests.bench.bare", str(files.server), str(files.server_key)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Place(f"https://127.0.0.1:{process.stdout.readline().strip()}", "none", cluster.authority)
        finally:
            process.stdin.close()


async def _handle(request: web.BaseRequest) -> web.Response:
    await request.read()
    return web.Response(body=ANSWER, content_type="application/json")


async def _serve(certificate: str, key: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    runner = web.ServerRunner(web.Server(_handle, access_log=None))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:]))
