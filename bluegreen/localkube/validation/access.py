"""Roles and their bindings."""

from __future__ import annotations

from bluegreen.localkube.validation import meta, names
from bluegreen.localkube.validation.fields import Causes, Obj, each_invalid, invalid, not_supported, required

RBAC = "rbac.authorization.k8s.io"


def role(obj: Obj) -> Causes:
    """A Role: rules about resources only."""
    return _rules(obj, namespaced=True)


def cluster_role(obj: Obj) -> Causes:
    """A ClusterRole: rules about resources or about URLs."""
    causes = _rules(obj, namespaced=False)
    selectors = (obj.get("aggregationRule") or {}).get("clusterRoleSelectors") if obj.get("aggregationRule") else None
    if obj.get("aggregationRule") is not None:
        path = "aggregationRule.clusterRoleSelectors"
        if not selectors:
            detail = "at least one clusterRoleSelector required if aggregationRule is non-nil"
            causes.append(required(path, detail))
        for place, selector in enumerate(selectors or ()):
            wrong = meta.selector(selector, f"{path}[{place}]")
            causes += wrong
            if wrong:
                causes.append(invalid(f"{path}[{place}]", None, "invalid label selector."))
    return causes


def _rules(obj: Obj, *, namespaced: bool) -> Causes:
    causes: Causes = []
    for place, rule in enumerate(obj.get("rules") or ()):
        causes += _rule(rule, f"rules[{place}]", namespaced=namespaced)
    return causes


def _rule(rule: Obj, path: str, *, namespaced: bool) -> Causes:
    causes: Causes = []
    if not rule.get("verbs"):
        causes.append(required(f"{path}.verbs", "verbs must contain at least one value"))
    urls = rule.get("nonResourceURLs")
    if urls:
        if namespaced:
            detail = "namespaced rules cannot apply to non-resource URLs"
            causes.append(invalid(f"{path}.nonResourceURLs", urls, detail))
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            detail = "rules cannot apply to both regular resources and non-resource URLs"
            causes.append(invalid(f"{path}.nonResourceURLs", urls, detail))
        return causes
    if not rule.get("apiGroups"):
        detail = "resource rules must supply at least one api group"
        causes.append(required(f"{path}.apiGroups", detail))
    if not rule.get("resources"):
        causes.append(required(f"{path}.resources", "resource rules must supply at least one resource"))
    return causes


def role_binding(obj: Obj) -> Causes:
    """A RoleBinding: a Role or ClusterRole for whom."""
    return _reference(obj["roleRef"], ("Role", "ClusterRole")) + _subjects(obj, namespaced=True)


def cluster_role_binding(obj: Obj) -> Causes:
    """A ClusterRoleBinding: a ClusterRole for whom."""
    return _reference(obj["roleRef"], ("ClusterRole",)) + _subjects(obj, namespaced=False)


def _reference(reference: Obj, kinds: tuple[str, ...]) -> Causes:
    causes: Causes = []
    if reference.get("apiGroup") != RBAC:
        causes.append(not_supported("roleRef.apiGroup", reference.get("apiGroup", ""), (RBAC,)))
    if reference.get("kind") not in kinds:
        causes.append(not_supported("roleRef.kind", reference.get("kind", ""), kinds))
    name = reference.get("name", "")
    if not name:
        return [*causes, required("roleRef.name")]
    return causes + each_invalid("roleRef.name", name, names.path_segment(name))


def _subjects(obj: Obj, *, namespaced: bool) -> Causes:
    causes: Causes = []
    for place, subject in enumerate(obj.get("subjects") or ()):
        causes += _subject(subject, f"subjects[{place}]", namespaced=namespaced)
    return causes


def _subject(subject: Obj, path: str, *, namespaced: bool) -> Causes:
    causes: Causes = []
    kind, name, group = subject.get("kind", ""), subject.get("name", ""), subject.get("apiGroup", "")
    if not name:
        causes.append(required(f"{path}.name"))
    if kind == "ServiceAccount":
        if name:
            causes += each_invalid(f"{path}.name", name, names.subdomain(name))
        if group:
            causes.append(not_supported(f"{path}.apiGroup", group, ("",)))
        if not namespaced and not subject.get("namespace"):
            causes.append(required(f"{path}.namespace"))
    elif kind in ("User", "Group"):
        if group != RBAC:
            causes.append(not_supported(f"{path}.apiGroup", group, (RBAC,)))
    else:
        causes.append(not_supported(f"{path}.kind", kind, ("ServiceAccount", "User", "Group")))
    return causes


def _same_reference(obj: Obj, old: Obj) -> Causes:
    new = obj["roleRef"]
    if new == old["roleRef"]:
        return []
    shown = {"APIGroup": new.get("apiGroup", ""), "Kind": new.get("kind", ""), "Name": new.get("name", "")}
    return [invalid("roleRef", shown, "cannot change roleRef")]


def role_binding_update(obj: Obj, old: Obj) -> Causes:
    """A changed RoleBinding keeps its role."""
    return role_binding(obj) + _same_reference(obj, old)


def cluster_role_binding_update(obj: Obj, old: Obj) -> Causes:
    """A changed ClusterRoleBinding keeps its role."""
    return cluster_role_binding(obj) + _same_reference(obj, old)
