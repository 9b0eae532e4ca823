"""Jobs: pods that run to their end, again after a failure, until enough of them succeeded or too many failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bluegreen import clock
from bluegreen.localkube.controllers import job_indexes as indexes
from bluegreen.localkube.controllers import job_rules as rules
from bluegreen.localkube.controllers.adoption import claim, is_deleting
from bluegreen.localkube.controllers.base import MANAGER, Context, Key, key_of, kind
from bluegreen.localkube.controllers.conditions import age_s, find, is_true
from bluegreen.localkube.controllers.job_policies import policy_verdict
from bluegreen.localkube.controllers.owners import controller_of
from bluegreen.localkube.controllers.pod_control import PodControl
from bluegreen.localkube.controllers.pods import first_to_go, from_template
from bluegreen.localkube.selectors import selects
from bluegreen.localkube.status import ApiError
from bluegreen.localkube.store import Change, copy_of

Obj = dict[str, Any]

COMPONENT = "job-controller"
PODS_PER_PASS = 64
"""Pods created before other work gets its turn (Kubernetes: 500). A choice."""


@dataclass
class Jobs:
    """The Job controller, and the one that removes Jobs some time after they have ended."""

    context: Context
    name: str = COMPONENT
    watches: tuple[str, ...] = ("Job", "Pod")

    def keys(self, change: Change) -> Iterable[Key]:
        """The Job itself; a pod's Job before and after, or those that may adopt it."""
        obj = change.object
        if obj["kind"] == "Job":
            return [key_of(obj)]
        owners = {_owner(obj), _owner(change.previous) if change.previous else None} - {None}
        return [owner for owner in owners if owner] or self._adopters(obj)

    def reconcile(self, key: Key) -> float | None:
        """Bring a Job one step further."""
        job = self.context.get("Job", *key)
        if job is None:
            self._free_orphans(key)
            return None
        if rules.is_over(job):
            return self._remove_in_time(job)
        if rules.is_anothers(job):
            return None
        return _Pass(self.context, job).run()

    def _adopters(self, pod: Obj) -> list[Key]:
        if controller_of(pod) or is_deleting(pod):
            return []
        labels = pod["metadata"].get("labels")
        candidates = self.context.all("Job", pod["metadata"]["namespace"]) if labels else []
        return [key_of(job) for job in candidates if selects(job["spec"].get("selector"), labels)]

    def _free_orphans(self, key: Key) -> None:
        """Pods of a Job that is gone need not be counted any more."""
        namespace, name = key
        for pod in self.context.pods.selected(namespace, {"matchLabels": {"batch.kubernetes.io/job-name": name}}):
            if rules.is_tracked(pod):
                free(self.context, pod)

    def _remove_in_time(self, job: Obj) -> float | None:
        ttl_s = job["spec"].get("ttlSecondsAfterFinished")
        if ttl_s is None or is_deleting(job):
            return None
        conditions = job["status"]["conditions"]
        ended = find(conditions, "Complete") or find(conditions, "Failed") or {}
        left_s: float = ttl_s - age_s(ended["lastTransitionTime"])
        if left_s > 0:
            return left_s
        options = {"propagationPolicy": "Foreground", "preconditions": {"uid": job["metadata"]["uid"]}}
        self.context.registry.delete(kind("Job"), *key_of(job), options)
        return None


def _owner(pod: Obj) -> Key | None:
    owner = controller_of(pod)
    named = owner is not None and owner["kind"] == "Job"
    return (pod["metadata"]["namespace"], owner["name"]) if owner and named else None


def free(context: Context, pod: Obj) -> None:
    """Let go of a pod that has been counted."""

    def change(copy: Obj) -> None:
        left = [each for each in copy["metadata"].get("finalizers") or () if each != rules.FINALIZER]
        copy["metadata"]["finalizers"] = left
        if not left:
            del copy["metadata"]["finalizers"]

    context.registry.modify(kind("Pod"), *key_of(pod), change, manager=MANAGER, subresource="")


