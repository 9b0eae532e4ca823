"""Endpoints and EndpointSlices."""

from __future__ import annotations

import ipaddress

from bluegreen.localkube.validation import names
from bluegreen.localkube.validation.containers import PROTOCOLS
from bluegreen.localkube.validation.fields import (
    Causes,
    Obj,
    duplicate,
    each_invalid,
    immutable,
    invalid,
    not_supported,
    required,
    too_many,
    unless_in,
)
from bluegreen.localkube.validation.services import special_address

_MOST_ENDPOINTS, _MOST_PORTS, _MOST_ADDRESSES = 1000, 20000, 100


def endpoints(obj: Obj) -> Causes:
    """Endpoints."""
    causes: Causes = []
    for place, subset in enumerate(obj.get("subsets") or ()):
        here = f"subsets[{place}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            causes.append(required(here, "must specify `addresses` or `notReadyAddresses`"))
        for key in ("addresses", "notReadyAddresses"):
            for index, address in enumerate(subset.get(key) or ()):
                causes += _endpoint_address(address, f"{here}.{key}[{index}]")
        ports = subset.get("ports") or []
        for index, port in enumerate(ports):
            causes += _endpoint_port(port, f"{here}.ports[{index}]", named=len(ports) > 1)
    return causes


def _endpoint_address(address: Obj, path: str) -> Causes:
    ip = address.get("ip", "")
    wrong = each_invalid(f"{path}.ip", ip, names.ip(ip))
    causes = list(wrong)
    if address.get("hostname"):
        causes += each_invalid(f"{path}.hostname", address["hostname"], names.label(address["hostname"]))
    if wrong:
        return [*causes, invalid(f"{path}.ip", ip, "must be a valid IP address")]
    return causes + special_address(ip, f"{path}.ip", loopback=True)


def _endpoint_port(port: Obj, path: str, *, named: bool) -> Causes:
    name = port.get("name", "")
    causes: Causes = []
    if named and not name:
        causes.append(required(f"{path}.name"))
    elif name:
        causes += each_invalid(f"{path}.name", name, names.label(name))
    causes += each_invalid(f"{path}.port", port.get("port", 0), names.number_of_port(port.get("port", 0)))
    causes += unless_in(f"{path}.protocol", port.get("protocol"), PROTOCOLS)
    if port.get("appProtocol") is not None:
        causes += each_invalid(f"{path}.appProtocol", port["appProtocol"], names.qualified(port["appProtocol"]))
    return causes


_MOST_HINTS = 8  # of either kind, of one endpoint
_SLICE_TYPES = ("FQDN", "IPv4", "IPv6")


def endpoint_slice(obj: Obj) -> Causes:
    """An EndpointSlice."""
    kind = obj.get("addressType", "")
    causes: Causes = []
    if not kind:
        causes.append(required("addressType"))
    elif kind not in _SLICE_TYPES:
        causes.append(not_supported("addressType", kind, _SLICE_TYPES))
    found = obj.get("endpoints") or []
    if len(found) > _MOST_ENDPOINTS:
        return [*causes, too_many("endpoints", len(found), _MOST_ENDPOINTS)]
    for place, endpoint in enumerate(found):
        causes += _endpoint(endpoint, kind, f"endpoints[{place}]")
    return causes + _slice_ports(obj.get("ports") or [])


def endpoint_slice_update(obj: Obj, old: Obj) -> Causes:
    """A changed EndpointSlice keeps its type."""
    causes = endpoint_slice(obj)
    return causes + immutable("addressType", obj.get("addressType"), old.get("addressType"))


def _endpoint(endpoint: Obj, kind: str, path: str) -> Causes:
    addresses = endpoint.get("addresses") or []
    causes: Causes = []
    if not addresses:
        causes.append(required(f"{path}.addresses", "must contain at least 1 address"))
    elif len(addresses) > _MOST_ADDRESSES:
        causes.append(too_many(f"{path}.addresses", len(addresses), _MOST_ADDRESSES))
    for place, address in enumerate(addresses):
        causes += _typed_address(address, kind, f"{path}.addresses[{place}]")
    if endpoint.get("nodeName") is not None:
        causes += each_invalid(f"{path}.nodeName", endpoint["nodeName"], names.subdomain(endpoint["nodeName"]))
    if endpoint.get("hostname") is not None:
        causes += each_invalid(f"{path}.hostname", endpoint["hostname"], names.label(endpoint["hostname"]))
    return causes + _hints(endpoint.get("hints") or {}, f"{path}.hints")


def _hints(hints: Obj, path: str) -> Causes:
    causes: Causes = []
    for key, rule in (("forZones", names.label_value), ("forNodes", names.subdomain)):
        given = hints.get(key) or []
        if len(given) > _MOST_HINTS:
            causes.append(too_many(f"{path}.{key}", len(given), _MOST_HINTS))
            continue
        seen: set[str] = set()
        for place, hint in enumerate(given):
            here, name = f"{path}.{key}[{place}].name", hint.get("name", "")
            if name in seen:
                causes.append(duplicate(here, name))
            else:
                causes += each_invalid(here, name, rule(name))
            seen.add(name)
    return causes


def _typed_address(address: str, kind: str, path: str) -> Causes:
    if kind == "FQDN":
        return _domain(address.removesuffix("."), path)
    if kind not in ("IPv4", "IPv6"):
        return []
    if wrong := names.ip(address):
        return each_invalid(path, address, wrong)
    family = f"IPv{ipaddress.ip_address(address).version}"
    other = [invalid(path.rpartition("[")[0], address, f"must be an {kind} address")] if family != kind else []
    return other + special_address(address, path, loopback=True)


def _domain(name: str, path: str) -> Causes:
    wrong = each_invalid(path, name, names.subdomain(name))
    if wrong or "." in name:
        return wrong
    return [invalid(path, name, "should be a domain with at least two segments separated by dots")]


def _slice_ports(ports: list[Obj]) -> Causes:
    causes: Causes = []
    if len(ports) > _MOST_PORTS:
        return [too_many("ports", len(ports), _MOST_PORTS)]
    seen: set[str] = set()
    for place, port in enumerate(ports):
        here, name = f"ports[{place}]", port.get("name") or ""
        if name:
            causes += each_invalid(f"{here}.name", name, names.label(name))
        if name in seen:
            causes.append(duplicate(f"{here}.name", name))
        seen.add(name)
        if port.get("protocol") is None:
            causes.append(required(f"{here}.protocol"))
        elif port["protocol"] not in PROTOCOLS:
            causes.append(not_supported(f"{here}.protocol", port["protocol"], PROTOCOLS))
        if port.get("appProtocol") is not None:
            causes += each_invalid(f"{here}.appProtocol", port["appProtocol"], names.qualified(port["appProtocol"]))
    return causes
