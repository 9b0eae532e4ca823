"""Ingresses, NetworkPolicies, Endpoints and EndpointSlices."""

from __future__ import annotations

import ipaddress

from bluegreen.localkube.validation import meta, names
from bluegreen.localkube.validation.containers import PROTOCOLS
from bluegreen.localkube.validation.fields import (
    Causes,
    Obj,
    duplicate,
    each_invalid,
    forbidden,
    immutable,
    invalid,
    not_supported,
    required,
    too_many,
    unless_in,
)
from bluegreen.localkube.validation.services import special_address

_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_BAD_IN_PATH = ("//", "/./", "/../", "%2f", "%2F")
_BAD_AT_END = ("/..", "/.")
_MOST_ENDPOINTS, _MOST_PORTS, _MOST_ADDRESSES = 1000, 20000, 100


# -- ingresses -----------------------------------------------------------------------------------------------------
def ingress_create(obj: Obj) -> Causes:
    """A new Ingress, which may not name two classes."""
    causes = ingress(obj)
    legacy = (obj["metadata"].get("annotations") or {}).get("kubernetes.io/ingress.class")
    name = obj["spec"].get("ingressClassName")
    if legacy is not None and name is not None and legacy != name:
        path = "annotations.kubernetes.io/ingress.class"
        causes.append(invalid(path, legacy, "must match `ingressClassName` when both are specified"))
    return causes


def ingress(obj: Obj) -> Causes:
    """An Ingress: rules or a default backend."""
    spec = obj["spec"]
    causes: Causes = []
    if not spec.get("rules") and spec.get("defaultBackend") is None:
        causes.append(invalid("spec", None, "either `defaultBackend` or `rules` must be specified"))
    if spec.get("defaultBackend") is not None:
        causes += _backend(spec["defaultBackend"], "spec.defaultBackend")
    for place, rule in enumerate(spec.get("rules") or ()):
        causes += _rule(rule, f"spec.rules[{place}]")
    for place, tls in enumerate(spec.get("tls") or ()):
        for index, host in enumerate(tls.get("hosts") or ()):
            rule_of = names.wildcard if "*" in host else names.subdomain
            causes += each_invalid(f"spec.tls[{place}].hosts[{index}]", host, rule_of(host))
        if tls.get("secretName"):
            path = f"spec.tls[{place}].secretName"
            causes += each_invalid(path, tls["secretName"], names.subdomain(tls["secretName"]))
    if spec.get("ingressClassName") is not None:
        name = spec["ingressClassName"]
        causes += each_invalid("spec.ingressClassName", name, names.subdomain(name))
    return causes


def ingress_update(obj: Obj, _: Obj) -> Causes:
    """A changed Ingress."""
    return ingress(obj)


def _rule(rule: Obj, path: str) -> Causes:
    causes: Causes = []
    host = rule.get("host", "")
    if host:
        if _is_address(host):
            causes.append(invalid(f"{path}.host", host, "must be a DNS name, not an IP address"))
        if "*" in host:
            causes += each_invalid(f"{path}.host", host, names.wildcard(host))
        else:
            causes += each_invalid(f"{path}.host", host, names.subdomain(host))
    http = rule.get("http")
    if http is None:
        return causes
    if not http.get("paths"):
        causes.append(required(f"{path}.http.paths"))
    for place, each in enumerate(http.get("paths") or ()):
        causes += _http_path(each, f"{path}.http.paths[{place}]")
    return causes


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _http_path(given: Obj, path: str) -> Causes:
    kind, text = given.get("pathType"), given.get("path", "")
    causes: Causes = []
    if kind is None:
        return [required(f"{path}.pathType", "pathType must be specified")]
    if kind in ("Exact", "Prefix"):
        causes += _absolute(text, f"{path}.path")
    elif kind == "ImplementationSpecific":
        if text and not text.startswith("/"):
            causes.append(invalid(f"{path}.path", text, "must be an absolute path"))
    else:
        causes.append(not_supported(f"{path}.pathType", kind, _PATH_TYPES))
    return causes + _backend(given.get("backend") or {}, f"{path}.backend")


def _absolute(text: str, path: str) -> Causes:
    causes: Causes = []
    if not text.startswith("/"):
        causes.append(invalid(path, text, "must be an absolute path"))
    causes += [invalid(path, text, f"must not contain '{bad}'") for bad in _BAD_IN_PATH if bad in text]
    return causes + [invalid(path, text, f"cannot end with '{bad}'") for bad in _BAD_AT_END if text.endswith(bad)]


def _backend(backend: Obj, path: str) -> Causes:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        return [invalid(path, "", "cannot set both resource and service backends")]
    if resource is not None:
        causes: Causes = []
        for key in ("kind", "name"):
            value = resource.get(key, "")
            at = f"{path}.resource.{key}"
            causes += (
                each_invalid(at, value, names.path_segment(value)) if value else [required(at, f"{key} is required")]
            )
        return causes
    if service is None:
        return [invalid(path, "", "resource or service backend is required")]
    causes = []
    name = service.get("name", "")
    if not name:
        causes.append(required(f"{path}.service.name"))
    else:
        causes += each_invalid(f"{path}.service.name", name, names.label_1035(name))
    return causes + _backend_port(service.get("port") or {}, f"{path}.service.port", path)


