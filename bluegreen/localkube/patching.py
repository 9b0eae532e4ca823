"""What a PATCH makes of an object, before it is treated like any other update. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bluegreen.localkube import metadata, patches, scale
from bluegreen.localkube.kinds import Kind, Obj
from bluegreen.localkube.patches.managers import Schema
from bluegreen.localkube.status import ApiError, Cause, bad_request, conflict, invalid
from bluegreen.localkube.store import copy_of

Decode = Callable[[Obj], Obj]
"""Checks the types and the unknown fields of a patch's result; hands it back, or raises 422."""


@dataclass(frozen=True)
class Write:
    """How an object is to be written. ``applied``: by server-side apply, which keeps its own book of managers.
    ``trusted``: by the cluster itself, whose statuses are taken as they are.
    """

    manager: str
    subresource: str = ""
    dry_run: bool = False
    force: bool = False
    applied: bool = False
    trusted: bool = False


def as_it_is(obj: Obj) -> Obj:
    """No check: for callers inside the cluster."""
    return obj


def patched(kind: Kind, patch_type: str, shown: Obj, body: Any) -> Obj:
    """What is shown (the object, or its scale) after a JSON patch, merge patch or strategic merge patch."""
    obj = copy_of(shown)
    if patch_type == "json":
        return patches.json_patch(obj, body)
    if patch_type == "merge":
        return patches.merge_patch(obj, body)
    if patch_type == "strategic":
        return patches.strategic_merge(kind.kind, obj, body)
    raise ApiError(415, "UnsupportedMediaType", f"unknown patch type {patch_type}")


def applied(kind: Kind, live: Obj | None, place: tuple[str, str], config: Obj, write: Write, decode: Decode) -> Obj:
    """The object after server-side apply: what the manager wants, merged with what others own.

    ``place`` is the request's namespace and name. 409 for conflicts with other managers, unless forced.
    """
    namespace, name = place
    given, config = config, _placed(kind, namespace, name, config, named=live is not None)
    uid = config["metadata"].get("uid")
    if live is None and uid:
        why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise conflict(kind.plural, kind.group, name, why)
    if live is not None:
        metadata.check_precondition(kind, live, {"metadata": {**config["metadata"], "uid": ""}})
    if not (given.get("metadata") or {}).get("namespace"):
        config["metadata"].pop("namespace", None)  # nobody applies it, and a refusal does not show it
    merged = _merged(kind.schema, live, config, write)
    if kind.namespaced:
        merged["metadata"].setdefault("namespace", namespace)
    patches.sync_last_applied(merged, given, write.manager)
    merged = decode(merged)
    if live is None:
        check_name(merged, name)
    else:
        refuse_other_uid(kind, live, merged)
        merged["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
    return merged


def applied_scale(kind: Kind, live: Obj, place: tuple[str, str], config: Obj, write: Write) -> Obj:
    """The object after server-side apply of its Scale: the manager takes, or gives up, the replicas."""
    namespace, name = place
    config = copy_of(config)
    config["metadata"] = {"name": name, "namespace": namespace, **(config.get("metadata") or {})}
    check_name(config, name)
    _merged("Scale", scale.view(kind, live), config, replace(write, force=True, subresource=""))  # refuses other things
    wanted: Obj = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}}
    if "replicas" in (config.get("spec") or {}):
        scale.put_replicas(kind, wanted, scale.asked_replicas(config, name))
    try:
        merged = _merged(kind.schema, live, wanted, write)
    except ApiError as refusal:
        raise scale.of_scale(refusal, kind.api_version) from None
    merged["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
    return merged


def _merged(schema: Schema, live: Obj | None, config: Obj, write: Write) -> Obj:
    return patches.server_side_apply(
        schema, live, config, manager=write.manager, force=write.force, subresource=write.subresource
    )


def _placed(kind: Kind, namespace: str, name: str, config: Obj, *, named: bool) -> Obj:
    """A copy of what is to be applied, with the request's namespace but the type it states itself.

    ``named``: there is an object, which has the name where the configuration states none.
    """
    config = copy_of(config)
    stated_version, stated_kind = config.get("apiVersion"), config.get("kind")
    metadata.place(kind, namespace, config)
    config["apiVersion"], config["kind"] = stated_version or "", stated_kind or ""
    if named:
        config["metadata"].setdefault("name", name)
    if "name" in config["metadata"]:
        check_name(config, name)
    return config


def check_name(obj: Obj, name: str) -> None:
    """400 for an object that calls itself otherwise than the path does."""
    given = obj["metadata"].get("name")
    if not given:
        raise bad_request(f"the name of the object ({name} based on URL) was undeterminable: name must be provided")
    if given != name:
        raise bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")


def refuse_other_uid(kind: Kind, live: Obj, new: Obj) -> None:
    """To a PUT another uid is a conflict, to a patch a change of what cannot change."""
    uid = new["metadata"].get("uid") or live["metadata"]["uid"]
    if uid != live["metadata"]["uid"]:
        cause = Cause("metadata.uid", "FieldValueInvalid", f'Invalid value: "{uid}": field is immutable')
        raise invalid(kind.kind, kind.group, live["metadata"]["name"], [cause, cause])  # by strategy and registry
