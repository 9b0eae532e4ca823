"""What a DELETE does to an object: remove it, or mark it and wait for its grace period or its finalizers. Pure.

The rules are the generic registry's BeforeDelete and deletionFinalizersForGarbageCollection.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bluegreen import clock
from bluegreen.localkube.kinds import Kind, Obj
from bluegreen.localkube.status import Cause, conflict, forbidden, invalid
from bluegreen.localkube.store import copy_of

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
"""The finalizers the garbage collector acts on."""
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
"""Holds a CustomResourceDefinition that is being deleted until its objects have gone."""
_POLICIES = {"Orphan": ORPHAN, "Foreground": FOREGROUND, "Background": ""}
_DEFAULT_GRACE_S = 30  # Kubernetes' terminationGracePeriodSeconds when a pod has none


@dataclass(frozen=True)
class Deletion:
    """``remove``: it goes now. Otherwise ``marked`` is what it becomes; None when nothing changes."""

    remove: bool
    marked: Obj | None = None


def check_options(options: Obj) -> None:
    """422 for DeleteOptions that contradict themselves."""
    policy = options.get("propagationPolicy")
    causes = []
    if policy is not None and options.get("orphanDependents") is not None:
        why = "orphanDependents and deletionPropagation cannot be both set"
        causes.append(Cause("propagationPolicy", "FieldValueInvalid", f'Invalid value: "{policy}": {why}'))
    if policy is not None and policy not in _POLICIES:
        why = 'supported values: "Foreground", "Background", "Orphan", "nil"'
        causes.append(Cause("propagationPolicy", "FieldValueNotSupported", f'Unsupported value: "{policy}": {why}'))
    if causes:
        raise invalid("DeleteOptions", "meta.k8s.io", "", causes)


def check_preconditions(kind: Kind, live: Obj, options: Obj) -> None:
    """409 when the object is not the one, or not the version, that was to be deleted."""
    wanted, meta = options.get("preconditions") or {}, live["metadata"]
    for key, label, ending in (
        ("uid", "UID", "deleted and then recreated"),
        ("resourceVersion", "ResourceVersion", "modified"),
    ):
        want = wanted.get(key)
        if want is not None and want != meta[key]:
            why = (
                f"the {label} in the precondition ({want}) does not match the {label} in record ({meta[key]})."
                f" The object might have been {ending}"
            )
            raise conflict(kind.kind, kind.group, meta["name"], why)


def decide(kind: Kind, live: Obj, options: Obj) -> Deletion:
    """What deleting ``live`` now means."""
    if kind.key == "Namespace":
        return _namespace(live)
    if kind.key == "CustomResourceDefinition":
        return _definition(live)
    meta = live["metadata"]
    grace_s = _grace_s(kind, live, options)
    if grace_s is not None and meta.get("deletionTimestamp") and meta.get("deletionGracePeriodSeconds") is not None:
        return _again(live, options)
    finalizers = _finalizers(kind, meta.get("finalizers") or [], options)
    if not finalizers and grace_s is None:
        return Deletion(remove=True)
    marked = copy_of(live)
    if finalizers != (meta.get("finalizers") or []):
        _set_or_drop(marked["metadata"], "finalizers", finalizers)
    _mark(marked["metadata"], grace_s or 0)
    # what has a grace period is marked even when it goes at once: its watchers see both, and the answer is the mark
    return Deletion(remove=not finalizers and not grace_s, marked=marked)


def may_go(kind: Kind, obj: Obj) -> bool:
    """Whether an object that was marked has nothing left to wait for: an update that leaves it so removes it."""
    meta = obj["metadata"]
    if not meta.get("deletionTimestamp") or meta.get("finalizers"):
        return False
    if kind.key == "Namespace":
        return not obj.get("spec", {}).get("finalizers")
    return not meta.get("deletionGracePeriodSeconds")


def success(kind: Kind, obj: Obj) -> Obj:
    """The Status that answers a deletion whose object is gone."""
    details: dict[str, Any] = {"name": obj["metadata"]["name"], "kind": kind.plural, "uid": obj["metadata"]["uid"]}
    if kind.group:
        details["group"] = kind.group
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


_NEEDED = {
    "Namespace": (("default", "kube-system", "kube-public"), "this namespace may not be deleted"),
    "PriorityClass": (
        ("system-cluster-critical", "system-node-critical"),
        "this is a system priority class and cannot be deleted",
    ),
}


def refuse_needed(kind: Kind, name: str) -> None:
    """403 for what every cluster needs."""
    names, why = _NEEDED.get(kind.key, ((), ""))
    if name in names:
        raise forbidden(kind.plural, kind.group, name, why)


def _grace_s(kind: Kind, live: Obj, options: Obj) -> int | None:
    """Seconds the object may go on; None for kinds without a grace period (all but pods)."""
    if kind.key != "Pod":
        return None
    spec, phase = live.get("spec") or {}, (live.get("status") or {}).get("phase")
    if not spec.get("nodeName") or phase in ("Succeeded", "Failed"):
        return 0
    asked = options.get("gracePeriodSeconds")
    grace_s = int(spec.get("terminationGracePeriodSeconds", _DEFAULT_GRACE_S) if asked is None else asked)
    return 1 if grace_s < 0 else grace_s


def _again(live: Obj, options: Obj) -> Deletion:
    """Deleting once more what is going already: only a shorter grace period changes anything."""
    meta, asked = live["metadata"], options.get("gracePeriodSeconds")
    if asked is None or asked >= meta["deletionGracePeriodSeconds"]:
        done = not meta["deletionGracePeriodSeconds"] and not meta.get("finalizers")
        return Deletion(remove=done)
    asked = max(0, asked)
    marked = copy_of(live)
    asked_at = datetime.fromisoformat(meta["deletionTimestamp"]) - timedelta(seconds=meta["deletionGracePeriodSeconds"])
    _set_times(marked["metadata"], asked, asked_at)  # counted from the first request, as BeforeDelete does
    return Deletion(remove=asked == 0 and not meta.get("finalizers"), marked=marked)


def _namespace(live: Obj) -> Deletion:
    """A namespace goes when its content has gone: the controller empties spec.finalizers then."""
    meta = live["metadata"]
    if meta.get("deletionTimestamp"):
        return Deletion(remove=may_go_namespace(live))
    marked = copy_of(live)
    marked["metadata"]["deletionTimestamp"] = clock.timestamp()
    marked["status"] = {**(live.get("status") or {}), "phase": "Terminating"}
    return Deletion(remove=may_go_namespace(marked), marked=marked)


def _definition(live: Obj) -> Deletion:
    """A CustomResourceDefinition goes when its controller has deleted all objects of its kind."""
    if live["metadata"].get("deletionTimestamp"):
        return Deletion(remove=not live["metadata"].get("finalizers"))
    marked = copy_of(live)
    meta, now = marked["metadata"], clock.timestamp()
    meta["deletionTimestamp"] = now
    meta["finalizers"] = [*(each for each in meta.get("finalizers") or () if each != CLEANUP), CLEANUP]
    said = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
    conditions = [each for each in marked["status"].get("conditions") or () if each["type"] != "Terminating"]
    pending = {"lastTransitionTime": now, "type": "Terminating", "status": "True", "message": said,
               "reason": "InstanceDeletionPending"}  # fmt: skip
    marked["status"]["conditions"] = [*conditions, pending]
    return Deletion(remove=False, marked=marked)


def may_go_namespace(obj: Obj) -> bool:
    """Whether nothing holds a namespace that is being deleted."""
    return not obj["metadata"].get("finalizers") and not (obj.get("spec") or {}).get("finalizers")


def _finalizers(kind: Kind, current: list[str], options: Obj) -> list[str]:
    """The finalizers after this request: how dependents are treated is kept as one of two finalizers."""
    policy, orphan = options.get("propagationPolicy"), options.get("orphanDependents")
    if kind.dependents == "ignore":
        return current
    if policy is None and orphan is None:
        if kind.dependents != "orphan" or ORPHAN in current or FOREGROUND in current:
            return current
        orphan = True
    wanted = _POLICIES[policy] if policy is not None else (ORPHAN if orphan else "")
    kept = [name for name in current if name not in (ORPHAN, FOREGROUND)]
    return [*kept, wanted] if wanted else kept


def _mark(meta: Obj, grace_s: int) -> None:
    if not meta.get("deletionTimestamp"):
        _set_times(meta, grace_s, clock.utc())
        if meta.get("generation"):
            meta["generation"] += 1


def _set_times(meta: Obj, grace_s: int, asked_at: datetime) -> None:
    ends = asked_at + timedelta(seconds=grace_s)
    meta["deletionTimestamp"] = ends.strftime("%Y-%m-%dT%H:%M:%SZ")
    meta["deletionGracePeriodSeconds"] = grace_s


def _set_or_drop(meta: Obj, key: str, value: list[str]) -> None:
    if value:
        meta[key] = value
    else:
        meta.pop(key, None)
