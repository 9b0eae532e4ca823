"""metadata as the server keeps it: what a create stamps, what an update may not change. Pure.

The rules are apimachinery's ValidateObjectMetaUpdate and the registry's BeforeCreate and BeforeUpdate.
"""

from __future__ import annotations

import random
import uuid
from typing import Any

import orjson

from bluegreen import clock
from bluegreen.localkube.kinds import Kind, Obj
from bluegreen.localkube.status import ApiError, Cause, bad_request, conflict

_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # no vowels, so that no words appear
_LONGEST_PREFIX = 58  # a generated name fits a label: 63 less the suffix
_IMMUTABLE = "field is immutable"
_SET_BY_SERVER = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "generation",
)


def generated_name(prefix: str) -> str:
    """A name from metadata.generateName: the prefix and five random letters or digits."""
    return prefix[:_LONGEST_PREFIX] + random_suffix()


def random_suffix() -> str:
    """Five letters or digits as Kubernetes appends them to names."""
    return "".join(random.choices(_SUFFIX_LETTERS, k=5))


def place(kind: Kind, namespace: str, obj: Obj) -> None:
    """Put the type and the request's namespace on a new object; 400 when it names another namespace."""
    put_type(kind, obj)
    if kind.namespaced:
        place_view(namespace, obj)
    else:  # rest.EnsureObjectNamespaceMatchesRequestNamespace clears it
        obj["metadata"] = obj.get("metadata") or {}
        obj["metadata"].pop("namespace", None)


def put_type(kind: Kind, obj: Obj) -> None:
    """Say what the object is. One that says it is of another custom kind is left for validation to refuse."""
    obj["apiVersion"] = kind.api_version
    obj["kind"] = (kind.custom and obj.get("kind")) or kind.kind


def place_view(namespace: str, obj: Obj) -> None:
    """Put the request's namespace on an object, or on a view of one; 400 when it names another namespace."""
    meta = obj["metadata"] = obj.get("metadata") or {}
    given = meta.get("namespace") or ""
    if given and given != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    meta["namespace"] = namespace


def begin(kind: Kind, obj: Obj) -> None:
    """Stamp a new object: name, uid, time and generation."""
    meta = obj["metadata"]
    meta.pop("resourceVersion", None)
    for name in _SET_BY_SERVER:
        meta.pop(name, None)
    if meta.get("generateName") and not meta.get("name"):
        meta["name"] = generated_name(meta["generateName"])
    meta["uid"] = str(uuid.uuid4())
    meta["creationTimestamp"] = clock.timestamp()
    if kind.generation:
        meta["generation"] = 1


def states_version(meta: Obj) -> bool:
    """Whether a new object states a resourceVersion, which only updates carry; what is no number is overlooked."""
    version = meta.get("resourceVersion")
    return isinstance(version, str) and version.isascii() and version.isdecimal() and int(version) > 0


def dedup_owners(meta: Obj) -> None:
    """Keep the first of several references that are the same (dedupOwnerReferences of the apiserver's handlers)."""
    owners = meta.get("ownerReferences") or []
    if len(owners) > 1:
        meta["ownerReferences"] = [owner for place, owner in enumerate(owners) if owner not in owners[:place]]


def carry_over(old: Obj, new: Obj) -> None:
    """Give an updated object the metadata that clients may leave out or cannot change."""
    before, after = old["metadata"], new.setdefault("metadata", {})
    after.pop("selfLink", None)
    after.setdefault("uid", before["uid"])
    after["creationTimestamp"] = before["creationTimestamp"]
    if "generation" in before:
        after["generation"] = before["generation"]
    else:
        after.pop("generation", None)
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds"):
        if name in before and after.get(name) is None:
            after[name] = before[name]
    if "generateName" in before and not after.get("generateName"):
        after["generateName"] = before["generateName"]


def check_update(old: Obj, new: Obj) -> list[Cause]:
    """What an update may not do to metadata. Run after ``carry_over``."""
    before, after = old["metadata"], new["metadata"]
    causes = [
        _invalid(name, after.get(name), _IMMUTABLE)
        for name in ("name", "namespace", "uid")
        if (after.get(name) or "") != (before.get(name) or "")
    ]
    causes += [
        _invalid(name, after.get(name), f"{_IMMUTABLE}; may only be changed via deletion")
        for name in ("deletionTimestamp", "deletionGracePeriodSeconds")
        if after.get(name) != before.get(name)
    ]
    if before.get("deletionTimestamp"):
        added = sorted(set(after.get("finalizers") or ()) - set(before.get("finalizers") or ()))
        if added:
            forbidden = "no new finalizers can be added if the object is being deleted, found new finalizers "
            causes.append(
                Cause("metadata.finalizers", "FieldValueForbidden", f"Forbidden: {forbidden}{_go_strings(added)}")
            )
    return causes


def check_precondition(kind: Kind, live: Obj, sent: Obj) -> None:
    """409 when the object sent was read at another version, or is another object of the same name."""
    meta, given = live["metadata"], sent.get("metadata") or {}
    if given.get("uid") and given["uid"] != meta["uid"]:
        detail = f"Precondition failed: UID in precondition: {given['uid']}, UID in object meta: {meta['uid']}"
        key = _storage_key(kind, meta)
        why = f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: {detail}"
        raise conflict(kind.plural, kind.group, meta["name"], why)
    version = given.get("resourceVersion") or ""
    if version and version != "0" and version != meta["resourceVersion"]:
        if not (version.isascii() and version.isdecimal()):  # the store's own error, which has no code
            raise ApiError(500, "", f'strconv.ParseUint: parsing "{version}": invalid syntax')
        raise conflict(kind.plural, kind.group, meta["name"], MODIFIED)


# where the API server keeps what it does not keep under its plural (kubeapiserver's default storage factory)
_PREFIXES = {
    "services": "services/specs",
    "endpoints": "services/endpoints",
    "nodes": "minions",
    "ingresses": "ingress",
}


def _storage_key(kind: Kind, meta: Obj) -> str:
    parts = (_PREFIXES.get(kind.plural, kind.plural), meta.get("namespace", ""), meta["name"])
    return "/registry/" + "/".join(part for part in parts if part)


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def same_but_for_times(old: Obj, new: Obj) -> bool:
    """Whether an update changes nothing: managedFields may differ in their times, resourceVersion in anything."""
    if any(old.get(key) != new.get(key) for key in old.keys() | new.keys() if key != "metadata"):
        return False
    before, after = old["metadata"], new["metadata"]
    skipped = {"managedFields", "resourceVersion"}
    if any(before.get(key) != after.get(key) for key in (before.keys() | after.keys()) - skipped):
        return False
    return _without_times(before) == _without_times(after)


def _without_times(meta: Obj) -> list[Obj]:
    entries = meta.get("managedFields") or ()
    return [{key: value for key, value in entry.items() if key != "time"} for entry in entries]


def _invalid(name: str, value: Any, why: str) -> Cause:
    shown = orjson.dumps(value).decode()
    return Cause(f"metadata.{name}", "FieldValueInvalid", f"Invalid value: {shown}: {why}")


def _go_strings(values: list[str]) -> str:
    return f"[]string{{{', '.join(orjson.dumps(value).decode() for value in values)}}}"
