"""Where each kind of object lives in a Kubernetes API: one table, so that a call costs no discovery."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True)
class Resource:
    """A kind's place in the API."""

    kind: str
    api_version: str
    """As objects state it: ``v1`` or ``apps/v1``."""
    plural: str
    namespaced: bool = True

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        """The path of one object, or of the collection when ``name`` is ''; ``namespace`` '' means all of them."""
        root = f"/api/{self.api_version}" if "/" not in self.api_version else f"/apis/{self.api_version}"
        place = f"/namespaces/{quote(namespace)}" if self.namespaced and namespace else ""
        rest = "".join(f"/{quote(part, safe='/')}" for part in (self.plural, name, subresource) if part)
        return root + place + rest


_CORE = "v1"
_RBAC = "rbac.authorization.k8s.io/v1"
_NETWORKING = "networking.k8s.io/v1"
_GATEWAY = "gateway.networking.k8s.io/v1"

RESOURCES: dict[str, Resource] = {
    r.kind: r
    for r in (
        Resource("Namespace", _CORE, "namespaces", namespaced=False),
        Resource("Node", _CORE, "nodes", namespaced=False),
        Resource("Pod", _CORE, "pods"),
        Resource("Service", _CORE, "services"),
        Resource("Endpoints", _CORE, "endpoints"),
        Resource("ConfigMap", _CORE, "configmaps"),
        Resource("Secret", _CORE, "secrets"),
        Resource("ServiceAccount", _CORE, "serviceaccounts"),
        Resource("Event", _CORE, "events"),
        Resource("ResourceQuota", _CORE, "resourcequotas"),
        Resource("LimitRange", _CORE, "limitranges"),
        Resource("PersistentVolumeClaim", _CORE, "persistentvolumeclaims"),
        Resource("EndpointSlice", "discovery.k8s.io/v1", "endpointslices"),
        Resource("Deployment", "apps/v1", "deployments"),
        Resource("ReplicaSet", "apps/v1", "replicasets"),
        Resource("StatefulSet", "apps/v1", "statefulsets"),
        Resource("DaemonSet", "apps/v1", "daemonsets"),
        Resource("Job", "batch/v1", "jobs"),
        Resource("CronJob", "batch/v1", "cronjobs"),
        Resource("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets"),
        Resource("HorizontalPodAutoscaler", "autoscaling/v2", "horizontalpodautoscalers"),
        Resource("Ingress", _NETWORKING, "ingresses"),
        Resource("HTTPRoute", _GATEWAY, "httproutes"),
        Resource("Gateway", _GATEWAY, "gateways"),
        Resource("NetworkPolicy", _NETWORKING, "networkpolicies"),
        Resource("Role", _RBAC, "roles"),
        Resource("RoleBinding", _RBAC, "rolebindings"),
        Resource("ClusterRole", _RBAC, "clusterroles", namespaced=False),
        Resource("ClusterRoleBinding", _RBAC, "clusterrolebindings", namespaced=False),
        Resource("Lease", "coordination.k8s.io/v1", "leases"),
        Resource("PodMetrics", "metrics.k8s.io/v1beta1", "pods"),
        Resource("SelfSubjectAccessReview", "authorization.k8s.io/v1", "selfsubjectaccessreviews", namespaced=False),
    )
}
