"""The addresses of one cluster: a network 127.N.0.0/16 of its own, so that several clusters run side by side.

    127.N.0.1            the node; NodePorts are its ports 30000-32767
    127.N.0.10           the cluster's DNS
    127.N.0.20           all Ingresses
    127.N.1.0/24         Gateways
    127.N.16.0/20        Services (ClusterIP); the first is the Service ``kubernetes``
    127.N.32.0/20        load balancers
    127.N.128.0/17       pods

N belongs to the cluster while its process holds an abstract socket's name, which the kernel shares among all users of
these loopback addresses and frees when the process ends. What a Service got stands in the Service: nothing else
remembers it. Never opens a port.
"""

from __future__ import annotations

import ipaddress
import json
import random
import socket
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from zlib import crc32

from bluegreen.errors import CannotStartError
from bluegreen.localkube.admission import Admission
from bluegreen.localkube.kinds import KINDS, Obj
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.service_updates import WITH_CLUSTER_IP
from bluegreen.localkube.status import ApiError, Cause, invalid
from bluegreen.localkube.store import Change, Store, copy_of

NODE_PORTS = range(30000, 32768)  # kube-apiserver's default
NETWORKS = range(2, 255)  # the second number; 127.0 is everybody's, 127.1 is often used by hand
LISTENING = "0A"  # a socket's state in /proc/net/tcp
Key = tuple[str, str]


