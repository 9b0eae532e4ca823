"""What the server fills in, by kind: the static part, which needs nothing but the object.

What is allocated or computed from other objects (addresses, node ports, a Job's selector) is not done here.
"""

from __future__ import annotations

from collections.abc import Callable

from bluegreen.localkube.canonical import canonicalise
from bluegreen.localkube.custom import objects as custom_objects
from bluegreen.localkube.defaults import access, cluster, definitions, networking, pods, workloads
from bluegreen.localkube.defaults.pods import image_tag, qos_class
from bluegreen.localkube.kinds import Kind, Obj
from bluegreen.localkube.metadata import put_type

__all__ = ["apply_defaults", "image_tag", "qos_class"]

DEFAULTS: dict[str, Callable[[Obj], None]] = {
    "CustomResourceDefinition": definitions.definition,
    "Deployment": workloads.deployment,
    "Endpoints": networking.endpoints,
    "EndpointSlice": networking.endpoint_slice,
    "HorizontalPodAutoscaler": workloads.autoscaler,
    "IngressClass": networking.ingress_class,
    "Job": workloads.job,
    "ClusterRole": access.role,
    "ClusterRoleBinding": access.binding,
    "LimitRange": cluster.limit_range,
    "Namespace": cluster.namespace,
    "NetworkPolicy": networking.network_policy,
    "Node": cluster.node,
    "Pod": pods.pod,
    "PriorityClass": cluster.priority_class,
    "ReplicaSet": workloads.replica_set,
    "Role": access.role,
    "RoleBinding": access.binding,
    "Secret": cluster.secret,
    "Service": networking.service,
    "TokenRequest": access.token_request,
}
"""What differs by kind; each function gets the object in its canonical form."""


def apply_defaults(kind: Kind, obj: Obj) -> None:
    """Gives the object its canonical form and everything the server fills in. Changes the object it is given.

    Expects types already checked (``decoding``); doing it twice is doing it once.
    """
    put_type(kind, obj)
    if kind.custom is not None:
        custom_objects.settle(kind, obj)
        return
    canonicalise(kind.key, obj)
    fill = DEFAULTS.get(kind.key)
    if fill is not None:
        fill(obj)


def apply_status_defaults(kind: Kind, obj: Obj) -> None:
    """Fills in what a write to /status leaves out. Changes the object it is given."""
    if kind.custom is not None:
        custom_objects.settle(kind, obj)
        return
    canonicalise(kind.key, obj)
    if kind.key == "Service":
        networking.balancer_status(obj)
