"""Whether a Deployment has come up, and why it never will. Pure: objects in, sentences out.

A bad image leaves ``Available=True`` on a Deployment that had pods, and status lags behind the spec, so that only the
counts at the present generation and the pods' own waiting reasons tell. An early end is not a time-out: each of these
reasons is one that waiting does not mend.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from bluegreen import clock

Obj = dict[str, Any]

HOPELESS_WAITING: Mapping[str, str] = {
    "ErrImagePull": "its image cannot be pulled",
    "ImagePullBackOff": "its image cannot be pulled",
    "InvalidImageName": "its image's name is not valid",
    "ErrImageNeverPull": "its image is not on the node and may not be pulled",
    "CreateContainerConfigError": "its configuration is incomplete",
    "CreateContainerError": "its container cannot be created",
    "RunContainerError": "its container cannot be started",
    "CrashLoopBackOff": "it keeps exiting",
}
"""Waiting reasons of containers, as the kubelet names them, that more waiting rarely mends."""

RESTARTS_ENOUGH = 2
"""Restarts after which a candidate counts as crashing; a choice: one may be a slow dependency, two are a habit."""

UNSCHEDULABLE_GRACE_S = 20.0
"""How long a pod may be unschedulable; a choice: pods of the last release may just be leaving their places."""


def available(deployment: Obj) -> bool:
    """Whether desired = updated = ready = available at the Deployment's present generation, and none is left over."""
    status, desired = deployment.get("status", {}), deployment["spec"].get("replicas", 1)
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")]
    current = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    return current and desired > 0 and all(count == desired for count in counts)


def progress(deployment: Obj | None) -> str:
    """How far a Deployment is, in words, for progress lines and time-outs."""
    if deployment is None:
        return "no Deployment"
    status = deployment.get("status", {})
    return f"{status.get('readyReplicas', 0)} of {deployment['spec'].get('replicas', 1)} pods ready"


def hopeless(deployment: Obj | None, pods: Iterable[Obj]) -> str | None:
    """The sentence that says why the Deployment will not come up, or None while it still may."""
    pods = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    reasons = [reason for pod in pods if (reason := hopeless_pod(pod))]
    if reasons:
        return reasons[0]
    return None if deployment is None else hopeless_deployment(deployment)


def hopeless_deployment(deployment: Obj) -> str | None:
    """Why a Deployment itself says that it will not come up."""
    generation = deployment["metadata"].get("generation", 0)
    if deployment.get("status", {}).get("observedGeneration", 0) < generation:
        return None
    for condition in deployment.get("status", {}).get("conditions") or []:
        stuck = condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded"
        refused = condition["type"] == "ReplicaFailure" and condition["status"] == "True"
        if stuck or refused:
            name = deployment["metadata"]["name"]
            return f"Deployment {name}: {condition.get('reason')}: {condition.get('message', '')}"
    return None


def hopeless_pod(pod: Obj) -> str | None:
    """Why a pod will not become ready."""
    name, status = pod["metadata"]["name"], pod.get("status", {})
    every = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    for container in every:
        waiting = container.get("state", {}).get("waiting") or {}
        if waiting.get("reason") in HOPELESS_WAITING:
            detail = waiting.get("message") or _last_exit(container)
            why = f"{HOPELESS_WAITING[waiting['reason']]}: {waiting['reason']}"
            return f"Pod {name}: {why}" + (f": {detail}" if detail else "")
        if container.get("restartCount", 0) >= RESTARTS_ENOUGH and not container.get("ready"):
            return f"Pod {name}: it restarted {container['restartCount']} times: {_last_exit(container)}"
    return _unschedulable(name, status)


def unready(pods: Iterable[Obj]) -> str:
    """How many pods are ready and what the first of the others waits for, in words, for time-outs."""
    present = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    waiting = [pod for pod in present if _condition(pod, "Ready").get("status") != "True"]
    told = f"{len(present) - len(waiting)} of {len(present)} pods ready"
    return f"{told}; {_waits_for(waiting[0])}" if waiting else told


def _waits_for(pod: Obj) -> str:
    """What a pod that is not ready says about it."""
    name, status = pod["metadata"]["name"], pod.get("status", {})
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        waiting = container.get("state", {}).get("waiting") or {}
        if waiting:
            return f"{name} waits: {waiting.get('reason')} {waiting.get('message', '')}".strip()
    for kind in ("PodScheduled", "Ready"):
        condition = _condition(pod, kind)
        if condition.get("status") == "False":
            return f"{name}: {condition.get('reason', kind)}: {condition.get('message', '')}".rstrip(": ")
    return f"{name} is {status.get('phase', 'new')}"


def _condition(pod: Obj, kind: str) -> Obj:
    conditions = pod.get("status", {}).get("conditions") or []
    return next((dict(condition) for condition in conditions if condition["type"] == kind), {})


def _unschedulable(name: str, status: Obj) -> str | None:
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            since = datetime.fromisoformat(condition["lastTransitionTime"].replace("Z", "+00:00"))
            if (clock.utc() - since).total_seconds() > UNSCHEDULABLE_GRACE_S:
                return f"Pod {name}: no node has room for it: {condition.get('message', '')}"
    return None


def _last_exit(container: Obj) -> str:
    """How a container's last run ended, in words; "" when it had none."""
    ended = (container.get("lastState") or {}).get("terminated") or (container.get("state") or {}).get("terminated")
    if not ended:
        return ""
    message = f": {ended['message'].strip()}" if ended.get("message") else ""
    return f"the last run ended with exit code {ended.get('exitCode')} ({ended.get('reason', 'no reason')}){message}"
