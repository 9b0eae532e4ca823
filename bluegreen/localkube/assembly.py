"""The parts of one cluster put together, in the order in which they need each other; taken apart in the reverse.

    network, store -> registry -> first objects -> authority -> controllers, kubelet, proxy, router, DNS -> API server

The API answers last, when everything behind it is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

from bluegreen import clock
from bluegreen.errors import CannotStartError
from bluegreen.localkube.credentials import Certificates, write_kubeconfig
from bluegreen.localkube.network import claim_network
from bluegreen.localkube.state import StateDir

HOST = "127.0.0.1"


@contextlib.asynccontextmanager
async def assemble(state: StateDir, *, audit: bool = False) -> AsyncIterator[dict[str, Any]]:
    """A running cluster; gives what its record should say of it. What it held is let go in the end."""
    async with contextlib.AsyncExitStack() as stack:
        network = claim_network(state.path / "network", str(state.path))
        stack.callback(network.release)
        certificates = Certificates(state.certificates)
        making = await _begin_certificates(certificates, [HOST, network.kubernetes_address])
        listening = stack.enter_context(_listening(state.read().port))
        port: int = listening.getsockname()[1]
        from bluegreen.localkube import parts  # while the certificates are made: this loads the server

        await _end_certificates(making)
        held = stack.enter_context(contextlib.ExitStack())
        for part in parts.of(state, network, certificates, listening, held, audit=audit):
            await part.start()
            stack.push_async_callback(part.stop)
        write_kubeconfig(state, f"https://{HOST}:{port}")
        yield {"port": port, "address": network.kubernetes_address, "started": clock.timestamp()}


async def _begin_certificates(certificates: Certificates, addresses: list[str]) -> asyncio.subprocess.Process | None:
    """Make certificates for ``addresses`` where there are none, in a process of their own; None: they are there."""
    if certificates.good_for(addresses):
        return None
    command = [sys.executable, "-P", "-m", "bluegreen.localkube.certificates", str(certificates.directory), *addresses]
    return await asyncio.create_subprocess_exec(*command)


async def _end_certificates(making: asyncio.subprocess.Process | None) -> None:
    if making is not None and await making.wait() != 0:
        raise CannotStartError("The cluster's certificates could not be made.", "The lines above say why.")


def _listening(port: int) -> socket.socket:
    """A socket that listens on the port the API had before, or on any free one when that is taken (or 0)."""
    try:
        return socket.create_server((HOST, port), backlog=1024)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return socket.create_server((HOST, 0), backlog=1024)