class Network:
    """The address plan of one cluster and who has which address."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.prefix = f"127.{number}"
        self.node_address = f"{self.prefix}.0.1"
        self.dns_address = f"{self.prefix}.0.10"
        self.ingress_address = f"{self.prefix}.0.20"
        self.kubernetes_address = f"{self.prefix}.16.1"
        self.gateways = ipaddress.IPv4Network(f"{self.prefix}.1.0/24")
        self.services = ipaddress.IPv4Network(f"{self.prefix}.16.0/20")
        self.load_balancers = ipaddress.IPv4Network(f"{self.prefix}.32.0/20")
        self.pods = ipaddress.IPv4Network(f"{self.prefix}.128.0/17")
        self._taken: dict[str, Key] = {}  # service and load balancer addresses
        self._node_ports: dict[int, Key] = {}
        self._pods: set[str] = set()
        self._cursors = {
            self.services: _hosts(self.services, 1),
            self.load_balancers: _hosts(self.load_balancers, 0),
            # a new process begins elsewhere, so that addresses of its forerunner's pods rest
            self.pods: _hosts(self.pods, random.randrange(self.pods.num_addresses)),
        }
        self._lock: socket.socket | None = None

    # -- pods ------------------------------------------------------------------
    def take_pod_address(self) -> str:
        """An address for a pod; one given back is used again only when all others were."""
        address = self._next(self.pods, self._pods)
        self._pods.add(address)
        return address

    def free_pod_address(self, address: str) -> None:
        """Give a pod's address back."""
        self._pods.discard(address)

    def _next(self, network: ipaddress.IPv4Network, taken: set[str] | dict[str, Key]) -> str:
        cursor = self._cursors[network]
        for _ in range(network.num_addresses):
            address = next(cursor)
            if address not in taken and address != self.kubernetes_address:
                return address
        raise ApiError(500, "InternalError", f"failed to allocate an address: {network} is full")

    # -- services --------------------------------------------------------------
    def follow(self, registry: Registry) -> Callable[[], None]:
        """Give every Service its addresses from now on; returns what ends that."""
        self.renumber(registry.store)
        for service in registry.store.list(KINDS["Service"]):
            self._note(service)
        registry.admission.append(self.allocate_service)
        unsubscribe = registry.store.subscribe(KINDS["Service"], self._changed)

        def stop() -> None:
            registry.admission.remove(self.allocate_service)
            unsubscribe()

        return stop

    def _changed(self, change: Change) -> None:
        if change.previous is not None:
            self._forget(change.previous)
        if change.type == "DELETED":
            self._forget(change.object)
        else:
            self._note(change.object)

    def _note(self, service: Obj) -> None:
        key = _key(service)
        for address in _addresses(service):
            self._taken[address] = key
        for port in _ports(service):
            self._node_ports[port] = key

    def _forget(self, service: Obj) -> None:
        key = _key(service)
        for address in _addresses(service):
            if self._taken.get(address) == key:
                del self._taken[address]
        for port in _ports(service):
            if self._node_ports.get(port) == key:
                del self._node_ports[port]

    def allocate_service(self, admission: Admission) -> None:
        """The admission hook: cluster address and node ports of a Service. Raises Kubernetes' own refusals."""
        if admission.kind.key != "Service" or admission.operation == "DELETE" or admission.subresource:
            return
        spec: Obj = admission.obj["spec"]
        causes = self._allocate_address(admission, spec) + self._allocate_node_ports(admission, spec)
        if causes:
            raise invalid("Service", "", admission.obj["metadata"]["name"], causes)

    def _allocate_address(self, admission: Admission, spec: Obj) -> list[Cause]:
        if spec.get("type") not in WITH_CLUSTER_IP:
            return []
        if causes := refused_families(spec):
            return causes
        wanted = spec.get("clusterIP") or ""
        if not wanted:
            wanted = self._next(self.services, self._taken)
        elif refusal := self._refuse_address(wanted, _key(admission.obj)):
            why = f"Invalid value: {json.dumps([wanted])}: failed to allocate IP {wanted}: {refusal}"
            return [Cause("spec.clusterIPs", "FieldValueInvalid", why)]
        spec["clusterIP"], spec["clusterIPs"] = wanted, [wanted]
        dual = wanted == "None" and not spec.get("selector")
        spec.setdefault("ipFamilies", ["IPv4", "IPv6"] if dual else ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "RequireDualStack" if dual else "SingleStack")
        return []

    def _refuse_address(self, wanted: str, key: Key) -> str:
        """Why a Service may not have that address; "" when it may."""
        if wanted == "None" or self._taken.get(wanted) == key:
            return ""
        if not _inside(wanted, self.services):
            return "the provided network does not match the current range"
        reserved = wanted == self.kubernetes_address and key != ("default", "kubernetes")
        return "provided IP is already allocated" if reserved or wanted in self._taken else ""

    def _allocate_node_ports(self, admission: Admission, spec: Obj) -> list[Cause]:
        wants = spec.get("type") == "NodePort" or (
            spec.get("type") == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts", True)
        )
        key, causes, chosen = _key(admission.obj), [], set[tuple[str, int]]()
        for index, port in enumerate(spec.get("ports") or ()):
            number, protocol = port.get("nodePort"), port.get("protocol", "TCP")
            if not number:
                if wants:
                    port["nodePort"] = self._free_node_port({taken for _, taken in chosen})
                    chosen.add((protocol, port["nodePort"]))
            elif refusal := self._refuse_node_port(number, key, (protocol, number) in chosen):
                field = f"spec.ports[{index}].nodePort"
                causes.append(Cause(field, "FieldValueInvalid", f"Invalid value: {number}: {refusal}"))
            else:
                chosen.add((protocol, number))
        return causes

    def _refuse_node_port(self, number: int, key: Key, again: bool) -> str:
        if number not in NODE_PORTS:
            ends = f"{NODE_PORTS.start}-{NODE_PORTS.stop - 1}"
            return f"provided port is not in the valid range. The range of valid ports is {ends}"
        taken = again or self._node_ports.get(number, key) != key
        return "provided port is already allocated" if taken else ""

    def _free_node_port(self, chosen: set[int]) -> int:
        start = random.randrange(len(NODE_PORTS))
        for step in range(len(NODE_PORTS)):
            port = NODE_PORTS[(start + step) % len(NODE_PORTS)]
            if port not in self._node_ports and port not in chosen:
                return port
        raise ApiError(500, "InternalError", "failed to allocate a nodePort: range is full")

    def load_balancer_address(self, service: Obj) -> str:
        """The address for a load balancer's Service: the one it asks for where that is free, else the next."""
        wanted = service["spec"].get("loadBalancerIP") or ""
        if _inside(wanted, self.load_balancers) and wanted not in self._taken:
            return wanted
        return self._next(self.load_balancers, self._taken)

    def gateway_address(self, wanted: Iterable[str], taken: Collection[str]) -> str:
        """The address for a Gateway: one of those wanted where it is free and of this network, else the next."""
        for address in wanted:
            if _inside(address, self.gateways) and address not in taken:
                return address
        return next(str(address) for address in self.gateways.hosts() if str(address) not in taken)

    # -- the network itself ----------------------------------------------------
    def renumber(self, store: Store) -> None:
        """Move stored Services here from the network they had when this cluster ran last."""
        for service in store.list(KINDS["Service"]):
            address = service["spec"].get("clusterIP", "")
            if address.startswith("127.") and not address.startswith(f"{self.prefix}."):
                store.put(KINDS["Service"], _moved(copy_of(service), self.prefix))

    def claim(self) -> bool:
        """Take this network for this process; False when another cluster has it or something listens in it."""
        lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            lock.bind(f"\0bluegreen-localkube-{self.prefix}")
        except OSError:
            lock.close()
            return False
        self._lock = lock
        if self.number in _listening_networks():
            self.release()
            return False
        return True

    def release(self) -> None:
        """Give the network back."""
        if self._lock:
            self._lock.close()
            self._lock = None


