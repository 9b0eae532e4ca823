"""Applying one object around a release without taking anything that moves by itself from whoever moves it.

Server-side apply as ``SETUP``: of a Service everything but its selector, of a Secret and a ConfigMap only the keys that
settings fill, of an autoscaler not the bounds that a release holds. Fields of other field managers are never forced.
"""

from __future__ import annotations

import re
from typing import Any

from bluegreen import configuration
from bluegreen.errors import CannotStartError
from bluegreen.kube import Conflict, Kube, NotFound

Obj = dict[str, Any]

SETUP = "bluegreen-setup"
"""The field manager of everything here."""

FIRST = "bluegreen-first"
"""The field manager of a Service's first selector, which matches no pod; a release takes the selector over."""

OURS = "bluegreen"
"""What the names of this project's own field managers start with."""

RELEASE = "bluegreen-release"
"""The field manager that pins an autoscaler's bounds while a release runs."""

BOUNDS = ("minReplicas", "maxReplicas")
"""What others than setting up may set of an autoscaler: a release while it runs, a person at any time."""

TRAFFIC = "bluegreen-traffic"
"""The field manager of every move of live traffic."""

STEERING = ("rules", "defaultBackend")
"""What of an Ingress says where traffic goes."""

LOOKED_UP = frozenset({"Secret", "ConfigMap", "HorizontalPodAutoscaler", "Ingress"})
"""Kinds of which something in the cluster is kept."""

ATTEMPTS = 5
"""How often an object that changes under our hands is read again: a choice; nobody writes these all the time."""


def bring_about(kube: Kube, obj: Obj) -> None:
    """Apply one object; a Service's first selector goes with its creation only, a Secret's race is settled."""
    kind, name = obj["kind"], obj["metadata"]["name"]
    for attempt in range(ATTEMPTS):
        try:
            if kind == "Service" and kube.get(kind, name) is None:
                kube.apply(obj, manager=FIRST)
            live = kube.get(kind, name) if kind in LOOKED_UP else None
            applied = _apply(kube, owned_part(obj, live))
            if kind == "Service":
                _leave_the_rest(kube, applied)
            return
        except Conflict as conflict:
            if attempt == ATTEMPTS - 1 or conflict.causes:  # causes: fields of others; none: somebody was faster
                raise


def _leave_the_rest(kube: Kube, service: Obj) -> None:
    """Let ``FIRST`` own nothing but the selector, and that only while no release has taken it over.

    Otherwise it would keep alive what a later manifest leaves out.
    """
    entries = [e for e in service["metadata"].get("managedFields") or [] if e.get("manager") == FIRST]
    spec = [(entry.get("fieldsV1") or {}).get("f:spec") or {} for entry in entries]
    if not any(fields.keys() - {"f:selector"} for fields in spec):
        return
    rest: Obj = {key: service[key] for key in ("apiVersion", "kind")}
    rest["metadata"] = {key: service["metadata"][key] for key in ("name", "namespace", "resourceVersion")}
    if any("f:selector" in fields for fields in spec):
        rest["spec"] = {"selector": service["spec"]["selector"]}
    kube.apply(rest, manager=FIRST)


def dry_run(kube: Kube, obj: Obj, live: Obj | None, elsewhere: str) -> None:
    """Let the server check an object without keeping it; ``elsewhere`` names a namespace to do it in, or is ''."""
    try:
        _apply(kube, owned_part(obj, live), dry_run=True, namespace=elsewhere)
    except NotFound:
        if obj["kind"] != "RoleBinding":  # the Role it binds was only tried as well
            raise


def fits(obj: Obj, live: Obj | None) -> bool:
    """Whether applying an object would change nothing: all that it says is so, by this project's own doing."""
    if live is None:
        return False
    managers = {entry.get("manager") for entry in live["metadata"].get("managedFields") or []}
    return SETUP in managers and _holds(live, owned_part(obj, live))


def _holds(live: Any, wanted: Any) -> bool:
    """Whether a value is there as wanted; maps may hold more, lists may not."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return all(key in live and _holds(live[key], value) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(live, list):
        return len(live) == len(wanted) and all(map(_holds, live, wanted))
    return bool(live == wanted)


def owned_part(obj: Obj, live: Obj | None) -> Obj:
    """What setting up owns of an object, given how it is now.

    Of a Service everything but its selector, of an Ingress everything but what a release has moved; of a Secret and a
    ConfigMap the keys that are set or have been; of an autoscaler all, but with the bounds that a release or a person
    gave it.
    """
    if obj["kind"] in ("Secret", "ConfigMap"):
        return configuration.merged(obj, live)
    if obj["kind"] == "HorizontalPodAutoscaler":
        return _with_pinned_bounds(obj, live)
    if obj["kind"] == "Service" and "selector" in (obj.get("spec") or {}):
        return _without(obj, "selector")
    if obj["kind"] == "Ingress" and live is not None:
        return _without(obj, *(key for key in STEERING if TRAFFIC in _writers(live, key)))
    return obj


def _without(obj: Obj, *keys: str) -> Obj:
    return {**obj, "spec": {key: value for key, value in obj["spec"].items() if key not in keys}}


def _with_pinned_bounds(obj: Obj, live: Obj | None) -> Obj:
    """An autoscaler with the bounds that a release, or a person, gave it: neither is undone by setting up."""
    if live is None:
        return obj
    bounds = {key: live["spec"][key] for key in BOUNDS if key in live["spec"] and _written_by_others(live, key)}
    return {**obj, "spec": {**obj["spec"], **bounds}}


def _written_by_others(live: Obj, key: str) -> bool:
    """Whether a field of the spec belongs to anybody but setting up."""
    return bool(_writers(live, key) - {SETUP})


def _writers(live: Obj, key: str) -> set[str]:
    """The field managers to whom a field of the spec belongs."""
    return {
        str(entry.get("manager"))
        for entry in live["metadata"].get("managedFields") or []
        if f"f:{key}" in ((entry.get("fieldsV1") or {}).get("f:spec") or {}) and entry.get("subresource", "") == ""
    }


def _apply(kube: Kube, obj: Obj, *, dry_run: bool = False, namespace: str = "") -> Obj:
    """Apply; take over fields of this project's own managers, but never anybody else's."""
    try:
        return kube.apply(obj, manager=SETUP, dry_run=dry_run, namespace=namespace)
    except Conflict as conflict:
        if not conflict.causes:
            raise
        others = [cause for cause in conflict.causes if not _manager(cause).startswith(OURS)]
        if others and not namespace:
            raise _not_ours(obj, others) from None
        return kube.apply(obj, manager=SETUP, force=True, dry_run=dry_run, namespace=namespace)


def _manager(cause: Obj) -> str:
    """The field manager that a conflict's cause names, in Kubernetes' words: ``conflict with "helm" using v1``."""
    match = re.search(r'conflict with "([^"]+)"', str(cause.get("message", "")))
    return match[1] if match else ""


def _not_ours(obj: Obj, causes: list[Obj]) -> CannotStartError:
    fields = ", ".join(f"{cause.get('field', '?')} ({_manager(cause) or 'unknown'})" for cause in causes)
    return CannotStartError(
        f"{obj['kind']} {obj['metadata']['name']} has fields that belong to other field managers: {fields}.",
        "Leave those fields out of the manifest (MANIFESTS), or let the other manager give them up.",
    )
