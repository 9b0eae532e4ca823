"""A request's path and method as the API sees them: kind, namespace, name, subresource and verb. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from bluegreen.localkube.catalogue import Catalogue
from bluegreen.localkube.kinds import Kind
from bluegreen.localkube.rbac import Attributes
from bluegreen.localkube.status import ApiError

_VERBS_ON_COLLECTION = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
_VERBS_ON_OBJECT = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_VERBS_ON_SUBRESOURCE = {"GET": "get", "PUT": "update", "PATCH": "patch", "POST": "create", "DELETE": "delete"}
PROXY = "proxy"
"""The subresource behind which a path goes on."""
# namespaces/NAME/RESOURCE, except where RESOURCE is a subresource of the namespace itself
_NAMESPACE_SUBRESOURCES = frozenset(["status", "finalize"])


def clean(text: str) -> str:
    """Text from a request's head without what is not UTF-8, which could not be written back."""
    return text if text.isascii() else text.encode(errors="surrogateescape").decode(errors="replace")


@dataclass(frozen=True)
class Target:
    """Where a request goes. ``kind`` is None for a resource that is not served in a group version that is."""

    kind: Kind | None
    group: str
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    def verb(self, method: str, *, watch: bool) -> str:
        """The verb a method means here; 405 where it means none."""
        table = _VERBS_ON_SUBRESOURCE if self.subresource else _VERBS_ON_OBJECT if self.name else _VERBS_ON_COLLECTION
        verb = table.get("GET" if method == "HEAD" and self.subresource == PROXY else method, "")
        if watch and verb == "list":
            verb = "watch"
        return verb

    def attributes(self, verb: str, name: str = "") -> Attributes:
        """What to ask the authority. A namespace is in itself: a Role in it may allow to get it."""
        space = self.name if (self.group, self.resource) == ("", "namespaces") else self.namespace
        return Attributes(verb, self.group, self.resource, self.subresource, space, self.name or name)


class Parser:
    """Reads paths for one cluster, whose kinds it knows, and remembers those it has read."""

    def __init__(self, kinds: Catalogue) -> None:
        self._kinds = kinds
        self.parse = lru_cache(maxsize=4096)(self._parse)
        kinds.on_change(self.parse.cache_clear)

    def unserved(self, path: str) -> Target | None:
        """What a path of no served group version names: who may not ask for it is not told that it is not there."""
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if parts[0] == "api" and len(parts) > 2:
            return _target(self._kinds, "", parts[1], parts[2:])
        if parts[0] == "apis" and len(parts) > 3:
            return _target(self._kinds, parts[1], parts[2], parts[3:])
        return None

    def _parse(self, path: str) -> Target | None:
        """The target of a path below ``/api/v1`` or ``/apis/GROUP/VERSION``; None for every other path."""
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if parts[:2] == ["api", "v1"]:
            return _target(self._kinds, "", "v1", parts[2:])
        if len(parts) > 3 and parts[0] == "apis" and (parts[1], parts[2]) in self._kinds.group_versions:
            return _target(self._kinds, parts[1], parts[2], parts[3:])
        return None


def _target(kinds: Catalogue, group: str, version: str, parts: list[str]) -> Target | None:
    if not parts:
        return None
    namespace = ""
    inside = len(parts) > 2 and parts[0] == "namespaces" and not (
        len(parts) == 3 and parts[2] in _NAMESPACE_SUBRESOURCES
    )  # fmt: skip
    if inside:
        namespace, parts = parts[1], parts[2:]
    resource, name, subresource = (*parts, "", "", "")[:3]
    kind = kinds.by_path(group, version, resource)
    too_long = len(parts) > 3 and subresource != PROXY
    if kind is not None and (too_long or not _fits(kind, namespace, name, inside=inside)):
        kind = None
    return Target(kind, group, resource, namespace, name, subresource)


def _fits(kind: Kind, namespace: str, name: str, *, inside: bool) -> bool:
    """Cluster-scoped kinds have no namespace; namespaced ones need theirs, except to be listed everywhere."""
    if not kind.namespaced:
        return not inside
    return bool(namespace) or not name


def check_served(target: Target, verb: str) -> Kind:
    """The kind, or 404 for what is not served, 405 for what cannot be done with it."""
    kind = target.kind
    if kind is None:
        raise unknown_resource()
    if target.subresource:
        sub = kind.subresource(target.subresource)
        if sub is None:
            raise unknown_resource()
        verbs = sub.verbs
    else:
        verbs = kind.verbs
    everywhere = kind.namespaced and not target.namespace
    if verb not in verbs or (everywhere and verb not in ("list", "watch", "create")):
        raise not_allowed()
    if everywhere and verb == "create" and kind.stored:
        raise not_allowed()
    return kind


def unknown_resource() -> ApiError:
    """404 for a resource a served group version does not have."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def not_allowed() -> ApiError:
    """405."""
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})
