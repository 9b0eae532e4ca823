"""What a Job's pods mean for it: counted, finished, failed, how many more to run and when. Pure but for now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bluegreen import clock
from bluegreen.localkube.controllers.conditions import find, is_true, parse_time
from bluegreen.localkube.controllers.job_indexes import completed_indexes, failed_indexes
from bluegreen.localkube.controllers.job_policies import policy_verdict, success_rule
from bluegreen.localkube.controllers.pods import is_active, is_deleting, is_finished, is_ready, phase

Obj = dict[str, Any]

_OWN_NAME = "kubernetes.io/job-controller"
FINALIZER = "batch.kubernetes.io/job-tracking"
"""Holds a pod until its Job has counted it."""
FIRST_BACKOFF_S, LONGEST_BACKOFF_S = 10.0, 600.0
"""Pause before the next pod after one failure, doubled with each, and its limit (Kubernetes' values)."""


def condition(type_: str, status: str, reason: str, message: str) -> Obj:
    """A Job's condition that changes now."""
    now = clock.timestamp()
    return {
        "type": type_,
        "status": status,
        "lastProbeTime": now,
        "lastTransitionTime": now,
        "reason": reason,
        "message": message,
    }


def is_over(job: Obj) -> bool:
    """Whether a Job has completed or failed for good."""
    conditions = (job.get("status") or {}).get("conditions")
    return is_true(conditions, "Complete") or is_true(conditions, "Failed")


def is_anothers(job: Obj) -> bool:
    """Whether another controller is to run the Job; its spec and its status are left to that one."""
    return bool(job["spec"].get("managedBy", _OWN_NAME) != _OWN_NAME)


def is_indexed(job: Obj) -> bool:
    """Whether each completion has an index of its own."""
    return bool(job["spec"].get("completionMode") == "Indexed")


def is_suspended(job: Obj) -> bool:
    """Whether it is not to run for now."""
    return bool(job["spec"].get("suspend"))


def has_failed(job: Obj, pod: Obj) -> bool:
    """Whether a pod counts as a failure: also one that was deleted, unless only failed ones are to be replaced."""
    if phase(pod) == "Failed":
        return True
    replaces_deleted = job["spec"].get("podReplacementPolicy", "TerminatingOrFailed") != "Failed"
    return replaces_deleted and is_deleting(pod) and phase(pod) != "Succeeded"


def is_tracked(pod: Obj) -> bool:
    """Whether its Job has not counted it yet."""
    return FINALIZER in (pod["metadata"].get("finalizers") or ())


@dataclass(frozen=True)
class Tally:
    """A Job's pods, counted."""

    active: Sequence[Obj]
    succeeded: int  # counted before, and now
    failed: int
    newly_succeeded: Sequence[Obj]  # tracked pods that are to be counted
    newly_failed: Sequence[Obj]
    ignored: Sequence[Obj]  # tracked pods that failed, but whose failure the Job's policy does not count
    terminating: int
    indexes: frozenset[int]  # completed indexes of an indexed Job
    given_up: frozenset[int]  # indexes that failed too often, where each has its own limit

    @property
    def ready(self) -> int:
        """Active pods that are ready."""
        return sum(is_ready(pod) for pod in self.active)


def tally(job: Obj, pods: Sequence[Obj]) -> Tally:
    """Count a Job's pods, on top of what its status has counted already."""
    status = job.get("status") or {}
    uncounted = status.get("uncountedTerminatedPods") or {}
    known = {*(uncounted.get("succeeded") or ()), *(uncounted.get("failed") or ())}
    fresh = [pod for pod in pods if is_tracked(pod) and pod["metadata"]["uid"] not in known]
    succeeded = [pod for pod in fresh if phase(pod) == "Succeeded"]
    failed = [pod for pod in fresh if has_failed(job, pod)]
    ignored = [pod for pod in failed if (policy_verdict(job, pod) or ("", ""))[0] == "Ignore"]
    indexes = completed_indexes(job, pods) if is_indexed(job) else frozenset()
    before = status.get("succeeded", 0) + len(uncounted.get("succeeded") or ())
    return Tally(
        active=[pod for pod in pods if is_active(pod)],
        succeeded=len(indexes) if is_indexed(job) else before + len(succeeded),
        failed=status.get("failed", 0) + len(uncounted.get("failed") or ()) + len(failed) - len(ignored),
        newly_succeeded=succeeded,
        newly_failed=[pod for pod in failed if pod not in ignored],
        ignored=ignored,
        terminating=sum(is_deleting(pod) and not is_finished(pod) for pod in pods),
        indexes=indexes,
        given_up=failed_indexes(job, pods, policy_verdict) - indexes,
    )


# -- judging -----------------------------------------------------------------------------------------------------
def failure(job: Obj, pods: Sequence[Obj], counted: Tally) -> Obj | None:
    """Why a Job has failed: the condition FailureTarget."""
    known = find((job.get("status") or {}).get("conditions"), "FailureTarget")
    if known is not None and known["status"] == "True":
        return known
    spec = job["spec"]
    for pod in pods:
        verdict = policy_verdict(job, pod)
        if verdict and verdict[0] == "FailJob":
            return condition("FailureTarget", "True", "PodFailurePolicy", verdict[1])
    if counted.failed > spec.get("backoffLimit", 6) or _restarted_too_often(job, pods):
        message = "Job has reached the specified backoff limit"
        return condition("FailureTarget", "True", "BackoffLimitExceeded", message)
    given_up = _given_up(job, counted)
    if given_up:
        return given_up
    left_s = until_deadline_s(job)
    if left_s is not None and left_s <= 0:
        message = "Job was active longer than specified deadline"
        return condition("FailureTarget", "True", "DeadlineExceeded", message)
    return None


def _given_up(job: Obj, counted: Tally) -> Obj | None:
    """Whether too many indexes failed, or some did and nothing is left to do."""
    most = job["spec"].get("maxFailedIndexes")
    if most is not None and len(counted.given_up) > most:
        message = "Job has exceeded the specified maximal number of failed indexes"
        return condition("FailureTarget", "True", "MaxFailedIndexesExceeded", message)
    finished = len(counted.given_up) + len(counted.indexes)
    if counted.given_up and finished >= job["spec"].get("completions", 0):
        return condition("FailureTarget", "True", "FailedIndexes", "Job has failed indexes")
    return None


def _restarted_too_often(job: Obj, pods: Sequence[Obj]) -> bool:
    """Containers that are restarted in place count too."""
    if job["spec"]["template"]["spec"].get("restartPolicy") != "OnFailure":
        return False
    restarts = sum(_restarts(pod) for pod in pods if phase(pod) in ("Running", "Pending"))
    limit: int = job["spec"].get("backoffLimit", 6)
    return restarts > 0 if limit == 0 else restarts >= limit


def _restarts(pod: Obj) -> int:
    status = pod.get("status") or {}
    statuses = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return sum(each.get("restartCount", 0) for each in statuses)


def until_deadline_s(job: Obj) -> float | None:
    """Seconds until a running Job has been active for too long; None when it may run for ever."""
    deadline_s = job["spec"].get("activeDeadlineSeconds")
    started = (job.get("status") or {}).get("startTime")
    if deadline_s is None or not started or is_suspended(job):
        return None
    return float(deadline_s) - (clock.utc() - parse_time(started)).total_seconds()


def success(job: Obj, counted: Tally, active: int) -> Obj | None:
    """Whether a Job has done what it should: the condition SuccessCriteriaMet."""
    known = find((job.get("status") or {}).get("conditions"), "SuccessCriteriaMet")
    if known is not None and known["status"] == "True":
        return known
    by_rule = success_rule(job, counted.indexes) if is_indexed(job) else None
    if by_rule:
        return condition("SuccessCriteriaMet", "True", "SuccessPolicy", by_rule)
    completions = job["spec"].get("completions")
    done = counted.succeeded > 0 if completions is None else counted.succeeded >= completions
    if not done or active:
        return None
    return condition("SuccessCriteriaMet", "True", "CompletionsReached", "Reached expected number of succeeded pods")


def wanted_active(job: Obj, counted: Tally) -> int:
    """How many pods should run now."""
    spec = job["spec"]
    parallelism: int = spec.get("parallelism", 1)
    completions = spec.get("completions")
    if is_suspended(job):
        return 0
    if completions is None:
        return len(counted.active) if counted.succeeded else parallelism
    remaining: int = completions - counted.succeeded
    return max(0, min(remaining, parallelism))


def backoff_s(pods: Iterable[Obj]) -> float:
    """Seconds until a next pod may be made: longer with every failure since the last success."""
    ended = [pod for pod in pods if is_finished(pod)]
    successes = [finished_at(pod) for pod in ended if phase(pod) == "Succeeded"]
    failures = [finished_at(pod) for pod in ended if phase(pod) == "Failed"]
    last_success = max(successes, default=None)
    recent = [moment for moment in failures if last_success is None or moment > last_success]
    if not recent:
        return 0.0
    pause = timedelta(seconds=min(FIRST_BACKOFF_S * 2 ** (len(recent) - 1), LONGEST_BACKOFF_S))
    return max(0.0, (max(recent) + pause - clock.utc()).total_seconds())


def finished_at(pod: Obj) -> datetime:
    """When a pod ended: its last container, else when it stopped being ready, else its creation."""
    status = pod.get("status") or {}
    ends = [
        parse_time(each["state"]["terminated"]["finishedAt"])
        for each in status.get("containerStatuses") or ()
        if ((each.get("state") or {}).get("terminated") or {}).get("finishedAt")
    ]
    ready = find(status.get("conditions"), "Ready")
    if not ends and ready is not None and ready["status"] == "False":
        ends = [parse_time(ready["lastTransitionTime"])]
    return max(ends, default=parse_time(pod["metadata"]["creationTimestamp"]))
