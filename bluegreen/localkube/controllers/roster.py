"""Every controller of a cluster, in the order in which they get their turn, and what they need from outside."""

from __future__ import annotations

from dataclasses import dataclass

from bluegreen.localkube.controllers.autoscaling import Autoscalers
from bluegreen.localkube.controllers.base import Context, Controller
from bluegreen.localkube.controllers.definitions import Definitions
from bluegreen.localkube.controllers.deployments import Deployments
from bluegreen.localkube.controllers.disruption import Disruptions
from bluegreen.localkube.controllers.endpointslices import EndpointSlices
from bluegreen.localkube.controllers.garbage import GarbageCollector
from bluegreen.localkube.controllers.housekeeping import Housekeeping
from bluegreen.localkube.controllers.jobs import Jobs
from bluegreen.localkube.controllers.mirroring import Mirroring
from bluegreen.localkube.controllers.namespaces import Namespaces
from bluegreen.localkube.controllers.node_readiness import NodeReadiness
from bluegreen.localkube.controllers.nodes import Nodes
from bluegreen.localkube.controllers.pod_usage import PodMetrics
from bluegreen.localkube.controllers.policies import NetworkPolicies
from bluegreen.localkube.controllers.quota import Quotas
from bluegreen.localkube.controllers.replicasets import ReplicaSets
from bluegreen.localkube.controllers.role_aggregation import RoleAggregation
from bluegreen.localkube.controllers.scheduler import Scheduler


@dataclass(frozen=True)
class Options:
    """What controllers need that is no object. ``authority``: the cluster's CA certificate, PEM. ``pod_metrics``:
    where resource metrics come from; None means that the cluster has none."""

    authority: str = ""
    pod_metrics: PodMetrics | None = None


def controllers(context: Context, options: Options) -> tuple[Controller, ...]:
    """All controllers over one cluster."""
    return (
        Definitions(context),
        Namespaces(context, options.authority),
        Quotas(context),
        Deployments(context),
        ReplicaSets(context),
        Jobs(context),
        Scheduler(context),
        EndpointSlices(context),
        Mirroring(context),
        Disruptions(context),
        Autoscalers(context, options.pod_metrics),
        NodeReadiness(context),
        Nodes(context),
        GarbageCollector(context),
        NetworkPolicies(context),
        RoleAggregation(context),
        Housekeeping(context),
    )
