"""How to reach a colour or the live service from here: load balancer, NodePort, cluster address or port-forward.

``auto`` takes the first way that answers, in the order in which users come nearest: the route by which they come in
where there is one (SWITCH_BY), the load balancer's address, a NodePort, the cluster's own addresses (only from inside a
cluster, or where pods run on this very machine), and last a port-forward through the API server. ACCESS names one of
them for the live Service instead. What was picked stands in ``Address.via``, and an address says it when it is shown.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import socket
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from typing import Any

from bluegreen import asking, clock, localkube, route_access
from bluegreen.asking import Target
from bluegreen.clock import Deadline
from bluegreen.errors import CannotStartError, TimeoutExpiredError
from bluegreen.kube import Forbidden, Kube
from bluegreen.plan import plan_of
from bluegreen.portforward import Forward, Forwards
from bluegreen.settings import Settings

Obj = dict[str, Any]

LOAD_BALANCER, NODE_PORT, CLUSTER, PORT_FORWARD = "load-balancer", "node-port", "cluster", "port-forward"
ROUTE = "route"

WORDS = {
    LOAD_BALANCER: "load balancer",
    NODE_PORT: "NodePort",
    CLUSTER: "cluster address",
    PORT_FORWARD: "port-forward",
    ROUTE: "route",
}
"""The ways as people call them."""

HTTP = "http"
"""What callers name the port that users ask; what it is called in the manifests is those' own."""

CONNECT_S = 0.5
"""A choice: a first look at an address; one that hangs is not the one to take."""

ANSWER_S = 2.0
"""A choice: how long one request may take while the first answer is awaited."""

PATIENCE_S = 2.0
"""How long a better address may refuse while a worse one answers: the addresses of a Service come alive one after the
other, on a real cluster within 1.2 to 1.9 s."""

PAUSE_S = 0.05
"""A choice: between two looks at an address that does not answer yet."""

_REFUSED = frozenset({errno.ECONNREFUSED, errno.ECONNRESET})


@dataclass(frozen=True)
class Address:
    """Where to send requests, and by which way they get there.

    ``authority``: the host that they have to name, where it is another one than the address; "" where it is that.
    """

    host: str
    port: int
    via: str
    authority: str = ""
    tls: bool = False

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.url} ({WORDS[self.via]}{f' of {self.authority}' if self.authority else ''})"


