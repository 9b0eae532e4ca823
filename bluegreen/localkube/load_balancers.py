"""The load balancers of Services: an address each, written into the Service's status, as a cloud's controller does.

The proxy serves those addresses like any other of a Service.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bluegreen.localkube.kinds import KINDS, Obj
from bluegreen.localkube.network import Network
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.store import Change

SERVICE = KINDS["Service"]
COMPONENT = "service-controller"


class LoadBalancers:
    """Gives every Service of type LoadBalancer an address, and takes it back."""

    def __init__(self, registry: Registry, network: Network) -> None:
        self._registry, self._network = registry, network
        self._unsubscribe: Callable[[], None] | None = None

    async def start(self) -> None:
        """Look at all Services and follow every change."""
        self._loop = asyncio.get_running_loop()
        store = self._registry.store
        for service in store.list(SERVICE):
            self.reconcile(service)
        self._unsubscribe = store.subscribe(SERVICE, self._changed)

    async def stop(self) -> None:
        """Follow no more; addresses stay."""
        if self._unsubscribe:
            self._unsubscribe()

    def _changed(self, change: Change) -> None:
        if change.type != "DELETED":
            self._loop.call_soon(self._look, change.namespace, change.name)

    def _look(self, namespace: str, name: str) -> None:
        service = self._registry.store.get(SERVICE, namespace, name)
        if service is not None:
            self.reconcile(service)

    def reconcile(self, service: Obj) -> None:
        """One Service as it is now."""
        ingress = _ingress(service)
        if not wants_address(service):
            if ingress:
                self._write(service, None)
                self._registry.event(service, "Normal", "DeletedLoadBalancer", "Deleted load balancer", COMPONENT)
        elif not ingress:
            self._registry.event(service, "Normal", "EnsuringLoadBalancer", "Ensuring load balancer", COMPONENT)
            self._write(service, self._network.load_balancer_address(service))
            self._registry.event(service, "Normal", "EnsuredLoadBalancer", "Ensured load balancer", COMPONENT)

    def _write(self, service: Obj, address: str | None) -> None:
        def change(obj: Obj) -> None:
            state = {"ingress": [{"ip": address, "ipMode": "VIP"}]} if address else {}
            obj["status"] = {**(obj.get("status") or {}), "loadBalancer": state}

        meta = service["metadata"]
        self._registry.modify(SERVICE, meta["namespace"], meta["name"], change, manager=COMPONENT)


def wants_address(service: Obj) -> bool:
    """Whether this cluster's load balancers are meant: not those of a class that somebody else implements."""
    spec = service["spec"]
    deleting = service["metadata"].get("deletionTimestamp")
    return spec.get("type") == "LoadBalancer" and not spec.get("loadBalancerClass") and not deleting


def _ingress(service: Obj) -> list[Obj]:
    found: list[Obj] = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    return found
