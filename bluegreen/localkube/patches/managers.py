"""``metadata.managedFields``: who owns which fields after a write. Entries are told apart by manager, operation,
apiVersion and subresource; a write takes what it changed from everybody else, and keeps its time when nothing changed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from bluegreen import clock
from bluegreen.localkube import schema
from bluegreen.localkube.patches.field_sets import Node, difference, intersection, union
from bluegreen.localkube.patches.walks import added, compare
from bluegreen.localkube.schema import Field, Struct

Obj = dict[str, Any]
Entry = dict[str, Any]
UNTRACKED = frozenset(("apiVersion", "kind", "metadata"))
UNTRACKED_METADATA = frozenset(
    ("creationTimestamp", "generation", "managedFields", "name", "namespace", "resourceVersion", "selfLink", "uid")
)
MAX_UPDATERS = 10  # apiserver merges older Update entries into one
OLD_UPDATERS = "ancient-changes"
NOTHING: Node = {}


Schema = str | Struct
"""What an object's kind is known by here: a built-in kind's name, or a custom kind's struct."""


@lru_cache(maxsize=512)
def root_of(schema_name: Schema) -> Field:
    """A field that holds a whole object of the kind."""
    return Field.holding(schema.of_kind(schema_name))


@lru_cache(maxsize=512)
def reset_fields(schema_name: Schema, subresource: str) -> frozenset[str]:
    """Top-level fields that a write to this subresource cannot own because the server puts them back."""
    struct = schema.of_kind(schema_name)
    fields = dict(struct.fields)
    if not struct.status_apart:
        return frozenset()
    if subresource == "status":
        return frozenset(fields) - {"status", "metadata"}
    return frozenset(("status",)) if "status" in fields else frozenset()


_RESET_METADATA = {("Deployment", "status"): "labels", ("Pod", "status"): "ownerReferences"}


@lru_cache(maxsize=512)
def untracked_metadata(schema_name: Schema, subresource: str) -> frozenset[str]:
    """Fields of metadata that a write to this subresource cannot own."""
    reset = _RESET_METADATA.get((schema_name, subresource)) if isinstance(schema_name, str) else None
    return UNTRACKED_METADATA | {reset} if reset else UNTRACKED_METADATA


@lru_cache(maxsize=512)
def _empty(schema_name: Schema) -> Obj:
    """What the server compares a new object with: its Go zero value as JSON; a custom object has none."""
    if not isinstance(schema_name, str):
        return {}
    from bluegreen.localkube.canonical import canonical  # a sibling that needs patches.walks' schema only

    return canonical(schema_name, {})


def track(
    schema_name: Schema, old: Obj | None, new: Obj, *, manager: str, operation: str = "Update", subresource: str = ""
) -> Obj:
    """``new`` with ``metadata.managedFields`` recomputed against ``old`` (None: it is being created).

    Neither object is changed. ``new`` must already carry its defaults, but nothing that is allocated afterwards
    (cluster addresses, node ports): what the server adds after this belongs to nobody.
    """
    if old is not None and not _entries_before(old, new, subresource):
        return with_entries(new, [])  # nobody is tracked, until somebody applies
    live = _empty(schema_name) if old is None else old
    changed, removed = _changes(schema_name, live, new, subresource)
    entries = _entries_before(old, new, subresource)
    if changed or removed:
        identity = (manager, operation, new.get("apiVersion", ""), subresource)
        entries = _after(entries, changed, removed, identity)
    return with_entries(new, entries)


def _changes(schema_name: Schema, old: Obj, new: Obj, subresource: str) -> tuple[Node, Node]:
    changed: Node = {}
    removed: Node = {}
    skipped = UNTRACKED | reset_fields(schema_name, subresource)
    fields = schema.of_kind(schema_name).fields
    _compare_fields(fields, old, new, skipped, changed, removed)
    meta_changed: Node = {}
    meta_removed: Node = {}
    meta_fields = fields["metadata"].struct.fields
    old_meta, new_meta = old.get("metadata") or {}, new.get("metadata") or {}
    kept_out = untracked_metadata(schema_name, subresource)
    _compare_fields(meta_fields, old_meta, new_meta, kept_out, meta_changed, meta_removed)
    if meta_changed:
        changed["f:metadata"] = meta_changed
    if meta_removed:
        removed["f:metadata"] = meta_removed
    return changed, removed


