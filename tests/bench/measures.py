"""What is measured: each function gives rows of the table. All of it runs on clusters of the benchmark's own."""

from __future__ import annotations

import http.client
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bluegreen import localkube
from bluegreen.clock import Deadline
from bluegreen.verdict import Outcome, exit_code
from tests.bench.rows import IMAGE, Row, median, namespace, resident_mb, stand_up, timed

CHECKOUT = Path(__file__).resolve().parents[2]


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


def replicas(cluster: localkube.Cluster) -> list[Row]:
    """Three pods that run a program."""
    with namespace(cluster) as kube:
        three = median(lambda: stand_up(kube, 3, IMAGE), 5)
    return [Row("3 replicas Available", three, "s", "<= 2")]


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


def _collected(ended: subprocess.CompletedProcess[bytes]) -> None:
    """A suite that was only collected ends as no evidence, and anything else ends well."""
    assert ended.returncode in (0, exit_code(Outcome.NO_EVIDENCE)), ended.stdout.decode()


def collection(_cluster: localkube.Cluster) -> list[Row]:
    """Collecting the release suite against collecting as many empty tests."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_empty.py").write_text("".join(f"def test_{i}():\n    pass\n" for i in range(35)))

        def collect(where: str | Path) -> float:
            command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", str(where)]
            return timed(lambda: _collected(subprocess.run(command, cwd=CHECKOUT, capture_output=True)))

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
