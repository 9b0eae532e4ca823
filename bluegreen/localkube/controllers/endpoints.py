"""Which addresses stand behind a Service, and how they are spread over slices. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bluegreen.localkube.controllers.pods import is_deleting, is_finished, is_ready

Obj = dict[str, Any]
Ports = list[Obj]

SLICE_SIZE = 100
"""Endpoints in one slice (Kubernetes' default)."""
ZONE_LABEL = "topology.kubernetes.io/zone"


@dataclass(frozen=True)
class Group:
    """Endpoints that offer the same ports, by identity."""

    ports: Ports
    endpoints: dict[str, Obj]


@dataclass(frozen=True)
class SlicePlan:
    """What one slice should hold: an existing one changed in place, or (None) a new one."""

    slice: Obj | None
    ports: Ports
    endpoints: list[Obj]


def stands_behind(pod: Obj) -> bool:
    """Whether a pod is listed at all: it has an address and has not ended. One that is stopping still is."""
    return not is_finished(pod) and bool((pod.get("status") or {}).get("podIP"))


def endpoint(service: Obj, pod: Obj, zones: Mapping[str, str]) -> Obj:
    """One pod as an endpoint of a slice; ``zones`` gives the zone of each node that has one."""
    serving, terminating = is_ready(pod), is_deleting(pod)
    node = pod["spec"].get("nodeName")
    found: Obj = {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {
            "ready": bool(service["spec"].get("publishNotReadyAddresses")) or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        **_hostname(service, pod),
        "targetRef": target(pod),
    }
    if node:
        found["nodeName"] = node
        if node in zones:
            found["zone"] = zones[node]
    return found


def _hostname(service: Obj, pod: Obj) -> Obj:
    spec = pod["spec"]
    shown = spec.get("hostname") and spec.get("subdomain") == service["metadata"]["name"]
    return {"hostname": spec["hostname"]} if shown else {}


def target(pod: Obj) -> Obj:
    """The reference from an endpoint to its pod."""
    meta = pod["metadata"]
    return {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]}


def ports_of(service: Obj, pod: Obj) -> Ports:
    """The ports a pod offers for a Service: named target ports are looked up in its containers."""
    found = []
    for port in service["spec"].get("ports") or ():
        number = target_port(port, pod)
        if number is not None:
            shown = {"name": port.get("name", ""), "port": number, "protocol": port.get("protocol", "TCP")}
            found.append(shown | ({"appProtocol": port["appProtocol"]} if "appProtocol" in port else {}))
    return found


def target_port(port: Obj, pod: Obj) -> int | None:
    """The number of the container port a Service port leads to; None when no container names it so."""
    wanted = port.get("targetPort", port["port"])
    if isinstance(wanted, int):
        return wanted or int(port["port"])
    protocol = port.get("protocol", "TCP")
    for container in _containers(pod["spec"]):
        for offered in container.get("ports") or ():
            if offered.get("name") == wanted and offered.get("protocol", "TCP") == protocol:
                return int(offered["containerPort"])
    return None


def _containers(spec: Obj) -> list[Obj]:
    sidecars = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    return [*(spec.get("containers") or ()), *sidecars]


def grouped(service: Obj, pods: Iterable[Obj], zones: Mapping[str, str]) -> list[Group]:
    """The Service's endpoints by the ports they offer."""
    groups: dict[str, Group] = {}
    for pod in pods:
        if stands_behind(pod):
            ports = ports_of(service, pod)
            group = groups.setdefault(ports_key(ports), Group(ports, {}))
            one = endpoint(service, pod, zones)
            group.endpoints[identity(one)] = one
    return list(groups.values())


def ports_key(ports: Ports | None) -> str:
    """What makes two lists of ports the same."""
    return repr(sorted(sorted(port.items()) for port in ports or ()))


def identity(one: Obj) -> str:
    """What makes two endpoints the same one: the pod and its address."""
    return f"{(one.get('targetRef') or {}).get('uid', '')}/{one['addresses'][0]}"


def arranged(groups: Sequence[Group], existing: Sequence[Obj]) -> tuple[list[SlicePlan], list[Obj]]:
    """(what each slice should hold, slices to delete). Endpoints stay in the slice they are in; a slice that would
    become empty is used again for others, so that a Service whose endpoints all change at once never has none.
    A Service without endpoints keeps one empty slice."""
    plans: list[SlicePlan] = []
    spare: list[Obj] = []
    for one in existing:
        group = next((each for each in groups if ports_key(each.ports) == ports_key(one.get("ports"))), None)
        kept = _taken(group, one) if group else []
        if group and kept:
            plans.append(SlicePlan(one, group.ports, kept))
        else:
            spare.append(one)
    placed = {identity(one) for plan in plans for one in plan.endpoints}
    for group in groups:
        rest = [one for key, one in group.endpoints.items() if key not in placed]
        _fill([plan for plan in plans if ports_key(plan.ports) == ports_key(group.ports)], rest)
        for start in range(0, len(rest), SLICE_SIZE):
            chunk = rest[start : start + SLICE_SIZE]
            plans.append(SlicePlan(spare.pop(0) if spare else None, group.ports, chunk))
    if not plans:
        plans.append(SlicePlan(spare.pop(0) if spare else None, [], []))
    return plans, spare


def _taken(group: Group, one: Obj) -> list[Obj]:
    found = (group.endpoints.get(identity(each)) for each in one.get("endpoints") or ())
    return [each for each in found if each]


def _fill(plans: Iterable[SlicePlan], rest: list[Obj]) -> None:
    """Move endpoints from ``rest`` into slices that have room, the fullest first."""
    for plan in sorted(plans, key=lambda each: -len(each.endpoints)):
        room = SLICE_SIZE - len(plan.endpoints)
        plan.endpoints.extend(rest[:room])
        del rest[:room]


def subsets(service: Obj, pods: Iterable[Obj]) -> list[Obj]:
    """The Service's endpoints as core/v1 Endpoints lists them: by ports, ready and not ready apart."""
    publish = bool(service["spec"].get("publishNotReadyAddresses"))
    found: dict[str, Obj] = {}
    for pod in pods:
        ports = ports_of(service, pod)
        listed = stands_behind(pod) and (publish or not is_deleting(pod))
        if not listed or (not ports and service["spec"].get("ports")):
            continue
        subset = found.setdefault(ports_key(ports), {"ports": [_without_empty_name(port) for port in ports]})
        ready = publish or is_ready(pod)
        subset.setdefault("addresses" if ready else "notReadyAddresses", []).append(_address(service, pod))
    return [_ordered(found[key]) for key in sorted(found)]


def _address(service: Obj, pod: Obj) -> Obj:
    node = pod["spec"].get("nodeName")
    shown = {"ip": pod["status"]["podIP"], **_hostname(service, pod), "targetRef": target(pod)}
    return shown | ({"nodeName": node} if node else {})


def _without_empty_name(port: Obj) -> Obj:
    return {key: value for key, value in port.items() if key != "name" or value}


def _ordered(subset: Obj) -> Obj:
    names = ("addresses", "notReadyAddresses")
    ordered: Obj = {name: sorted(subset[name], key=_by_address) for name in names if name in subset}
    if subset["ports"]:
        ordered["ports"] = subset["ports"]
    return ordered


def _by_address(address: Obj) -> str:
    ip: str = address["ip"]
    return ip
