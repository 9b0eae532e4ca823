"""A row of the table, and what all measurements need: time, medians, a namespace, memory, a Deployment."""

from __future__ import annotations

import os
import statistics
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bluegreen import clock, localkube
from bluegreen.clock import Deadline
from bluegreen.kube import Kube, connect_handle

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


def processor_s(pid: int) -> float:
    """Processor time that a process has used so far, in seconds: what others do on the machine hardly moves it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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
