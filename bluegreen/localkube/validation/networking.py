"""Ingresses and NetworkPolicies."""

from __future__ import annotations

import ipaddress

from bluegreen.localkube.validation import meta, names
from bluegreen.localkube.validation.containers import PROTOCOLS
from bluegreen.localkube.validation.fields import (
    Causes,
    Obj,
    each_invalid,
    forbidden,
    immutable,
    invalid,
    not_supported,
    required,
    too_long,
)

_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_BAD_IN_PATH = ("//", "/./", "/../", "%2f", "%2F")
_SCOPES = ("Cluster", "Namespace")
_LONGEST_CONTROLLER = 250
_BAD_AT_END = ("/..", "/.")


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


def ingress_class(obj: Obj) -> Causes:
    """An IngressClass: a controller's name with a domain, and parameters of the cluster's or of a namespace."""
    return _controller(obj["spec"].get("controller") or "") + _parameters(obj["spec"].get("parameters"))


def _parameters(given: Obj | None) -> Causes:
    if given is None:
        return []
    path = "spec.parameters"
    causes = _typed_reference(given, path)
    scope, namespace = given.get("scope"), given.get("namespace")
    if scope not in _SCOPES:
        return [*causes, not_supported(f"{path}.scope", scope, _SCOPES)]
    if scope == "Cluster":
        said = forbidden(f"{path}.namespace", "`parameters.scope` is set to 'Cluster'")
        return causes if namespace is None else [*causes, said]
    if namespace is None:
        return [*causes, required(f"{path}.namespace", "`parameters.scope` is set to 'Namespace'")]
    return causes + each_invalid(f"{path}.namespace", namespace, names.label(namespace))


def _controller(controller: str) -> Causes:
    path = "spec.controller"
    if len(controller) > _LONGEST_CONTROLLER:
        return [too_long(path, _LONGEST_CONTROLLER)]
    domain, slash, rest = controller.partition("/")
    if not controller:
        return [required(path)]
    if not slash or not domain or not rest:
        return [invalid(path, controller, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    return each_invalid(path, domain, names.subdomain(domain))


def ingress_class_update(obj: Obj, old: Obj) -> Causes:
    """A changed IngressClass, whose controller stays."""
    return immutable("spec.controller", obj["spec"].get("controller"), old["spec"].get("controller")) + ingress_class(
        obj
    )


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


def _typed_reference(reference: Obj, path: str) -> Causes:
    group = reference.get("apiGroup")
    causes = [] if group is None else each_invalid(f"{path}.apiGroup", group, names.subdomain(group))
    for key in ("kind", "name"):
        value, at = reference.get(key, ""), f"{path}.{key}"
        causes += each_invalid(at, value, names.path_segment(value)) if value else [required(at)]
    return causes


def _backend(backend: Obj, path: str) -> Causes:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        return [invalid(path, "", "cannot set both resource and service backends")]
    if resource is not None:
        return _typed_reference(resource, f"{path}.resource")
    if service is None:
        return [invalid(path, "", "resource or service backend is required")]
    causes: Causes = []
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
