"""A Deployment's ReplicaSets as revisions: which one is current, and the annotations that number them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bluegreen.localkube.controllers.owners import reference
from bluegreen.localkube.controllers.rolling import Size, fenceposts, new_size
from bluegreen.localkube.controllers.template_hash import template_hash
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.store import copy_of

Obj = dict[str, Any]

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
NOT_COPIED = frozenset(
    [
        "kubectl.kubernetes.io/last-applied-configuration",
        "deprecated.deployment.rollback.to",
        REVISION,
        HISTORY,
        DESIRED,
        MAXIMUM,
    ]
)
"""Annotations of a Deployment that are not its ReplicaSet's; all others (change-cause) are copied."""
LONGEST_NAME = 253
"""Characters in an object's name."""
HISTORY_CHARACTERS = 2000
"""Length of the list of earlier revisions kept on a ReplicaSet (Kubernetes' limit)."""


def same_template(one: Obj, other: Obj) -> bool:
    """Whether two pod templates are the same but for the hash label; empty and absent are the same."""
    return bool(_bare(one) == _bare(other))


def _bare(template: Obj) -> Any:
    meta = template.get("metadata") or {}
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key != HASH_LABEL}
    return _pruned({**template, "metadata": {**meta, "labels": labels}})


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        pruned = ((key, _pruned(item)) for key, item in value.items())
        return {key: item for key, item in pruned if item is not None and item != [] and item != {}}
    if isinstance(value, list):
        return [_pruned(item) for item in value]
    return value


def by_age(sets: Iterable[Obj]) -> list[Obj]:
    """Oldest first; the name decides within a second."""
    return sorted(sets, key=lambda rs: (rs["metadata"]["creationTimestamp"], rs["metadata"]["name"]))


def split(deployment: Obj, sets: Sequence[Obj]) -> tuple[Obj | None, list[Obj]]:
    """(the ReplicaSet of the present template, all others oldest first)."""
    template, aged = deployment["spec"]["template"], by_age(sets)
    new = next((rs for rs in aged if same_template(rs["spec"]["template"], template)), None)
    return new, [rs for rs in aged if rs is not new]


def revision_of(obj: Obj) -> int:
    """The revision an object is annotated with, 0 for none."""
    text = (obj["metadata"].get("annotations") or {}).get(REVISION, "")
    return int(text) if text.isdecimal() else 0


def next_revision(old: Iterable[Obj]) -> int:
    """The number of the current revision: above all others."""
    return max((revision_of(rs) for rs in old), default=0) + 1


def annotate_new(annotations: dict[str, str], deployment: Obj, revision: int) -> None:
    """Write a Deployment's own annotations and the revision into its current ReplicaSet's annotations. A set that
    had a lower revision (a rollback to it) keeps that in its history."""
    own = deployment["metadata"].get("annotations") or {}
    annotations.update({key: value for key, value in own.items() if key not in NOT_COPIED})
    before = annotations.get(REVISION, "")
    if (int(before) if before.isdecimal() else 0) < revision:
        annotations[REVISION] = str(revision)
        if before:
            annotations[HISTORY] = _history(annotations.get(HISTORY, ""), before)


def _history(earlier: str, revision: str) -> str:
    revisions = [*earlier.split(","), revision] if earlier else [revision]
    while len(",".join(revisions)) > HISTORY_CHARACTERS:
        revisions.pop(0)
    return ",".join(revisions)


def annotate_size(annotations: dict[str, str], replicas: int, surge: int) -> None:
    """Note for which size of the Deployment a ReplicaSet was last scaled."""
    annotations[DESIRED] = str(replicas)
    annotations[MAXIMUM] = str(replicas + surge)


def size_of(rs: Obj) -> Size:
    """A ReplicaSet as the arithmetic of a rolling update sees it."""
    annotations = rs["metadata"].get("annotations") or {}
    maximum, desired = annotations.get(MAXIMUM, ""), annotations.get(DESIRED, "")
    return Size(
        rs["metadata"]["name"],
        rs["spec"].get("replicas", 1),
        (rs.get("status") or {}).get("availableReplicas", 0),
        int(maximum) if maximum.isdecimal() else None,
        int(desired) if desired.isdecimal() else None,
    )


def limits(deployment: Obj) -> tuple[int, int]:
    """(surge, unavailable) in pods; both 0 for Recreate, unavailable 0 at no replicas and never above replicas."""
    spec = deployment["spec"]
    if spec["strategy"]["type"] != "RollingUpdate":
        return 0, 0
    parameters, replicas = spec["strategy"]["rollingUpdate"], spec["replicas"]
    surge, unavailable = fenceposts(parameters["maxSurge"], parameters["maxUnavailable"], replicas)
    return surge, min(unavailable, replicas)


def superfluous(deployment: Obj, old: Sequence[Obj]) -> list[Obj]:
    """Old ReplicaSets beyond the revision history limit that are empty and settled: those of the lowest revisions."""
    limit = deployment["spec"].get("revisionHistoryLimit")
    alive = [rs for rs in old if "deletionTimestamp" not in rs["metadata"]]
    if limit is None or len(alive) <= limit:
        return []
    oldest = sorted(alive, key=revision_of)[: len(alive) - limit]
    return [rs for rs in oldest if _is_settled_at_zero(rs)]


def _is_settled_at_zero(rs: Obj) -> bool:
    status = rs.get("status") or {}
    observed = status.get("observedGeneration", 0) >= rs["metadata"].get("generation", 0)
    return observed and not status.get("replicas") and rs["spec"].get("replicas", 1) == 0


def new_set(deployment: Obj, old: Sequence[Obj], surge: int) -> Obj:
    """The ReplicaSet of a Deployment's present template, named by the template's hash, as large as may be now."""
    meta, spec = deployment["metadata"], deployment["spec"]
    digest = template_hash(spec["template"], (deployment.get("status") or {}).get("collisionCount"))
    template, selector = copy_of(spec["template"]), copy_of(spec["selector"])
    labels = template.setdefault("metadata", {}).setdefault("labels", {})
    labels[HASH_LABEL] = digest
    selector.setdefault("matchLabels", {})[HASH_LABEL] = digest
    annotations: dict[str, str] = {}
    annotate_new(annotations, deployment, next_revision(old))
    annotate_size(annotations, spec["replicas"], surge)
    made: Obj = {"replicas": _first_size(spec, old, surge), "selector": selector, "template": template}
    if spec.get("minReadySeconds"):
        made["minReadySeconds"] = spec["minReadySeconds"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{meta['name'][: LONGEST_NAME - len(digest) - 1]}-{digest}",
            "namespace": meta["namespace"],
            "labels": dict(labels),
            "annotations": annotations,
            "ownerReferences": [reference(KINDS["Deployment"], deployment)],
        },
        "spec": made,
    }


def _first_size(spec: Obj, old: Sequence[Obj], surge: int) -> int:
    replicas: int = spec["replicas"]
    if spec["strategy"]["type"] != "RollingUpdate":
        return replicas
    total = sum(rs["spec"].get("replicas", 1) for rs in old)
    return new_size(Size("", 0, 0), total, replicas, surge)
