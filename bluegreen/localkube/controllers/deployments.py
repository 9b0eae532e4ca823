"""Deployments: a ReplicaSet for every template, grown and shrunk against each other until the newest serves alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bluegreen.localkube.controllers import revisions, rollout_status
from bluegreen.localkube.controllers.adoption import claim, is_deleting
from bluegreen.localkube.controllers.base import Context, Key, key_of, kind
from bluegreen.localkube.controllers.owners import controller_of
from bluegreen.localkube.controllers.rollout import COMPONENT, Rollout, write_status
from bluegreen.localkube.selectors import selects
from bluegreen.localkube.store import Change

Obj = dict[str, Any]


@dataclass
class Deployments:
    """The deployment controller."""

    context: Context
    name: str = COMPONENT
    watches: tuple[str, ...] = ("Deployment", "ReplicaSet", "Pod")

    def keys(self, change: Change) -> Iterable[Key]:
        """The Deployment itself; that of a changed ReplicaSet, or those that may adopt it; that of a deleted Pod."""
        obj = change.object
        if obj["kind"] == "Deployment":
            return [key_of(obj)]
        if obj["kind"] == "Pod":
            return self._of_pod(obj) if change.type == "DELETED" else ()
        owners = [self._owner(obj), self._owner(change.previous) if change.previous else None]
        found = {owner for owner in owners if owner}
        return found or self._adopters(obj)

    def reconcile(self, key: Key) -> float | None:
        """Bring a Deployment one step further, or its status up to date."""
        deployment = self.context.get("Deployment", *key)
        if deployment is None:
            return None
        if not _has_selector(deployment):
            self._refuse(deployment)
            return None
        sets = claim(
            self.context.registry, self.context.replica_sets, kind("ReplicaSet"), kind("Deployment"), deployment
        )
        if is_deleting(deployment):
            write_status(
                self.context.registry,
                deployment,
                rollout_status.counted(deployment, sets, revisions.split(deployment, sets)[0]),
            )
            return None
        return Rollout(self.context, self._tell_pause(deployment), sets).run()

    def _of_pod(self, pod: Obj) -> Iterable[Key]:
        """Only Recreate waits for pods to be gone."""
        owner = controller_of(pod)
        if owner is None or owner["kind"] != "ReplicaSet":
            return ()
        rs = self.context.get("ReplicaSet", pod["metadata"]["namespace"], owner["name"])
        key = self._owner(rs) if rs else None
        deployment = self.context.get("Deployment", *key) if key else None
        waits = deployment is not None and deployment["spec"]["strategy"]["type"] == "Recreate"
        return [key] if key and waits else ()

    @staticmethod
    def _owner(rs: Obj) -> Key | None:
        owner = controller_of(rs)
        named = owner is not None and owner["kind"] == "Deployment"
        return (rs["metadata"]["namespace"], owner["name"]) if owner and named else None

    def _adopters(self, rs: Obj) -> list[Key]:
        if controller_of(rs):
            return []
        labels = rs["metadata"].get("labels")
        candidates = self.context.all("Deployment", rs["metadata"]["namespace"])
        return [key_of(each) for each in candidates if selects(each["spec"]["selector"], labels)]

    def _refuse(self, deployment: Obj) -> None:
        message = "This deployment is selecting all pods. A non-empty selector is required."
        self.context.registry.event(deployment, "Warning", "SelectingAll", message, self.name)

    def _tell_pause(self, deployment: Obj) -> Obj:
        conditions = rollout_status.with_pause(deployment)
        if conditions is None:
            return deployment
        return write_status(
            self.context.registry, deployment, (deployment.get("status") or {}) | {"conditions": conditions}
        )


def _has_selector(deployment: Obj) -> bool:
    selector = deployment["spec"].get("selector") or {}
    return bool(selector.get("matchLabels") or selector.get("matchExpressions"))
