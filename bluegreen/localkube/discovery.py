"""What the cluster says it serves: ``/api``, ``/apis`` and below, ``/version``, all worked out from the table of kinds.

Comes in: a path and the Accept header. Goes out: a document and its content type, or None for a path that is not
discovery's. Nothing here depends on the cluster's state, so every document is made once.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable
from functools import cache

from bluegreen.localkube.kinds import KINDS, Kind, Obj, Subresource

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
    "coordination.k8s.io",
    "discovery.k8s.io",
    "metrics.k8s.io",
)
_ROOT_PATHS = ("/healthz", "/livez", "/openapi/v3", "/readyz", "/version")


def answer(path: str, accept: str = "") -> tuple[Obj, str] | None:
    """The document at ``path`` and its content type; None where discovery has nothing to say."""
    parts = path.strip("/").split("/")
    if path.rstrip("/") in ("/api", "/apis") and wants_aggregated(accept):
        return aggregated(core=parts == ["api"]), AGGREGATED
    document = _document(parts)
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


def _document(parts: list[str]) -> Obj | None:
    match parts:
        case [""]:
            return root()
        case ["version"]:
            return version()
        case ["api"]:
            return api_versions()
        case ["api", "v1"]:
            return resource_list("", "v1")
        case ["apis"]:
            return group_list()
        case ["apis", group]:
            return api_group(group)
        case ["apis", group, version_]:
            return resource_list(group, version_)
    return None


@cache
def version() -> Obj:
    """``/version``."""
    built = {"gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z"}
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())  # as Go names them
    system = f"{platform.system().lower()}/{machine}"
    made = {"goVersion": "", "compiler": f"python{platform.python_version()}", "platform": system}
    return VERSION | built | made


@cache
def root() -> Obj:
    """``/``: the paths there are."""
    groups = [path for group in _groups() for path in (f"/apis/{group}", *_version_paths(group))]
    return {"paths": ["/api", "/api/v1", "/apis", *groups, *_ROOT_PATHS]}


@cache
def api_versions() -> Obj:
    """``/api``: the versions of the core group."""
    reachable = [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": reachable}


@cache
def group_list() -> Obj:
    """``/apis``: every named group."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in _groups()]}


@cache
def api_group(name: str) -> Obj | None:
    """``/apis/GROUP``, or None for a group that is not served."""
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name)} if name in _groups() else None


@cache
def resource_list(group: str, version_: str) -> Obj | None:
    """``/apis/GROUP/VERSION``: its kinds and their subresources, or None for a version that is not served."""
    kinds = _kinds(group, version_)
    if not kinds:
        return None
    api_version = {"apiVersion": "v1"} if group else {}  # the core group's list states none
    group_version = kinds[0].api_version
    resources = [row for kind in kinds for row in _rows(kind)]
    return {"kind": "APIResourceList", **api_version, "groupVersion": group_version, "resources": resources}


@cache
def aggregated(*, core: bool) -> Obj:
    """All groups with all their resources in one document, of the core group or of the named ones."""
    groups = [""] if core else _groups()
    items = [_aggregated_group(group) for group in groups]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _groups() -> list[str]:
    named = _in_order(kind.group for kind in KINDS.values() if kind.group)
    return sorted(named, key=lambda group: _GROUP_ORDER.index(group) if group in _GROUP_ORDER else len(_GROUP_ORDER))


def _in_order(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))


def _versions(group: str) -> list[str]:
    return _in_order(kind.version for kind in KINDS.values() if kind.group == group)


def _version_paths(group: str) -> list[str]:
    return [f"/apis/{group}/{version_}" for version_ in _versions(group)]


def _kinds(group: str, version_: str) -> list[Kind]:
    found = [kind for kind in KINDS.values() if (kind.group, kind.version) == (group, version_)]
    return sorted(found, key=lambda kind: kind.plural)


def _group(name: str) -> Obj:
    versions = [{"groupVersion": f"{name}/{version_}", "version": version_} for version_ in _versions(name)]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _rows(kind: Kind) -> list[Obj]:
    row: Obj = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
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


def _aggregated_group(group: str) -> Obj:
    versions = [
        {
            "version": version_,
            "resources": [_aggregated_resource(kind) for kind in _kinds(group, version_)],
            "freshness": "Current",
        }
        for version_ in _versions(group)
    ]
    return {"metadata": {"name": group} if group else {}, "versions": versions}


def _aggregated_resource(kind: Kind) -> Obj:
    resource: Obj = {
        "resource": kind.plural,
        "responseKind": _response_kind(kind, None),
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(kind.verbs),
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
