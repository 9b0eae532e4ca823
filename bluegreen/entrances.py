"""Where users come in by a route: addresses, ports and host names, read from Ingresses, HTTPRoutes and Gateways. Pure.

An Ingress says where it is served in its status; an HTTPRoute's Gateway does, and its listeners have the ports.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

Obj = dict[str, Any]

HTTP_PORT = 80
SOME = "bluegreen"
"""The label that stands for ``*`` in a host's name: any will do."""


@dataclass(frozen=True)
class Entrance:
    """An address and port, and the host that requests have to name; "" where it is the address."""

    host: str
    port: int
    authority: str = ""
    tls: bool = False


def of_ingress(ingress: Obj, services: Collection[str], path: str) -> list[Entrance]:
    """Where requests for ``path`` that go to one of the Services come in."""
    entries = ((ingress.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    hosts = [str(entry.get("ip") or entry.get("hostname") or "") for entry in entries]
    name = next(_hosts_of_ingress(ingress, services, path), None)
    return [] if name is None else [Entrance(host, HTTP_PORT, _some(name)) for host in hosts if host]


def _hosts_of_ingress(ingress: Obj, services: Collection[str], path: str) -> Iterator[str]:
    """The host of each rule that leads there; a default backend's is any."""
    spec = ingress["spec"]
    for rule in spec.get("rules") or []:
        for entry in (rule.get("http") or {}).get("paths") or []:
            if _names(entry.get("backend"), services) and _covers(entry, path):
                yield str(rule.get("host") or "")
    if _names(spec.get("defaultBackend"), services):
        yield ""


def _names(backend: Obj | None, services: Collection[str]) -> bool:
    return ((backend or {}).get("service") or {}).get("name") in services


def _covers(entry: Obj, path: str) -> bool:
    """Whether a path of an Ingress leads to another one; where its class decides, it is taken for a prefix."""
    own = str(entry.get("path") or "/")
    if entry.get("pathType") == "Exact":
        return own == path
    return path == own.rstrip("/") or path.startswith(f"{own.rstrip('/')}/")


def of_http_route(route: Obj, gateway: Callable[[str, str], Obj | None]) -> list[Entrance]:
    """Where a route's users come in. ``gateway``: finds one by namespace and name, None where it may not be seen."""
    found: list[Entrance] = []
    for parent in route["spec"].get("parentRefs") or []:
        if parent.get("kind", "Gateway") != "Gateway":
            continue
        known = gateway(parent.get("namespace") or route["metadata"]["namespace"], parent["name"])
        if known is not None:
            found += _of_gateway(known, parent, route["spec"].get("hostnames") or [])
    return found


def _of_gateway(gateway: Obj, parent: Obj, hostnames: list[str]) -> Iterator[Entrance]:
    addresses = [str(each["value"]) for each in (gateway.get("status") or {}).get("addresses") or []]
    for listener in gateway["spec"].get("listeners") or []:
        if listener.get("protocol") != "HTTP":
            continue
        if parent.get("sectionName") not in (None, listener["name"]) or parent.get("port") not in (
            None,
            listener["port"],
        ):
            continue
        name = next(iter(hostnames), listener.get("hostname") or "")
        yield from (Entrance(address, int(listener["port"]), _some(name)) for address in addresses)


def _some(name: str) -> str:
    """A host that a name with a wildcard covers."""
    return f"{SOME}{name[1:]}" if name.startswith("*.") else name
