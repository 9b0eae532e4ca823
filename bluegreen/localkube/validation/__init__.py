"""What the server refuses, by kind, in Kubernetes' own words and order. Pure: an object in, causes out.

Objects must be decoded and carry their defaults. The rules are those of Kubernetes 1.34's validation packages; where
pods live on loopback addresses here, endpoints may too.
"""

from __future__ import annotations

from collections.abc import Callable

from bluegreen.localkube.custom import objects as custom_objects
from bluegreen.localkube.kinds import Kind, Obj
from bluegreen.localkube.validation import (
    access,
    autoscaling,
    definitions,
    disruption,
    endpoints,
    jobs,
    limits,
    meta,
    networking,
    objects,
    pod_updates,
    pods,
    priorities,
    quotas,
    services,
    statuses,
    workloads,
)
from bluegreen.localkube.validation.fields import Causes

__all__ = ["validate", "validate_view"]

CREATE: dict[str, Callable[[Obj], Causes]] = {
    "ClusterRole": access.cluster_role,
    "ClusterRoleBinding": access.cluster_role_binding,
    "ConfigMap": objects.config_map,
    "CustomResourceDefinition": definitions.definition,
    "Deployment": workloads.deployment,
    "EndpointSlice": endpoints.endpoint_slice,
    "Endpoints": endpoints.endpoints,
    "Event": objects.event,
    "HorizontalPodAutoscaler": autoscaling.autoscaler,
    "Ingress": networking.ingress_create,
    "IngressClass": networking.ingress_class,
    "Job": jobs.job,
    "Lease": objects.lease,
    "LimitRange": limits.limit_range,
    "Namespace": objects.namespace,
    "NetworkPolicy": networking.network_policy,
    "Node": objects.node,
    "Pod": pods.create,
    "PodDisruptionBudget": disruption.disruption_budget,
    "PriorityClass": priorities.priority_class,
    "ReplicaSet": workloads.replica_set,
    "ResourceQuota": quotas.quota,
    "Role": access.role,
    "RoleBinding": access.role_binding,
    "Secret": objects.secret,
    "Service": services.create,
}
"""What differs by kind for a new object; kinds that are not here have nothing but metadata to check."""

UPDATE: dict[str, Callable[[Obj, Obj], Causes]] = {
    "ClusterRoleBinding": access.cluster_role_binding_update,
    "ConfigMap": objects.config_map_update,
    "CustomResourceDefinition": definitions.definition_update,
    "Deployment": workloads.deployment_update,
    "EndpointSlice": endpoints.endpoint_slice_update,
    "HorizontalPodAutoscaler": autoscaling.autoscaler_update,
    "Ingress": networking.ingress_update,
    "IngressClass": networking.ingress_class_update,
    "Job": jobs.job_update,
    "Node": objects.node_update,
    "Pod": pod_updates.update,
    "PriorityClass": priorities.priority_class_update,
    "ReplicaSet": workloads.replica_set_update,
    "ResourceQuota": quotas.quota_update,
    "RoleBinding": access.role_binding_update,
    "Secret": objects.secret_update,
    "Service": services.update,
}
"""What differs by kind for an update; other kinds follow the rules of new objects."""

# status and finalizers of these are written by other requests; an update of the rest is not checked again
_UNCHECKED_UPDATES = frozenset(("Namespace",))


def validate(kind: Kind, obj: Obj, old: Obj | None) -> Causes:
    """Every field that is wrong with a new object (``old`` None) or an update of one; [] when it may be stored."""
    if kind.custom is not None:
        return custom_objects.validate(kind, obj, old)
    if old is None:
        check = CREATE.get(kind.key)
        causes = meta.create(kind, obj)
        return causes + check(obj) if check else causes
    causes = meta.common(obj["metadata"], "metadata")
    update = UPDATE.get(kind.key)
    if update is not None:
        return causes + update(obj, old)
    check = None if kind.key in _UNCHECKED_UPDATES else CREATE.get(kind.key)
    return causes + check(obj) if check else causes


def validate_view(kind: Kind, obj: Obj, old: Obj, subresource: str) -> Causes:
    """Every field that is wrong with a client's write to /status, /finalize or /ephemeralcontainers."""
    if kind.custom is not None:
        return custom_objects.validate_status(kind, obj, old)
    causes = meta.common(obj["metadata"], "metadata")
    if subresource == "finalize":
        return causes + objects.namespace_finalizers(obj, "spec.finalizers[{}]")
    if subresource == "ephemeralcontainers":
        return causes + pod_updates.ephemeral_containers(obj, old)
    check = statuses.STATUS.get(kind.key)
    return causes + check(obj, old) if check else causes