def _compare_fields(
    fields: dict[str, Field], old: Obj, new: Obj, skipped: frozenset[str], changed: Node, removed: Node
) -> None:
    for key, after in new.items():
        field = fields.get(key)
        if key in skipped or field is None:
            continue
        if key not in old:
            changed[f"f:{key}"] = added(field, after)
            continue
        gained, lost = compare(field, old[key], after)
        if gained is not None:
            changed[f"f:{key}"] = gained
        if lost is not None:
            removed[f"f:{key}"] = lost
    for key, before in old.items():
        if key not in new and key not in skipped and key in fields:
            removed[f"f:{key}"] = added(fields[key], before)


def entries_of(obj: Obj | None) -> list[Entry]:
    """The managedFields of an object, or []."""
    return ((obj or {}).get("metadata") or {}).get("managedFields") or []


def _entries_before(old: Obj | None, new: Obj, subresource: str) -> list[Entry]:
    """What the writer sent, so that managers can be edited and reset ([{}]); else what stood there."""
    sent = entries_of(new)
    if subresource or not sent:
        return entries_of(old)
    if sent == [{}]:
        return []
    if any(entry.get("operation") not in ("Apply", "Update") or "fieldsV1" not in entry for entry in sent):
        return entries_of(old)
    return sent


def identity_of(entry: Entry) -> tuple[str, str, str, str]:
    """What tells managers apart."""
    return (
        entry.get("manager", ""),
        entry.get("operation", ""),
        entry.get("apiVersion", ""),
        entry.get("subresource", ""),
    )


def entry(identity: tuple[str, str, str, str], fields: Node, time: str) -> Entry:
    """One entry as it stands in the object."""
    manager, operation, api_version, subresource = identity
    made: Entry = {
        "manager": manager,
        "operation": operation,
        "apiVersion": api_version,
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    if subresource:
        made["subresource"] = subresource
    return made


def _after(entries: list[Entry], changed: Node, removed: Node, identity: tuple[str, str, str, str]) -> list[Entry]:
    touched = union(changed, removed)
    mine, others = NOTHING, []
    before: Entry | None = None
    for held in entries:
        if identity_of(held) == identity:
            before, mine = held, difference(held["fieldsV1"], removed)
            continue
        kept = lessened(held, touched)
        if kept is not None:
            others.append(kept)
    fields = union(mine, changed)
    if not fields:
        return others
    if before is not None and not changed and fields == before["fieldsV1"]:
        return [*others, before]
    time = clock.timestamp() if changed or before is None else before.get("time", clock.timestamp())
    return capped(in_order([*others, entry(identity, fields, time)]))


def lessened(held: Entry, lost: Node) -> Entry | None:
    """An entry without the fields it lost; itself when it lost none, None when nothing is left."""
    if not intersection(held["fieldsV1"], lost):
        return held
    left = difference(held["fieldsV1"], lost)
    return {**held, "fieldsV1": left} if left else None


def in_order(entries: list[Entry]) -> list[Entry]:
    """Appliers before updaters, older before newer."""
    if len(entries) < 2:
        return entries
    return sorted(entries, key=lambda e: (e["operation"], e.get("time", ""), identity_of(e)))


def capped(entries: list[Entry]) -> list[Entry]:
    """At most MAX_UPDATERS entries of updates: the oldest are merged into one."""
    updates = [held for held in entries if held["operation"] == "Update"]
    surplus = len(updates) - MAX_UPDATERS
    if surplus <= 0:
        return entries
    merged = updates[: surplus + 1]
    fields: Node = {}
    for held in merged:
        fields = union(fields, held["fieldsV1"])
    identity = (OLD_UPDATERS, "Update", merged[-1]["apiVersion"], "")
    old = entry(identity, fields, merged[-1].get("time", ""))
    return in_order([old, *(held for held in entries if held not in merged)])


def with_entries(obj: Obj, entries: list[Entry]) -> Obj:
    """The object with these managers, its other parts shared with the one given."""
    metadata = {key: value for key, value in (obj.get("metadata") or {}).items() if key != "managedFields"}
    if entries:
        metadata["managedFields"] = entries
    return {**obj, "metadata": metadata}
