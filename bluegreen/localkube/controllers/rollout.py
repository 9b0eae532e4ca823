"""One step of a Deployment: its template's ReplicaSet made and grown, the others shrunk, as far as is safe now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bluegreen.localkube.controllers import revisions, rolling, rollout_status
from bluegreen.localkube.controllers.base import MANAGER, Context, key_of, kind
from bluegreen.localkube.controllers.conditions import find, replaced
from bluegreen.localkube.controllers.pod_control import is_terminating
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.status import ApiError

Obj = dict[str, Any]

COMPONENT = "deployment-controller"
"""Whose events these are."""


def write_status(registry: Registry, deployment: Obj, status: Obj, revision: str = "") -> Obj:
    """Write the status and, where it moved, the revision annotation, in one write as Kubernetes does."""

    def change(copy: Obj) -> None:
        copy["status"] = status
        if revision:
            copy["metadata"].setdefault("annotations", {})[revisions.REVISION] = revision

    written = registry.modify(kind("Deployment"), *key_of(deployment), change, manager=MANAGER, subresource="status")
    return written or deployment


class Rollout:
    """One pass over one Deployment: what is there, what should be, the writes in between."""

    def __init__(self, context: Context, deployment: Obj, sets: Sequence[Obj]) -> None:
        self._context, self._registry = context, context.registry
        self._deployment = deployment
        self._new, self._old = revisions.split(deployment, sets)

    @property
    def _spec(self) -> Obj:
        spec: Obj = self._deployment["spec"]
        return spec

    @property
    def _all(self) -> list[Obj]:
        return [*self._old, *([self._new] if self._new else [])]

    def run(self) -> float | None:
        """The pass. Seconds until the progress deadline has to be judged, where it does."""
        self._number_revision()
        if self._spec.get("paused") or self._was_scaled():
            self._resize()
            return None
        strategy = {"Recreate": self._recreate, "RollingUpdate": self._roll}[self._spec["strategy"]["type"]]
        strategy()
        return self._judge()

    # -- steps -----------------------------------------------------------------
    def _resize(self) -> None:
        """A new size (or a pause) is no rollout: spread it over what is there and count."""
        self._scale_to_size()
        if self._spec.get("paused"):
            self._clean_up()
        status = rollout_status.counted(self._deployment, self._all, self._new)
        self._write(self._deployment, status)

    def _roll(self) -> None:
        surge, unavailable = revisions.limits(self._deployment)
        new = self._new or self._create(surge)
        total = sum(rs["spec"].get("replicas", 1) for rs in self._all)
        wanted = rolling.new_size(revisions.size_of(new), total, self._spec["replicas"], surge)
        if self._scale(new, wanted):
            return
        active = [revisions.size_of(rs) for rs in self._old if rs["spec"].get("replicas", 1)]
        sizes = rolling.old_sizes(active, revisions.size_of(new), self._spec["replicas"], unavailable)
        for rs in list(self._old):
            if rs["metadata"]["name"] in sizes:
                self._scale(rs, sizes[rs["metadata"]["name"]])
        if not sizes:
            self._clean_up_when_complete()

    def _recreate(self) -> None:
        shrunk = [self._scale(rs, 0) for rs in list(self._old)]
        if any(shrunk) or self._old_pods_run():
            return
        self._scale(self._new or self._create(0), self._spec["replicas"])
        self._clean_up_when_complete()

    def _judge(self) -> float | None:
        before = self._deployment
        status = rollout_status.counted(before, self._all, self._new)
        status = rollout_status.with_progress(before, status, self._all, self._new)
        self._write(before, status)
        return rollout_status.until_deadline_s(before, status)

    # -- reading ---------------------------------------------------------------
    def _was_scaled(self) -> bool:
        sizes = [revisions.size_of(rs) for rs in self._all]
        desired = [size.desired_replicas for size in sizes if size.replicas > 0]
        return any(each is not None and each != self._spec["replicas"] for each in desired)

    def _old_pods_run(self) -> bool:
        if any((rs.get("status") or {}).get("replicas") for rs in self._old):
            return True
        pods = self._context.pods
        running = [pod for rs in self._old for pod in pods.controlled(rs["metadata"]["uid"])]
        return any((pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed") for pod in running)

    # -- writing ---------------------------------------------------------------
    def _number_revision(self) -> None:
        """The current set carries the highest revision and the Deployment's annotations; the Deployment its number."""
        if self._new is None:
            return
        revision, spec = revisions.next_revision(self._old), self._spec

        def change(copy: Obj) -> None:
            annotations = copy["metadata"].setdefault("annotations", {})
            revisions.annotate_new(annotations, self._deployment, revision)
            if copy["spec"].get("minReadySeconds", 0) != spec.get("minReadySeconds", 0):
                copy["spec"]["minReadySeconds"] = spec.get("minReadySeconds", 0)

        self._new = self._modify(self._new, change)
        self._note_revision(self._new, "FoundNewReplicaSet", "Found new replica set", only_if_absent=True)

    def _note_revision(self, new: Obj, reason: str, words: str, *, only_if_absent: bool) -> None:
        status = self._deployment.get("status") or {}
        conditions = status.get("conditions")
        known = find(conditions, "Progressing") is not None
        if rollout_status.has_deadline(self._deployment) and not (only_if_absent and known):
            message = f'{words} "{new["metadata"]["name"]}"'
            told = rollout_status.condition("Progressing", "True", reason, message)
            status = status | {"conditions": replaced(conditions, told)}
        revision = str(revisions.revision_of(new))
        annotated = revisions.revision_of(self._deployment) == revisions.revision_of(new)
        if status != (self._deployment.get("status") or {}) or not annotated:
            self._deployment = self._write(self._deployment, status, revision)

    def _create(self, surge: int) -> Obj:
        """Create the current template's ReplicaSet, as large as may be. When its name is taken, the collision is
        counted, and the next pass tries another name."""
        wanted = revisions.new_set(self._deployment, self._old, surge)
        try:
            created = self._registry.create(
                kind("ReplicaSet"), self._deployment["metadata"]["namespace"], wanted, manager=MANAGER
            )
        except ApiError as error:
            self._not_created(wanted, error)
            raise
        replicas = created["spec"]["replicas"]
        if replicas:
            self._tell(f"Scaled up replica set {created['metadata']['name']} from 0 to {replicas}")
        self._new = created
        self._note_revision(created, "NewReplicaSetCreated", "Created new replica set", only_if_absent=False)
        return created

    def _not_created(self, wanted: Obj, error: ApiError) -> None:
        status = self._deployment.get("status") or {}
        if error.reason == "AlreadyExists":
            collided = status | {"collisionCount": status.get("collisionCount", 0) + 1}
            self._deployment = self._write(self._deployment, collided)
            return
        if is_terminating(error):
            return
        message = f'Failed to create new replica set "{wanted["metadata"]["name"]}": {error.message}'
        if rollout_status.has_deadline(self._deployment):
            told = rollout_status.condition("Progressing", "False", "ReplicaSetCreateError", message)
            conditions = replaced(status.get("conditions"), told)
            self._write(self._deployment, status | {"conditions": conditions})
        self._registry.event(self._deployment, "Warning", "ReplicaSetCreateError", message, COMPONENT)

    def _scale_to_size(self) -> None:
        replicas, surge = self._spec["replicas"], revisions.limits(self._deployment)[0]
        active = [rs for rs in self._all if rs["spec"].get("replicas", 1) > 0]
        if len(active) <= 1:
            only = active[0] if active else self._new or (self._old[-1] if self._old else None)
            if only is not None:
                self._scale(only, replicas)
            return
        if rolling.saturated(revisions.size_of(self._new) if self._new else None, replicas):
            for rs in [rs for rs in active if rs is not self._new]:
                self._scale(rs, 0)
        elif self._spec["strategy"]["type"] == "RollingUpdate":
            self._scale_proportionally(active, replicas, surge)

    def _scale_proportionally(self, active: list[Obj], replicas: int, surge: int) -> None:
        allowed = replicas + surge if replicas else 0
        growing = allowed > sum(rs["spec"]["replicas"] for rs in active)
        aged = revisions.by_age(active)
        ordered = sorted(aged[::-1] if growing else aged, key=lambda rs: -int(rs["spec"]["replicas"]))
        current = (self._deployment.get("status") or {}).get("replicas", 0)
        sizes = rolling.proportional([revisions.size_of(rs) for rs in ordered], replicas, surge, current)
        for rs in ordered:
            self._scale(rs, sizes[rs["metadata"]["name"]], always_annotate=True)

    def _scale(self, rs: Obj, size: int, *, always_annotate: bool = False) -> bool:
        """Resize one ReplicaSet and tell; whether its size changed."""
        before = rs["spec"].get("replicas", 1)
        if before == size and not always_annotate:
            return False
        surge = revisions.limits(self._deployment)[0]

        def change(copy: Obj) -> None:
            copy["spec"]["replicas"] = size
            revisions.annotate_size(copy["metadata"].setdefault("annotations", {}), self._spec["replicas"], surge)

        self._replace(rs, self._modify(rs, change))
        if before != size:
            direction = "up" if size > before else "down"
            self._tell(f"Scaled {direction} replica set {rs['metadata']['name']} from {before} to {size}")
        return bool(before != size)

    def _replace(self, rs: Obj, written: Obj) -> None:
        if rs is self._new:
            self._new = written
        else:
            self._old = [written if old is rs else old for old in self._old]

    def _clean_up_when_complete(self) -> None:
        if rollout_status.is_complete(self._deployment, self._deployment.get("status") or {}):
            self._clean_up()

    def _clean_up(self) -> None:
        for rs in revisions.superfluous(self._deployment, self._old):
            self._registry.delete(kind("ReplicaSet"), *key_of(rs), {"propagationPolicy": "Background"})

    def _write(self, deployment: Obj, status: Obj, revision: str = "") -> Obj:
        return write_status(self._registry, deployment, status, revision)

    def _modify(self, rs: Obj, change: Callable[[Obj], None]) -> Obj:
        return self._registry.modify(kind("ReplicaSet"), *key_of(rs), change, manager=MANAGER, subresource="") or rs

    def _tell(self, message: str) -> None:
        self._registry.event(self._deployment, "Normal", "ScalingReplicaSet", message, COMPONENT)
