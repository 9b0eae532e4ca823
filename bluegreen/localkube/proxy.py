"""The Services' addresses: every TCP port of a Service leads to its ready endpoints, as kube-proxy would have it.

In come Services and EndpointSlices, out come open ports (``forward``) on cluster, load balancer and node addresses.
A port without an endpoint is closed: connections are refused. What cannot be opened is said in an event of the Service.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import resource
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bluegreen.localkube.forward import Listener, Rule, Target
from bluegreen.localkube.kinds import KINDS, Obj
from bluegreen.localkube.load_balancers import LoadBalancers
from bluegreen.localkube.network import Network
from bluegreen.localkube.ports import UNPRIVILEGED_OFFSET
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.slices import Slices

SERVICE = KINDS["Service"]
COMPONENT = "kube-proxy"
RETRY_S = 5.0  # until a port that was in use is tried again
Key = tuple[str, str]
Address = tuple[str, int]


@dataclass(frozen=True)
class Opening:
    """A port that should be open: ``instead`` says where the same traffic goes when it cannot be."""

    address: str
    port: int
    rule: Rule
    instead: str = ""


def targets(slices: Iterable[Obj], port_name: str) -> tuple[Target, ...]:
    """Where connections for a port go: the ready endpoints, else those that still serve while they terminate."""
    ready: dict[Target, None] = {}
    leaving: dict[Target, None] = {}
    for each in slices:
        port = next((p["port"] for p in each.get("ports") or () if (p.get("name") or "") == port_name), None)
        if port is None:
            continue
        for endpoint in each.get("endpoints") or ():
            conditions = endpoint.get("conditions") or {}
            chosen = ready if conditions.get("ready", True) else leaving if _serves_on(conditions) else None
            if chosen is not None:
                chosen.update(dict.fromkeys((address, port) for address in endpoint["addresses"]))
    return tuple(ready or leaving)


def _serves_on(conditions: Obj) -> bool:
    return bool(conditions.get("serving") and conditions.get("terminating"))


def openings(service: Obj, slices: Iterable[Obj], node_address: str) -> list[Opening]:
    """Every port that should be open for a Service; none for one without a cluster address."""
    spec = service["spec"]
    cluster_ip = spec.get("clusterIP") or "None"
    if cluster_ip == "None":
        return []
    found, slices = [], list(slices)
    for port in spec.get("ports") or ():
        rule = Rule(targets(slices, port.get("name") or ""), affinity_s(spec))
        if port.get("protocol", "TCP") != "TCP" or not rule.targets:
            continue
        node_port = port.get("nodePort")
        instead = f"its NodePort {node_port} at {node_address} carries the traffic" if node_port else ""
        addresses = [cluster_ip, *load_balancer_addresses(service)]
        found += [Opening(address, port["port"], rule, instead) for address in addresses]
        if node_port:
            found.append(Opening(node_address, node_port, rule))
    return found


def affinity_s(spec: Obj) -> int:
    """How long a client stays with its endpoint, in seconds; 0 without session affinity."""
    if spec.get("sessionAffinity") != "ClientIP":
        return 0
    config = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
    return int(config.get("timeoutSeconds") or 10800)  # Kubernetes' default


def load_balancer_addresses(service: Obj) -> list[str]:
    """The addresses that the Service's load balancer has."""
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return [entry["ip"] for entry in ingress if entry.get("ip")]


