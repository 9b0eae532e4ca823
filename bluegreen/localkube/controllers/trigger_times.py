"""When the change happened that made a Service's endpoints what they are: an annotation from which delays are read.

As in Kubernetes it is the earliest of the changes since the last look: a pod that became ready or stopped being so, or
the Service itself. A look that found nothing new (pods that went) has no such moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bluegreen.localkube.controllers.conditions import find

Obj = dict[str, Any]

ANNOTATION = "endpoints.kubernetes.io/last-change-trigger-time"


class TriggerTimes:
    """What was known of one Service at the last look."""

    def __init__(self) -> None:
        self._service = ""
        self._pods: dict[str, str] = {}

    def look(self, service: Obj, pods: Sequence[Obj]) -> str:
        """The earliest new moment, as a timestamp; "" when there is none."""
        created: str = service["metadata"]["creationTimestamp"]
        times = {pod["metadata"]["name"]: _ready_since(pod) for pod in pods}
        fresh = [time for name, time in times.items() if time > self._pods.get(name, "")]
        if created > self._service:
            fresh.append(created)
        self._service, self._pods = created, times
        return min(fresh, default="")


def _ready_since(pod: Obj) -> str:
    ready = find((pod.get("status") or {}).get("conditions"), "Ready")
    return (ready or {}).get("lastTransitionTime") or ""


def annotate(annotations: dict[str, str], moment: str) -> None:
    """Write the moment, or take away what was there."""
    if moment:
        annotations[ANNOTATION] = moment
    else:
        annotations.pop(ANNOTATION, None)
