"""Configuration that belongs to a colour: the ConfigMaps and Secrets of its pods, copied under a hash of their content.

The pod template refers to the copies, which are immutable: whatever is changed afterwards, a colour's pods keep what
they were released with, and going back to a colour goes back to its configuration. The same content has the same name,
so that nothing is copied twice. What no Deployment refers to any more is removed when a release ends, however it ends.

Left as they are: objects that are not there (optional references), tokens of ServiceAccounts, the cluster's own CA, and
what carries the annotation ``SHARED``: configuration that running pods are meant to see change, such as certificates.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from bluegreen import fence
from bluegreen.errors import HarnessError
from bluegreen.kube import Conflict, Forbidden, Kube
from bluegreen.plan.application import SHARED

Obj = dict[str, Any]
Key = tuple[str, str]
"""Kind and name."""

COPY = "bluegreen/configuration-of"
"""Label of a copy: the application whose colours use it."""

COPIED_FROM = "bluegreen/copied-from"
"""Annotation of a copy: the name of the object that it was made of."""

RELEASE = "bluegreen/release"
"""Annotation of a copy: the release that took it for its candidate last."""

CLUSTERS_OWN = frozenset({("ConfigMap", "kube-root-ca.crt")})
"""Written into every namespace by the cluster, which renews it."""

TOKEN = "kubernetes.io/service-account-token"
"""The type of Secrets that the token controller fills: a copy would get a token of its own."""

HASH_DIGITS = 10
"""Hexadecimal digits of a hash in a name, as many as kustomize takes: 40 bits."""

NAME_LIMIT = 253
"""The longest name of an object, in characters (DNS subdomain, RFC 1123)."""

MANAGER = "bluegreen-release"
"""The field manager of copies."""

KINDS = ("ConfigMap", "Secret")

_VOLUME_KEYS = {"configMap": ("ConfigMap", "name"), "secret": ("Secret", "secretName")}
_SOURCE_KEYS = {"configMap": ("ConfigMap", "name"), "secret": ("Secret", "name")}
_ENV_FROM_KEYS = {"configMapRef": ("ConfigMap", "name"), "secretRef": ("Secret", "name")}
_ENV_KEYS = {"configMapKeyRef": ("ConfigMap", "name"), "secretKeyRef": ("Secret", "name")}


# --- deciding ---------------------------------------------------------------------------------------------------------


def used_by(deployment: Obj) -> list[Key]:
    """The ConfigMaps and Secrets that a Deployment's pods take values or files from, each once. Pure."""
    found = ((kind, str(node[key])) for kind, node, key in _references(deployment))
    return list(dict.fromkeys(found))


def renamed(deployment: Obj, names: dict[Key, str]) -> Obj:
    """The Deployment with references to other names; those not in ``names`` stay. Pure."""
    changed = copy.deepcopy(deployment)
    for kind, node, key in _references(changed):
        node[key] = names.get((kind, node[key]), node[key])
    return changed


def copy_of(obj: Obj, app_name: str, release_id: str) -> Obj:
    """The immutable copy of a ConfigMap or Secret for a release's candidate, named after its content. Pure."""
    content = {key: obj[key] for key in ("data", "binaryData", "type") if obj.get(key)}
    digest = hashlib.sha256(json.dumps([obj["kind"], content], sort_keys=True).encode()).hexdigest()[:HASH_DIGITS]
    name = obj["metadata"]["name"]
    return {
        "apiVersion": "v1",
        "kind": obj["kind"],
        "metadata": {
            "name": f"{name[: NAME_LIMIT - HASH_DIGITS - 1].rstrip('.-')}-{digest}",
            "labels": {COPY: app_name, "app.kubernetes.io/managed-by": "bluegreen"},
            "annotations": {COPIED_FROM: name, RELEASE: release_id},
        },
        "immutable": True,
        **content,
    }


def stays_shared(obj: Obj) -> bool:
    """Whether all colours use an object as it is, instead of copies of it. Pure."""
    metadata = obj["metadata"]
    return (
        (metadata.get("annotations") or {}).get(SHARED) == "true"
        or COPY in (metadata.get("labels") or {})
        or (obj["kind"], metadata["name"]) in CLUSTERS_OWN
        or obj.get("type") == TOKEN
    )


