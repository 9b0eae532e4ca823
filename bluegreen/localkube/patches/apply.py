"""Server-side apply: merging what a manager states into an object, and refusing what belongs to somebody else.

The order of things is that of structured-merge-diff: merge, take away what this manager stated last time and nobody
owns, find what changed, and whose it was.
"""

from __future__ import annotations

import copy
import json

from bluegreen import clock
from bluegreen.localkube import schema
from bluegreen.localkube.patches import managers, typed, walks
from bluegreen.localkube.patches.field_sets import SELF, Node, difference, intersection, paths, union
from bluegreen.localkube.patches.managers import Entry, Obj, Schema
from bluegreen.localkube.schema import Field
from bluegreen.localkube.status import ApiError, bad_request

BEFORE_FIRST_APPLY = "before-first-apply"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
IDENTITY: Node = {"f:apiVersion": SELF, "f:kind": SELF, "f:metadata": {"f:name": SELF}}
"""What every configuration states although nobody is recorded as its owner."""
Conflicts = list[tuple[Entry, Node]]


def server_side_apply(
    schema_name: Schema, live: Obj | None, config: Obj, *, manager: str, force: bool, subresource: str = ""
) -> Obj:
    """The object after ``manager`` states ``config``, with managedFields; not yet defaulted. Changes no argument.

    Raises ApiError: 409 with every conflict unless ``force``, 400 or 500 for a config that is not of this kind.
    """
    _check_config(schema_name, config)
    root = managers.root_of(schema_name)
    # a copy: the result shares parts with it, and is given its defaults afterwards
    base = live if live is not None else copy.deepcopy(managers._empty(schema_name))
    identity = (manager, "Apply", config.get("apiVersion", ""), subresource)
    entries = _entries(schema_name, live)
    stated = _stated(schema_name, root, config, subresource)
    before = next((held for held in entries if managers.identity_of(held) == identity), None)
    merged = typed.merged(root, base, config)
    if before is not None and before["fieldsV1"]:
        owned = _owned([held for held in entries if held is not before], union(stated, IDENTITY))
        merged = _pruned(root, merged, before["fieldsV1"], owned)
    others, conflicts = _taken(schema_name, base, merged, entries, before, subresource)
    if conflicts and not force and not _from_client_side_apply(schema_name, manager, live, conflicts):
        raise _refusal(conflicts)
    return managers.with_entries(merged, _entries_after(others, before, identity, stated))