def claim_network(path: Path, seed: str = "") -> Network:
    """A network for the cluster whose number is remembered in the file ``path``: that one if it is free.

    ``seed`` decides where a new cluster begins to look. Raises CannotStartError when all are taken.
    """
    first = _remembered(path) or NETWORKS[crc32((seed or str(path)).encode()) % len(NETWORKS)]
    for step in range(len(NETWORKS)):
        network = Network(NETWORKS[(first - NETWORKS.start + step) % len(NETWORKS)])
        if network.claim():
            path.write_text(f"{network.number}\n")
            return network
    raise CannotStartError(
        "No network 127.N.0.0/16 is free for the embedded cluster: other clusters or programs use all of them.",
        "Stop a cluster that is not needed (bluegreen cluster down).",
    )


def _remembered(path: Path) -> int | None:
    try:
        number = int(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return number if number in NETWORKS else None


def _listening_networks() -> set[int]:
    """The N of all 127.N.0.0/16 in which some process listens on a particular address."""
    found = set()
    with open("/proc/net/tcp") as table:
        for line in table:
            fields = line.split()
            if len(fields) > 3 and fields[3] == LISTENING and fields[1][6:8] == "7F":
                found.add(int(fields[1][4:6], 16))  # the address stands there in reverse
    return found


def _hosts(network: ipaddress.IPv4Network, start: int) -> Iterator[str]:
    """The addresses of a network, round and round, without those that end in 0 or 255."""
    base, size = int(network.network_address), network.num_addresses
    while True:
        start = (start + 1) % size
        if start % 256 not in (0, 255):
            yield str(ipaddress.IPv4Address(base + start))


def _inside(address: str, network: ipaddress.IPv4Network) -> bool:
    try:
        return ipaddress.IPv4Address(address) in network
    except ValueError:
        return False


def refused_families(spec: Obj) -> list[Cause]:
    """What a cluster with IPv4 alone refuses; a headless Service without a selector is nobody's but its owner's."""
    if spec.get("clusterIP") == "None" and not spec.get("selector"):
        return []
    causes = []
    if spec.get("ipFamilyPolicy") == "RequireDualStack":
        why = 'Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services'
        causes.append(Cause("spec.ipFamilyPolicy", "FieldValueInvalid", why))
    for index, family in enumerate(spec.get("ipFamilies") or ()):
        if family != "IPv4":
            why = f'Invalid value: "{family}": not configured on this cluster'
            causes.append(Cause(f"spec.ipFamilies[{index}]", "FieldValueInvalid", why))
    return causes


def _key(service: Obj) -> Key:
    return service["metadata"].get("namespace", ""), service["metadata"]["name"]


def _addresses(service: Obj) -> list[str]:
    address = service["spec"].get("clusterIP") or "None"
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return [each for each in (address, *(entry.get("ip") for entry in ingress)) if each and each != "None"]


def _ports(service: Obj) -> list[int]:
    return [port["nodePort"] for port in service["spec"].get("ports") or () if port.get("nodePort")]


def _moved(service: Obj, prefix: str) -> Obj:
    """The Service with its addresses in another network."""

    def there(address: str) -> str:
        return ".".join([prefix, *address.split(".")[2:]]) if address.startswith("127.") else address

    spec = service["spec"]
    spec["clusterIP"], spec["clusterIPs"] = there(spec["clusterIP"]), [there(each) for each in spec["clusterIPs"]]
    for entry in ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ():
        if "ip" in entry:
            entry["ip"] = there(entry["ip"])
    return service
