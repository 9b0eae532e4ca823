"""What create, update, patch and delete mean, for HTTP requests and controllers alike.

In comes an object or a patch, decoded; out goes the stored object (frozen: copy before changing) or an ApiError.
Never does I/O beyond the store.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bluegreen.localkube import admission as builtin
from bluegreen.localkube import defaults, deletion, metadata, patches, preparation, scale, selectors, validation
from bluegreen.localkube.admission import Admission, Hook
from bluegreen.localkube.canonical import canonicalise
from bluegreen.localkube.events import Recorder
from bluegreen.localkube.kinds import Kind, Obj
from bluegreen.localkube.status import ApiError, Cause, already_exists, bad_request, conflict, invalid, not_found
from bluegreen.localkube.store import Store, copy_of

Decode = Callable[[Obj], Obj]
"""Checks the types and the unknown fields of a patch's result; hands it back, or raises 422."""
Objects = list[Obj]  # inside the class, ``list`` is the method
Causes = list[Cause]
_NAME_ATTEMPTS = 8  # generated names are tried as often as Kubernetes tries them


class Registry:
    """The API's rules over a store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.admission: list[Hook] = []
        self._events = Recorder(self)

    # -- reading ---------------------------------------------------------------
    def get(self, kind: Kind, namespace: str, name: str) -> Obj:
        """The object; 404 when there is none."""
        obj = self.store.get(kind, namespace, name)
        if obj is None:
            raise not_found(kind.plural, kind.group, name)
        return obj

    def list(self, kind: Kind, namespace: str = "", labels: str = "", fields: str = "") -> Objects:
        """Objects by namespace and name, selected; 400 for a selector that cannot be read."""
        selected = selectors.selection(kind, labels, fields)
        found = self.store.list(kind, namespace)
        return [obj for obj in found if selected.matches(obj)] if selected else found

    # -- creating --------------------------------------------------------------
    def create(self, kind: Kind, namespace: str, obj: Obj, *, manager: str = "unknown", dry_run: bool = False) -> Obj:
        """Store a new object. 404 and 403 by its namespace, 409 when its name is taken, 422 when it is invalid."""
        fresh = copy_of(obj)
        metadata.place(kind, namespace, fresh)
        return self._create(kind, namespace, fresh, manager=manager, dry_run=dry_run)

    def _create(
        self, kind: Kind, namespace: str, obj: Obj, *, manager: str, dry_run: bool, applied: bool = False
    ) -> Obj:
        generated = bool(obj["metadata"].get("generateName")) and not obj["metadata"].get("name")
        if kind.namespaced:
            builtin.check_namespace(self.store, kind, namespace, obj["metadata"].get("name", ""))
        preparation.for_create(kind, obj)
        defaults.apply_defaults(kind, obj)
        metadata.begin(kind, obj)
        preparation.with_uid(kind, obj)
        if not applied:
            obj = patches.track(kind.kind, None, obj, manager=manager)
        self._mutate(kind, namespace, obj)
        self._refuse_invalid(kind, obj, validation.validate(kind, obj, None))
        self._claim_name(kind, namespace, obj, generated)
        self._admit(Admission("CREATE", kind, namespace, obj, None, dry_run))
        return obj if dry_run else self.store.put(kind, obj)

    def _mutate(self, kind: Kind, namespace: str, obj: Obj) -> None:
        if kind.kind == "Pod":
            builtin.prepare_pod(self.store, namespace, obj)

    def _claim_name(self, kind: Kind, namespace: str, obj: Obj, generated: bool) -> None:
        meta = obj["metadata"]
        for _ in range(_NAME_ATTEMPTS if generated else 1):
            if self.store.entry(kind, namespace, meta["name"]) is None:
                return
            if generated:
                meta["name"] = metadata.generated_name(meta["generateName"])
        raise already_exists(kind.plural, kind.group, meta["name"])

    def _admit(self, admission: Admission) -> None:
        """Ask the rest of the cluster; not about a status, which says what is and asks for nothing."""
        if admission.subresource != "status":
            for hook in self.admission:
                hook(admission)

    @staticmethod
    def _refuse_invalid(kind: Kind, obj: Obj, causes: Causes) -> None:
        if causes:
            raise invalid(kind.kind, kind.group, obj["metadata"].get("name") or "", causes)

    # -- updating --------------------------------------------------------------
    def update(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        obj: Obj,
        *,
        manager: str,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Obj:
        """Replace an object (or what its subresource shows). 409 when it was read at another version."""
        sent = copy_of(obj)
        if subresource == "scale":
            return self._scale(kind, namespace, name, sent, manager=manager, dry_run=dry_run)
        metadata.place(kind, namespace, sent)
        sent["metadata"]["name"] = sent["metadata"].get("name") or name
        _check_name(sent, name)
        live = self.store.get(kind, namespace, name)
        if live is None:
            if not kind.create_on_update or subresource:
                raise not_found(kind.plural, kind.group, name)
            sent["metadata"].pop("resourceVersion", None)
            return self._create(kind, namespace, sent, manager=manager, dry_run=dry_run)
        self._refuse_blind(kind, name, sent)
        return self._replace(kind, live, sent, manager=manager, subresource=subresource, dry_run=dry_run)

    @staticmethod
    def _refuse_blind(kind: Kind, name: str, sent: Obj) -> None:
        if kind.blind_update or sent["metadata"].get("resourceVersion"):
            return
        why = "Invalid value: 0: must be specified for an update"
        # the generic registry names the resource where every other Invalid names the kind
        raise invalid(kind.plural, kind.group, name, [Cause("metadata.resourceVersion", "FieldValueInvalid", why)])

    @staticmethod
    def _refuse_other_uid(kind: Kind, live: Obj, patched: Obj) -> None:
        """To a PUT another uid is a conflict, to a patch a change of what cannot change."""
        uid = patched["metadata"].get("uid") or live["metadata"]["uid"]
        if uid != live["metadata"]["uid"]:
            why = f'Invalid value: "{uid}": field is immutable'
            cause = Cause("metadata.uid", "FieldValueInvalid", why)
            raise invalid(kind.kind, kind.group, live["metadata"]["name"], [cause])

    def _replace(
        self,
        kind: Kind,
        live: Obj,
        new: Obj,
        *,
        manager: str,
        subresource: str = "",
        dry_run: bool = False,
        operation: str = "Update",
    ) -> Obj:
        """Make ``new`` (which is ours to change) the successor of ``live``."""
        metadata.check_precondition(kind, live, new)
        metadata.carry_over(live, new)
        if subresource == "status":
            canonicalise(kind.kind, new)
        else:
            defaults.apply_defaults(kind, new)
        new = preparation.for_update(kind, live, new, subresource)
        if operation == "Update":
            new = patches.track(kind.kind, live, new, manager=manager, subresource=subresource)
        namespace = live["metadata"].get("namespace", "")
        causes = metadata.check_update(live, new)
        if subresource in ("", "resize"):
            causes += validation.validate(kind, new, live)
        self._refuse_invalid(kind, live, causes)
        self._admit(Admission("UPDATE", kind, namespace, new, live, dry_run, subresource))
        if metadata.same_but_for_times(live, new):
            return live
        return new if dry_run else self._store_update(kind, new)

    def _store_update(self, kind: Kind, new: Obj) -> Obj:
        """Put it, or remove it where it was marked for deletion and this update took away what held it."""
        if deletion.may_go(kind, new):
            self.store.put(kind, new)
            return self.store.remove(kind, new["metadata"].get("namespace", ""), new["metadata"]["name"])
        return self.store.put(kind, new)

    def _scale(self, kind: Kind, namespace: str, name: str, sent: Obj, *, manager: str, dry_run: bool) -> Obj:
        live = self.get(kind, namespace, name)
        replicas = scale.asked_replicas(sent, name)
        metadata.check_precondition(kind, live, sent)
        new = copy_of(live)
        new["spec"]["replicas"] = replicas
        return scale.view(self._replace(kind, live, new, manager=manager, subresource="scale", dry_run=dry_run))

    def modify(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        change: Callable[[Obj], None],
        *,
        manager: str = "kube-controller-manager",
        subresource: str = "status",
    ) -> Obj | None:
        """Change a copy of an object and store it where that made a difference. None when the object is gone.

        ``subresource``: "status" keeps everything but the status (and metadata), "" everything but the status.
        """
        entry = self.store.entry(kind, namespace, name)
        if entry is None:
            return None
        live, new = entry.obj, entry.copy()
        change(new)
        if new == live:
            return live
        return self._replace(kind, live, new, manager=manager, subresource=subresource)

    # -- patching --------------------------------------------------------------
    def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        patch_type: str,
        body: Any,
        *,
        manager: str,
        force: bool = False,
        subresource: str = "",
        dry_run: bool = False,
        decode: Decode | None = None,
    ) -> tuple[Obj, bool]:
        """Patch an object; ``patch_type`` is json, merge, strategic or apply. Also says whether it was created."""
        live = self.store.get(kind, namespace, name)
        if patch_type == "apply" and subresource == "scale":
            return self._apply_scale(kind, namespace, name, body, manager=manager, force=force, dry_run=dry_run), False
        if patch_type == "apply":
            return self._apply(
                kind, namespace, name, live, body, manager, force, subresource, dry_run, decode or _as_it_is
            )
        if live is None:
            raise not_found(kind.plural, kind.group, name)
        shown = scale.view(live) if subresource == "scale" else live
        patched = _patched(kind, patch_type, copy_of(shown), body)
        if subresource == "scale":
            return self._scale(kind, namespace, name, patched, manager=manager, dry_run=dry_run), False
        if decode:
            patched = decode(patched)
        metadata.place(kind, namespace, patched)
        _check_name(patched, name)
        self._refuse_other_uid(kind, live, patched)
        return self._replace(kind, live, patched, manager=manager, subresource=subresource, dry_run=dry_run), False

    def _apply(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        live: Obj | None,
        config: Obj,
        manager: str,
        force: bool,
        subresource: str,
        dry_run: bool,
        decode: Decode,
    ) -> tuple[Obj, bool]:
        """Server-side apply: merge what the manager wants with what others own."""
        if live is None and subresource:
            raise not_found(kind.plural, kind.group, name)
        config = self._placed_config(kind, namespace, name, config)
        if live is None and config["metadata"].get("uid"):
            why = f"the provided object specified uid {config['metadata']['uid']}, and no existing object was found"
            raise conflict(kind.plural, kind.group, name, f"uid mismatch: {why}")
        if live is not None:
            metadata.check_precondition(kind, live, {"metadata": {**config["metadata"], "uid": ""}})
        merged = decode(
            patches.server_side_apply(kind.kind, live, config, manager=manager, force=force, subresource=subresource)
        )
        if live is None:
            created = self._create(kind, namespace, merged, manager=manager, dry_run=dry_run, applied=True)
            return created, True
        self._refuse_other_uid(kind, live, merged)
        merged["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
        new = self._replace(
            kind, live, merged, manager=manager, subresource=subresource, dry_run=dry_run, operation="Apply"
        )
        return new, False

    def _apply_scale(
        self, kind: Kind, namespace: str, name: str, config: Obj, *, manager: str, force: bool, dry_run: bool
    ) -> Obj:
        """Server-side apply of a Scale: the manager takes, or gives up, the replicas of what it scales."""
        live = self.get(kind, namespace, name)
        config = copy_of(config)
        config["metadata"] = {"name": name, "namespace": namespace, **(config.get("metadata") or {})}
        _check_name(config, name)
        patches.server_side_apply(
            "Scale", scale.view(live), config, manager=manager, force=True
        )  # refuses other things
        wanted: Obj = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}}
        if "replicas" in (config.get("spec") or {}):
            wanted["spec"] = {"replicas": scale.asked_replicas(config, name)}
        try:
            merged = patches.server_side_apply(
                kind.kind, live, wanted, manager=manager, force=force, subresource="scale"
            )
        except ApiError as refusal:
            raise scale.of_scale(refusal, kind.api_version) from None
        merged["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
        return scale.view(
            self._replace(kind, live, merged, manager=manager, subresource="scale", dry_run=dry_run, operation="Apply")
        )

    @staticmethod
    def _placed_config(kind: Kind, namespace: str, name: str, config: Obj) -> Obj:
        """A copy of what is to be applied, with the request's name and namespace."""
        config = copy_of(config)
        stated_version, stated_kind = config.get("apiVersion"), config.get("kind")
        metadata.place(kind, namespace, config)
        config["apiVersion"], config["kind"] = stated_version or "", stated_kind or ""
        given = config["metadata"].setdefault("name", name)
        if given != name:
            raise bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")
        return config

    # -- deleting --------------------------------------------------------------
    def delete(
        self, kind: Kind, namespace: str, name: str, options: Obj | None = None, *, dry_run: bool = False
    ) -> Obj:
        """Delete an object, or mark it where a grace period or finalizers hold it.

        Returns the object where it stays for now (and for the kinds that always answer so), else a Status.
        """
        options = options or {}
        deletion.check_options(options)
        live = self.get(kind, namespace, name)
        refusal = deletion.forbidden_namespace(name) if kind.kind == "Namespace" else None
        if refusal:
            raise refusal
        deletion.check_preconditions(kind, live, options)
        self._admit(Admission("DELETE", kind, namespace, live, live, dry_run))
        decision = deletion.decide(kind, live, options)
        if decision.marked is not None and not dry_run:
            live = self.store.put(kind, decision.marked)
        elif decision.marked is not None:
            live = decision.marked
        if not decision.remove:
            return live
        gone = live if dry_run else self.store.remove(kind, namespace, name)
        return gone if kind.returns_deleted else deletion.success(kind, gone)

    # -- events ----------------------------------------------------------------
    def event(self, regarding: Obj, type_: str, reason: str, message: str, component: str) -> None:
        """Record that something happened to an object; the same again is counted on the same Event."""
        self._events.record(regarding, type_, reason, message, component)

    def expire_events(self) -> None:
        """Remove Events that nothing added to for an hour."""
        self._events.expire()


def _check_name(obj: Obj, name: str) -> None:
    """400 for an object that calls itself otherwise than the path does."""
    given = obj["metadata"].get("name")
    if given != name:
        raise bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")


def _as_it_is(obj: Obj) -> Obj:
    return obj


def _patched(kind: Kind, patch_type: str, obj: Obj, body: Any) -> Obj:
    if patch_type == "json":
        return patches.json_patch(obj, body)
    if patch_type == "merge":
        return patches.merge_patch(obj, body)
    if patch_type == "strategic":
        return patches.strategic_merge(kind.kind, obj, body)
    raise ApiError(415, "UnsupportedMediaType", f"unknown patch type {patch_type}")