class Proxy:
    """Keeps open what should be open. Each change is worked off at once, in one go."""

    def __init__(self, registry: Registry, network: Network) -> None:
        self._registry, self._network = registry, network
        self.lag_s = 0.0  # a fault on demand: how long changes take to be seen
        self._slices: Slices
        self._load_balancers = LoadBalancers(registry, network)
        self._open: dict[Key, dict[Address, Listener]] = {}
        self._closed: set[Listener] = set()  # their connections go on
        self._said: dict[Key, set[str]] = {}
        self._dirty: dict[Key, None] = {}
        self._unsubscribe: list[Callable[[], None]] = []

    async def start(self) -> None:
        """Open the ports of all Services and follow every change."""
        _raise_descriptor_limit()
        await self._load_balancers.start()
        self._loop = asyncio.get_running_loop()
        store = self._registry.store
        self._slices = Slices(store, self._touch)
        for service in store.list(SERVICE):
            self._touch(_key(service))
        self._unsubscribe = [
            store.subscribe(SERVICE, lambda change: self._touch((change.namespace, change.name))),
            self._slices.stop,
        ]

    async def stop(self) -> None:
        """Close every port and end every connection."""
        await self._load_balancers.stop()
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        for listeners in self._open.values():
            self._closed.update(listeners.values())
        for listener in self._closed:
            listener.abort()
        self._open.clear()
        self._closed.clear()

    def set_lag(self, lag_s: float) -> None:
        """Follow changes so much later from now on; what has waited so far is followed at once."""
        self.lag_s = lag_s
        self._work()

    def _touch(self, key: Key) -> None:
        if not self._dirty:
            if self.lag_s:
                self._loop.call_later(self.lag_s, self._work)
            else:
                self._loop.call_soon(self._work)
        self._dirty[key] = None

    def _work(self) -> None:
        dirty, self._dirty = self._dirty, {}
        for key in dirty:
            self._reconcile(key)
        self._closed = {listener for listener in self._closed if listener.busy}

    def _reconcile(self, key: Key) -> None:
        """Open, change and close ports until they are what the Service and its slices ask for."""
        service = self._registry.store.get(SERVICE, *key)
        slices = self._slices.of(key)
        wanted = openings(service, slices, self._network.node_address) if service else []
        listeners = self._open.setdefault(key, {})
        by_address = {(opening.address, opening.port): opening for opening in wanted}
        for address in [address for address in listeners if address not in by_address]:
            listener = listeners.pop(address)
            listener.close()
            self._closed.add(listener)
        for address, opening in by_address.items():
            if address in listeners:
                listeners[address].balancer.rule = opening.rule
            elif service:
                self._open_port(key, service, opening)
        if not listeners:
            del self._open[key]
        if service is None:
            self._said.pop(key, None)
        else:
            self._warn_of_udp(key, service)

    def _open_port(self, key: Key, service: Obj, opening: Opening) -> None:
        try:
            listener = Listener(opening.address, opening.port, opening.rule)
        except OSError as error:
            self._cannot_open(key, service, opening, error)
        else:
            self._open[key][opening.address, opening.port] = listener

    def _cannot_open(self, key: Key, service: Obj, opening: Opening, error: OSError) -> None:
        where = f"{opening.address}:{opening.port}"
        if error.errno == errno.EACCES:
            self._say(key, service, "PortNotPermitted", self._open_higher(key, opening, where))
            return
        instead = f"; {opening.instead}" if opening.instead else ""
        self._say(key, service, "PortNotOpened", f"{where} cannot be opened: {error.strerror}{instead}")
        self._loop.call_later(RETRY_S, self._touch, key)

    def _open_higher(self, key: Key, opening: Opening, where: str) -> str:
        """Serve a port that may not be bound at a higher one of the same address; the sentence about it."""
        higher = opening.port + UNPRIVILEGED_OFFSET
        why = f"{where} is not open: this user may not bind ports below 1024"
        with contextlib.suppress(OSError):
            self._open[key][opening.address, opening.port] = Listener(opening.address, higher, opening.rule)
            why = f"{why}; {opening.address}:{higher} is open instead"
        return f"{why}; {opening.instead}" if opening.instead else why

    def _warn_of_udp(self, key: Key, service: Obj) -> None:
        for port in service["spec"].get("ports") or ():
            if port.get("protocol", "TCP") != "TCP":
                message = f"port {port['port']}/{port['protocol']} is stored only: this cluster forwards TCP"
                self._say(key, service, "ProtocolNotForwarded", message)

    def _say(self, key: Key, service: Obj, reason: str, message: str) -> None:
        """Record an event, once for each message."""
        said = self._said.setdefault(key, set())
        if message not in said:
            said.add(message)
            self._registry.event(service, "Warning", reason, message, COMPONENT)


def _key(service: Obj) -> Key:
    return service["metadata"]["namespace"], service["metadata"]["name"]


def _raise_descriptor_limit() -> None:
    """Every forwarded connection takes two descriptors: allow as many as this user may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
