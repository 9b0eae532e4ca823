"""Objects, resourceVersions and the history watches read. Synchronous, one thread, no rules of its own.

One counter numbers every change of every kind, as etcd's revision does. What the store hands out is shared
with everybody else: callers copy (``copy_of``) before they change anything.
"""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import orjson

from bluegreen.localkube.catalogue import DEFINITION, Catalogue
from bluegreen.localkube.entries import Change, Entry, Warmth, copy_of, encode, event_line
from bluegreen.localkube.kinds import Kind, Obj
from bluegreen.localkube.log import REMOVED, Log
from bluegreen.localkube.status import ApiError, not_found

__all__ = ["Change", "Entry", "Store", "copy_of", "event_line"]

_LOG = logging.getLogger(__name__)

HISTORY_CHANGES = 8192
"""Changes kept for watches, a kind; half of them go when there are more. A choice."""
HISTORY_BYTES = 16 * 1024 * 1024
"""The same bound in bytes of encoded objects, for kinds whose objects are large. A choice."""
_KEPT_DECODED = 64  # changes whose objects stay decoded for the watchers that are nearly up to date

_by_version = attrgetter("resource_version")

Objects = list[Obj]  # inside the class, ``list`` is the method


Changes = list[Change]
Owned = list[tuple[Kind, Obj]]


class _Shelf:
    """All objects of one kind, by namespace and name, with what watchers of the kind need."""

    def __init__(self, floor: int) -> None:
        self.objects: dict[str, dict[str, Entry]] = {}
        self.sorted_names: dict[str, list[str]] = {}
        self.subscribers: list[Callable[[Change], None]] = []
        self.changes: list[Change] = []
        self.changes_bytes = 0
        self.floor = floor  # the history is complete for resourceVersions above this

    def names(self, namespace: str) -> list[str]:
        """Names in a namespace, sorted; sorted anew only after something came or went."""
        names = self.sorted_names.get(namespace)
        if names is None:
            names = self.sorted_names[namespace] = sorted(self.objects.get(namespace, ()))
        return names

    def remember(self, change: Change) -> None:
        """Add to the history, and drop its older half once it is too long."""
        self.changes.append(change)
        self.changes_bytes += len(change.encoded)
        if len(self.changes) > _KEPT_DECODED:
            self.changes[-_KEPT_DECODED - 1].thin_out()
        if len(self.changes) > HISTORY_CHANGES or (self.changes_bytes > HISTORY_BYTES and len(self.changes) > 1):
            self._drop_older_half()

    def _drop_older_half(self) -> None:
        half = len(self.changes) // 2
        self.floor = self.changes[half - 1].resource_version
        del self.changes[:half]
        self.changes_bytes = sum(len(change.encoded) for change in self.changes)


