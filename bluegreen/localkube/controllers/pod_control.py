"""Creating and deleting a controller's pods, with the events that tell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bluegreen.localkube.controllers.base import MANAGER, key_of, kind
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.status import ApiError

Obj = dict[str, Any]


class PodControl:
    """Pods on behalf of one owner; ``component`` is whose events they are."""

    def __init__(self, registry: Registry, owner: Obj, component: str) -> None:
        self._registry, self._owner, self._component = registry, owner, component

    def create(self, wanted: Iterable[Obj]) -> ApiError | None:
        """Create pods in batches of 1, 2, 4, ... and stop after a batch with a refusal, so that what is refused
        once is not tried a hundred times. Returns the first refusal; a namespace that goes is none."""
        pods, size = list(wanted), 1
        while pods:
            batch, pods = pods[:size], pods[size:]
            refusals = [refusal for refusal in map(self._create, batch) if refusal]
            if refusals:
                return refusals[0]
            size *= 2
        return None

    def delete(self, pods: Iterable[Obj]) -> ApiError | None:
        """Delete pods; returns the first refusal. One that is gone already is none."""
        refusals = [refusal for refusal in map(self._delete, pods) if refusal]
        return refusals[0] if refusals else None

    def _create(self, pod: Obj) -> ApiError | None:
        try:
            namespace = self._owner["metadata"]["namespace"]
            made = self._registry.create(kind("Pod"), namespace, pod, manager=MANAGER)
        except ApiError as error:
            if is_terminating(error):
                return None
            self._tell("Warning", "FailedCreate", f"Error creating: {error.message}")
            return error
        self._tell("Normal", "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")
        return None

    def _delete(self, pod: Obj) -> ApiError | None:
        try:
            self._registry.delete(kind("Pod"), *key_of(pod), {"preconditions": {"uid": pod["metadata"]["uid"]}})
        except ApiError as error:
            if error.code in (404, 409):
                return None
            self._tell("Warning", "FailedDelete", f"Error deleting: {error.message}")
            return error
        self._tell("Normal", "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")
        return None

    def _tell(self, type_: str, reason: str, message: str) -> None:
        self._registry.event(self._owner, type_, reason, message, self._component)


def is_terminating(error: ApiError) -> bool:
    """Whether a create was refused because its namespace is on its way out."""
    causes = (error.details or {}).get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)
