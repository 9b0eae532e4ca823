"""What controllers ask about a pod: is it active, ready, available since when, and which one goes first. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from bluegreen import clock
from bluegreen.localkube.controllers.conditions import find, is_true, parse_time
from bluegreen.localkube.controllers.owners import reference
from bluegreen.localkube.kinds import Kind
from bluegreen.localkube.store import copy_of

Obj = dict[str, Any]

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
"""Annotation with a number: pods with a lower one are deleted first."""
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def phase(pod: Obj) -> str:
    """status.phase, "" before anything is known."""
    return (pod.get("status") or {}).get("phase") or ""


def is_finished(pod: Obj) -> bool:
    """Whether all its containers have ended for good."""
    return phase(pod) in ("Succeeded", "Failed")


def is_deleting(pod: Obj) -> bool:
    """Whether it has been asked to stop."""
    return "deletionTimestamp" in pod["metadata"]


def is_active(pod: Obj) -> bool:
    """Whether it counts as a replica: neither finished nor being deleted."""
    return not is_finished(pod) and not is_deleting(pod)


def is_ready(pod: Obj) -> bool:
    """Whether its condition Ready is True."""
    return is_true((pod.get("status") or {}).get("conditions"), "Ready")


def ready_since(pod: Obj) -> datetime | None:
    """When it became ready; None when it is not."""
    condition = find((pod.get("status") or {}).get("conditions"), "Ready")
    if condition is None or condition["status"] != "True" or not condition.get("lastTransitionTime"):
        return None
    return parse_time(condition["lastTransitionTime"])


def until_available_s(pod: Obj, min_ready_s: int) -> float | None:
    """Seconds until it counts as available: 0 when it does, None when it is not ready."""
    if not is_ready(pod):
        return None
    since = ready_since(pod)
    if not min_ready_s or since is None:
        return 0.0
    return max(0.0, min_ready_s - (clock.utc() - since).total_seconds())


def from_template(template: Obj, owner_kind: Kind, owner: Obj, prefix: str) -> Obj:
    """A pod of a controller's template, named by the server."""
    meta = template.get("metadata") or {}
    copied = {key: copy_of({"": meta[key]})[""] for key in ("labels", "annotations", "finalizers") if meta.get(key)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": f"{prefix}-", **copied, "ownerReferences": [reference(owner_kind, owner)]},
        "spec": copy_of(template["spec"]),
    }


def first_to_go(pods: Iterable[Obj], crowd: Callable[[Obj], int]) -> list[Obj]:
    """Pods in the order in which a controller deletes them: those that serve least first.

    ``crowd``: how many related pods share a pod's node; the more, the sooner it goes. Ages are compared by orders
    of magnitude (a pod twice as old is older), then by uid, as Kubernetes does so that it is not always the newest.
    """
    now = clock.utc()
    return sorted(pods, key=lambda pod: _rank(pod, crowd(pod), now))


def _rank(pod: Obj, crowd: int, now: datetime) -> tuple[Any, ...]:
    spec, since = pod["spec"], ready_since(pod)
    created = parse_time(pod["metadata"]["creationTimestamp"])
    return (
        bool(spec.get("nodeName")),
        _PHASES.get(phase(pod), 0),
        is_ready(pod),
        _deletion_cost(pod),
        -crowd,
        _magnitude(since, now) if is_ready(pod) else 0,
        -_restarts(pod),
        _magnitude(created, now),
        pod["metadata"].get("uid", ""),
    )


def _magnitude(moment: datetime | None, now: datetime) -> int:
    """The order of magnitude of an age, in powers of two of nanoseconds; an unknown one counts as youngest."""
    if moment is None:
        return -1
    nanoseconds = (now - moment).total_seconds() * 1e9
    return math.floor(math.log2(nanoseconds)) if nanoseconds > 1 else 0


def _deletion_cost(pod: Obj) -> int:
    text = (pod["metadata"].get("annotations") or {}).get(DELETION_COST, "0")
    try:
        return int(text)
    except ValueError:
        return 0


def _restarts(pod: Obj) -> int:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return max((status.get("restartCount", 0) for status in statuses), default=0)
