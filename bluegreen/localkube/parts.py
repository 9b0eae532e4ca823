"""Which parts a cluster consists of. Importing this loads the server and its libraries."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Protocol

from bluegreen.localkube.authority import Authority
from bluegreen.localkube.bootstrap import bootstrap
from bluegreen.localkube.controllers import Manager
from bluegreen.localkube.controllers import Options as ControllerOptions
from bluegreen.localkube.credentials import Certificates, admin_token
from bluegreen.localkube.network import Network
from bluegreen.localkube.proxy import Proxy
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.server import ApiServer
from bluegreen.localkube.state import StateDir
from bluegreen.localkube.store import Store


class Part(Protocol):
    """Anything of the cluster that runs."""

    async def start(self) -> object:
        """Begin."""

    async def stop(self) -> None:
        """End, and leave nothing behind."""


def of(
    state: StateDir,
    network: Network,
    certificates: Certificates,
    listening: socket.socket,
    stack: contextlib.ExitStack,
) -> list[Part]:
    """The parts in the order in which they are to be started; ``stack`` lets go of what is no part."""
    store = Store(state.store / "objects.jsonl")
    stack.callback(store.close)
    registry = Registry(store)
    stack.callback(network.follow(registry))
    host, port = listening.getsockname()
    bootstrap(registry, address=network.kubernetes_address, api_host=host, api_port=port)
    authority = Authority(store, admin_token(state))
    controllers = Manager(registry, ControllerOptions(authority=certificates.authority.read_text()))
    server = ApiServer(registry, authority, None, _tls(certificates), sock=listening)
    return [controllers, Proxy(registry, network), server]


def _tls(certificates: Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server, certificates.server_key)
    context.set_alpn_protocols(["http/1.1"])
    return context
