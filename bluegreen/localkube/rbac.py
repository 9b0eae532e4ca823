"""RBAC: which rules a user has, and whether they cover a request. Pure, over bindings and roles handed in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bluegreen.localkube.kinds import Obj

MASTERS = "system:masters"
"""The group that may do everything, whatever the roles say."""
ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED = "system:anonymous", "system:authenticated", "system:unauthenticated"
Extra = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class User:
    """Who asks. ``groups`` holds system:authenticated for everybody with a valid token.

    ``extra``: more that is known of the user, such as which token it was; with another one it is the same user.
    """

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Extra = field(default=(), compare=False)

    @property
    def is_master(self) -> bool:
        """Whether no rule needs to be looked at."""
        return MASTERS in self.groups

    def as_user_info(self) -> dict[str, Any]:
        """The user as reviews show it."""
        info: dict[str, Any] = {"username": self.name, "uid": self.uid, "groups": list(self.groups)}
        info["extra"] = {key: list(values) for key, values in self.extra}
        return {key: value for key, value in info.items() if value}


@dataclass(frozen=True)
class Attributes:
    """What is asked for: a verb on a resource, or on a path that is no resource (then ``path`` is set)."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def full_resource(self) -> str:
        """The resource as rules name it: ``pods`` or ``pods/log``."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    def refusal(self, user: User) -> str:
        """Why not, in Kubernetes' words, for a user whom no rule allows it."""
        if self.path:
            return f'User "{user.name}" cannot {self.verb} path "{self.path}"'
        where = f'in the namespace "{self.namespace}"' if self.namespace else "at the cluster scope"
        return (
            f'User "{user.name}" cannot {self.verb} resource "{self.full_resource}" in API group "{self.group}" {where}'
        )


@dataclass(frozen=True)
class Grant:
    """A rule a user has, and the sentence that says from where."""

    rule: Obj
    source: str


def covers(rule: Obj, asked: Attributes) -> bool:
    """Whether one PolicyRule allows a request."""
    if not _has(rule.get("verbs"), asked.verb):
        return False
    if asked.path:
        return any(_path_matches(pattern, asked.path) for pattern in rule.get("nonResourceURLs") or ())
    names = rule.get("resourceNames")
    return (
        _has(rule.get("apiGroups"), asked.group)
        and _has_resource(rule.get("resources"), asked)
        and (not names or asked.name in names)
    )


def _has(allowed: list[str] | None, word: str) -> bool:
    return bool(allowed) and ("*" in (allowed or ()) or word in (allowed or ()))


def _has_resource(allowed: list[str] | None, asked: Attributes) -> bool:
    wanted = {"*", asked.full_resource}
    if asked.subresource:
        wanted.add(f"*/{asked.subresource}")
    return not wanted.isdisjoint(allowed or ())


def _path_matches(pattern: str, path: str) -> bool:
    return pattern == path or (pattern.endswith("*") and path.startswith(pattern[:-1]))


def applies_to(binding: Obj, user: User) -> Obj | None:
    """The first of a binding's subjects that is the user, or None."""
    return next((each for each in binding.get("subjects") or () if _is(each, binding, user)), None)


def _is(subject: Obj, binding: Obj, user: User) -> bool:
    kind, name = subject.get("kind"), subject.get("name", "")
    if kind == "User":
        return bool(name == user.name)
    if kind == "Group":
        return name in user.groups
    namespace = subject.get("namespace") or binding["metadata"].get("namespace", "")
    return kind == "ServiceAccount" and user.name == f"system:serviceaccount:{namespace}:{name}"


def source(binding: Obj, subject: Obj) -> str:
    """Where a grant comes from, as access reviews say it."""
    name, role = binding["metadata"]["name"], binding["roleRef"]
    namespace = binding["metadata"].get("namespace")
    who = subject.get("name", "")
    if subject.get("kind") == "ServiceAccount":
        who = f"{who}/{subject.get('namespace', '')}"
    shown = f"{name}/{namespace}" if namespace else name
    return (
        f'RBAC: allowed by {binding["kind"]} "{shown}" of {role["kind"]} "{role["name"]}"'
        f' to {subject.get("kind")} "{who}"'
    )


def merged(grants: Iterable[Grant]) -> tuple[list[Obj], list[Obj]]:
    """The grants as SelfSubjectRulesReview lists them: resource rules, and rules for other paths."""
    resource_rules, other_rules = [], []
    for grant in grants:
        rule = grant.rule
        if rule.get("nonResourceURLs"):
            other_rules.append({"verbs": rule["verbs"], "nonResourceURLs": rule["nonResourceURLs"]})
        else:
            kept = ("verbs", "apiGroups", "resources", "resourceNames")
            resource_rules.append({key: rule[key] for key in kept if rule.get(key)})
    return resource_rules, other_rules
