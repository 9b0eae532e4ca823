"""What the cluster says it serves: ``/api``, ``/apis`` and below, ``/version``, all worked out from its kinds.

Comes in: a path, the Accept header and the kinds. Goes out: a document and its content type, or None for a path that
is not discovery's. Every document is made once for the same kinds.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable
from functools import cache, lru_cache

from bluegreen.localkube.catalogue import BUILT_IN
from bluegreen.localkube.custom.definitions import priority
from bluegreen.localkube.kinds import Kind, Obj, Subresource

# the release whose answers the cluster follows; ``localkube`` marks it for what it is
VERSION = {"major": "1", "minor": "34", "gitVersion": "v1.34.0+localkube"}
JSON = "application/json"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
# groups in the order in which Kubernetes 1.34 lists them; others follow
_GROUP_ORDER = (
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "apiextensions.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "metrics.k8s.io",
)
_ENDING = frozenset(("create", "patch", "update"))  # what is not offered of a kind whose definition is being deleted
_ROOT_PATHS = ("/healthz", "/livez", "/openapi/v3", "/readyz", "/version")


Kinds = tuple[Kind, ...]


def answer(path: str, accept: str = "", served: Kinds = BUILT_IN) -> tuple[Obj, str] | None:
    """The document at ``path`` and its content type; None where discovery has nothing to say."""
    parts = path.strip("/").split("/")
    if path.rstrip("/") in ("/api", "/apis") and wants_aggregated(accept):
        return aggregated(served, core=parts == ["api"]), AGGREGATED
    document = _document(parts, served)
    return None if document is None else (document, JSON)


def wants_aggregated(accept: str) -> bool:
    """Whether the first type the client names that is served here is the aggregated document, version 2."""
    for choice in accept.split(","):
        kind, *parameters = (part.strip() for part in choice.split(";"))
        given = dict(part.split("=", 1) for part in parameters if "=" in part)
        if kind == JSON and "as" not in given:
            return False
        if kind == JSON and (given.get("g"), given.get("v")) == ("apidiscovery.k8s.io", "v2"):
            return given["as"] == "APIGroupDiscoveryList"
    return False


def _document(parts: list[str], served: Kinds) -> Obj | None:
    match parts:
        case [""]:
            return root(served)
        case ["version"]:
            return version()
        case ["api"]:
            return api_versions()
        case ["api", "v1"]:
            return resource_list(served, "", "v1")
        case ["apis"]:
            return group_list(served)
        case ["apis", group]:
            return api_group(served, group)
        case ["apis", group, version_]:
            return resource_list(served, group, version_)
    return None


@cache
def version() -> Obj:
    """``/version``."""
    built = {"gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z"}
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())  # as Go names them
    system = f"{platform.system().lower()}/{machine}"
    made = {"goVersion": "", "compiler": f"python{platform.python_version()}", "platform": system}
    return VERSION | built | made


@lru_cache(maxsize=8)
def root(served: Kinds) -> Obj:
    """``/``: the paths there are."""
    groups = [path for group in _groups(served) for path in (f"/apis/{group}", *_version_paths(served, group))]
    return {"paths": ["/api", "/api/v1", "/apis", *groups, *_ROOT_PATHS]}


@cache
def api_versions() -> Obj:
    """``/api``: the versions of the core group."""
    reachable = [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": reachable}


@lru_cache(maxsize=8)
def group_list(served: Kinds) -> Obj:
    """``/apis``: every named group."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(served, name) for name in _groups(served)]}


@lru_cache(maxsize=64)
def api_group(served: Kinds, name: str) -> Obj | None:
    """``/apis/GROUP``, or None for a group that is not served."""
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(served, name)} if name in _groups(served) else None


@lru_cache(maxsize=128)
def resource_list(served: Kinds, group: str, version_: str) -> Obj | None:
    """``/apis/GROUP/VERSION``: its kinds and their subresources, or None for a version that is not served."""
    kinds = _kinds(served, group, version_)
    if not kinds:
        return None
    api_version = {"apiVersion": "v1"} if group else {}  # the core group's list states none
    group_version = kinds[0].api_version
    resources = [row for kind in kinds for row in _rows(kind)]
    return {"kind": "APIResourceList", **api_version, "groupVersion": group_version, "resources": resources}


@lru_cache(maxsize=16)
def aggregated(served: Kinds, *, core: bool) -> Obj:
    """All groups with all their resources in one document, of the core group or of the named ones."""
    groups = [""] if core else _groups(served)
    items = [_aggregated_group(served, group) for group in groups]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _groups(served: Kinds) -> list[str]:
    named = _in_order(kind.group for kind in served if kind.group)
    known = {group: place for place, group in enumerate(_GROUP_ORDER)}
    return sorted(named, key=lambda group: (known.get(group, len(known)), group))


def _in_order(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))


def _versions(served: Kinds, group: str) -> list[str]:
    return sorted(_in_order(kind.version for kind in served if kind.group == group), key=priority)


def _version_paths(served: Kinds, group: str) -> list[str]:
    return [f"/apis/{group}/{version_}" for version_ in _versions(served, group)]


def _kinds(served: Kinds, group: str, version_: str) -> list[Kind]:
    found = [kind for kind in served if (kind.group, kind.version) == (group, version_)]
    return sorted(found, key=lambda kind: kind.plural)


def _group(served: Kinds, name: str) -> Obj:
    versions = [{"groupVersion": f"{name}/{version_}", "version": version_} for version_ in _versions(served, name)]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _verbs(kind: Kind) -> list[str]:
    ending = kind.custom is not None and kind.custom.fixed
    return [verb for verb in kind.verbs if not (ending and verb in _ENDING)]


def _rows(kind: Kind) -> list[Obj]:
    row: Obj = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": _verbs(kind),
    }
    optional = {"shortNames": list(kind.short_names), "categories": list(kind.categories)}
    row |= {name: words for name, words in optional.items() if words}
    return [row, *(_subresource_row(kind, sub) for sub in kind.subresources)]


def _subresource_row(kind: Kind, sub: Subresource) -> Obj:
    elsewhere = {"group": sub.group, "version": sub.version} if sub.version else {}
    return {
        "name": f"{kind.plural}/{sub.name}",
        "singularName": "",
        "namespaced": kind.namespaced,
        **{name: word for name, word in elsewhere.items() if word},
        "kind": sub.kind or kind.kind,
        "verbs": list(sub.verbs),
    }


def _aggregated_group(served: Kinds, group: str) -> Obj:
    versions = [
        {
            "version": version_,
            "resources": [_aggregated_resource(kind) for kind in _kinds(served, group, version_)],
            "freshness": "Current",
        }
        for version_ in _versions(served, group)
    ]
    return {"metadata": {"name": group} if group else {}, "versions": versions}


def _aggregated_resource(kind: Kind) -> Obj:
    resource: Obj = {
        "resource": kind.plural,
        "responseKind": _response_kind(kind, None),
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": _verbs(kind),
    }
    subresources = [
        {"subresource": sub.name, "responseKind": _response_kind(kind, sub), "verbs": list(sub.verbs)}
        for sub in kind.subresources
    ]
    optional = {
        "shortNames": list(kind.short_names),
        "categories": list(kind.categories),
        "subresources": subresources,
    }
    return resource | {name: value for name, value in optional.items() if value}


def _response_kind(kind: Kind, sub: Subresource | None) -> Obj:
    if sub is not None and sub.kind:
        return {"group": sub.group, "version": sub.version, "kind": sub.kind}
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}