class _Pass:
    """One pass over one Job that is not over."""

    def __init__(self, context: Context, job: Obj) -> None:
        self._context, self._job = context, job
        self._pods = claim(context.registry, context.pods, kind("Pod"), kind("Job"), job)
        self._control = PodControl(context.registry, job, COMPONENT)

    def run(self) -> float | None:
        """Start, stop and count pods; decide whether the Job is over. Seconds until it has to be looked at again."""
        self._begin()
        counted = rules.tally(self._job, self._pods)
        ended = rules.failure(self._job, self._pods, counted)
        again_s, refusal = rules.until_deadline_s(self._job), None
        if ended is not None or _has_succeeded(self._job):
            again_s, refusal = None, self._control.delete(counted.active)  # what is left is its pods' business
        elif not is_deleting(self._job):
            again_s, refusal = self._manage(counted, again_s)
        self._count()
        self._conclude(ended)
        if refusal:
            raise refusal
        return again_s

    def _begin(self) -> None:
        """Note when it started, and whether it is suspended."""
        suspended, status = rules.is_suspended(self._job), self._job.get("status") or {}
        known = is_true(status.get("conditions"), "Suspended")
        if suspended != known:
            word = "Suspended" if suspended else "Resumed"
            told = rules.condition("Suspended", str(suspended), f"Job{word}", f"Job {word.lower()}")
            self._write(lambda new: _begin_again(new, told, suspended))
            self._context.registry.event(self._job, "Normal", word, f"Job {word.lower()}", COMPONENT)
        elif not suspended and not status.get("startTime"):
            self._write(lambda new: new.update(startTime=clock.timestamp()))

    def _manage(self, counted: rules.Tally, again_s: float | None) -> tuple[float | None, ApiError | None]:
        """Make the difference between the pods that run and those that should."""
        wanted = rules.wanted_active(self._job, counted)
        surplus = len(counted.active) - wanted
        if surplus > 0:
            return again_s, self._take_away(first_to_go(counted.active, lambda _: 0)[:surplus])
        waits_for_deleted = self._job["spec"].get("podReplacementPolicy") == "Failed"
        missing = -surplus - (counted.terminating if waits_for_deleted else 0)
        if missing <= 0:
            return again_s, None
        resting, pause_s = self._resting()
        again_s = min((each for each in (again_s, pause_s) if each), default=None)
        if pause_s and not resting:
            return again_s, None
        refusal = self._control.create(self._new_pods(counted, min(missing, PODS_PER_PASS), resting))
        return (0.0 if missing > PODS_PER_PASS else again_s), refusal

    def _take_away(self, pods: Sequence[Obj]) -> ApiError | None:
        """Delete pods that are no longer wanted. They are let go of first, so that they do not count as failures
        (the job controller's deleteJobPods)."""
        for pod in pods:
            free(self._context, pod)
        return self._control.delete(pods)

    def _resting(self) -> tuple[set[int], float]:
        """(indexes that wait after a failure, seconds until the first may go on); without indexes that each have a
        limit of their own all wait together."""
        if "backoffLimitPerIndex" not in self._job["spec"]:
            return set(), rules.backoff_s(self._pods)
        by_index: dict[int, list[Obj]] = {}
        for pod in self._pods:
            by_index.setdefault(indexes.index_of(pod), []).append(pod)
        waits = {index: rules.backoff_s(pods) for index, pods in by_index.items()}
        resting = {index for index, wait_s in waits.items() if wait_s > 0}
        return resting, min((waits[index] for index in resting), default=0.0)

    def _new_pods(self, counted: rules.Tally, count: int, resting: set[int]) -> list[Obj]:
        name, template = self._job["metadata"]["name"], self._job["spec"]["template"]
        if not rules.is_indexed(self._job):
            return [_tracked(from_template(template, kind("Job"), self._job, name)) for _ in range(count)]
        active = {indexes.index_of(pod) for pod in counted.active}
        taken = counted.indexes | counted.given_up | active | resting
        pods = [
            _indexed(_tracked(from_template(template, kind("Job"), self._job, f"{name}-{index}")), name, index)
            for index in indexes.next_indexes(self._job, taken, count)
        ]
        if "backoffLimitPerIndex" in self._job["spec"]:
            failures = indexes.index_failures(self._job, self._pods, policy_verdict)
            for pod in pods:
                pod["metadata"]["annotations"][indexes.FAILURES] = str(failures.get(indexes.index_of(pod), 0))
        return pods

    # -- counting ----------------------------------------------------------------------
    def _count(self) -> None:
        """Count pods that ended, each exactly once whatever happens in between: name them in the status, let them
        go, then add them up."""
        self._pods = self._context.pods.controlled(self._job["metadata"]["uid"])
        counted = rules.tally(self._job, self._pods)
        if counted.newly_succeeded or counted.newly_failed:
            succeeded = [] if rules.is_indexed(self._job) else counted.newly_succeeded
            self._write(lambda new: _name_uncounted(new, _uids(succeeded), _uids(counted.newly_failed)))
        for pod in [*counted.newly_succeeded, *counted.newly_failed, *counted.ignored]:
            free(self._context, pod)
        self._write(lambda new: self._add_up(new, counted))

    def _add_up(self, status: Obj, counted: rules.Tally) -> None:
        uncounted = status.get("uncountedTerminatedPods") or {}
        numbers = {
            "active": len(counted.active),
            "succeeded": status.get("succeeded", 0) + len(uncounted.get("succeeded") or ()),
            "failed": status.get("failed", 0) + len(uncounted.get("failed") or ()),
        }
        if rules.is_indexed(self._job):
            numbers["succeeded"] = len(counted.indexes)
            status["completedIndexes"] = indexes.written_indexes(counted.indexes)
            if "backoffLimitPerIndex" in self._job["spec"]:
                status["failedIndexes"] = indexes.written_indexes(counted.given_up)
        status |= {"ready": counted.ready, "terminating": counted.terminating}
        status["uncountedTerminatedPods"] = {}
        for name, number in numbers.items():
            status.pop(name, None)
            if number:
                status[name] = number

    # -- the end -------------------------------------------------------------------------
    def _conclude(self, ended: Obj | None) -> None:
        """Say first what the end will be, and that it has come once no pod is left running."""
        status = self._job.get("status") or {}
        counted = rules.tally(self._job, self._context.pods.controlled(self._job["metadata"]["uid"]))
        interim = ended or rules.success(self._job, counted, len(counted.active))
        if interim is None:
            return
        if find(status.get("conditions"), interim["type"]) is None:
            self._write(lambda new: new.setdefault("conditions", []).append(interim))
        if counted.terminating or counted.active:
            return
        final = "Failed" if interim["type"] == "FailureTarget" else "Complete"
        told = rules.condition(final, "True", interim["reason"], interim["message"])
        self._write(lambda new: _end(new, told))
        type_, reason, message = _END_EVENTS.get(final, ("Warning", told["reason"], told["message"]))
        self._context.registry.event(self._job, type_, reason, message, COMPONENT)

    def _write(self, change: Callable[[Obj], object]) -> None:
        def on_status(copy: Obj) -> None:
            change(copy.setdefault("status", {}))

        written = self._context.registry.modify(kind("Job"), *key_of(self._job), on_status, manager=MANAGER)
        self._job = written or self._job


