"""What the server does for each verb on objects and collections."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import orjson
from aiohttp import web

from bluegreen.localkube import scale, selectors, unemulated_fields
from bluegreen.localkube.http import answers, disturbed, lists, options, patch_bodies, watches
from bluegreen.localkube.http.calls import Call
from bluegreen.localkube.kinds import Obj
from bluegreen.localkube.status import ApiError, bad_request, forbidden, not_found

_DELETED_AT_ONCE = 100  # objects of a collection; then others have their turn

Handler = Callable[[Call], Awaitable[web.StreamResponse]]

_NOT_ENFORCED = "this cluster stores NetworkPolicies but does not enforce them: traffic is not filtered"
WRITE_WARNINGS = {"NetworkPolicy": _NOT_ENFORCED}
"""What a client that writes a kind has to know. A real cluster's enforcement would depend on its plugins."""
_ORPHANS = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set"
    " propagationPolicy=Orphan to suppress this warning"
)
_ENDPOINTS = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"


def _warn(call: Call) -> None:
    warning = WRITE_WARNINGS.get(call.kind.key)
    if warning:
        call.warnings.append(warning)


def _warn_of_fields(call: Call, stored: Obj) -> None:
    """Say which fields of what was written do nothing here."""
    if call.target.subresource in ("", "ephemeralcontainers"):
        call.warnings += unemulated_fields.warnings(call.kind.key, stored)


def _headers(call: Call) -> dict[str, str] | None:
    if call.kind.custom and call.kind.custom.deprecation:
        call.warnings.append(call.kind.custom.deprecation)
    if call.kind.key == "Endpoints":
        call.warnings.append(_ENDPOINTS)
    return answers.warning_headers(call.warnings)


def _answer(call: Call, obj: Obj, status: int = 200) -> web.StreamResponse:
    """An object, in the form the client accepts."""
    headers = _headers(call)
    if call.form in ("", "yaml") or obj.get("kind") == "Status":
        if call.form != "yaml":
            return answers.json_bytes(call.registry.store.encoded(obj), status, headers)
        return answers.document(obj, status, call.form, headers)
    return answers.document(answers.shaped(call.kind, obj, call.form, call.include), status, "", headers)


async def get(call: Call) -> web.StreamResponse:
    """GET of one object."""
    target = call.target
    lists.check_not_older_than(call.registry.store, call.query.get("resourceVersion", ""))
    obj = _older_object(call) if call.strike.behind_s else call.registry.get(call.kind, target.namespace, target.name)
    if target.subresource == "scale":
        return _answer(call, scale.view(call.kind, obj))
    return _answer(call, obj)


def _older_object(call: Call) -> Obj:
    """The object as a server that lags knows it."""
    target, store = call.target, call.registry.store
    version = _older_version(call, options.list_options(call.query))
    entry = lists.object_as_of(store, call.kind, target.namespace, target.name, version)
    if entry is None:
        raise not_found(call.kind.plural, call.kind.group, target.name)
    return entry.obj


def _older_version(call: Call, asked: options.ListOptions) -> int:
    """The version a read is answered from; 0 for the present one, also where the older state is forgotten."""
    assert call.faults is not None
    version = disturbed.older(asked, call.strike, call.faults)
    return version if version >= call.registry.store.oldest(call.kind) else 0


async def list_(call: Call) -> web.StreamResponse:
    """GET of a collection."""
    asked = options.list_options(call.query)
    if call.strike.behind_s and (version := _older_version(call, asked)):
        asked = disturbed.as_of(asked, version)
    found = lists.page(call.registry.store, call.kind, call.target.namespace, asked)
    headers = _headers(call)
    if not call.form:
        return answers.json_bytes(lists.body(call.kind, found), 200, headers)
    objects = [entry.obj for entry in found.entries]
    shaped = answers.shaped_list(call.kind, objects, found.metadata, call.form, call.include)
    return answers.document(shaped, 200, call.form, headers)


async def watch(call: Call) -> web.StreamResponse:
    """GET of a collection with watch=true."""
    asked = options.list_options(call.query)
    form = "" if call.form == "yaml" else call.form
    store = call.registry.store
    return await watches.serve(
        call.request, store, call.kind, call.target.namespace, asked, form, call.include, _ending(call)
    )


def _ending(call: Call) -> watches.Ending | None:
    """How a fault ends this watch, if one does."""
    strike, faults = call.strike, call.faults
    if faults is None or (strike.watch_ends_s is None and not strike.floor):
        return None
    return watches.Ending(
        strike.watch_ends_s,
        strike.floor,
        partial(faults.expired, strike, call.target.resource) if strike.watch_expires else None,
        partial(disturbed.cut, call.request),
    )


async def create(call: Call) -> web.StreamResponse:
    """POST to a collection."""
    asked = options.write_options("create", call.query, call.user_agent)
    obj = await call.read_object(asked.validation)
    if not call.kind.stored:
        return answers.document(call.authority.review(call.kind, call.user, obj, call.target.namespace), 201, call.form)
    _warn(call)
    made = call.registry.create(call.kind, call.target.namespace, obj, manager=asked.manager, dry_run=asked.dry_run)
    _warn_of_fields(call, made)
    return _answer(call, made, 201)


