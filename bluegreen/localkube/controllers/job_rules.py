"""What a Job's pods mean for it: counted, finished, failed, how many more to run and when. Pure but for now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bluegreen import clock
from bluegreen.localkube.controllers.conditions import find, is_true, parse_time
from bluegreen.localkube.controllers.pods import is_active, is_deleting, is_finished, is_ready, phase

Obj = dict[str, Any]

FINALIZER = "batch.kubernetes.io/job-tracking"
"""Holds a pod until its Job has counted it."""
INDEX = "batch.kubernetes.io/job-completion-index"
"""Annotation and label of a pod of an indexed Job."""
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
    )


# -- indexes -----------------------------------------------------------------------------------------------------
def index_of(pod: Obj) -> int:
    """A pod's completion index, -1 for none."""
    text = (pod["metadata"].get("annotations") or {}).get(INDEX, "")
    return int(text) if text.isdecimal() else -1


def completed_indexes(job: Obj, pods: Iterable[Obj]) -> frozenset[int]:
    """Indexes that some pod has completed: those the status knows and those of pods not counted yet."""
    known = parsed_indexes((job.get("status") or {}).get("completedIndexes", ""))
    limit = job["spec"].get("completions", 0)
    now = {index_of(pod) for pod in pods if phase(pod) == "Succeeded"}
    return frozenset(index for index in known | now if 0 <= index < limit)


def parsed_indexes(text: str) -> set[int]:
    """``1,3-5`` as numbers."""
    indexes: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        indexes.update(range(int(first), int(last or first) + 1))
    return indexes


def written_indexes(indexes: Iterable[int]) -> str:
    """Numbers as ``1,3-5``; two in a row are written apart from three on, as Kubernetes does."""
    runs: list[list[int]] = []
    for index in sorted(indexes):
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return ",".join(_run(run) for run in runs)


def _run(run: list[int]) -> str:
    if len(run) == 1:
        return str(run[0])
    return f"{run[0]},{run[1]}" if len(run) == 2 else f"{run[0]}-{run[-1]}"


def next_indexes(job: Obj, counted: Tally, count: int) -> list[int]:
    """The lowest indexes that nobody has completed or is working on."""
    taken = counted.indexes | {index_of(pod) for pod in counted.active}
    free = (index for index in range(job["spec"].get("completions", 0)) if index not in taken)
    return [index for index, _ in zip(free, range(count), strict=False)]


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
    left_s = until_deadline_s(job)
    if left_s is not None and left_s <= 0:
        message = "Job was active longer than specified deadline"
        return condition("FailureTarget", "True", "DeadlineExceeded", message)
    return None


def policy_verdict(job: Obj, pod: Obj) -> tuple[str, str] | None:
    """(action, sentence) of the first rule of the Job's podFailurePolicy that a failed pod meets."""
    if phase(pod) != "Failed":
        return None
    rules = (job["spec"].get("podFailurePolicy") or {}).get("rules") or ()
    for number, rule in enumerate(rules):
        what = _matched(rule, pod)
        if what:
            return rule["action"], f"{what} matching {rule['action']} rule at index {number}"
    return None


def _matched(rule: Obj, pod: Obj) -> str:
    """What of a pod meets a rule, as the beginning of a sentence; "" for nothing."""
    meta, status = pod["metadata"], pod.get("status") or {}
    title = f"{meta['namespace']}/{meta['name']}"
    for each in [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]:
        code = ((each.get("state") or {}).get("terminated") or {}).get("exitCode", 0)
        if rule.get("onExitCodes") and code and _code_matches(rule["onExitCodes"], each["name"], code):
            return f"Container {each['name']} for pod {title} failed with exit code {code}"
    for pattern in rule.get("onPodConditions") or ():
        found = find(status.get("conditions"), pattern["type"])
        if found is not None and found["status"] == pattern.get("status", "True"):
            return f"Pod {title} has condition {pattern['type']}"
    return ""


def _code_matches(wanted: Obj, container: str, code: int) -> bool:
    if wanted.get("containerName") not in (None, container):
        return False
    listed = code in wanted["values"]
    return listed if wanted["operator"] == "In" else not listed


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
