"""Gateways and HTTPRoutes: which route hangs at which listener, as rules, and what is said of both. Pure.

Core of the Gateway API v1: HTTP listeners, matches by host, path, method, header and parameter, weighted backends.
What it has beyond that (filters, regular expressions, TLS, references across namespaces) is refused in a condition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from bluegreen.localkube import selectors
from bluegreen.localkube.kinds import Obj
from bluegreen.localkube.router.rules import EXACT, PREFIX, Backend, Host, Match, Rule, Share

CONTROLLER = "localkube.local/gateway"
"""What a GatewayClass names for its Gateways to be served here."""

PATHS = {"Exact": EXACT, "PathPrefix": PREFIX}
Key = tuple[str, str]


class Condition(NamedTuple):
    """A condition but for its time and generation."""

    type: str
    status: str
    reason: str
    message: str = ""


@dataclass(frozen=True)
class World:
    """What there is: ``service`` finds one by namespace and name, ``labels`` are the namespaces'."""

    classes: frozenset[str]
    gateways: tuple[Obj, ...]
    routes: tuple[Obj, ...]
    service: Callable[[str, str], Obj | None]
    labels: Mapping[str, Mapping[str, str]]


@dataclass
class Found:
    """``rules`` by Gateway and port; what each parent of each route is told, and how many routes a listener has."""

    rules: dict[Key, dict[int, list[Rule]]] = field(default_factory=dict)
    parents: dict[Key, list[tuple[Obj, list[Condition]]]] = field(default_factory=dict)
    attached: dict[tuple[Key, str], int] = field(default_factory=dict)


def key_of(obj: Obj) -> Key:
    """(namespace, name)."""
    return obj["metadata"]["namespace"], obj["metadata"]["name"]


def ours(world: World) -> dict[Key, Obj]:
    """The Gateways that are served here."""
    return {
        key_of(gateway): gateway
        for gateway in world.gateways
        if gateway["spec"].get("gatewayClassName") in world.classes and not gateway["metadata"].get("deletionTimestamp")
    }


def is_served(listener: Obj) -> bool:
    """Whether requests are taken at a listener."""
    return bool(listener["protocol"] == "HTTP")


def resolve(world: World) -> Found:
    """Hang every route at the listeners it may hang at."""
    found = Found()
    gateways = ours(world)
    for key, gateway in gateways.items():
        listeners = gateway["spec"]["listeners"]
        found.rules[key] = {listener["port"]: [] for listener in listeners if is_served(listener)}
        found.attached.update({(key, listener["name"]): 0 for listener in listeners})
    for route in world.routes:
        if not route["metadata"].get("deletionTimestamp"):
            _hang(world, gateways, route, found)
    return found


def _hang(world: World, gateways: Mapping[Key, Obj], route: Obj, found: Found) -> None:
    said = found.parents.setdefault(key_of(route), [])
    unsupported, problem = next(_unsupported(route), ""), next(_problems(world, route), None)
    resolved = problem or Condition("ResolvedRefs", "True", "ResolvedRefs")
    for parent in route["spec"].get("parentRefs") or ():
        key = parent.get("namespace") or route["metadata"]["namespace"], parent["name"]
        if parent.get("kind", "Gateway") != "Gateway" or key not in gateways:
            continue
        listeners = [each for each in gateways[key]["spec"]["listeners"] if _named(parent, each)]
        refusal = (
            Condition("Accepted", "False", "UnsupportedValue", unsupported)
            if unsupported
            else _refusal(world, gateways[key], listeners, route)
        )
        said.append((parent, [refusal or Condition("Accepted", "True", "Accepted"), resolved]))
        if refusal is not None:
            continue
        for listener in listeners:
            if hosts := _admitted(world, gateways[key], listener, route):
                found.attached[key, listener["name"]] += 1
                if is_served(listener):
                    found.rules[key][listener["port"]] += _rules(world, route, hosts)


def _named(parent: Obj, listener: Obj) -> bool:
    return parent.get("sectionName") in (None, listener["name"]) and parent.get("port") in (None, listener["port"])


def _refusal(world: World, gateway: Obj, listeners: list[Obj], route: Obj) -> Condition | None:
    """Why a route hangs at none of these listeners; None when it hangs at one."""
    if not listeners:
        return Condition("Accepted", "False", "NoMatchingParent", "the Gateway has no such listener")
    allowed = [listener for listener in listeners if _allows(world, gateway, listener, route)]
    if not allowed:
        return Condition("Accepted", "False", "NotAllowedByListeners", "no listener allows this route")
    if not any(_hosts(listener, route) for listener in allowed):
        why = "no hostname of the route is one of the listener's"
        return Condition("Accepted", "False", "NoMatchingListenerHostname", why)
    return None


