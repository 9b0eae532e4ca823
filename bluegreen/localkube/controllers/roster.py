"""Every controller of a cluster, in the order in which they get their turn, and what they need from outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bluegreen.localkube.controllers.base import Context, Controller
from bluegreen.localkube.controllers.deployments import Deployments
from bluegreen.localkube.controllers.endpointslices import EndpointSlices
from bluegreen.localkube.controllers.garbage import GarbageCollector
from bluegreen.localkube.controllers.namespaces import Namespaces
from bluegreen.localkube.controllers.replicasets import ReplicaSets
from bluegreen.localkube.controllers.scheduler import Scheduler

Obj = dict[str, Any]
PodMetrics = Callable[[str, str], Obj | None]
"""(namespace, name) -> the pod's metrics.k8s.io PodMetrics; None when nothing was measured yet."""


@dataclass(frozen=True)
class Options:
    """What controllers need that is no object. ``authority``: the cluster's CA certificate, PEM. ``pod_metrics``:
    where resource metrics come from; None means that the cluster has none."""

    authority: str = ""
    pod_metrics: PodMetrics | None = None


def controllers(context: Context, options: Options) -> tuple[Controller, ...]:
    """All controllers over one cluster."""
    return (
        Namespaces(context, options.authority),
        Deployments(context),
        ReplicaSets(context),
        Scheduler(context),
        EndpointSlices(context),
        GarbageCollector(context),
    )
