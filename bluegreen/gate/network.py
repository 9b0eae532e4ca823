"""Stage network: whether the colour can be reached as clients inside the cluster reach it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bluegreen.gate.check import Check

Obj = Mapping[str, Any]

DNS_PORT = 53


def endpoints(slices: Sequence[Obj], pods: Sequence[Obj], service: str) -> list[Check]:
    """The EndpointSlices of a Service hold every pod of the colour as ready, and no other address."""
    ready = ready_addresses(slices)
    names = {pod["status"].get("podIP", ""): pod["metadata"]["name"] for pod in pods}
    strangers = sorted(ready - set(names))
    others = f"Service {service} also leads to {', '.join(strangers)}, which is no pod of this colour."
    return [
        *(
            Check.equal(
                f"Pod {name}: endpoint of Service {service}", "ready" if address in ready else "missing", "ready"
            )
            for address, name in names.items()
        ),
        Check.that(f"Service {service}: other endpoints", not strangers, ", ".join(strangers), "none", others),
    ]


def ready_addresses(slices: Sequence[Obj]) -> set[str]:
    """The addresses that get traffic: ready endpoints; a missing ``ready`` means ready."""
    return {
        address
        for found in slices
        for endpoint in found.get("endpoints") or []
        if endpoint.get("conditions", {}).get("ready", True)
        for address in endpoint.get("addresses", [])
    }


def resolves(name: str, addresses: Sequence[str], service: Obj) -> list[Check]:
    """The Service's DNS name leads to its own address."""
    wanted = service["spec"].get("clusterIP", "")
    otherwise = f"{name} resolves to {', '.join(addresses) or 'nothing'} and not to {wanted}."
    return [Check.that(f"DNS: {name}", wanted in addresses, ", ".join(addresses), wanted, otherwise)]


def answered(port: str, status: int | None, where: str, error: str = "") -> list[Check]:
    """A port answers HTTP, whatever the status: it is open, and something behind it speaks. ``None``: it did not."""
    otherwise = f"Port {port} of {where} answered nothing{': ' + error if error else ''}."
    return [Check.that(f"{where}: port {port}", status is not None, status, "an answer", otherwise)]


def reached_every_pod(answers_by_pod: Mapping[str, int], pods: Sequence[Obj], made: int) -> list[Check]:
    """Of ``made`` requests through a Service, every pod of the colour got some."""
    names = [pod["metadata"]["name"] for pod in pods]
    return [
        Check.that(
            f"Pod {name}: requests through the Service",
            answers_by_pod.get(name, 0) > 0,
            answers_by_pod.get(name, 0),
            "at least 1",
            f"Pod {name} got none of {made} requests through the Service.",
        )
        for name in names
    ]


def kept_open(answers: int, problem: str, where: str) -> list[Check]:
    """Two requests are answered on one connection: an application that closes each makes every user connect anew."""
    otherwise = f"{where} answered {answers} of 2 requests on one connection{': ' + problem if problem else ''}."
    return [Check.that(f"{where}: keep-alive", answers == 2, answers, "2 answers on one connection", otherwise)]


def admitted(policies: Sequence[Obj], labels: Mapping[str, str], ports: Mapping[str, int]) -> list[Check]:
    """No NetworkPolicy shuts the pods in: each port may be reached by somebody, and names may be looked up.

    Policies add up: what any of those that select a pod allows is allowed, and a pod that none selects is open.
    https://kubernetes.io/docs/concepts/services-networking/network-policies/
    """
    ours = [policy for policy in policies if _selects(policy["spec"].get("podSelector") or {}, labels)]
    coming = [policy for policy in ours if "Ingress" in _types(policy)]
    going = [policy for policy in ours if "Egress" in _types(policy)]
    checks = [_may_come(coming, name, number) for name, number in ports.items()] if coming else []
    return [*checks, _may_look_up(going)] if going else checks


def _may_come(policies: Sequence[Obj], name: str, number: int) -> Check:
    rules = [rule for policy in policies for rule in policy["spec"].get("ingress") or []]
    allowed = any(_port_allowed(rule, name, number) for rule in rules)
    otherwise = f"{_named(policies)} lets nobody reach port {name} ({number}) of this colour's pods."
    return Check.that(f"NetworkPolicy: port {name}", allowed, "nobody", "open to somebody", otherwise)


def _may_look_up(policies: Sequence[Obj]) -> Check:
    rules = [rule for policy in policies for rule in policy["spec"].get("egress") or []]
    allowed = any(_port_allowed(rule, "dns", DNS_PORT) and _leads_out(rule) for rule in rules)
    otherwise = f"{_named(policies)} does not let this colour's pods look up names (port {DNS_PORT})."
    return Check.that("NetworkPolicy: names", allowed, "shut", "open", otherwise)


def _leads_out(rule: Obj) -> bool:
    """Whether a rule allows anything outside the namespace, where the cluster's name server is."""
    peers = rule.get("to") or [{"ipBlock": {}}]
    return any("namespaceSelector" in peer or "ipBlock" in peer for peer in peers)


def _port_allowed(rule: Obj, name: str, number: int) -> bool:
    """Whether a rule allows a port: one without ports allows all, an entry without a port too."""
    entries = rule.get("ports") or [{}]
    return any(
        entry.get("port") in (None, name, number)
        or (isinstance(entry.get("port"), int) and entry["port"] <= number <= entry.get("endPort", entry["port"]))
        for entry in entries
    )


def _types(policy: Obj) -> Sequence[str]:
    spec = policy["spec"]
    types: Sequence[str] = spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]
    return types


def _selects(selector: Obj, labels: Mapping[str, str]) -> bool:
    wanted = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _holds(expression, labels) for expression in selector.get("matchExpressions") or []
    )


def _holds(expression: Obj, labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or []
    holds = {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }
    return holds[expression["operator"]]


def _named(policies: Sequence[Obj]) -> str:
    names = ", ".join(policy["metadata"]["name"] for policy in policies)
    return f"NetworkPolicy {names}"
