"""Ingresses as rules. Pure. Any class will do: this cluster has one router for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bluegreen.localkube.kinds import Obj
from bluegreen.localkube.router.rules import EXACT, PREFIX, Backend, Host, Match, Rule, Share


def rules(ingresses: Iterable[Obj]) -> Iterator[Rule]:
    """Every path of every Ingress, and the default backends."""
    for ingress in ingresses:
        meta, spec = ingress["metadata"], ingress["spec"]
        if meta.get("deletionTimestamp"):
            continue
        age = (meta["creationTimestamp"], meta["namespace"], meta["name"])
        for number, (host, path) in enumerate(_paths(spec)):
            kind = EXACT if path.get("pathType") == EXACT else PREFIX
            match = Match(Host(host.lower(), deep=False), path.get("path") or "/", kind)
            yield Rule(match, (Share(_backend(meta["namespace"], path["backend"])),), (*age, number))
        if spec.get("defaultBackend"):
            share = Share(_backend(meta["namespace"], spec["defaultBackend"]))
            yield Rule(Match(), (share,), age, last=True)


def _paths(spec: Obj) -> Iterator[tuple[str, Obj]]:
    for rule in spec.get("rules") or ():
        for path in (rule.get("http") or {}).get("paths") or ():
            yield rule.get("host") or "", path


def _backend(namespace: str, backend: Obj) -> Backend:
    service = backend.get("service")
    if not service:
        return Backend(namespace, "", 0, "its backend is no Service: this cluster routes to Services only")
    port = service.get("port") or {}
    return Backend(namespace, service["name"], port.get("name") or port.get("number") or 0)