def _backend_port(port: Obj, at: str, path: str) -> Causes:
    name, number = port.get("name", ""), port.get("number", 0)
    if name and number:
        return [invalid(path, "", "cannot set both port name & port number")]
    if name:
        return each_invalid(f"{at}.name", name, names.port_name(name))
    if number:
        return each_invalid(f"{at}.number", number, names.number_of_port(number))
    return [required(path, "port name or number is required")]


# -- network policies ----------------------------------------------------------------------------------------------
def network_policy(obj: Obj) -> Causes:
    """A NetworkPolicy."""
    spec = obj["spec"]
    causes = meta.selector(spec.get("podSelector"), "spec.podSelector")
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for place, rule in enumerate(spec.get(direction) or ()):
            here = f"spec.{direction}[{place}]"
            for index, port in enumerate(rule.get("ports") or ()):
                causes += _policy_port(port, f"{here}.ports[{index}]")
            for index, peer in enumerate(rule.get(peers) or ()):
                causes += _peer(peer, f"{here}.{peers}[{index}]")
    types = spec.get("policyTypes") or []
    if len(types) > 2:
        return [*causes, invalid("spec.policyTypes", types, "may not specify more than two policyTypes")]
    for place, kind in enumerate(types):
        if kind not in ("Ingress", "Egress"):
            causes.append(not_supported(f"spec.policyTypes[{place}]", kind, ("Ingress", "Egress")))
    return causes


def _policy_port(port: Obj, path: str) -> Causes:
    causes: Causes = []
    protocol, number, end = port.get("protocol"), port.get("port"), port.get("endPort")
    if protocol is not None and protocol not in PROTOCOLS:
        causes.append(not_supported(f"{path}.protocol", protocol, ("TCP", "UDP", "SCTP")))
    if isinstance(number, str):
        if end is not None:
            causes.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is non-numeric"))
        causes += each_invalid(f"{path}.port", number, names.port_name(number))
    elif number is not None:
        causes += each_invalid(f"{path}.port", number, names.number_of_port(number))
        if end is not None:
            if end < number:
                # Kubernetes shows the port here, not the end
                causes.append(invalid(f"{path}.endPort", number, "must be greater than or equal to `port`"))
            causes += each_invalid(f"{path}.endPort", end, names.number_of_port(end))
    elif end is not None:
        causes.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is not specified"))
    return causes


def _peer(peer: Obj, path: str) -> Causes:
    causes: Causes = []
    named = [key for key in ("podSelector", "namespaceSelector") if peer.get(key) is not None]
    for key in named:
        causes += meta.selector(peer[key], f"{path}.{key}")
    if peer.get("ipBlock") is not None:
        causes += _block(peer["ipBlock"], f"{path}.ipBlock")
        if named:
            detail = "may not specify both ipBlock and another peer"
            causes.append(forbidden(path, detail))
    elif not named:
        causes.append(required(path, "must specify a peer"))
    return causes


def _block(block: Obj, path: str) -> Causes:
    given = block.get("cidr", "")
    if not given:
        return [required(f"{path}.cidr")]
    wrong = each_invalid(f"{path}.cidr", given, names.cidr(given))
    if wrong:
        return wrong
    around = ipaddress.ip_interface(given).network
    causes: Causes = []
    for place, hole in enumerate(block.get("except") or ()):
        here = f"{path}.except[{place}]"
        bad = each_invalid(here, hole, names.cidr(hole))
        causes += bad
        if not bad and not _strictly_inside(ipaddress.ip_interface(hole).network, around):
            causes.append(invalid(here, hole, "must be a strict subset of `cidr`"))
    return causes


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _strictly_inside(inner: Network, outer: Network) -> bool:
    if inner.version != outer.version or inner.prefixlen <= outer.prefixlen:
        return False
    return inner.network_address in outer


# -- endpoints -----------------------------------------------------------------------------------------------------
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
    topology = endpoint.get("deprecatedTopology") or {}
    causes += meta.labels(topology, f"{path}.deprecatedTopology")
    if endpoint.get("hostname") is not None:
        causes += each_invalid(f"{path}.hostname", endpoint["hostname"], names.label(endpoint["hostname"]))
    return causes


def _typed_address(address: str, kind: str, path: str) -> Causes:
    if kind == "FQDN":
        return _domain(address.removesuffix("."), path)
    if kind not in ("IPv4", "IPv6"):
        return []
    if names.ip(address):
        return [
            invalid(path, address, f"must be a valid {kind} address"),
            invalid(path, address, "must be a valid IP address"),
        ]
    family = f"IPv{ipaddress.ip_address(address).version}"
    wrong = [] if family == kind else [invalid(path, address, f"must be a valid {kind} address")]
    return wrong + special_address(address, path, loopback=True)


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