async def update(call: Call) -> web.StreamResponse:
    """PUT of one object, or of its status, scale or finalizers."""
    target = call.target
    asked = options.write_options("update", call.query, call.user_agent)
    obj = await call.read_object(asked.validation)
    if not target.subresource:
        _warn(call)
    existed = call.registry.store.entry(call.kind, target.namespace, target.name) is not None
    if call.kind.create_on_update and not target.subresource:
        _require_create(call)
    stored = call.registry.update(
        call.kind, target.namespace, target.name, obj, manager=asked.manager, subresource=target.subresource,
        dry_run=asked.dry_run,
    )  # fmt: skip
    _warn_of_fields(call, stored)
    return _answer(call, stored, 200 if existed else 201)


def _require_create(call: Call) -> None:
    """403 for an apply or a PUT that would create what its sender may not create: more than patch or update."""
    target = call.target
    if call.registry.store.entry(call.kind, target.namespace, target.name) is not None:
        return
    asked = target.attributes("create")
    if call.authority.allows(call.user, asked) is None:
        raise forbidden(asked.resource, asked.group, asked.name, call.authority.refusal(call.user, asked))


async def patch(call: Call) -> web.StreamResponse:
    """PATCH of one object, or of its status or scale, in any of the four patch types."""
    target = call.target
    patch_type = patch_bodies.type_of(call.content_type, call.kind)
    applying = patch_type == "apply"
    asked = options.write_options("patch", call.query, call.user_agent, applying=applying)
    body = await call.body()
    if not applying and call.registry.store.entry(call.kind, target.namespace, target.name) is None:
        raise not_found(call.kind.plural, call.kind.group, target.name)
    given = patch_bodies.read(body, patch_type, asked.validation)
    if applying:
        _check_config(given.content)
        _require_create(call)
    if not target.subresource:
        _warn(call)
    stored, created = call.registry.patch(
        call.kind, target.namespace, target.name, patch_type, given.content, manager=asked.manager, force=asked.force,
        subresource=target.subresource, dry_run=asked.dry_run,
        decode=lambda patched: patch_bodies.checked(call.kind, target.subresource, patched, given, call.warnings),
    )  # fmt: skip
    _warn_of_fields(call, stored)
    return _answer(call, stored, 201 if created else 200)


def _check_config(content: Obj) -> None:
    """What of a configuration has to be right before anything can be said about the rest."""
    meta = content.get("metadata", {})
    if not isinstance(meta, dict) or not all(isinstance(meta.get(key, ""), str) for key in ("name", "namespace")):
        raise bad_request("error decoding YAML: json: cannot unmarshal metadata into Go value of type v1.ObjectMeta")


async def delete(call: Call) -> web.StreamResponse:
    """DELETE of one object."""
    target = call.target
    given = await call.read_delete_options()
    dry_run = options.dry_run_of(call.query, given)
    if call.kind.dependents == "orphan" and not {"propagationPolicy", "orphanDependents"} & given.keys():
        call.warnings.append(_ORPHANS)
    result = call.registry.delete(call.kind, target.namespace, target.name, given, dry_run=dry_run)
    stays = result.get("kind") != "Status" and given.get("orphanDependents") is False
    return _answer(call, result, 202 if stays else 200)


async def delete_collection(call: Call) -> web.StreamResponse:
    """DELETE of a collection: every selected object; answers with the list of them."""
    asked = options.list_options(call.query)
    given = await call.read_delete_options()
    dry_run = options.dry_run_of(call.query, given)
    selected = selectors.selection(call.kind, asked.labels, asked.fields)
    store = call.registry.store
    entries = [entry for entry in store.entries(call.kind, call.target.namespace) if selected.matches(entry.obj)]
    entries = entries[: asked.limit or None]
    for place, entry in enumerate(entries):
        if place % _DELETED_AT_ONCE == _DELETED_AT_ONCE - 1:
            await asyncio.sleep(0)
        meta = entry.obj["metadata"]
        try:
            call.registry.delete(call.kind, meta.get("namespace", ""), meta["name"], given, dry_run=dry_run)
        except ApiError as error:
            if error.code != 404:
                raise
    found = lists.Page(entries, {"resourceVersion": str(store.resource_version)})
    body = lists.body(call.kind, found)
    if not call.form:
        return answers.json_bytes(body, 200, _headers(call))
    objects = [entry.obj for entry in found.entries]
    shaped = answers.shaped_list(call.kind, objects, found.metadata, call.form, call.include)
    return answers.json_bytes(orjson.dumps(shaped))


VERBS: dict[str, Handler] = {
    "get": get,
    "list": list_,
    "watch": watch,
    "create": create,
    "update": update,
    "patch": patch,
    "delete": delete,
    "deletecollection": delete_collection,
}
"""What is done for a verb on an object or a collection, or on /status, /scale and /finalize."""