def _admitted(world: World, gateway: Obj, listener: Obj, route: Obj) -> list[str]:
    """The hosts for which a route hangs at a listener; none where it may not."""
    return _hosts(listener, route) if _allows(world, gateway, listener, route) else []


def _allows(world: World, gateway: Obj, listener: Obj, route: Obj) -> bool:
    allowed = listener.get("allowedRoutes") or {}
    kinds = [kind.get("kind") for kind in allowed.get("kinds") or ()]
    if kinds and "HTTPRoute" not in kinds:
        return False
    spaces, home = allowed.get("namespaces") or {}, route["metadata"]["namespace"]
    match spaces.get("from", "Same"):
        case "All":
            return True
        case "Selector":
            return selectors.selects(spaces.get("selector") or {}, world.labels.get(home))
        case _:
            return bool(home == gateway["metadata"]["namespace"])


def _hosts(listener: Obj, route: Obj) -> list[str]:
    """Where a listener's host and a route's meet; the more particular of both. "" is every host."""
    own, wanted = listener.get("hostname") or "", route["spec"].get("hostnames") or [""]
    met = [name if _covers(own, name) else own if _covers(name, own) else None for name in wanted]
    return [host for host in met if host is not None]


def _covers(name: str, other: str) -> bool:
    """Whether a host's name covers another one; either may begin with ``*.``."""
    return name in ("", other) or (name.startswith("*.") and other.removeprefix("*").endswith(name[1:]))


# -- rules ------------------------------------------------------------------------------------------------------------


def _rules(world: World, route: Obj, hosts: Iterable[str]) -> Iterator[Rule]:
    meta = route["metadata"]
    for number, rule in enumerate(route["spec"].get("rules") or ({},)):
        shares = tuple(
            Share(_backend(world, route, ref), ref.get("weight", 1)) for ref in rule.get("backendRefs") or ()
        )
        for place, match in enumerate(rule.get("matches") or ({},)):
            path = match.get("path") or {}
            for host in hosts:
                yield Rule(
                    Match(
                        Host(host.lower()),
                        path.get("value") or "/",
                        PATHS.get(path.get("type") or "PathPrefix", PREFIX),
                        match.get("method") or "",
                        {header["name"].lower(): header["value"] for header in match.get("headers") or ()},
                        {each["name"]: each["value"] for each in match.get("queryParams") or ()},
                    ),
                    shares,
                    (meta["creationTimestamp"], meta["namespace"], meta["name"], number, place),
                )


def _unsupported(route: Obj) -> Iterator[str]:
    """What a route asks for that this cluster's router has not."""
    for number, rule in enumerate(route["spec"].get("rules") or ()):
        if rule.get("filters") or any(ref.get("filters") for ref in rule.get("backendRefs") or ()):
            yield f"rules[{number}]: filters are not supported"
        for match in rule.get("matches") or ():
            typed = [match.get("path") or {}, *(match.get("headers") or ()), *(match.get("queryParams") or ())]
            if any(each.get("type") == "RegularExpression" for each in typed):
                yield f"rules[{number}]: regular expressions are not supported"


def _backend(world: World, route: Obj, ref: Obj) -> Backend:
    problem = _problem(world, route, ref)
    return Backend(
        route["metadata"]["namespace"], ref["name"], ref.get("port") or 0, problem.message if problem else ""
    )


def _problems(world: World, route: Obj) -> Iterator[Condition]:
    for rule in route["spec"].get("rules") or ():
        for ref in rule.get("backendRefs") or ():
            if problem := _problem(world, route, ref):
                yield problem


def _problem(world: World, route: Obj, ref: Obj) -> Condition | None:
    """What is wrong with a backend."""
    home = route["metadata"]["namespace"]
    if ref.get("group") or ref.get("kind", "Service") != "Service":
        return Condition("ResolvedRefs", "False", "InvalidKind", f"{ref['name']} is no Service")
    if ref.get("namespace") not in (None, home):
        why = f"{ref['name']} is in another namespace, and this cluster knows no ReferenceGrants"
        return Condition("ResolvedRefs", "False", "RefNotPermitted", why)
    service = world.service(home, ref["name"])
    if service is None:
        return Condition("ResolvedRefs", "False", "BackendNotFound", f"there is no Service {ref['name']}")
    if not any(port["port"] == ref.get("port") for port in service["spec"].get("ports") or ()):
        why = f"Service {ref['name']} has no port {ref.get('port')}"
        return Condition("ResolvedRefs", "False", "BackendNotFound", why)
    return None
