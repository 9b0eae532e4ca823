"""What a port-forward carries: the load test through one, beside the same load at the Service's own address."""

from __future__ import annotations

import dataclasses
import socket
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bluegreen import clock, load, localkube, settings
from bluegreen.access import CLUSTER, PORT_FORWARD, Access, Address
from bluegreen.clock import Deadline
from bluegreen.kube import Kube
from bluegreen.load import LoadResult
from bluegreen.settings import Settings
from tests.bench.rows import IMAGE, Row, namespace, stand_up

RATES = (150, 300, 600, 900)
FRESH = 400
"""Connections that are opened one after the other by each of eight threads together."""


def forward(cluster: localkube.Cluster) -> list[Row]:
    """The slowest twentieth of answers at some rates, and how many new connections a second."""
    with namespace(cluster) as kube:
        stand_up(kube, 3, IMAGE)
        app = kube.list("Pod")[0]["metadata"]["labels"]["app"]
        ports = [{"name": "http", "port": 80, "targetPort": 8080}]
        spec = {"selector": {"app": app}, "ports": ports}
        kube.create({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": spec})
        kube.wait(
            "EndpointSlice",
            lambda s: any(x["endpoints"] for x in s) or None,
            deadline=Deadline(10),
            awaited="endpoints",
        )
        asked = settings.load({"NAMESPACE": kube.namespace, "SERVICE_NAME": "s", "DOCKER_IMAGE": IMAGE})
        return [*(_row(kube, asked, rate) for rate in RATES), _connections(kube, asked)]


def _row(kube: Kube, asked: Settings, rate: int) -> Row:
    through, direct = (_load(kube, asked, way, rate) for way in (PORT_FORWARD, CLUSTER))
    what = f"95 of 100 through a forward at {through.rps:.0f}/s"
    return Row(what, through.p95_ms, "ms", "", direct.p95_ms, f"at the Service's address, {direct.rps:.0f}/s")


def _load(kube: Kube, asked: Settings, way: str, rate: int) -> LoadResult:
    chosen = dataclasses.replace(asked, access=way, load_rate=float(rate), load_test_duration=8.0)
    with tempfile.TemporaryDirectory() as folder:
        access = Access(kube, chosen)
        try:
            return load.run(chosen, access.live().url, Path(folder))
        finally:
            access.close()


def _connections(kube: Kube, asked: Settings) -> Row:
    """New connections a second, one request each."""
    rates = []
    for way in (PORT_FORWARD, CLUSTER):
        access = Access(kube, dataclasses.replace(asked, access=way))
        address, started_s = access.live(), clock.now_s()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _, at=address: _ask_once(at), range(FRESH)))  # type: ignore[misc]
        rates.append(FRESH / (clock.now_s() - started_s))
        access.close()
    return Row("new connections a second through a forward", rates[0], "/s", "", rates[1], "at the Service's address")


def _ask_once(address: Address) -> None:
    with socket.create_connection((address.host, address.port), timeout=30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n")
        answer = connection.recv(65536)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"{threading.current_thread().name}: {answer[:100]!r}")
