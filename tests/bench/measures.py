"""What is measured: each function gives rows of the table. All of it runs on clusters of the benchmark's own."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bluegreen import clock, localkube
from bluegreen.clock import Deadline
from bluegreen.kube import Kube, connect_handle
from tests.conformance.clients import of_embedded

CHECKOUT = Path(__file__).resolve().parents[2]
IMAGE = "gremlinsai/backend:v1.0.0"


@dataclass(frozen=True)
class Row:
    """One line of the table; ``other`` is the alternative measured in the same run."""

    what: str
    ours: float
    unit: str
    goal: str = ""
    other: float | None = None
    other_is: str = ""


def timed(act: Callable[[], Any]) -> float:
    """Seconds that a call takes."""
    started_s = clock.now_s()
    act()
    return clock.now_s() - started_s


def median(act: Callable[[], float], times: int = 5) -> float:
    """The median of several measurements."""
    return statistics.median(act() for _ in range(times))


@contextmanager
def namespace(cluster: localkube.Cluster) -> Iterator[Kube]:
    """A namespace of its own."""
    name = f"bench-{uuid.uuid4().hex[:6]}"
    kube = connect_handle(str(cluster.kubeconfig), cluster.context, name)
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield kube
    kube.delete("Namespace", name)


def resident_mb(pid: int) -> float:
    """Memory of a process, in MB."""
    line = next(x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def cluster_up(_cluster: localkube.Cluster) -> list[Row]:
    """Starting an empty cluster, by the command, and what it weighs."""
    seconds, megabytes = zip(*(_one_start() for _ in range(5)), strict=True)
    return [
        Row("cluster up", statistics.median(seconds), "s", "<= 1"),
        Row("its memory", statistics.median(megabytes), "MB", "<= 80"),
    ]


def _one_start() -> tuple[float, float]:
    home = tempfile.mkdtemp()
    environment = {**os.environ, "BLUEGREEN_HOME": home}
    command = [sys.executable, "-m", "bluegreen.cli", "cluster"]
    try:
        up_s = timed(lambda: subprocess.run([*command, "up"], env=environment, check=True, capture_output=True))
        found = localkube.find(base=Path(home))
        assert found is not None
        return up_s, resident_mb(found.pid)
    finally:
        subprocess.run([*command, "down"], env=environment, check=True, capture_output=True)
        shutil.rmtree(home)


def deployment(name: str, replicas: int, image: str) -> dict[str, Any]:
    """A Deployment with a readiness probe where the image is the sample."""
    container: dict[str, Any] = {"name": "app", "image": image}
    if image == IMAGE:
        container["readinessProbe"] = {"httpGet": {"path": "/api/v1/health/ready", "port": 8080}, "periodSeconds": 1}
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def stand_up(kube: Kube, replicas: int, image: str) -> float:
    """Seconds from asking for a Deployment until all its replicas are Available."""
    name = f"app-{uuid.uuid4().hex[:6]}"

    def available(found: list[dict[str, Any]]) -> bool | None:
        return (bool(found) and found[0].get("status", {}).get("availableReplicas", 0) == replicas) or None

    def act() -> None:
        kube.create(deployment(name, replicas, image))
        kube.wait("Deployment", available, fields=f"metadata.name={name}", deadline=Deadline(120), awaited="available")

    return timed(act)


def replicas(cluster: localkube.Cluster) -> list[Row]:
    """Three pods that run a program; a thousand that run none, and listing them."""
    with namespace(cluster) as kube:
        three = median(lambda: stand_up(kube, 3, IMAGE), 3)
    with namespace(cluster) as kube, of_embedded(cluster) as client:
        before = resident_mb(cluster.pid)
        thousand = stand_up(kube, 1000, "registry.k8s.io/pause:3.10")
        path = f"/api/v1/namespaces/{kube.namespace}/pods"
        listing = median(lambda: timed(lambda: client.get(path).raise_for_status()))
        grown = (resident_mb(cluster.pid) - before) * 1024 / 1000
    return [
        Row("3 replicas Available", three, "s", "<= 2"),
        Row("1,000 pods without a process Available", thousand, "s", "<= 15"),
        Row("listing 1,000 pods", listing * 1000, "ms", "<= 50"),
        Row("memory a pod, with its events", grown, "KB"),
    ]


def requests(cluster: localkube.Cluster) -> list[Row]:
    """One serial client over one connection."""
    count = 3000
    with namespace(cluster) as kube:
        server = httpx.URL(cluster.server)
        trust = ssl.create_default_context(cafile=str(cluster.authority))
        connection = http.client.HTTPSConnection(server.host, server.port, context=trust)
        headers = {"Authorization": f"Bearer {cluster.token}", "Content-Type": "application/json"}
        path = f"/api/v1/namespaces/{kube.namespace}/configmaps"

        def ask(method: str, where: str, body: str | None = None) -> None:
            connection.request(method, where, body, headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status < 300, answer.status

        bodies = [json.dumps({"metadata": {"name": f"cm-{i}"}, "data": {"a": "1"}}) for i in range(count)]
        before = resident_mb(cluster.pid)
        creates = timed(lambda: [ask("POST", path, body) for body in bodies])
        grown = (resident_mb(cluster.pid) - before) * 1024 / count
        gets = timed(lambda: [ask("GET", f"{path}/cm-{i}") for i in range(count)])
        connection.close()
    return [
        Row("creates by one serial client", count / creates, "/s", ">= 2000"),
        Row("gets by one serial client", count / gets, "/s", ">= 3000"),
        Row("memory an object", grown, "KB", "<= 5"),
    ]


def proxy(cluster: localkube.Cluster) -> list[Row]:
    """A request through a Service against the same request to the pod, in turn, on kept connections."""
    with namespace(cluster) as kube:
        stand_up(kube, 1, IMAGE)
        pod = kube.list("Pod")[0]
        ports = [{"port": 8080, "targetPort": 8080}]
        spec = {"selector": pod["metadata"]["labels"], "ports": ports}
        service = kube.create({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": spec})
        kube.wait(
            "EndpointSlice",
            lambda s: any(x["endpoints"] for x in s) or None,
            deadline=Deadline(10),
            awaited="endpoints",
        )
        hosts = (service["spec"]["clusterIP"], pod["status"]["podIP"])
        connections = [http.client.HTTPConnection(host, 8080) for host in hosts]

        def ask(connection: http.client.HTTPConnection) -> None:
            connection.request("GET", "/")
            connection.getresponse().read()

        pairs = [[timed(lambda c=c: ask(c)) * 1000 for c in connections] for _ in range(3000)]
    through, direct = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    added = statistics.median(pair[0] - pair[1] for pair in pairs)
    return [
        Row("request through a Service", through, "ms", "", direct, "to the pod itself"),
        Row("what the Service's proxy adds", added, "ms", "<= 0.3"),
    ]


def collection(_cluster: localkube.Cluster) -> list[Row]:
    """Collecting the release suite against collecting as many empty tests."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_empty.py").write_text("".join(f"def test_{i}():\n    pass\n" for i in range(35)))

        def collect(where: str | Path) -> float:
            command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", str(where)]
            return timed(lambda: subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True))

        ours, other = [], []
        for _ in range(5):
            ours.append(collect("suites/release"))
            other.append(collect(folder))
    return [Row("collect-only", statistics.median(ours), "s", "<= 1", statistics.median(other), "35 empty tests")]


def release(cluster: localkube.Cluster) -> list[Row]:
    """A release's overhead: all time that is not the load test, the watch, the drain or the candidate's own start."""
    from tests.bench.releases import overheads

    ours, script = overheads(cluster)
    row = Row("a release's overhead", statistics.median(ours), "s", "<= 3")
    if not script:
        return [row]
    return [Row(row.what, row.ours, row.unit, row.goal, statistics.median(script), "a kubectl script, 3 checks")]
