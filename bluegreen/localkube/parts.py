"""Which parts a cluster consists of. Importing this loads the server and its libraries."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Protocol

from bluegreen.localkube import unemulated_fields
from bluegreen.localkube.audit import AuditLog
from bluegreen.localkube.authority import Authority
from bluegreen.localkube.bootstrap import bootstrap
from bluegreen.localkube.controllers import Manager
from bluegreen.localkube.controllers import Options as ControllerOptions
from bluegreen.localkube.credentials import Certificates, admin_token
from bluegreen.localkube.dns import Dns
from bluegreen.localkube.fault_board import Board
from bluegreen.localkube.fault_hooks import hooks
from bluegreen.localkube.images import Images
from bluegreen.localkube.kinds import Obj
from bluegreen.localkube.kubelet.kubelet import Kubelet
from bluegreen.localkube.network import Network
from bluegreen.localkube.proxy import Proxy
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.resource_metrics import ResourceMetrics
from bluegreen.localkube.router.router import Router
from bluegreen.localkube.server import ApiServer
from bluegreen.localkube.state import Record, StateDir
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
    *,
    audit: bool = False,
) -> list[Part]:
    """The parts in the order in which they are to be started; ``stack`` lets go of what is no part."""
    store = Store(state.store / "objects.jsonl")
    stack.callback(store.close)
    registry = Registry(store)
    stack.callback(network.follow(registry))
    registry.admission.append(unemulated_fields.refuse)
    api = listening.getsockname()
    bootstrap(registry, address=network.kubernetes_address, api_host=api[0], api_port=api[1])
    authority = Authority(store, admin_token(state))
    dns = Dns(store, network.dns_address)
    kubelet = Kubelet(
        registry,
        Images(state.images),
        network,
        state_dir=state.pods,
        api=api,
        token=_pod_tokens(authority),
        dns=dns,
        allocatable=_allocatable(state.read()),
    )
    metrics = ResourceMetrics(store, kubelet.usage)
    controllers = Manager(registry, ControllerOptions(certificates.authority.read_text(), metrics.pod))
    proxy = Proxy(registry, network)
    router = Router(registry, network)
    faults = Board(store, hooks(kubelet, proxy, router, controllers))
    tls = _tls(certificates)
    log = _audit_log(state, stack) if audit else None
    server = ApiServer(registry, authority, kubelet, tls, sock=listening, metrics=metrics, faults=faults, audit_log=log)
    return [controllers, dns, kubelet, proxy, router, server]


def _audit_log(state: StateDir, stack: contextlib.ExitStack) -> AuditLog:
    log = AuditLog(state.audit_log)
    stack.callback(log.close)
    return log


def _allocatable(record: Record) -> dict[str, str]:
    """What the node shall offer in place of its defaults."""
    given = {"cpu": record.allocatable_cpu, "memory": record.allocatable_memory}
    return {resource: quantity for resource, quantity in given.items() if quantity}


def _pod_tokens(authority: Authority) -> Callable[[Obj, str, int], str]:
    """How the kubelet gets a token for a pod's service account: it lives as long as the pod, and a while at most."""

    def token(pod: Obj, audience: str, lifetime_s: int) -> str:
        account = pod["spec"].get("serviceAccountName") or "default"
        audiences = [audience] if audience else None
        namespace = pod["metadata"]["namespace"]
        return authority.token_for(namespace, account, lifetime_s=lifetime_s, audiences=audiences, bound=pod)[0]

    return token


def _tls(certificates: Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server, certificates.server_key)
    context.set_alpn_protocols(["http/1.1"])
    return context