class Access:
    """The ways to one application's Services and pods. Ports are named as in the Service: ``http``, ``metrics``."""

    def __init__(self, kube: Kube, settings: Settings) -> None:
        self._kube, self._settings = kube, settings
        self._picked: dict[tuple[str, str], Address] = {}
        self._forwards = Forwards(kube)

    def live(self, port: str = "http") -> Address:
        """The live Service; the port that users ask by the route they come in by, where there is one that answers."""
        if port == HTTP and self._settings.routes and self._settings.access in ("auto", ROUTE):
            return self._by_route()
        return self.behind(port)

    def behind(self, port: str = "http") -> Address:
        """The live Service itself, whatever route leads to it."""
        return self._service(self._settings.service_name, port)

    def preview(self, port: str = "http") -> Address:
        """The preview Service."""
        return self._service(self._settings.preview_service_name, port)

    def pod(self, pod: Obj | str, port: str = "http") -> Address:
        """One pod, by its object or its name: its own address where that can be reached, else a port-forward."""
        found = self._kube.get("Pod", pod) if isinstance(pod, str) else pod
        if found is None:
            raise CannotStartError(f"There is no pod {pod} in namespace {self._kube.namespace}.")
        labels = found["metadata"].get("labels") or {}
        wanted = plan_of(self._settings).pod_port(labels) if port == HTTP else port
        number, address = container_port(found, wanted), (found.get("status") or {}).get("podIP")
        if address and self._direct(address) and self._settings.access != PORT_FORWARD:
            return Address(address, number, CLUSTER)
        return self._forwarded(Forward(pod=found["metadata"]["name"], port=number))

    def port_inside(self, service: Obj, port: str) -> int:
        """The number at which a Service's own address answers on a named port, asked from inside the cluster."""
        number = int(service_port(service, self._named(port))["port"])
        address = Address(str(service["spec"].get("clusterIP")), number, CLUSTER)
        return _openable(address).port

    def close(self) -> None:
        """End the port-forwards."""
        self._forwards.close()

    # --- by a route -------------------------------------------------------------------------------------------

    def _by_route(self) -> Address:
        """The first of the routes' addresses at which the health check is routed; without one, the Service's."""
        settings, key = self._settings, (ROUTE, HTTP)
        if key not in self._picked:
            found = route_access.entrances(self._kube, settings)
            entrances = [_openable(Address(each.host, each.port, ROUTE, each.authority, each.tls)) for each in found]
            said = {str(address): unrouted(address, settings.health_path) for address in entrances}
            taken = next((address for address in entrances if not said[str(address)]), None)
            if taken is None and settings.access == ROUTE:
                why = "; ".join(f"{address}: {problem}" for address, problem in said.items()) or "no address is known"
                raise CannotStartError(
                    f"ACCESS=route: nobody comes in by {settings.switch_by} {settings.route_name} from here ({why}).",
                    "Set ROUTE_URL to the URL that they use, or ACCESS to another way.",
                )
            self._picked[key] = taken or self._service(settings.service_name, HTTP)
        return self._picked[key]

    # --- picking ----------------------------------------------------------------------------------------------

    def _named(self, port: str) -> str:
        """A Service's port by the name that it has there: ``http`` is what the application's manifests call it."""
        return plan_of(self._settings).service_port if port == HTTP else port

    def _service(self, name: str, port: str) -> Address:
        key = name, self._named(port)
        if key not in self._picked:
            self._picked[key] = self._pick(*key)
        return self._picked[key]

    def _pick(self, name: str, port: str) -> Address:
        service = self._kube.get("Service", name)
        if service is None:
            raise CannotStartError(
                f"There is no Service {name} in namespace {self._kube.namespace}.", "Run `bluegreen setup`."
            )
        wanted, entry = self._settings.access, service_port(service, port)
        known, number = self._known(service, entry), int(entry["port"])
        if wanted in ("auto", PORT_FORWARD):
            return self._any(name, number, known if wanted == "auto" else [])
        for address in known:
            if address.via == wanted:
                return address
        if name == self._settings.preview_service_name:  # it is not published: the chosen way may not lead to it
            return self._any(name, number, known)
        raise CannotStartError(
            f"ACCESS={wanted}: Service {name} has no such address for port {port}.",
            f"It offers: {', '.join(map(str, known)) or 'none'}; ACCESS=auto takes what there is.",
        )

    def _any(self, name: str, port: int, known: list[Address]) -> Address:
        """The way that answers, or the one that is always there."""
        return answering(known) or self._forwarded(Forward(service=name, port=port))

    def _known(self, service: Obj, port: Obj) -> list[Address]:
        """The addresses a Service has, the users' first."""
        balancers = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
        hosts = [str(entry.get("ip") or entry.get("hostname")) for entry in balancers]
        found = [Address(host, port["port"], LOAD_BALANCER) for host in hosts]
        if port.get("nodePort"):
            found += self._node_ports(int(port["nodePort"]))
        cluster = service["spec"].get("clusterIP")
        if cluster and cluster != "None" and (self._direct(cluster) or self._settings.access == CLUSTER):
            found.append(Address(cluster, port["port"], CLUSTER))
        return [_openable(address) for address in found]

    def _node_ports(self, number: int) -> list[Address]:
        """Where a NodePort answers: at this machine where the node is a container that publishes it, else at a node."""
        if number in self._kube.published:
            return [Address(*self._kube.published[number], NODE_PORT)]
        return [Address(host, number, NODE_PORT) for host in self._nodes[:1]]

    def _forwarded(self, forward: Forward) -> Address:
        host, port = self._forwards.open(forward)
        return Address(host, port, PORT_FORWARD)

    # --- where this is ----------------------------------------------------------------------------------------

    @cached_property
    def _nodes(self) -> list[str]:
        """Addresses of nodes, those for the outside first; as the pods state them where nodes may not be looked at."""
        try:
            nodes = self._kube.list("Node", namespace="")
        except Forbidden:
            return self._hosts_of_pods()
        found = [a for node in nodes for a in (node.get("status") or {}).get("addresses") or []]
        return [a["address"] for kind in ("ExternalIP", "InternalIP") for a in found if a["type"] == kind]

    def _direct(self, address: str) -> bool:
        """Whether an address of the cluster's own network means the same here: inside the cluster, or when it is a
        loopback address, as only a cluster whose nodes are this machine gives out."""
        return in_this_cluster(self._kube.server) or _loopback(address)

    def _hosts_of_pods(self) -> list[str]:
        """The nodes' addresses as the application's pods state them: for an account that may not list nodes."""
        plan = plan_of(self._settings)
        pods = self._kube.list("Pod", labels=plan.selector(plan.names[0]))
        return sorted({str(host) for pod in pods if (host := (pod.get("status") or {}).get("hostIP"))})


