"""What is written into the status of Gateways, HTTPRoutes and Ingresses; each changes a copy of an object."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from bluegreen.localkube.controllers import conditions
from bluegreen.localkube.kinds import Obj
from bluegreen.localkube.router.gateways import CONTROLLER, Condition, Found, is_served, key_of


def ingress(obj: Obj, address: str) -> None:
    """Where an Ingress is served."""
    obj["status"] = {**(obj.get("status") or {}), "loadBalancer": {"ingress": [{"ip": address}]}}


def gateway_class(obj: Obj) -> None:
    """That its Gateways are served here."""
    _say(obj, obj.setdefault("status", {}), [Condition("Accepted", "True", "Accepted")])


def gateway(obj: Obj, found: Found, address: str, open_ports: Collection[int]) -> None:
    """Where a Gateway is served, and each listener with its number of routes."""
    status = obj.setdefault("status", {})
    listeners = obj["spec"]["listeners"]
    served = [listener for listener in listeners if is_served(listener)]
    status["addresses"] = [{"type": "IPAddress", "value": address}] if served else []
    ready = bool(served) and all(listener["port"] in open_ports for listener in served)
    _say(obj, status, [_accepted(bool(served)), _programmed(ready)])
    before = {entry["name"]: entry for entry in status.get("listeners") or ()}
    status["listeners"] = [
        _listener(
            obj,
            listener,
            before.get(listener["name"]) or {},
            found.attached.get((key_of(obj), listener["name"]), 0),
            listener["port"] in open_ports,
        )
        for listener in listeners
    ]


def _listener(obj: Obj, listener: Obj, before: Obj, routes: int, is_open: bool) -> Obj:
    entry: Obj = {
        "name": listener["name"],
        "supportedKinds": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}] if is_served(listener) else [],
        "attachedRoutes": routes,
        "conditions": list(before.get("conditions") or ()),
    }
    served = is_served(listener)
    _say(
        obj,
        entry,
        [_accepted(served), _programmed(served and is_open), Condition("ResolvedRefs", "True", "ResolvedRefs")],
    )
    return entry


def _accepted(served: bool) -> Condition:
    if served:
        return Condition("Accepted", "True", "Accepted")
    return Condition("Accepted", "False", "UnsupportedProtocol", "this cluster's router takes HTTP only")


def _programmed(ready: bool) -> Condition:
    return Condition("Programmed", "True", "Programmed") if ready else Condition("Programmed", "False", "Pending")


def route(obj: Obj, parents: Iterable[tuple[Obj, list[Condition]]]) -> None:
    """What each Gateway says of a route; what others' say stays."""
    status = obj.setdefault("status", {})
    entries = list(status.get("parents") or ())
    before = [entry for entry in entries if entry.get("controllerName") == CONTROLLER]
    made = []
    for parent, said in parents:
        known: Obj = next((entry for entry in before if entry["parentRef"] == parent), {})
        entry: Obj = {
            "parentRef": parent,
            "controllerName": CONTROLLER,
            "conditions": list(known.get("conditions") or ()),
        }
        _say(obj, entry, said)
        made.append(entry)
    status["parents"] = [entry for entry in entries if entry.get("controllerName") != CONTROLLER] + made


def _say(obj: Obj, place: Obj, said: Iterable[Condition]) -> None:
    """Set conditions of an object's present generation; their times move with their status."""
    generation = obj["metadata"].get("generation", 0)
    for condition in said:
        made = conditions.new(*condition) | {"observedGeneration": generation}
        place["conditions"] = conditions.updated_in_place(place.get("conditions"), made)