def sync_last_applied(obj: Obj, config: Obj, manager: str) -> None:
    """Keep the annotation of client-side apply, where there is one, at what kubectl applied last. Changes ``obj``.

    As managedfields' lastAppliedUpdater does; other managers leave it alone.
    """
    annotations = (obj.get("metadata") or {}).get("annotations") or {}
    if manager != "kubectl" or not annotations.get(LAST_APPLIED):
        return
    stated = {**config, "metadata": dict(config.get("metadata") or {})}
    rest = dict(stated["metadata"].pop("annotations", None) or {})
    rest.pop(LAST_APPLIED, None)
    if rest:
        stated["metadata"]["annotations"] = rest
    text = json.dumps(stated, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for char in "<>&":  # Go's encoder escapes them, and ends with a new line
        text = text.replace(char, f"\\u{ord(char):04x}")
    obj["metadata"]["annotations"] = {**annotations, LAST_APPLIED: text + "\n"}


def _check_config(schema_name: Schema, config: Obj) -> None:
    kind = schema.of_kind(schema_name).kind or ("", "", "")
    expected = "/".join(part for part in kind[:2] if part)
    version, stated = config.get("apiVersion") or "", config.get("kind") or ""
    if (version, stated) != (expected, kind[2]):
        raise bad_request(f"invalid object type: {version if '/' in version else '/' + version}, Kind={stated}")
    metadata = config.get("metadata") or {}
    if metadata.get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    errors = typed.errors_of(managers.root_of(schema_name), config)
    if errors:
        raise ApiError(500, "", _not_typed(config, errors))


def _not_typed(config: Obj, errors: list[str]) -> str:
    metadata = config.get("metadata") or {}
    namespace, name = metadata.get("namespace", ""), metadata.get("name", "")
    group = config.get("apiVersion", "")
    about = f"{namespace}/{name}; {'/' + group if '/' not in group else group}, Kind={config.get('kind', '')}"
    listed = errors[0] if len(errors) == 1 else "errors:\n" + "\n".join(f"  {error}" for error in errors)
    return f"failed to create typed patch object ({about}): {listed}"


def _entries(schema_name: Schema, live: Obj | None) -> list[Entry]:
    """Who owns what already; an object that nobody tracked belongs to a manager made for the occasion."""
    if live is None:
        return []
    entries = managers.entries_of(live)
    if entries:
        return entries
    owned = managers.entries_of(managers.track(schema_name, None, live, manager=BEFORE_FIRST_APPLY))
    return owned


def _stated(schema_name: Schema, root: Field, config: Obj, subresource: str) -> Node:
    """The fields this config takes: all it names but identity and what this place resets."""
    skipped = managers.UNTRACKED | managers.reset_fields(schema_name, subresource)
    body = {key: value for key, value in config.items() if key not in skipped}
    metadata = config.get("metadata") or {}
    kept_out = managers.untracked_metadata(schema_name, subresource)
    kept = {key: value for key, value in metadata.items() if key not in kept_out}
    if kept:
        body["metadata"] = kept
    return walks.applied(root, body) or {}


def _owned(entries: list[Entry], stated: Node) -> Node:
    owned = stated
    for held in entries:
        owned = union(owned, held["fieldsV1"])
    return owned


def _pruned(root: Field, merged: Obj, last: Node, owned: Node) -> Obj:
    """The merged object without what was stated last time and is now nobody's."""
    last_full = walks.with_structs(root, last)
    pruned = walks.without(root, merged, last_full) or {}
    everything = walks.with_structs(root, walks.applied(root, merged) or {})
    left = walks.with_structs(root, walks.applied(root, pruned) or {})
    unowned = difference(everything, union(left, walks.with_structs(root, owned)))
    pruned = walks.without(root, merged, unowned) or {}
    left = walks.with_structs(root, walks.applied(root, pruned) or {})
    gone = intersection(difference(everything, left), last_full)
    result: Obj = walks.without(root, merged, gone) or {}
    return result


def _taken(
    schema_name: Schema, base: Obj, merged: Obj, entries: list[Entry], before: Entry | None, subresource: str
) -> tuple[list[Entry], Conflicts]:
    """The other managers' entries after this write, and what of theirs it changes."""
    changed, removed = managers._changes(schema_name, base, merged, subresource)
    others: list[Entry] = []
    conflicts: Conflicts = []
    for held in entries:
        if held is before:
            continue
        contested = intersection(held["fieldsV1"], changed)
        if contested:
            conflicts.append((held, contested))
        kept = managers.lessened(held, union(changed, removed))
        if kept is not None:
            others.append(kept)
    return others, conflicts


def _entries_after(
    others: list[Entry], before: Entry | None, identity: tuple[str, str, str, str], stated: Node
) -> list[Entry]:
    if not stated:
        return managers.in_order(others)
    if before is not None and before["fieldsV1"] == stated:
        return managers.in_order([*others, before])
    return managers.in_order([*others, managers.entry(identity, stated, clock.timestamp())])


def _from_client_side_apply(schema_name: Schema, manager: str, live: Obj | None, conflicts: Conflicts) -> bool:
    """Whether everything contested was set by kubectl's client-side apply, whose fields kubectl may take over."""
    text = (((live or {}).get("metadata") or {}).get("annotations") or {}).get(LAST_APPLIED)
    if manager != "kubectl" or not text:
        return False
    try:
        config = json.loads(text)
    except ValueError:
        return False
    allowed = walks.applied(managers.root_of(schema_name), config) or {}
    return all(not difference(contested, allowed) for _, contested in conflicts)


def _who(held: Entry) -> str:
    name = json.dumps(held.get("manager", ""), ensure_ascii=False)
    if held.get("subresource"):
        name += f' with subresource "{held["subresource"]}"'
    if held["operation"] == "Update":
        name += f" using {held.get('apiVersion', '')}"
    return name


def _refusal(conflicts: Conflicts) -> ApiError:
    """409 in Kubernetes' words: one sentence for one conflict, a list by manager for several."""
    named = [(_who(held), path) for held, contested in conflicts for path in paths(contested)]
    causes = [
        {"field": path, "message": f"conflict with {who}", "reason": "FieldManagerConflict"} for who, path in named
    ]
    if len(named) == 1:
        message = f"Apply failed with 1 conflict: conflict with {named[0][0]}: {named[0][1]}"
    else:
        lines = []
        for who in sorted({who for who, _ in named}):
            lines.append(f"conflicts with {who}:")
            lines += [f"- {path}" for owner, path in named if owner == who]
        message = f"Apply failed with {len(named)} conflicts: " + "\n".join(lines)
    return ApiError(409, "Conflict", message, {"causes": causes})