def await_reachable(address: Address, deadline: Deadline, path: str = "/") -> float:
    """Wait until something behind an address answers HTTP, whatever it says; returns after how many seconds.

    Available is not yet reachable, and a proxy takes connections before there is anybody behind it.
    """
    while (problem := ask(address, path)) is not None:
        if deadline.expired:
            awaited, remedy = f"{address} answers", "Set ACCESS to another way."
            raise TimeoutExpiredError(awaited, deadline.elapsed_s, problem, remedy)
        clock.sleep_s(min(PAUSE_S, deadline.remaining_s))
    return deadline.elapsed_s


def ask(address: Address, path: str) -> str | None:
    """Make one request: ``None`` when it was answered, else what went wrong."""
    return asking.ask(_target(address, path), ANSWER_S).problem or None


def answering(addresses: list[Address]) -> Address | None:
    """The first address that takes connections; a better one that still refuses them is given a moment.

    Where none does, the first that at least refuses: a Service without ready pods does that. ``None``: there is no way.
    """
    moment = Deadline(PATIENCE_S)
    while True:
        problems = {address: look(address) for address in addresses}
        near = [a for a in addresses if problems[a] in _REFUSED]
        taken = next((a for a in addresses if problems[a] is None), None)
        if taken is None:
            return next(iter(near + [a for a in addresses if a.via == CLUSTER]), None)
        better = [a for a in near if addresses.index(a) < addresses.index(taken)]
        if not better or moment.expired:
            return taken
        clock.sleep_s(PAUSE_S)


def look(address: Address) -> int | None:
    """Try one connection: ``None`` when it was taken, else the number of the system's error."""
    try:
        socket.create_connection((address.host, address.port), timeout=CONNECT_S).close()
    except TimeoutError:
        return errno.ETIMEDOUT
    except OSError as problem:
        return problem.errno or errno.EHOSTUNREACH
    return None


def unrouted(address: Address, path: str) -> str:
    """Why a path is not led on by a route from an address, in words; "" when it is, whoever answers there."""
    answer = asking.ask(_target(address, path), ANSWER_S)
    if answer.problem:
        return answer.problem
    return f"{path} is answered with {answer}" if 300 <= answer.status < 400 or answer.status == 404 else ""


def _target(address: Address, path: str) -> Target:
    return Target(address.host, address.port, path, "", "", address.authority, address.tls)


def container_port(pod: Obj, name: str) -> int:
    """The number of a pod's named port; a number in digits is itself, as in a scrape annotation."""
    if name.isdecimal():
        return int(name)
    for container in pod["spec"]["containers"]:
        for port in container.get("ports") or []:
            if port.get("name") == name:
                return int(port["containerPort"])
    raise CannotStartError(
        f"Pod {pod['metadata']['name']} has no port named {name}.", "Name the container's ports in deployment.yaml."
    )


def service_port(service: Obj, name: str) -> Obj:
    """A Service's port by its name; one without a name by its number in digits."""
    for port in service["spec"].get("ports") or []:
        if name in (port.get("name"), str(port["port"])):
            return dict(port)
    raise CannotStartError(
        f"Service {service['metadata']['name']} has no port named {name}.", "Name its ports in the manifest."
    )


def in_this_cluster(server: str) -> bool:
    """Whether this process runs in a pod of the cluster whose API has this URL."""
    host = os.environ.get("KUBERNETES_SERVICE_HOST", "")
    return bool(host) and server.startswith((f"https://{host}:", f"https://[{host}]:"))


def _openable(address: Address) -> Address:
    """The address as the embedded cluster serves it: the cluster runs as this user, and a port below 1024 that this
    user may not open is open so much higher."""
    if address.port >= 1024 or not _loopback(address.host):
        return address
    with socket.socket(socket.AF_INET) as attempt:
        try:
            attempt.bind((address.host, address.port))
        except PermissionError:
            return dataclasses.replace(address, port=address.port + localkube.UNPRIVILEGED_OFFSET)
        except OSError:  # in use: then it is open
            return address
    return address


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name
        return host == "localhost"
