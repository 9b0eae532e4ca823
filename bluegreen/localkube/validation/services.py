"""Services."""

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
    invalid,
    not_supported,
    required,
    unless_in,
)
from bluegreen.localkube.validation.handlers import port

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_AFFINITIES = ("ClientIP", "None")
_TRAFFIC = ("Cluster", "Local")
_FAMILIES = ("IPv4", "IPv6")
_FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
_DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
_LONGEST_STICKY_S = 86400
_ONLY_BALANCED = "may only be used when `type` is 'LoadBalancer'"
_SET_ONCE = "may not change once set"


def create(service: Obj) -> Causes:
    """A Service, new or changed."""
    spec = service["spec"]
    headless = is_headless(spec)
    ports = spec.get("ports") or []
    kind = spec.get("type", "")
    causes: Causes = []
    if not ports and not headless and kind != "ExternalName":
        causes.append(required("spec.ports"))
    causes += _by_type(spec, kind, headless)
    seen: set[str] = set()
    for place, each in enumerate(ports):
        causes += _port(each, f"spec.ports[{place}]", seen, named=len(ports) > 1)
    causes += meta.labels(spec.get("selector"), "spec.selector")
    causes += _affinity(spec)
    causes += cluster_addresses(spec)
    for place, address in enumerate(spec.get("externalIPs") or ()):
        causes += _external_address(address, f"spec.externalIPs[{place}]")
    causes += unless_in("spec.type", kind, TYPES)
    causes += _node_ports(ports, kind) + _same_ports(ports)
    return causes + _load_balancer(spec, kind) + _traffic(spec, kind)


def is_headless(spec: Obj) -> bool:
    """A Service without an address of its own."""
    return list(spec.get("clusterIPs") or [spec.get("clusterIP")]) == ["None"]


