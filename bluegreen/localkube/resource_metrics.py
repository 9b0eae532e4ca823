"""metrics.k8s.io: what pods and the node use, measured from their processes, in the objects that metrics-server gives.

In comes the kubelet's measurement, out go PodMetrics and NodeMetrics. A pod of which a container was not yet measured
for long enough is left out, as it is on a real cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from bluegreen import clock
from bluegreen.localkube.kinds import KINDS, Kind, Obj
from bluegreen.localkube.status import not_found
from bluegreen.localkube.store import Store

FRESH_S = 1.0  # a measurement is used for so long: an autoscaler asks for one pod after the other


class Used(Protocol):
    """What a container uses: CPU in nanocores over ``window_s``, resident memory in bytes."""

    @property
    def cpu_nano(self) -> int:
        """Nanocores."""

    @property
    def memory_bytes(self) -> int:
        """Bytes."""

    @property
    def window_s(self) -> float:
        """Over how long CPU was measured; 0: not at all yet."""


Usage = Mapping[tuple[str, str], Mapping[str, Used]]
"""(namespace, pod) -> container -> what it uses."""


class ResourceMetrics:
    """Answers for the pods of a store."""

    def __init__(self, store: Store, measure: Callable[[], Usage]) -> None:
        self._store, self._measure = store, measure
        self._usage: Usage = {}
        self._measured_s = -FRESH_S

    def pod(self, namespace: str, name: str) -> Obj | None:
        """One pod's PodMetrics; None where nothing was measured yet."""
        pod = self._store.get(KINDS["Pod"], namespace, name)
        return None if pod is None else _pod_metrics(pod, self._now().get((namespace, name), {}))

    def all(self, kind: Kind, namespace: str = "") -> list[Obj]:
        """Every PodMetrics of a namespace ("" for all), or the NodeMetrics."""
        usage = self._now()
        if kind.kind == "NodeMetrics":
            return [_node_metrics(node, usage) for node in self._store.list(KINDS["Node"])]
        pods = self._store.list(KINDS["Pod"], namespace)
        found = [_pod_metrics(pod, usage.get(_key(pod), {})) for pod in pods]
        return [metrics for metrics in found if metrics is not None]

    def get(self, kind: Kind, namespace: str, name: str) -> Obj:
        """The metrics of one pod or node; 404 where there are none."""
        for metrics in self.all(kind, namespace):
            if metrics["metadata"]["name"] == name:
                return metrics
        raise not_found(f"{kind.plural}.metrics.k8s.io", "", f"{namespace}/{name}" if namespace else name)

    def _now(self) -> Usage:
        if clock.now_s() - self._measured_s >= FRESH_S:
            self._usage, self._measured_s = self._measure(), clock.now_s()
        return self._usage


def _key(pod: Obj) -> tuple[str, str]:
    return pod["metadata"]["namespace"], pod["metadata"]["name"]


def _pod_metrics(pod: Obj, usage: Mapping[str, Used]) -> Obj | None:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    running = [status["name"] for status in statuses if "running" in status.get("state", {})]
    if not running or any(name not in usage or not usage[name].window_s for name in running):
        return None
    meta = {key: pod["metadata"][key] for key in ("name", "namespace", "labels") if key in pod["metadata"]}
    containers = [{"name": name, "usage": _quantities([usage[name]])} for name in running]
    return _metrics("PodMetrics", meta, [usage[name] for name in running]) | {"containers": containers}


def _node_metrics(node: Obj, usage: Usage) -> Obj:
    """What all pods of the node use: there is one node, and it is no more than its pods."""
    used = [container for containers in usage.values() for container in containers.values()]
    meta = {key: node["metadata"][key] for key in ("name", "labels") if key in node["metadata"]}
    return _metrics("NodeMetrics", meta, used) | {"usage": _quantities(used)}


def _metrics(kind: str, meta: Obj, used: list[Used]) -> Obj:
    window_s = max((each.window_s for each in used), default=0.0)
    return {
        "kind": kind,
        "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": meta | {"creationTimestamp": clock.timestamp()},
        "timestamp": clock.timestamp(),
        "window": f"{window_s:.3f}s",
    }


def _quantities(used: list[Used]) -> dict[str, str]:
    cpu, memory = sum(each.cpu_nano for each in used), sum(each.memory_bytes for each in used)
    return {"cpu": f"{cpu}n", "memory": f"{memory // 1024}Ki"}