_END_EVENTS = {"Complete": ("Normal", "Completed", "Job completed")}


def _has_succeeded(job: Obj) -> bool:
    return is_true((job.get("status") or {}).get("conditions"), "SuccessCriteriaMet")


def _begin_again(status: Obj, told: Obj, suspended: bool) -> None:
    others = [each for each in status.get("conditions") or () if each["type"] != "Suspended"]
    status["conditions"] = [*others, told]
    if not suspended:
        status["startTime"] = clock.timestamp()


def _end(status: Obj, told: Obj) -> None:
    status["conditions"] = [*(status.get("conditions") or ()), told]
    status |= {key: 0 for key in ("ready", "terminating") if key in status}  # it ends when there are no more
    if told["type"] == "Complete":
        status["completionTime"] = told["lastTransitionTime"]


def _uids(pods: Sequence[Obj]) -> list[str]:
    return [pod["metadata"]["uid"] for pod in pods]


def _name_uncounted(status: Obj, succeeded: list[str], failed: list[str]) -> None:
    uncounted = dict(status.get("uncountedTerminatedPods") or {})
    for name, uids in (("succeeded", succeeded), ("failed", failed)):
        if uids:
            uncounted[name] = [*(uncounted.get(name) or ()), *uids]
    status["uncountedTerminatedPods"] = uncounted


def _tracked(pod: Obj) -> Obj:
    pod["metadata"].setdefault("finalizers", []).append(rules.FINALIZER)
    return pod


def _indexed(pod: Obj, job_name: str, index: int) -> Obj:
    """A pod that knows its index: by annotation, label, variable and host name."""
    for place in ("annotations", "labels"):
        pod["metadata"].setdefault(place, {})[indexes.INDEX] = str(index)
    pod["spec"]["hostname"] = f"{job_name}-{index}"
    source = {"fieldRef": {"fieldPath": f"metadata.labels['{indexes.INDEX}']"}}
    variable = {"name": "JOB_COMPLETION_INDEX", "valueFrom": source}
    for each in [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]:
        if all(known["name"] != variable["name"] for known in each.get("env") or ()):
            each["env"] = [*(each.get("env") or ()), copy_of(variable)]
    return pod
