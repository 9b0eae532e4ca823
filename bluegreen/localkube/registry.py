"""What create, update, patch and delete mean, for HTTP requests and controllers alike.

In comes an object or a patch, decoded; out goes the stored object (frozen: copy before changing) or an ApiError.
Never does I/O beyond the store.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from bluegreen.localkube import admission as builtin
from bluegreen.localkube import (
    defaults,
    deletion,
    limits,
    metadata,
    patches,
    preparation,
    priorities,
    scale,
    selectors,
    validation,
)
from bluegreen.localkube.admission import Admission, Hook
from bluegreen.localkube.events import Recorder
from bluegreen.localkube.kinds import Kind, Obj
from bluegreen.localkube.patching import (
    Decode,
    Write,
    applied,
    applied_scale,
    as_it_is,
    check_name,
    patched,
    refuse_other_uid,
)
from bluegreen.localkube.status import ApiError, Cause, already_exists, invalid, not_found
from bluegreen.localkube.store import Store, copy_of

Objects = list[Obj]  # inside the class, ``list`` is the method
Causes = list[Cause]
_NAME_ATTEMPTS = 8  # generated names are tried as often as Kubernetes tries them


class Registry:
    """The API's rules over a store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.admission: list[Hook] = [partial(limits.admit, store), partial(priorities.admit, store)]
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
        return self._create(kind, namespace, fresh, Write(manager, dry_run=dry_run))

    def _create(self, kind: Kind, namespace: str, obj: Obj, write: Write) -> Obj:
        """Store ``obj``, which is ours to change."""
        generated = bool(obj["metadata"].get("generateName")) and not obj["metadata"].get("name")
        asked_name = builtin.shown_name(obj["metadata"])
        if kind.namespaced:
            builtin.check_namespace(self.store, kind, namespace, asked_name)
        if kind.custom:
            builtin.check_definition(kind, asked_name)
        stale = metadata.states_version(obj["metadata"]) and not write.dry_run  # nothing is stored by a dry run
        preparation.for_create(kind, obj)
        defaults.apply_defaults(kind, obj)
        metadata.begin(kind, obj)
        metadata.dedup_owners(obj["metadata"])
        preparation.with_name(kind, obj)
        if not write.applied:
            obj = patches.track(kind.schema, None, obj, manager=write.manager)
        preparation.with_selector(kind, obj)
        if kind.key == "Pod":
            builtin.prepare_pod(self.store, namespace, asked_name, obj)
        self._refuse_invalid(kind, obj, validation.validate(kind, obj, None))
        # admission stands before the store, which knows what exists: its refusals come first, but nothing is charged
        taken = not generated and self.store.entry(kind, namespace, obj["metadata"]["name"]) is not None
        self._admit(Admission("CREATE", kind, namespace, obj, None, write.dry_run or taken or stale))
        if stale:  # the store's own error, which has no code of its own (etcd3's Create)
            raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
        self._claim_name(kind, namespace, obj, generated)
        return obj if write.dry_run else self.store.put(kind, obj)

    def _claim_name(self, kind: Kind, namespace: str, obj: Obj, generated: bool) -> None:
        meta = obj["metadata"]
        for _ in range(_NAME_ATTEMPTS if generated else 1):
            if self.store.entry(kind, namespace, meta["name"]) is None:
                return
            if generated:
                meta["name"] = metadata.generated_name(meta["generateName"])
        there = self.store.get(kind, namespace, meta["name"]) or {"metadata": {}}
        deleting = "deletionTimestamp" in there["metadata"]
        raise already_exists(kind.plural, kind.group, meta["name"], deleting=deleting)

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
        sent, write = copy_of(obj), Write(manager, subresource, dry_run)
        if subresource == "scale":
            return self._scale(kind, namespace, name, sent, write)
        metadata.place(kind, namespace, sent)
        check_name(sent, name)
        live = self.store.get(kind, namespace, name)
        if live is None:
            if not kind.create_on_update or subresource:
                raise not_found(kind.plural, kind.group, name)
            sent["metadata"].pop("resourceVersion", None)
            return self._create(kind, namespace, sent, write)
        self._refuse_blind(kind, name, sent)
        return self._replace(kind, live, sent, write)

    @staticmethod
    def _refuse_blind(kind: Kind, name: str, sent: Obj) -> None:
        if kind.blind_update or sent["metadata"].get("resourceVersion"):
            return
        why = "Invalid value: 0: must be specified for an update"
        # the generic registry names the resource where every other Invalid names the kind
        raise invalid(kind.plural, kind.group, name, [Cause("metadata.resourceVersion", "FieldValueInvalid", why)])

    def _replace(self, kind: Kind, live: Obj, new: Obj, write: Write) -> Obj:
        """Make ``new`` (which is ours to change) the successor of ``live``."""
        subresource = write.subresource
        metadata.check_precondition(kind, live, new)
        metadata.carry_over(live, new)
        metadata.dedup_owners(new["metadata"])
        if subresource == "status":
            defaults.apply_status_defaults(kind, new)
        else:
            defaults.apply_defaults(kind, new)
        if kind.key == "Pod" and not subresource:
            builtin.prepare_pod_update(new, live)
        new = preparation.for_update(kind, live, new, subresource)
        if not write.applied:
            new = patches.track(kind.schema, live, new, manager=write.manager, subresource=subresource)
        causes = metadata.check_update(live, new)
        if subresource in ("", "resize"):
            causes += validation.validate(kind, new, live)
        elif subresource in ("status", "finalize", "ephemeralcontainers") and not write.trusted:
            causes += validation.validate_view(kind, new, live, subresource)
        causes += metadata.check_update(live, new)  # the strategy of a kind looks as well as that of all objects
        self._refuse_invalid(kind, live, causes)
        namespace = live["metadata"].get("namespace", "")
        self._admit(Admission("UPDATE", kind, namespace, new, live, write.dry_run, subresource))
        if metadata.same_but_for_times(live, new):
            return live
        return new if write.dry_run else self._store_update(kind, new)

    def _store_update(self, kind: Kind, new: Obj) -> Obj:
        """Put it, or remove it where it was marked for deletion and this update took away what held it."""
        if deletion.may_go(kind, new):
            self.store.put(kind, new)
            return self.store.remove(kind, new["metadata"].get("namespace", ""), new["metadata"]["name"])
        return self.store.put(kind, new)

    def _scale(self, kind: Kind, namespace: str, name: str, sent: Obj, write: Write) -> Obj:
        live = self.get(kind, namespace, name)
        metadata.place_view(namespace, sent)
        check_name(sent, name)
        replicas = scale.asked_replicas(sent, name)
        metadata.check_precondition(kind, live, sent)
        new = copy_of(live)
        scale.put_replicas(kind, new, replicas)
        return scale.view(kind, self._replace(kind, live, new, write))

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
        return self._replace(kind, live, new, Write(manager, subresource, trusted=True))

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
        live, write = self.store.get(kind, namespace, name), Write(manager, subresource, dry_run, force)
        if patch_type == "apply":
            write = replace(write, applied=True)
            return self._apply(kind, (namespace, name), live, body, write, decode or as_it_is), live is None
        if live is None:
            raise not_found(kind.plural, kind.group, name)
        if subresource == "scale":
            sent = (decode or as_it_is)(patched(kind, patch_type, scale.view(kind, live), body))
            return self._scale(kind, namespace, name, sent, write), False
        new = (decode or as_it_is)(patched(kind, patch_type, live, body))
        metadata.place(kind, namespace, new)
        check_name(new, name)
        refuse_other_uid(kind, live, new)
        return self._replace(kind, live, new, write), False

    def _apply(
        self, kind: Kind, place: tuple[str, str], live: Obj | None, config: Obj, write: Write, decode: Decode
    ) -> Obj:
        if live is None and write.subresource:
            raise not_found(kind.plural, kind.group, place[1])
        if live is not None and write.subresource == "scale":
            merged = applied_scale(kind, live, place, config, write)
            return scale.view(kind, self._replace(kind, live, merged, write))
        merged = applied(kind, live, place, config, write, decode)
        if live is None:
            return self._create(kind, place[0], merged, write)
        return self._replace(kind, live, merged, write)

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
        deletion.refuse_needed(kind, name)
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
    def event(
        self, regarding: Obj, type_: str, reason: str, message: str, component: str, *, host: str = "", action: str = ""
    ) -> None:
        """Record that something happened to an object; the same again is counted on the same Event.

        ``host``: the node it comes from; ``action``: see ``Recorder.record``.
        """
        self._events.record(regarding, type_, reason, message, component, host=host, action=action)

    def expire_events(self) -> None:
        """Remove Events that nothing added to for an hour."""
        self._events.expire()
