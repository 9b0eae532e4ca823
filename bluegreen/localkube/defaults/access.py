"""What the server fills into role bindings and token requests."""

from __future__ import annotations

from typing import Any

Obj = dict[str, Any]
RBAC = "rbac.authorization.k8s.io"


def binding(obj: Obj) -> None:
    """A RoleBinding or ClusterRoleBinding: the API groups of what it names."""
    if not obj["roleRef"].get("apiGroup"):
        obj["roleRef"]["apiGroup"] = RBAC
    for subject in obj.get("subjects") or ():
        if not subject.get("apiGroup") and subject.get("kind") in ("User", "Group"):
            subject["apiGroup"] = RBAC


def token_request(obj: Obj) -> None:
    """A TokenRequest: an hour."""
    obj["spec"].setdefault("expirationSeconds", 3600)


def role(obj: Obj) -> None:
    """A Role or ClusterRole: an empty list of rules is none, as etcd gives it back."""
    obj["rules"] = obj.get("rules") or None
