"""Nobody gives away rights they do not have: what Kubernetes checks when roles and bindings are written.

Works as an admission hook; who is asking stands in ``REQUESTER``, which is empty for the cluster's own writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextvars import ContextVar

from bluegreen.localkube import rbac
from bluegreen.localkube.admission import Admission
from bluegreen.localkube.authority import Authority
from bluegreen.localkube.kinds import Obj
from bluegreen.localkube.rbac import Attributes, User
from bluegreen.localkube.status import forbidden, not_found

REQUESTER: ContextVar[User | None] = ContextVar("requester", default=None)
"""The user whose request is being answered; None where the cluster itself writes."""
_ROLES = frozenset(["Role", "ClusterRole"])
_BINDINGS = frozenset(["RoleBinding", "ClusterRoleBinding"])
_EVERYTHING: list[Obj] = [
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
    {"nonResourceURLs": ["*"], "verbs": ["*"]},
]
_GROUP = "rbac.authorization.k8s.io"


class EscalationGuard:
    """The hook."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    def __call__(self, admission: Admission) -> None:
        """403 for a role with rules, or a binding to a role with rules, that the writer does not hold."""
        user, kind = REQUESTER.get(), admission.kind.key
        if user is None or user.is_master or admission.operation == "DELETE":
            return
        if kind in _ROLES and not self._may(user, "escalate", admission.kind.plural, admission):
            self._refuse_more(admission, user, admission.obj.get("rules") or [])
            self._refuse_gathering(admission, user)
        elif kind in _BINDINGS:
            self._check_binding(admission, user)

    def _refuse_gathering(self, admission: Admission, user: User) -> None:
        """A role that gathers rules could hold any: only who holds all of them may make or change one."""
        if not any((role or {}).get("aggregationRule") for role in (admission.obj, admission.old)):
            return
        held = [grant.rule for grant in self._authority.grants(user, admission.namespace)]
        if not all(_covered(held, asked) for rule in _EVERYTHING for asked in _single(rule)):
            name = admission.obj["metadata"].get("name", "")
            why = "must have cluster-admin privileges to use the aggregationRule"
            raise forbidden(admission.kind.plural, _GROUP, name, why)

    def _check_binding(self, admission: Admission, user: User) -> None:
        reference = admission.obj["roleRef"]
        plural = "clusterroles" if reference["kind"] == "ClusterRole" else "roles"
        asked = Attributes("bind", _GROUP, plural, namespace=admission.namespace, name=reference["name"])
        if self._authority.allows(user, asked) is not None:
            return
        rules = self._authority.rules_of(reference, admission.namespace)
        if rules is None:
            raise not_found(plural, _GROUP, reference["name"])
        self._refuse_more(admission, user, rules)

    def _may(self, user: User, verb: str, plural: str, admission: Admission) -> bool:
        name = admission.obj["metadata"].get("name", "")
        asked = Attributes(verb, _GROUP, plural, namespace=admission.namespace, name=name)
        return self._authority.allows(user, asked) is not None

    def _refuse_more(self, admission: Admission, user: User, rules: list[Obj]) -> None:
        held = [grant.rule for grant in self._authority.grants(user, admission.namespace)]
        more = [asked for rule in rules for asked in _single(rule) if not _covered(held, asked)]
        if not more:
            return
        groups = " ".join(json.dumps(group) for group in user.groups)
        why = (
            f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n'
            + "\n".join(_shown(more))
        )
        kind = admission.kind
        raise forbidden(kind.plural, kind.group, admission.obj["metadata"].get("name", ""), why)


def _single(rule: Obj) -> Iterator[Obj]:
    """A rule as rules of one verb on one thing each."""
    for verb in rule.get("verbs") or ():
        for path in rule.get("nonResourceURLs") or ():
            yield {"verbs": [verb], "nonResourceURLs": [path]}
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                one = {"verbs": [verb], "apiGroups": [group], "resources": [resource]}
                names = rule.get("resourceNames") or ()
                yield from ({**one, "resourceNames": [name]} for name in names)
                if not names:
                    yield one


def _covered(held: Iterable[Obj], asked: Obj) -> bool:
    verb = asked["verbs"][0]
    if "nonResourceURLs" in asked:
        attributes = Attributes(verb, path=asked["nonResourceURLs"][0])
    else:
        resource, _, subresource = asked["resources"][0].partition("/")
        name = (asked.get("resourceNames") or [""])[0]
        attributes = Attributes(verb, asked["apiGroups"][0], resource, subresource, name=name)
    return any(rbac.covers(rule, attributes) for rule in held)


def _shown(rules: list[Obj]) -> list[str]:
    """What is missing, a line a thing with all its verbs, in Go's way of writing."""
    verbs: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for rule in rules:
        thing = tuple((label, rule[key][0]) for key, label in _LABELS if key in rule)
        verbs.setdefault(thing, []).append(rule["verbs"][0])
    lines = []
    for thing, words in verbs.items():
        listed = [f"{label}:[{json.dumps(word)}]" for label, word in thing]
        quoted = " ".join(json.dumps(word) for word in words)
        lines.append(f"{{{', '.join([*listed, f'Verbs:[{quoted}]'])}}}")
    return sorted(lines)


_LABELS = (
    ("nonResourceURLs", "NonResourceURLs"),
    ("apiGroups", "APIGroups"),
    ("resources", "Resources"),
    ("resourceNames", "ResourceNames"),
)
