"""What the server takes out of, or keeps in, an object before it validates it: the strategies' PrepareForCreate
and PrepareForUpdate. Status and spec are written by different requests; generations count spec changes. Pure.
"""

from __future__ import annotations

import uuid

from bluegreen.localkube import admission
from bluegreen.localkube.kinds import Kind, Obj
from bluegreen.localkube.service_updates import keep_allocated

# Kinds that register with the status they bring: the kubelet writes its node whole.
_KEEP_STATUS_ON_CREATE = frozenset(["Node"])
# What besides the spec moves a generation. EndpointSlices have no spec: their content counts.
_GENERATION_OF = {"EndpointSlice": ("endpoints", "ports", "addressType")}
# What the server says of a pod that is created with scheduling gates (applySchedulingGatedCondition); the scheduler
# does not look at it before they are gone.
_GATED: Obj = {
    "type": "PodScheduled",
    "status": "False",
    "lastProbeTime": None,
    "lastTransitionTime": None,
    "reason": "SchedulingGated",
    "message": "Scheduling is blocked due to non-empty scheduling gates",
}
_EMPTY: Obj = {}
# What of a custom object may change and leave its generation as it is. Its apiVersion says in which version it was
# written, not what it is.
_NO_CONTENT = frozenset(["apiVersion", "kind", "metadata"])
_BATCH = "batch.kubernetes.io"


def for_create(kind: Kind, obj: Obj) -> None:
    """A new object begins without status, whatever it was sent with."""
    if kind.key == "Namespace":
        admission.prepare_namespace(obj)
    elif kind.has_status and kind.key not in _KEEP_STATUS_ON_CREATE:
        obj.pop("status", None)
    _drop_disabled(kind, obj)
    meta = obj["metadata"]
    if kind.key == "LimitRange" and not (meta.get("name") or meta.get("generateName")):
        meta["name"] = str(uuid.uuid4())  # the one kind that needs no name
    if kind.key == "Pod" and (obj.get("spec") or {}).get("terminationGracePeriodSeconds", 0) < 0:
        obj["spec"]["terminationGracePeriodSeconds"] = 1  # what a negative one means
    if kind.key == "Pod" and (obj.get("spec") or {}).get("schedulingGates"):
        obj["status"] = {"conditions": [dict(_GATED)]}


def _drop_disabled(kind: Kind, obj: Obj) -> None:
    """What cannot be written any more, or not yet: an old field of endpoints, and features that are off by default."""
    if kind.key == "EndpointSlice":
        for endpoint in obj.get("endpoints") or ():
            endpoint.pop("deprecatedTopology", None)
    if kind.key == "Lease":
        for key in ("strategy", "preferredHolder"):
            (obj.get("spec") or {}).pop(key, None)


def with_name(kind: Kind, obj: Obj) -> None:
    """What a new object says of itself once it has its name: a Namespace is labelled with it."""
    if kind.key == "Namespace" and obj["metadata"].get("name"):  # the name may have been generated just now
        obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = obj["metadata"]["name"]


def with_selector(kind: Kind, obj: Obj) -> None:
    """A new Job selects its pods by its uid. Nobody manages these fields: they come after what a client wrote."""
    spec = obj.get("spec") or {}
    if kind.key != "Job" or spec.get("manualSelector"):
        return
    meta = obj["metadata"]
    uid, name = meta["uid"], meta.get("name", "")
    labels = spec["template"].setdefault("metadata", {}).setdefault("labels", {})
    inherited = not meta.get("labels") or meta["labels"] is labels
    for prefix in ("", f"{_BATCH}/"):  # what a client has set stays, for validation to refuse
        labels.setdefault(f"{prefix}controller-uid", uid)
        labels.setdefault(f"{prefix}job-name", name)
    selector = spec.setdefault("selector", {}).setdefault("matchLabels", {})
    selector.setdefault(f"{_BATCH}/controller-uid", uid)
    if inherited:  # what is read from storage is defaulted once more
        meta["labels"] = dict(labels)


def for_update(kind: Kind, live: Obj, new: Obj, subresource: str) -> Obj:
    """The update without what this subresource may not change; with its generation counted on."""
    _drop_disabled(kind, new)
    if subresource == "binding":
        return new  # the scheduler's own write: a node and the condition PodScheduled, no change of what was asked for
    if subresource == "status":
        return _status_only(kind, live, new)
    if subresource == "ephemeralcontainers":
        new = _ephemeral_only(live, new)
    elif subresource == "finalize":
        new = {**live, "metadata": new["metadata"], "spec": new.get("spec") or {}}
    elif kind.has_status:
        _keep(live, new, "status")
        if kind.key == "Service":
            keep_allocated(new["spec"], live["spec"])
        if kind.key == "Namespace":
            _keep(live, new, "spec")  # only /finalize changes a namespace's finalizers
    if kind.generation and _moves_generation(kind, live, new):
        new["metadata"]["generation"] = live["metadata"].get("generation", 0) + 1
    return new


def _status_only(kind: Kind, live: Obj, new: Obj) -> Obj:
    """The live object with the new status. Metadata may change, but for a field of two kinds; a custom one's stays."""
    meta = new["metadata"]
    if kind.custom is not None:
        managers = {key: meta[key] for key in ("managedFields", "resourceVersion") if key in meta}
        meta = {**{key: value for key, value in live["metadata"].items() if key != "managedFields"}, **managers}
    fixed = {"Deployment": "labels", "Pod": "ownerReferences"}.get(kind.key)
    if fixed:
        _keep(live["metadata"], meta, fixed)
    kept = {**live, "metadata": meta}
    if "status" in new:
        kept["status"] = new["status"]
    else:
        kept.pop("status", None)
    return kept


def _ephemeral_only(live: Obj, new: Obj) -> Obj:
    """The live pod with the new ephemeral containers."""
    spec = dict(live["spec"])
    _keep(new["spec"], spec, "ephemeralContainers")
    fixed = {"labels", "annotations", "finalizers", "ownerReferences"}
    meta = {key: value for key, value in new["metadata"].items() if key not in fixed}
    kept = {key: value for key, value in live["metadata"].items() if key in fixed}
    return {**live, "metadata": {**meta, **kept}, "spec": spec}


def _keep(live: Obj, new: Obj, key: str) -> None:
    if key in live:
        new[key] = live[key]
    else:
        new.pop(key, None)


def _moves_generation(kind: Kind, live: Obj, new: Obj) -> bool:
    if kind.custom is not None:
        return any(live.get(key) != new.get(key) for key in live.keys() | new.keys() if key not in _NO_CONTENT)
    content = _GENERATION_OF.get(kind.key, ("spec",))
    if any(live.get(key) != new.get(key) for key in content):
        return True
    if kind.key != "Deployment":
        return False
    # the Deployment strategy counts annotations too: its controller copies them to replica sets
    before, after = live["metadata"].get("annotations") or _EMPTY, new["metadata"].get("annotations") or _EMPTY
    return bool(before != after)