class Store:
    """Objects by kind, namespace and name. With a path, every write is on disk before it returns."""

    def __init__(self, path: Path | None = None) -> None:
        self._version = 1  # "0" means "any version" to clients, so nothing may carry it
        self._shelves: dict[str, _Shelf] = {}
        self._owned: dict[str, dict[tuple[str, str, str], Kind]] = {}
        self._live_bytes = 0
        self._warmth = Warmth()
        self.kinds = Catalogue()
        self._custom_subscribers: list[Callable[[Kind, Change], None]] = []
        self._log = Log(path) if path else None
        if self._log:
            self._load(self._log)

    @property
    def resource_version(self) -> int:
        """The number of the latest change of any kind."""
        return self._version

    # -- reading ---------------------------------------------------------------
    def get(self, kind: Kind, namespace: str, name: str) -> Obj | None:
        """The object, or None; ``namespace`` is "" for cluster-scoped kinds."""
        entry = self.entry(kind, namespace, name)
        return entry.obj if entry else None

    def entry(self, kind: Kind, namespace: str, name: str) -> Entry | None:
        """The object with its encoded form, or None."""
        shelf = self._shelves.get(kind.key)
        entry = shelf.objects.get(namespace, {}).get(name) if shelf else None
        return self._seen_as(kind, entry) if kind.custom and entry else entry

    def list(self, kind: Kind, namespace: str = "") -> Objects:
        """All objects of a kind, sorted by namespace and name; namespace "" means every one."""
        shelf = self._shelves.get(kind.key)
        if shelf is None or (namespace and namespace not in shelf.objects):
            return []
        return [entry.obj for entry in self.entries(kind, namespace)]

    def entries(self, kind: Kind, namespace: str = "", after: tuple[str, str] | None = None) -> Iterator[Entry]:
        """The same with encoded forms, one by one, starting behind the key ``after`` (namespace, name)."""
        shelf = self._shelves.get(kind.key)
        if shelf is None:
            return
        for each in [namespace] if namespace else sorted(shelf.objects):
            if after and each < after[0]:
                continue
            names = shelf.names(each)
            start = bisect_right(names, after[1]) if after and each == after[0] else 0
            objects = shelf.objects.get(each, {})
            for name in names[start:]:
                yield self._seen_as(kind, objects[name]) if kind.custom else objects[name]

    def count(self, kind: Kind, namespace: str = "") -> int:
        """How many objects of the kind there are."""
        shelf = self._shelves.get(kind.key)
        if shelf is None:
            return 0
        return len(shelf.objects.get(namespace, ())) if namespace else sum(map(len, shelf.objects.values()))

    def encoded(self, obj: Obj) -> bytes:
        """The object as JSON; not encoded again when it is what the store holds."""
        kind, meta = self.kinds.of(obj), obj.get("metadata") or {}
        entry = self.entry(kind, meta.get("namespace", ""), meta.get("name", "")) if kind else None
        return entry.encoded if entry and entry.holds(obj) else orjson.dumps(obj)

    def by_owner(self, uid: str) -> Owned:
        """Every object whose ownerReferences name that uid."""
        found = []
        for (_, namespace, name), kind in self._owned.get(uid, {}).items():
            obj = self.get(kind, namespace, name)
            if obj is not None:
                found.append((kind, obj))
        return found

    # -- writing ---------------------------------------------------------------
    def put(self, kind: Kind, obj: Obj) -> Obj:
        """Store an object, which is the store's from now on. Stamps metadata.resourceVersion.

        Kind and apiVersion are put first: lists cut ``kind.json_prefix`` off the encoded form.
        """
        obj = {"kind": kind.kind, "apiVersion": kind.api_version, **obj}
        if kind.custom:
            obj["apiVersion"] = kind.custom.stored_as
        version = self._version + 1
        obj["metadata"]["resourceVersion"] = str(version)
        encoded = encode(obj)
        if self._log:
            self._log.append(encoded)
        self._version = version
        previous = self._place(kind, obj, Entry(encoded, self._warmth, obj))
        self._announce(kind, Change("MODIFIED" if previous else "ADDED", obj, encoded, previous, version))
        return {**obj, "apiVersion": kind.api_version} if kind.custom else obj

    def remove(self, kind: Kind, namespace: str, name: str) -> Obj:
        """Remove an object; returns its last state with the removal's resourceVersion. 404 when there is none."""
        entry = self.entry(kind, namespace, name)
        if entry is None:
            raise not_found(kind.plural, kind.group, name)
        version = self._version + 1
        last = {**entry.obj, "metadata": {**entry.obj["metadata"], "resourceVersion": str(version)}}
        if self._log:
            self._log.append(orjson.dumps({REMOVED: [kind.api_version, kind.kind, namespace, name, version]}))
        self._version = version
        self._displace(kind, namespace, name)
        if kind.custom:
            last["apiVersion"] = kind.custom.stored_as
        self._announce(kind, Change("DELETED", last, encode(last), entry, version))
        return {**last, "apiVersion": kind.api_version} if kind.custom else last

    # -- watching --------------------------------------------------------------
    def subscribe(self, kind: Kind, callback: Callable[[Change], None]) -> Callable[[], None]:
        """Call back on every change of a kind, within the write: a callback may only note it down."""
        subscribers = self._shelf(kind).subscribers
        subscribers.append(callback)

        def unsubscribe() -> None:
            if callback in subscribers:
                subscribers.remove(callback)

        return unsubscribe

    def subscribe_custom(self, callback: Callable[[Kind, Change], None]) -> Callable[[], None]:
        """The same for every custom kind, also those to come."""
        self._custom_subscribers.append(callback)
        return lambda: self._custom_subscribers.remove(callback)

    def history(self, kind: Kind, after: int) -> Changes:
        """The kind's changes with a resourceVersion above ``after``; 410 Expired when some are forgotten."""
        shelf = self._shelf(kind)
        if after < shelf.floor:
            raise ApiError(410, "Expired", f"too old resource version: {after} ({shelf.floor})")
        changes = shelf.changes[bisect_right(shelf.changes, after, key=_by_version) :]
        return [self._change_seen_as(kind, change) for change in changes] if kind.custom else changes

    def oldest(self, kind: Kind) -> int:
        """The version back to which the kind's history is complete."""
        return self._shelf(kind).floor

    def expire_history(self) -> None:
        """Forget all changes, as a real cluster does every few minutes: watches from older versions get 410."""
        for shelf in self._shelves.values():
            shelf.floor, shelf.changes, shelf.changes_bytes = self._version, [], 0

    def close(self) -> None:
        """Let go of the log."""
        if self._log:
            self._log.close()

    # -- inside ----------------------------------------------------------------
    def _seen_as(self, kind: Kind, entry: Entry) -> Entry:
        """A custom object in the version that is asked for: nothing but its apiVersion is converted."""
        if entry.encoded.startswith(kind.json_prefix):
            return entry
        obj = {**entry.obj, "apiVersion": kind.api_version}
        return Entry(encode(obj), self._warmth, obj)

    def _change_seen_as(self, kind: Kind, change: Change) -> Change:
        if change.encoded.startswith(kind.json_prefix):
            return change
        obj = {**change.object, "apiVersion": kind.api_version}
        before = self._seen_as(kind, change.before) if change.before else None
        return Change(change.type, obj, encode(obj), before, change.resource_version)

    def _shelf(self, kind: Kind) -> _Shelf:
        shelf = self._shelves.get(kind.key)
        if shelf is None:
            shelf = self._shelves[kind.key] = _Shelf(self._floor)
        return shelf

    _floor = 0  # resourceVersion at start: nothing before it is remembered

    def _place(self, kind: Kind, obj: Obj, entry: Entry) -> Entry | None:
        meta = obj["metadata"]
        namespace, name = meta.get("namespace", ""), meta["name"]
        shelf = self._shelf(kind)
        objects = shelf.objects.setdefault(namespace, {})
        previous = objects.get(name)
        objects[name] = entry
        self._live_bytes += len(entry.encoded)
        if kind is DEFINITION:
            self.kinds.define(obj)
        if previous is None:
            shelf.sorted_names.pop(namespace, None)
        else:
            self._live_bytes -= len(previous.encoded)
            self._disown(previous, kind, namespace, name)
        for owner in meta.get("ownerReferences") or ():
            self._owned.setdefault(owner["uid"], {})[kind.key, namespace, name] = kind
        return previous

    def _displace(self, kind: Kind, namespace: str, name: str) -> None:
        shelf = self._shelf(kind)
        entry = shelf.objects[namespace].pop(name)
        shelf.sorted_names.pop(namespace, None)
        if not shelf.objects[namespace]:
            del shelf.objects[namespace]
        self._live_bytes -= len(entry.encoded)
        self._disown(entry, kind, namespace, name)
        if kind is DEFINITION:
            self.kinds.forget(name)

    def _disown(self, entry: Entry, kind: Kind, namespace: str, name: str) -> None:
        if b'"ownerReferences"' not in entry.encoded:  # spares decoding what has no owner
            return
        for owner in entry.obj["metadata"].get("ownerReferences") or ():
            owned = self._owned.get(owner["uid"])
            if owned is not None:
                owned.pop((kind.key, namespace, name), None)
                if not owned:
                    del self._owned[owner["uid"]]

    def _announce(self, kind: Kind, change: Change) -> None:
        shelf = self._shelf(kind)
        shelf.remember(change)
        callbacks = tuple(shelf.subscribers)
        if kind.custom:
            callbacks += tuple(partial(callback, kind) for callback in self._custom_subscribers)
        for callback in callbacks:
            try:
                callback(change)
            except Exception:  # the write stands: one listener's mistake is not the writer's
                _LOG.exception("a listener of %s failed on %s", kind.plural, change.name)
        if self._log:
            self._log.compact_if_worthwhile(self._live_bytes, self._snapshot)

    def _load(self, log: Log) -> None:
        for record in log.replay():
            self._replay(record)
        self._floor = self._version
        for shelf in self._shelves.values():
            shelf.floor = self._version
        log.begin(self._snapshot())

    def _replay(self, record: dict[str, Any]) -> None:
        removed = record.get(REMOVED)
        if removed is not None:
            api_version, kind_name, namespace, name, version = removed
            kind = self.kinds.stored(api_version, kind_name)
            if kind and self.entry(kind, namespace, name):
                self._displace(kind, namespace, name)
        else:
            kind, version = self.kinds.of(record), record["metadata"]["resourceVersion"]
            if kind:
                self._place(kind, record, Entry(encode(record), self._warmth))
        self._version = max(self._version, int(version))

    def _snapshot(self) -> Iterator[bytes]:
        """Every live object, and the counter, which a removal may have moved past all of them."""
        yield orjson.dumps({REMOVED: ["", "", "", "", self._version]})
        for shelf in self._shelves.values():
            for objects in shelf.objects.values():
                for entry in objects.values():
                    yield entry.encoded