def _by_type(spec: Obj, kind: str, headless: bool) -> Causes:
    if kind in ("LoadBalancer", "NodePort") and headless:
        return [invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services")]
    if kind != "ExternalName":
        return []
    causes: Causes = []
    if spec.get("clusterIPs") or spec.get("clusterIP"):
        causes.append(forbidden("spec.clusterIPs", "may not be set for ExternalName services"))
    for key in ("ipFamilies", "ipFamilyPolicy"):
        if spec.get(key):
            causes.append(forbidden(f"spec.{key}", "may not be set for ExternalName services"))
    name = spec.get("externalName", "").removesuffix(".")
    if not name:
        return [*causes, required("spec.externalName")]
    return causes + each_invalid("spec.externalName", name, names.subdomain(name))


def _port(given: Obj, path: str, seen: set[str], *, named: bool) -> Causes:
    causes: Causes = []
    name = given.get("name", "")
    if named and not name:
        causes.append(required(f"{path}.name"))
    elif name:
        causes += each_invalid(f"{path}.name", name, names.label(name))
        if name in seen:
            causes.append(duplicate(f"{path}.name", name))
        seen.add(name)
    causes += each_invalid(f"{path}.port", given.get("port", 0), names.number_of_port(given.get("port", 0)))
    causes += unless_in(f"{path}.protocol", given.get("protocol"), PROTOCOLS)
    causes += port(given.get("targetPort", 0), f"{path}.targetPort")
    if given.get("appProtocol") is not None:
        protocol = given["appProtocol"]
        causes += each_invalid(f"{path}.appProtocol", protocol, names.qualified(protocol))
    return causes


def _affinity(spec: Obj) -> Causes:
    kind, config = spec.get("sessionAffinity"), spec.get("sessionAffinityConfig")
    causes = unless_in("spec.sessionAffinity", kind, _AFFINITIES)
    path = "spec.sessionAffinityConfig"
    if kind == "None" and config is not None:
        causes.append(forbidden(path, "must not be set when session affinity is None"))
    if kind == "ClientIP":
        client = (config or {}).get("clientIP")
        timeout = (client or {}).get("timeoutSeconds")
        if timeout is None:
            at = path if config is None else f"{path}.clientIP{'' if client is None else '.timeoutSeconds'}"
            causes.append(required(at, "when session affinity type is ClientIP"))
        elif not 0 < timeout <= _LONGEST_STICKY_S:
            detail = f"must be greater than 0 and less than {_LONGEST_STICKY_S}"
            causes.append(invalid(f"{path}.clientIP.timeoutSeconds", timeout, detail))
    return causes


def cluster_addresses(spec: Obj) -> Causes:
    """clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy, alone and together."""
    if spec.get("type") == "ExternalName":
        return []
    first, addresses = spec.get("clusterIP", ""), spec.get("clusterIPs") or []
    causes: Causes = []
    if first and addresses and addresses[0] != first:
        causes.append(invalid("spec.clusterIPs", addresses, "first value must match `clusterIP`"))
    elif addresses and not first:
        causes.append(invalid("spec.clusterIPs", addresses, "must be empty when `clusterIP` is not specified"))
    causes += _families(spec)
    checked = addresses or ([first] if first else [])
    wrong = _address_list(checked)
    causes += wrong
    if len(checked) > 2:
        causes.append(invalid("spec.clusterIPs", checked, "may only hold up to 2 values"))
    if wrong or checked in ([], ["None"]):
        return causes
    versions = [ipaddress.ip_address(address).version for address in checked]
    if len(set(versions)) != len(versions):
        detail = "may specify no more than one IP for each IP family"
        causes.append(invalid("spec.clusterIPs", checked, detail))
    for place, (version, family) in enumerate(zip(versions, spec.get("ipFamilies") or (), strict=False)):
        if family in _FAMILIES and family != f"IPv{version}":
            detail = f"expected an {family} value as indicated by `ipFamilies[{place}]`"
            causes.append(invalid(f"spec.clusterIPs[{place}]", checked[place], detail))
    return causes


def _families(spec: Obj) -> Causes:
    causes: Causes = []
    families = spec.get("ipFamilies") or []
    for place, family in enumerate(families):
        here = f"spec.ipFamilies[{place}]"
        if family not in _FAMILIES:
            causes.append(not_supported(here, family, _FAMILIES))
        if family in families[:place]:
            causes.append(duplicate(here, family))
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in _FAMILY_POLICIES:
        causes.append(not_supported("spec.ipFamilyPolicy", policy, _FAMILY_POLICIES))
    return causes


def _address_list(addresses: list[str]) -> Causes:
    causes: Causes = []
    for place, address in enumerate(addresses):
        if place == 0 and address == "None":
            if len(addresses) > 1:
                causes.append(invalid("spec.clusterIPs", addresses, "'None' must be the first and only value"))
            continue
        causes += each_invalid(f"spec.clusterIPs[{place}]", address, names.ip(address))
    return causes


def _external_address(address: str, path: str) -> Causes:
    wrong = each_invalid(path, address, names.ip(address))
    return wrong or special_address(address, path)


def special_address(address: str, path: str, *, loopback: bool = False) -> Causes:
    """Addresses that mean something of their own. ``loopback``: allowed, as pods here live there."""
    found = ipaddress.ip_address(address)
    causes: Causes = []
    if found.is_unspecified:
        causes.append(invalid(path, address, f"may not be unspecified ({address})"))
    if found.is_loopback and not loopback:
        causes.append(invalid(path, address, "may not be in the loopback range (127.0.0.0/8, ::1/128)"))
    if found.is_link_local:
        causes.append(invalid(path, address, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"))
    if found in ipaddress.ip_network("224.0.0.0/24"):
        detail = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
        causes.append(invalid(path, address, detail))
    return causes


def _node_ports(ports: list[Obj], kind: str) -> Causes:
    causes: Causes = []
    seen: set[tuple[str, int]] = set()
    if kind == "ClusterIP":
        detail = "may not be used when `type` is 'ClusterIP'"
        for place, each in enumerate(ports):
            if each.get("nodePort"):
                causes.append(forbidden(f"spec.ports[{place}].nodePort", detail))
    for place, each in enumerate(ports):
        number = each.get("nodePort")
        if number:
            if (each.get("protocol", ""), number) in seen:
                causes.append(duplicate(f"spec.ports[{place}].nodePort", number))
            seen.add((each.get("protocol", ""), number))
    return causes


def _same_ports(ports: list[Obj]) -> Causes:
    causes: Causes = []
    seen: set[tuple[str, int]] = set()
    for place, each in enumerate(ports):
        key = (each.get("protocol", ""), each.get("port", 0))
        if key in seen:
            shown = {
                "Name": "",
                "Protocol": key[0],
                "AppProtocol": None,
                "Port": key[1],
                "TargetPort": 0,
                "NodePort": 0,
            }
            causes.append(duplicate(f"spec.ports[{place}]", shown))
        seen.add(key)
    return causes


def _load_balancer(spec: Obj, kind: str) -> Causes:
    balanced = kind == "LoadBalancer"
    causes: Causes = []
    ranges = spec.get("loadBalancerSourceRanges") or []
    if ranges and not balanced:
        causes.append(forbidden("spec.LoadBalancerSourceRanges", _ONLY_BALANCED))
    for place, each in enumerate(ranges):
        text = each.strip()
        causes += each_invalid(f"spec.LoadBalancerSourceRanges[{place}]", text, names.cidr(text))
    if spec.get("allocateLoadBalancerNodePorts") is not None and not balanced:
        causes.append(forbidden("spec.allocateLoadBalancerNodePorts", _ONLY_BALANCED))
    return causes + _class(spec, kind)


def _class(spec: Obj, kind: str) -> Causes:
    given = spec.get("loadBalancerClass")
    if given is None:
        return []
    if kind == "LoadBalancer":
        return each_invalid("spec.loadBalancerClass", given, names.qualified(given))
    return [forbidden("spec.loadBalancerClass", _ONLY_BALANCED)]


def _traffic(spec: Obj, kind: str) -> Causes:
    causes: Causes = []
    policy = spec.get("externalTrafficPolicy")
    reachable = kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and spec.get("externalIPs"))
    if not reachable and policy:
        detail = "may only be set for externally-accessible services"
        causes.append(invalid("spec.externalTrafficPolicy", policy, detail))
    elif reachable:
        causes += unless_in("spec.externalTrafficPolicy", policy, _TRAFFIC)
    health = spec.get("healthCheckNodePort", 0)
    if health and not (kind == "LoadBalancer" and policy == "Local"):
        detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        causes.append(invalid("spec.healthCheckNodePort", health, detail))
    internal = spec.get("internalTrafficPolicy")
    if internal is not None and internal not in _TRAFFIC:
        causes.append(not_supported("spec.internalTrafficPolicy", internal, _TRAFFIC))
    spread = spec.get("trafficDistribution")
    if spread is not None and spread not in _DISTRIBUTIONS:
        causes.append(not_supported("spec.trafficDistribution", spread, _DISTRIBUTIONS))
    return causes


def update(service: Obj, old: Obj) -> Causes:
    """A changed Service keeps its addresses, unless it becomes or was an ExternalName."""
    new_spec, old_spec = service["spec"], old["spec"]
    if wrong := cluster_addresses(new_spec):
        return wrong  # Kubernetes looks no further then
    causes: Causes = []
    if "ExternalName" not in (new_spec.get("type"), old_spec.get("type")):
        causes += _same_addresses(new_spec, old_spec)
    both_balanced = new_spec.get("type") == old_spec.get("type") == "LoadBalancer"
    given = new_spec.get("loadBalancerClass")
    if both_balanced and given != old_spec.get("loadBalancerClass"):
        causes.append(invalid("spec.loadBalancerClass", given, _SET_ONCE))
    causes += _class(new_spec, new_spec.get("type", ""))  # which Kubernetes looks at once more below
    if _checked(new_spec) and _checked(old_spec):
        health = [spec.get("healthCheckNodePort", 0) for spec in (new_spec, old_spec)]
        if health[0] != health[1]:
            causes.append(forbidden("spec.healthCheckNodePort", "field is immutable"))
    return causes + create(service)


def _checked(spec: Obj) -> bool:
    """Whether load balancers ask every node whether it has endpoints."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _addresses(spec: Obj) -> list[str]:
    return spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])


def _same_addresses(new: Obj, old: Obj) -> Causes:
    before, after = _addresses(old), _addresses(new)
    if is_headless(old) and is_headless(new):
        return []
    causes: Causes = []
    if before and not after:
        causes.append(invalid("spec.clusterIPs[0]", None, "primary clusterIP can not be unset"))
    elif len(before) == len(after):
        for place, (was, now) in enumerate(zip(before, after, strict=True)):
            if was != now:
                causes.append(invalid(f"spec.clusterIPs[{place}]", after, _SET_ONCE))
    elif before and before[0] != after[0]:
        causes.append(invalid("spec.clusterIPs[0]", after, _SET_ONCE))
    families, old_families = new.get("ipFamilies") or [], old.get("ipFamilies") or []
    if is_headless(new) == is_headless(old) and families and old_families and families[0] != old_families[0]:
        causes.append(invalid("spec.ipFamilies[0]", families, _SET_ONCE))
    return causes
