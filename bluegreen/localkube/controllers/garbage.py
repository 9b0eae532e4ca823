"""Owner references: what is left without an owner goes; owners deleted in the foreground wait for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bluegreen.localkube.controllers.adoption import is_deleting
from bluegreen.localkube.controllers.base import CUSTOM, MANAGER, Context, Key
from bluegreen.localkube.controllers.owners import without_owner
from bluegreen.localkube.deletion import FOREGROUND, ORPHAN
from bluegreen.localkube.kinds import KINDS, Kind
from bluegreen.localkube.status import ApiError
from bluegreen.localkube.store import Change

Obj = dict[str, Any]

_STORED = (*(each.kind for each in KINDS.values() if each.stored and each.kind != "Event"), CUSTOM)


@dataclass
class GarbageCollector:
    """The garbage collector. Its keys are (key of the kind, namespace, name, uid): an object is only ever itself."""

    context: Context
    name: str = "garbage-collector-controller"
    watches: tuple[str, ...] = _STORED

    def keys(self, change: Change) -> Iterable[Key]:
        """What a change may leave without an owner, or set free to go."""
        obj = change.object
        meta = obj["metadata"]
        if change.type == "DELETED":
            dependents = self.context.store.by_owner(meta["uid"])
            return [*(self._key(each) for _, each in dependents), *self._waiting_owners(obj)]
        if change.type == "ADDED" or _has_changed(change):
            concerned = bool(meta.get("ownerReferences")) or _acts_on(obj)
            return (
                [self._key(obj), *self._waiting_owners(change.previous)]
                if concerned
                else self._waiting_owners(change.previous)
            )
        return ()

    def reconcile(self, key: Key) -> float | None:
        """Treat one object: as an owner that waits or lets go, else as a dependent."""
        kind_name, namespace, name, uid = key
        obj = self.context.get(kind_name, namespace, name)
        if obj is None or obj["metadata"]["uid"] != uid:
            return None
        finalizers = obj["metadata"].get("finalizers") or ()
        if is_deleting(obj) and ORPHAN in finalizers:
            self._orphan_dependents(obj)
        elif is_deleting(obj) and FOREGROUND in finalizers:
            self._delete_dependents(obj)
        elif obj["metadata"].get("ownerReferences") and not is_deleting(obj):
            self._judge_dependent(obj)
        return None

    # -- as an owner -----------------------------------------------------------------
    def _orphan_dependents(self, owner: Obj) -> None:
        for _, dependent in self.context.store.by_owner(owner["metadata"]["uid"]):
            self._disown(dependent, {owner["metadata"]["uid"]})
        self._drop_finalizer(owner, ORPHAN)

    def _delete_dependents(self, owner: Obj) -> None:
        """Dependents that hold their owner go first; the last one to go lets it go."""
        uid = owner["metadata"]["uid"]
        dependents = [obj for _, obj in self.context.store.by_owner(uid)]
        if not any(_blocks(dependent, uid) for dependent in dependents):
            self._drop_finalizer(owner, FOREGROUND)
            return
        for dependent in dependents:
            if not is_deleting(dependent):
                self._judge_dependent(dependent)

    # -- as a dependent --------------------------------------------------------------
    def _judge_dependent(self, obj: Obj) -> None:
        references = obj["metadata"]["ownerReferences"]
        owners = {reference["uid"]: self._owner(obj, reference) for reference in references}
        gone = {uid for uid, owner in owners.items() if owner is None}
        waiting = {uid for uid, owner in owners.items() if owner and _waits(owner)}
        if len(gone) + len(waiting) < len(owners):
            if gone or waiting:
                self._disown(obj, gone | waiting)
            return
        has_dependents = bool(self.context.store.by_owner(obj["metadata"]["uid"]))
        self._delete(obj, "Foreground" if waiting and has_dependents else _kept_policy(obj))

    def _owner(self, obj: Obj, reference: Obj) -> Obj | None:
        """The owner a reference names, if it is still that very object. One of a kind not served counts as there."""
        owner_kind = self.context.store.kinds.stored(reference["apiVersion"], reference["kind"])
        if owner_kind is None:
            return reference
        namespace = obj["metadata"].get("namespace", "") if owner_kind.namespaced else ""
        owner = self.context.get(owner_kind.key, namespace, reference["name"])
        return owner if owner and owner["metadata"]["uid"] == reference["uid"] else None

    # -- writes ------------------------------------------------------------------------
    def _delete(self, obj: Obj, policy: str) -> None:
        options = {"propagationPolicy": policy, "preconditions": {"uid": obj["metadata"]["uid"]}}
        try:
            self.context.registry.delete(self._kind(obj), *_place(obj), options)
        except ApiError as error:
            if error.code != 404:
                raise

    def _disown(self, obj: Obj, uids: set[str]) -> None:
        def change(copy: Obj) -> None:
            references = copy["metadata"].get("ownerReferences") or []
            for uid in uids:
                references = without_owner(references, uid)
            copy["metadata"]["ownerReferences"] = references
            if not references:
                del copy["metadata"]["ownerReferences"]

        self.context.registry.modify(self._kind(obj), *_place(obj), change, manager=MANAGER, subresource="")

    def _drop_finalizer(self, obj: Obj, finalizer: str) -> None:
        def change(copy: Obj) -> None:
            left = [each for each in copy["metadata"]["finalizers"] if each != finalizer]
            copy["metadata"]["finalizers"] = left
            if not left:
                del copy["metadata"]["finalizers"]

        self.context.registry.modify(self._kind(obj), *_place(obj), change, manager=MANAGER, subresource="")

    def _waiting_owners(self, obj: Obj | None) -> list[Key]:
        """Owners being deleted in the foreground, which this object may have held."""
        references = (obj["metadata"].get("ownerReferences") or ()) if obj else ()
        owners = [self._owner(obj, reference) for reference in references] if obj else []
        return [self._key(owner) for owner in owners if owner and "metadata" in owner and _waits(owner)]

    def _kind(self, obj: Obj) -> Kind:
        found = self.context.store.kinds.of(obj)
        if found is None:
            raise LookupError(f"{obj.get('apiVersion')}/{obj.get('kind')} is not served")
        return found

    def _key(self, obj: Obj) -> Key:
        return self._kind(obj).key, *_place(obj), obj["metadata"]["uid"]


def _place(obj: Obj) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _has_changed(change: Change) -> bool:
    """Whether a change touches what the collector reads."""
    now, before = change.object["metadata"], change.previous["metadata"] if change.previous else {}
    fields = ("ownerReferences", "finalizers", "deletionTimestamp")
    return any(now.get(field) != before.get(field) for field in fields)


def _acts_on(obj: Obj) -> bool:
    finalizers = obj["metadata"].get("finalizers") or ()
    return is_deleting(obj) and (ORPHAN in finalizers or FOREGROUND in finalizers)


def _waits(owner: Obj) -> bool:
    """Whether an owner waits for its dependents to go."""
    meta = owner.get("metadata") or {}
    return "deletionTimestamp" in meta and FOREGROUND in (meta.get("finalizers") or ())


def _blocks(dependent: Obj, uid: str) -> bool:
    references = dependent["metadata"].get("ownerReferences") or ()
    return any(each["uid"] == uid and each.get("blockOwnerDeletion") for each in references)


def _kept_policy(obj: Obj) -> str:
    """How an object's own dependents are treated was perhaps asked for before: by its finalizers."""
    finalizers = obj["metadata"].get("finalizers") or ()
    return "Orphan" if ORPHAN in finalizers else "Foreground" if FOREGROUND in finalizers else "Background"
