"""A Deployment's status: its counts and its conditions, word for word as Kubernetes writes them. Pure but for now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bluegreen import clock
from bluegreen.localkube.controllers.conditions import Conditions, age_s, find, replaced, without
from bluegreen.localkube.controllers.revisions import limits

Obj = dict[str, Any]

NO_DEADLINE_S = 2**31 - 1
"""progressDeadlineSeconds that means: never give up."""
TIMED_OUT, COMPLETE = "ProgressDeadlineExceeded", "NewReplicaSetAvailable"


def condition(type_: str, status: str, reason: str, message: str) -> Obj:
    """A Deployment's condition that changes now."""
    now = clock.timestamp()
    return {
        "type": type_,
        "status": status,
        "lastUpdateTime": now,
        "lastTransitionTime": now,
        "reason": reason,
        "message": message,
    }


def has_deadline(deployment: Obj) -> bool:
    """Whether progress is judged at all."""
    deadline_s: int = deployment["spec"].get("progressDeadlineSeconds", NO_DEADLINE_S)
    return deadline_s != NO_DEADLINE_S


def _total(sets: Iterable[Obj], field: str) -> int:
    return sum((rs.get("status") or {}).get(field, 0) for rs in sets)


def counted(deployment: Obj, sets: Sequence[Obj], new: Obj | None) -> Obj:
    """The status that the ReplicaSets' own statuses add up to, with the condition Available."""
    spec, status = deployment["spec"], deployment.get("status") or {}
    available = _total(sets, "availableReplicas")
    counts = {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        "replicas": _total(sets, "replicas"),
        "updatedReplicas": _total([new] if new else [], "replicas"),
        "readyReplicas": _total(sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, sum(rs["spec"].get("replicas", 1) for rs in sets) - available),
    }
    result: Obj = {field: count for field, count in counts.items() if count}
    result["conditions"] = replaced(
        status.get("conditions"), _availability(available >= spec["replicas"] - limits(deployment)[1])
    )
    if "collisionCount" in status:
        result["collisionCount"] = status["collisionCount"]
    return result


def _availability(enough: bool) -> Obj:
    if enough:
        message = "Deployment has minimum availability."
        return condition("Available", "True", "MinimumReplicasAvailable", message)
    message = "Deployment does not have minimum availability."
    return condition("Available", "False", "MinimumReplicasUnavailable", message)


def is_complete(deployment: Obj, status: Obj) -> bool:
    """Whether all replicas are of the current template and available, and nothing else is left."""
    replicas = deployment["spec"]["replicas"]
    fields = ("updatedReplicas", "replicas", "availableReplicas")
    observed = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    return observed and all(status.get(field, 0) == replicas for field in fields)


def _has_progressed(before: Obj, now: Obj) -> bool:
    def old_pods(status: Obj) -> int:
        return int(status.get("replicas", 0)) - int(status.get("updatedReplicas", 0))

    grown = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return old_pods(now) < old_pods(before) or any(now.get(field, 0) > before.get(field, 0) for field in grown)


def with_progress(deployment: Obj, status: Obj, sets: Sequence[Obj], new: Obj | None) -> Obj:
    """The status with the conditions Progressing and ReplicaFailure judged anew."""
    conditions = status["conditions"]
    if not has_deadline(deployment):
        conditions = without(conditions, "Progressing")
    elif not _is_settled(deployment, status):
        conditions = _judged(deployment, status, new)
    failure = _replica_failure(sets, new)
    conditions = replaced(conditions, failure) if failure else without(conditions, "ReplicaFailure")
    return status | {"conditions": conditions}


def _is_settled(deployment: Obj, status: Obj) -> bool:
    """Whether the last rollout succeeded and this is only a matter of size."""
    current = find((deployment.get("status") or {}).get("conditions"), "Progressing")
    same = status.get("replicas", 0) == status.get("updatedReplicas", 0)
    return same and current is not None and current.get("reason") == COMPLETE


def _judged(deployment: Obj, status: Obj, new: Obj | None) -> Conditions:
    conditions: Conditions = status["conditions"]
    subject = f'ReplicaSet "{new["metadata"]["name"]}"' if new else f'Deployment "{deployment["metadata"]["name"]}"'
    if is_complete(deployment, status):
        done = condition("Progressing", "True", COMPLETE, f"{subject} has successfully progressed.")
        return replaced(conditions, done)
    if _has_progressed(deployment.get("status") or {}, status):
        moving = condition("Progressing", "True", "ReplicaSetUpdated", f"{subject} is progressing.")
        current = find(conditions, "Progressing")
        if current and current["status"] == "True":
            moving["lastTransitionTime"] = current["lastTransitionTime"]
        return [*without(conditions, "Progressing"), moving]
    if timed_out(deployment, conditions):
        late = condition("Progressing", "False", TIMED_OUT, f"{subject} has timed out progressing.")
        return replaced(conditions, late)
    return conditions


def timed_out(deployment: Obj, conditions: Conditions) -> bool:
    """Whether the deadline has passed since the last progress."""
    current = find(conditions, "Progressing")
    if current is None or current["reason"] == COMPLETE:
        return False
    deadline_s = deployment["spec"]["progressDeadlineSeconds"]
    return bool(current["reason"] == TIMED_OUT or age_s(current["lastUpdateTime"]) > deadline_s)


def until_deadline_s(deployment: Obj, status: Obj) -> float | None:
    """Seconds until progress has to be judged again though nothing changed; None when it need not be. Timestamps
    are whole seconds, hence one more."""
    current = find(status.get("conditions"), "Progressing")
    if not has_deadline(deployment) or current is None or is_complete(deployment, status):
        return None
    if current["reason"] in (TIMED_OUT, COMPLETE):
        return None
    left_s: float = deployment["spec"]["progressDeadlineSeconds"] - age_s(current["lastUpdateTime"])
    return max(left_s, 0.0) + 1.0


def _replica_failure(sets: Sequence[Obj], new: Obj | None) -> Obj | None:
    """A ReplicaSet's failure as the Deployment's, the current one's first."""
    for rs in [*([new] if new else []), *sets]:
        failure = find((rs.get("status") or {}).get("conditions"), "ReplicaFailure")
        if failure:
            return failure | {"lastUpdateTime": failure["lastTransitionTime"]}
    return None


def with_pause(deployment: Obj) -> Conditions | None:
    """The conditions that say a Deployment was paused or resumed; None when they say so already or need not."""
    conditions = (deployment.get("status") or {}).get("conditions")
    current = find(conditions, "Progressing")
    reason = current["reason"] if current else ""
    paused = bool(deployment["spec"].get("paused"))
    if not has_deadline(deployment) or reason == TIMED_OUT or paused == (reason == "DeploymentPaused"):
        return None
    word = "paused" if paused else "resumed"
    told = condition("Progressing", "Unknown", f"Deployment{word.capitalize()}", f"Deployment is {word}")
    return replaced(conditions, told)
