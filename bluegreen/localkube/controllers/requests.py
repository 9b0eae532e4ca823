"""What pods ask of a node and what nodes have left: sums kept up to date as pods are bound and go."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from bluegreen.localkube import quantities
from bluegreen.localkube.controllers.pods import is_finished
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.store import Change, Store

Obj = dict[str, Any]
Amounts = Counter[str]
"""Resource name -> nano units."""
HostPort = tuple[str, int]
"""Protocol and number of a port a pod takes on its node."""


def pod_requests(pod: Obj, field: str = "requests") -> Amounts:
    """What a pod asks for in all: its containers together, or its hungriest init container, and its overhead.
    ``field``: "requests" or "limits"."""
    spec = pod["spec"]
    running = _sum(_amounts(container, field) for container in spec.get("containers") or ())
    starting: Amounts = Counter()
    for container in spec.get("initContainers") or ():
        amounts = _amounts(container, field)
        if container.get("restartPolicy") == "Always":  # a sidecar: runs on beside all others
            running.update(amounts)
        else:
            starting = starting | amounts
    overhead = Counter({name: quantities.parse(value) for name, value in (spec.get("overhead") or {}).items()})
    return _sum([running | starting, overhead])


def _amounts(container: Obj, field: str) -> Amounts:
    given = (container.get("resources") or {}).get(field) or {}
    return Counter({name: quantities.parse(value) for name, value in given.items()})


def _sum(all_amounts: Iterable[Amounts]) -> Amounts:
    total: Amounts = Counter()
    for amounts in all_amounts:
        total.update(amounts)
    return total


def host_ports(pod: Obj) -> Iterator[HostPort]:
    """The ports a pod takes on its node."""
    for container in pod["spec"].get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                yield port.get("protocol", "TCP"), port["hostPort"]


def wants_apart(pod: Obj) -> list[Obj]:
    """The terms by which a pod keeps others off its topology domain."""
    anti = (pod["spec"].get("affinity") or {}).get("podAntiAffinity") or {}
    terms: list[Obj] = anti.get("requiredDuringSchedulingIgnoredDuringExecution") or []
    return terms


class Allocations:
    """What the pods on each node have taken. Follows the store."""

    def __init__(self, store: Store) -> None:
        self.taken: dict[str, Amounts] = defaultdict(Counter)
        self.pods: dict[str, dict[str, Obj]] = defaultdict(dict)  # node -> uid -> pod
        self.loners: dict[str, dict[str, Obj]] = defaultdict(dict)  # those of them that keep others off their node
        self.host_ports: dict[str, Counter[HostPort]] = defaultdict(Counter)
        for pod in store.list(KINDS["Pod"]):
            self._count(pod, 1)
        self._unsubscribe = store.subscribe(KINDS["Pod"], self._follow)

    def close(self) -> None:
        """Stop following."""
        self._unsubscribe()

    def _follow(self, change: Change) -> None:
        before = change.previous
        if before is not None and change.type == "MODIFIED" and _place(before) == _place(change.object):
            node = _place(before)
            if node:
                self._list(node, change.object)
            if not node or before["spec"] == change.object["spec"]:
                return
        if before is not None:
            self._count(before, -1)
        if change.type != "DELETED":
            self._count(change.object, 1)

    def _list(self, node: str, pod: Obj) -> None:
        uid = pod["metadata"]["uid"]
        self.pods[node][uid] = pod
        if wants_apart(pod):
            self.loners[node][uid] = pod

    def _count(self, pod: Obj, sign: int) -> None:
        node, uid = _place(pod), pod["metadata"]["uid"]
        if not node:
            return
        if sign > 0:
            self._list(node, pod)
        else:
            self.pods[node].pop(uid, None)
            self.loners[node].pop(uid, None)
        for name, amount in pod_requests(pod).items():
            self.taken[node][name] += sign * amount
        for port in host_ports(pod):
            self.host_ports[node][port] += sign


def _place(pod: Obj) -> str:
    """The node a pod takes something of; "" when it takes nothing."""
    node: str = pod["spec"].get("nodeName") or ""
    return "" if is_finished(pod) else node
