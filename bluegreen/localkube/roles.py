"""The ClusterRoles and bindings every cluster has from the start, as far as their kinds are served here."""

from __future__ import annotations

from typing import Any

from bluegreen.localkube.kinds import KINDS, Obj
from bluegreen.localkube.rbac import MASTERS
from bluegreen.localkube.registry import Registry

_RBAC = "rbac.authorization.k8s.io"
_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_ANNOTATIONS = {"rbac.authorization.kubernetes.io/autoupdate": "true"}
_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", "patch", "update"]
_DISCOVERY = ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz",
              "/version", "/version/"]  # fmt: skip
_PUBLIC = ["/healthz", "/livez", "/readyz", "/version", "/version/"]


def _rule(group: str, resources: list[str], verbs: list[str]) -> Obj:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


_NAMESPACED = {
    "": ["configmaps", "endpoints", "pods", "serviceaccounts", "services"],
    "apps": ["deployments", "deployments/scale", "replicasets", "replicasets/scale"],
    "autoscaling": ["horizontalpodautoscalers"],
    "batch": ["jobs"],
    "networking.k8s.io": ["ingresses", "networkpolicies"],
    "policy": ["poddisruptionbudgets"],
}
_VIEW = [
    *(_rule(group, resources, _READ) for group, resources in _NAMESPACED.items()),
    _rule("", ["events", "limitranges", "namespaces", "pods/log", "pods/status", "resourcequotas"], _READ),
    _rule("", ["services/status"], _READ),
    _rule("apps", ["deployments/status", "replicasets/status"], _READ),
    _rule("batch", ["jobs/status"], _READ),
    _rule("discovery.k8s.io", ["endpointslices"], _READ),
    _rule("metrics.k8s.io", ["pods", "nodes"], _READ),
]
_EDIT = [
    _rule("", ["configmaps", "pods", "serviceaccounts", "services"], _WRITE),  # not endpoints: CVE-2021-25740
    *(_rule(group, resources, _WRITE) for group, resources in _NAMESPACED.items() if group),
    _rule("", ["secrets"], [*_READ, *_WRITE]),
    _rule("", ["pods/attach", "pods/exec", "pods/portforward"], [*_READ, *_WRITE]),
    _rule("", ["pods/eviction", "serviceaccounts/token"], ["create"]),
    _rule("coordination.k8s.io", ["leases"], [*_READ, *_WRITE]),
]
_ADMIN = [
    _rule(_RBAC, ["roles", "rolebindings"], [*_READ, *_WRITE]),
    _rule("authorization.k8s.io", ["localsubjectaccessreviews"], ["create"]),
]
_EVERYTHING: list[Obj] = [_rule("*", ["*"], ["*"]), {"nonResourceURLs": ["*"], "verbs": ["*"]}]
_SELF = [
    _rule("authorization.k8s.io", ["selfsubjectaccessreviews", "selfsubjectrulesreviews"], ["create"]),
    _rule("authentication.k8s.io", ["selfsubjectreviews"], ["create"]),
]
_AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"
_AGGREGATED = {  # by name: the label of those whose rules it gathers, the one it carries itself, its rules at first
    "admin": ("admin", "", [*_EDIT, *_VIEW, *_ADMIN]),
    "edit": ("edit", "admin", [*_EDIT, *_VIEW]),
    "view": ("view", "edit", _VIEW),
}
_GATHERED = {"admin": _ADMIN, "edit": _EDIT, "view": _VIEW}
_ROLES: dict[str, list[Any]] = {
    "cluster-admin": _EVERYTHING,
    "system:basic-user": _SELF,
    "system:discovery": [{"nonResourceURLs": _DISCOVERY, "verbs": ["get"]}],
    "system:public-info-viewer": [{"nonResourceURLs": _PUBLIC, "verbs": ["get"]}],
}
_BINDINGS = {  # role: the groups that have it
    "cluster-admin": [MASTERS],
    "system:basic-user": ["system:authenticated"],
    "system:discovery": ["system:authenticated"],
    "system:public-info-viewer": ["system:authenticated", "system:unauthenticated"],
}


def bootstrap(registry: Registry) -> None:
    """Create what is missing of them; what is there stays as it is."""
    for name, rules in _ROLES.items():
        _ensure(registry, "ClusterRole", {"metadata": _meta(name), "rules": rules})
    for name, (gathers, carries, rules) in _AGGREGATED.items():
        selectors = [{"matchLabels": {_AGGREGATE + gathers: "true"}}]
        role = {"metadata": _meta(name, carries), "rules": rules}
        _ensure(registry, "ClusterRole", role | {"aggregationRule": {"clusterRoleSelectors": selectors}})
    for name, rules in _GATHERED.items():
        role = {"metadata": _meta(f"system:aggregate-to-{name}", name), "rules": rules}
        _ensure(registry, "ClusterRole", role)
    for name, groups in _BINDINGS.items():
        subjects = [{"kind": "Group", "apiGroup": _RBAC, "name": group} for group in groups]
        reference = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": name}
        binding = {"metadata": _meta(name), "roleRef": reference, "subjects": subjects}
        _ensure(registry, "ClusterRoleBinding", binding)


def _meta(name: str, aggregated_to: str = "") -> Obj:
    labels = {**_LABELS, _AGGREGATE + aggregated_to: "true"} if aggregated_to else _LABELS
    return {"name": name, "labels": labels, "annotations": _ANNOTATIONS}


def _ensure(registry: Registry, kind: str, obj: Obj) -> None:
    if registry.store.get(KINDS[kind], "", obj["metadata"]["name"]) is None:
        registry.create(KINDS[kind], "", obj, manager="kube-apiserver")
