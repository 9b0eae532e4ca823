"""How the cluster does with much of everything: pods, objects, watchers, requests."""

from __future__ import annotations

import asyncio
import json
import statistics
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from bluegreen import clock, localkube
from tests.bench.bare import bare_server
from tests.bench.rows import Row, namespace, processor_s, resident_mb, stand_up, timed
from tests.bench.watchers import WATCHERS, watch_all
from tests.bench.wire import Wire, encoded, own_namespace

NO_PROCESS = "registry.k8s.io/pause:3.10"
PODS, REQUESTS, UPDATES, SAMPLE = 1000, 4000, 1000, 400
LEVELS = (0, 1_000, 10_000, 50_000)


def pods(cluster: localkube.Cluster) -> list[Row]:
    """A thousand pods that run no process; what the API's other clients feel meanwhile; listing the pods."""
    before = resident_mb(cluster.pid)
    with namespace(cluster) as kube, ExitStack() as stack:
        used_s = processor_s(cluster.pid)
        with _asking(cluster) as waits_s:
            rollout_s = stand_up(kube, PODS, NO_PROCESS)
        pod_ms = (processor_s(cluster.pid) - used_s) * 1000 / PODS
        wire = stack.enter_context(Wire(cluster))
        path = f"/api/v1/namespaces/{kube.namespace}/pods"
        lists_s = [timed(lambda: wire.ask("GET", path)) for _ in range(9)]
        assert len(json.loads(wire.ask("GET", path))["items"]) == PODS
        used_s = processor_s(cluster.pid)
        for _ in range(20):
            wire.ask("GET", path)
        list_s = (processor_s(cluster.pid) - used_s) / 20
        grown = (resident_mb(cluster.pid) - before) * 1024 / PODS
    ordered = sorted(waits_s)
    return [
        Row("1,000 pods without a process Available", rollout_s, "s", "<= 15"),
        Row("the server's processor time a pod", pod_ms, "ms"),
        Row("a GET meanwhile, median", statistics.median(ordered) * 1000, "ms"),
        Row("a GET meanwhile, 99th percentile", ordered[len(ordered) * 99 // 100] * 1000, "ms"),
        Row("listing 1,000 pods, the first time", lists_s[0] * 1000, "ms", "<= 50"),
        Row("listing 1,000 pods", statistics.median(lists_s) * 1000, "ms", "<= 50"),
        Row("the server's processor time a listing", list_s * 1000, "ms", "<= 50"),
        Row("memory a pod, with its events", grown, "KB"),
    ]


@contextmanager
def _asking(cluster: localkube.Cluster) -> Iterator[list[float]]:
    """Ask for a small object every few milliseconds; gives how long each answer took, in seconds."""
    waits_s: list[float] = []
    over = threading.Event()

    def ask() -> None:
        with Wire(cluster) as wire:
            while not over.wait(0.01):
                waits_s.append(timed(lambda: wire.ask("GET", "/api/v1/namespaces/default")))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield waits_s
    finally:
        over.set()
        thread.join()


def requests(cluster: localkube.Cluster) -> list[Row]:
    """One serial client over one connection; the best of three rounds, because others use the machine too."""
    bare = []
    with Wire(cluster) as wire, bare_server(cluster) as place, Wire(place) as other:
        rounds = []
        for _ in range(3):
            rounds.append(_round(cluster, wire))
            bare.append(REQUESTS / timed(lambda: [other.ask("GET", "/") for _ in range(REQUESTS)]))
    beside = (max(bare), "a bare aiohttp handler")
    return [
        Row("creates by one serial client", max(each.creates for each in rounds), "/s", ">= 2000", *beside),
        Row("the server's processor time a create", min(each.created_us for each in rounds), "us"),
        Row("gets by one serial client", max(each.gets for each in rounds), "/s", ">= 3000", *beside),
        Row("the server's processor time a get", min(each.got_us for each in rounds), "us"),
        Row("memory an object", rounds[0].memory_kb, "KB", "<= 5"),
    ]


@dataclass(frozen=True)
class Round:
    """Requests a second, the server's processor time for one, and how much its memory grew by each object."""

    creates: float
    created_us: float
    gets: float
    got_us: float
    memory_kb: float


def _round(cluster: localkube.Cluster, wire: Wire) -> Round:
    with own_namespace(wire, f"bench-{uuid.uuid4().hex[:6]}") as path:
        bodies = [encoded({"metadata": {"name": f"cm-{i}"}, "data": {"a": "1"}}) for i in range(REQUESTS)]
        paths = [f"{path}/configmaps/cm-{i}" for i in range(REQUESTS)]
        before = resident_mb(cluster.pid)
        creates, created_us = _rate(cluster, lambda: [wire.ask("POST", f"{path}/configmaps", each) for each in bodies])
        memory_kb = (resident_mb(cluster.pid) - before) * 1024 / REQUESTS
        gets, got_us = _rate(cluster, lambda: [wire.ask("GET", each) for each in paths])
    return Round(creates, created_us, gets, got_us, memory_kb)


def _rate(cluster: localkube.Cluster, act: Callable[[], object]) -> tuple[float, float]:
    """Requests a second, and the server's processor time for each in microseconds, of ``REQUESTS`` requests."""
    used_s = processor_s(cluster.pid)
    rate = REQUESTS / timed(act)
    return rate, (processor_s(cluster.pid) - used_s) * 1e6 / REQUESTS


def watchers(cluster: localkube.Cluster) -> list[Row]:
    """A hundred watches on one ConfigMap's namespace while it is updated: each must see every update, in order."""
    with Wire(cluster) as wire, own_namespace(wire, f"bench-{uuid.uuid4().hex[:6]}") as path:
        body: dict[str, Any] = {"metadata": {"name": "watched"}, "data": {"n": "0"}}
        first = json.loads(wire.ask("POST", f"{path}/configmaps", encoded(body)))
        versions: list[int] = []

        def update() -> None:
            for number in range(1, UPDATES + 1):
                patch = encoded({"data": {"n": str(number)}})
                done = wire.ask("PATCH", f"{path}/configmaps/watched", patch, "application/merge-patch+json")
                versions.append(int(json.loads(done)["metadata"]["resourceVersion"]))

        since = first["metadata"]["resourceVersion"]
        seen = asyncio.run(watch_all(cluster, f"{path}/configmaps", since, UPDATES, update))
    wrong = sum(watcher.versions != versions for watcher in seen.watchers)
    assert not wrong, f"{wrong} of {WATCHERS} watchers did not see exactly the {UPDATES} updates in their order"
    return [
        Row(f"{WATCHERS} watchers see {UPDATES} updates", seen.seconds, "s"),
        Row("events delivered", WATCHERS * UPDATES / seen.seconds, "/s"),
        Row("watchers that lost or doubled one", wrong, "", "0"),
    ]


def writes(cluster: localkube.Cluster) -> list[Row]:
    """What a write costs the server when many objects are there that nobody watches, in a namespace with a quota."""
    found: dict[str, list[float]] = {}
    with Wire(cluster) as wire, own_namespace(wire, f"bench-{uuid.uuid4().hex[:6]}") as path:
        quota = {"metadata": {"name": "q"}, "spec": {"hard": {"count/configmaps": "100000", "pods": "10"}}}
        wire.ask("POST", f"{path}/resourcequotas", encoded(quota))
        filled = 0
        for level in LEVELS:
            for number in range(filled, level):
                wire.ask("POST", f"{path}/configmaps", encoded({"metadata": {"name": f"filler-{number}"}}))
            filled = level
            for what, cost_us in _write_costs(cluster, wire, path).items():
                found.setdefault(what, []).append(cost_us)
    rows = []
    for what, costs_us in found.items():
        for level, cost_us in zip(LEVELS, costs_us, strict=True):
            first = (None, "") if level == LEVELS[0] else (costs_us[0], "beside none")
            rows.append(Row(f"{what} beside {level:,} objects", cost_us, "us", "ratio 1" if level else "", *first))
    return rows


def _write_costs(cluster: localkube.Cluster, wire: Wire, path: str) -> dict[str, float]:
    """The server's processor time for each sort of write, in microseconds: the least of three rounds."""
    names = [f"probe-{i}" for i in range(SAMPLE)]
    makes = [encoded({"metadata": {"name": name}}) for name in names]
    change = encoded({"data": {"x": uuid.uuid4().hex}})
    merge = "application/merge-patch+json"
    acts = {
        "create": lambda: [wire.ask("POST", f"{path}/configmaps", body) for body in makes],
        "patch": lambda: [wire.ask("PATCH", f"{path}/configmaps/{name}", change, merge) for name in names],
        "delete": lambda: [wire.ask("DELETE", f"{path}/configmaps/{name}") for name in names],
    }
    found: dict[str, list[float]] = {}
    for _ in range(3):
        for what, act in acts.items():
            used_s = processor_s(cluster.pid)
            act()
            _settled(cluster)
            found.setdefault(what, []).append((processor_s(cluster.pid) - used_s) * 1e6 / SAMPLE)
    return {what: min(costs) for what, costs in found.items()}


def _settled(cluster: localkube.Cluster) -> None:
    """Wait until the server does nothing more: what a write makes its controllers do is part of its cost."""
    used_s, calm = processor_s(cluster.pid), 0
    while calm < 3:
        clock.sleep_s(0.05)
        now_s = processor_s(cluster.pid)
        calm, used_s = (calm + 1 if now_s == used_s else 0), now_s