def _references(deployment: Obj) -> Iterator[tuple[str, Obj, str]]:
    """Kind, holder and key of each reference in a Deployment's pod template."""
    spec = deployment["spec"]["template"]["spec"]
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        yield from _named(container.get("envFrom"), _ENV_FROM_KEYS)
        yield from _named([entry.get("valueFrom") or {} for entry in container.get("env") or []], _ENV_KEYS)
    for volume in spec.get("volumes") or []:
        yield from _named([volume], _VOLUME_KEYS)
        yield from _named((volume.get("projected") or {}).get("sources"), _SOURCE_KEYS)


def _named(holders: list[Obj] | None, keys: dict[str, tuple[str, str]]) -> Iterator[tuple[str, Obj, str]]:
    for holder in holders or []:
        for where, (kind, key) in keys.items():
            if isinstance(node := holder.get(where), dict) and node.get(key):
                yield kind, node, key


# --- acting -----------------------------------------------------------------------------------------------------------


def with_own(
    kube: Kube,
    app_name: str,
    deployment: Obj,
    release_id: str,
    held: Callable[[], None],
    brought: Mapping[Key, Obj] = MappingProxyType({}),
) -> Obj:
    """Copy what a Deployment's pods use, as it is now, and return the Deployment with references to the copies.

    ``brought``: objects that come with the release, whatever the cluster has of their name. ``held`` raises when the
    lock is lost; asked before each write. Raises HarnessError when an object of somebody else's has a copy's name, and
    what the API raises.
    """
    names: dict[Key, str] = {}
    for kind, name in used_by(deployment):
        found = brought.get((kind, name)) or _readable(kube, kind, name)
        if found is None or stays_shared({**found, "kind": kind}):
            continue
        wanted = copy_of({**found, "kind": kind}, app_name, release_id)
        held()
        made = fence.create(kube, wanted, ours=partial(_same, wanted), otherwise=_in_the_way)
        _take(kube, kind, made, release_id, held)
        names[kind, name] = wanted["metadata"]["name"]
    return renamed(deployment, names)


def _readable(kube: Kube, kind: str, name: str) -> Obj | None:
    """An object; None where there is none, or where a team's own Role for releases leaves reading it out."""
    try:
        return kube.get(kind, name)
    except Forbidden:
        return None


def _take(kube: Kube, kind: str, made: Obj, release_id: str, held: Callable[[], None]) -> None:
    """Write this release on a copy that was there: whoever was about to remove it as unused finds it changed."""

    def decide(found: Obj) -> list[fence.Op]:
        held()
        return fence.annotated(found, RELEASE, release_id)

    def landed(found: Obj) -> bool:
        return (found["metadata"].get("annotations") or {}).get(RELEASE) == release_id

    fence.patch(kube, kind, made["metadata"]["name"], decide, landed=landed, manager=MANAGER, known=made)


def collect(kube: Kube, app_name: str, held: Callable[[], None]) -> list[Key]:
    """Remove the copies that no Deployment of the namespace refers to; returns which.

    For the holder of the lock, whose colours are as they shall stay: a colour that is kept, at zero too, keeps its
    configuration. ``held`` raises when the lock is lost; asked before each deletion. A copy that somebody took or
    changed since it was looked at stays. An account that may not look for copies has made none.
    """
    copies: list[tuple[str, Obj]] = []
    for kind in KINDS:
        with contextlib.suppress(Forbidden):
            copies += [(kind, obj["metadata"]) for obj in kube.list(kind, labels=f"{COPY}={app_name}")]
    if not copies:
        return []
    used = {key for deployment in kube.list("Deployment") for key in used_by(deployment)}
    unused = [(kind, metadata) for kind, metadata in copies if (kind, metadata["name"]) not in used]
    for kind, metadata in unused:
        held()
        with contextlib.suppress(Conflict):
            kube.delete(kind, metadata["name"], uid=metadata["uid"], version=metadata["resourceVersion"])
    return [(kind, metadata["name"]) for kind, metadata in unused]


def _same(wanted: Obj, there: Obj) -> bool:
    return all(there.get(key) == wanted.get(key) for key in ("data", "binaryData", "immutable")) and COPY in (
        there["metadata"].get("labels") or {}
    )


def _in_the_way(there: Obj) -> HarnessError:
    name = there["metadata"]["name"]
    return HarnessError(
        f"A ConfigMap or Secret {name} is there, and it is not the copy that a release makes under this name.",
        f"Rename or delete {name}, then start again.",
    )
