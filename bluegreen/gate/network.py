"""Stage network: whether the colour can be reached as clients inside the cluster reach it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bluegreen.gate.check import Check

Obj = Mapping[str, Any]


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
