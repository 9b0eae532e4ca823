"""The indexes of an indexed Job: which are done, which have failed, which is next. Pure but for now."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from bluegreen.localkube.controllers.pods import phase

Obj = dict[str, Any]
Verdict = Callable[[Obj, Obj], tuple[str, str] | None]

INDEX = "batch.kubernetes.io/job-completion-index"
"""Annotation and label of a pod of an indexed Job."""
FAILURES = "batch.kubernetes.io/job-index-failure-count"
"""Annotation of a pod: how often its index had failed before, where each index has a limit of its own."""


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


def failures_of(pod: Obj) -> int:
    """How often a pod's index had failed before this pod."""
    text = (pod["metadata"].get("annotations") or {}).get(FAILURES, "")
    return int(text) if text.isdecimal() else 0


def index_failures(job: Obj, pods: Iterable[Obj], verdict: Verdict) -> dict[int, int]:
    """How often each index has failed; a failure that the Job's policy ignores counts for nothing."""
    found: dict[int, int] = {}
    for pod in pods:
        if phase(pod) == "Failed":
            action = (verdict(job, pod) or ("", ""))[0]
            index, failures = index_of(pod), failures_of(pod) + (action != "Ignore")
            found[index] = max(found.get(index, 0), failures)
    return found


def failed_indexes(job: Obj, pods: Iterable[Obj], verdict: Verdict) -> frozenset[int]:
    """Indexes given up: they failed too often, or the Job's policy said so at once."""
    limit = job["spec"].get("backoffLimitPerIndex")
    if limit is None:
        return frozenset()
    pods = list(pods)
    too_often = {index for index, times in index_failures(job, pods, verdict).items() if times > limit}
    at_once = {index_of(pod) for pod in pods if (verdict(job, pod) or ("", ""))[0] == "FailIndex"}
    known = parsed_indexes((job.get("status") or {}).get("failedIndexes") or "")
    return frozenset(index for index in known | too_often | at_once if index >= 0)


def next_indexes(job: Obj, taken: Iterable[int], count: int) -> list[int]:
    """The lowest indexes that nobody has finished or is working on."""
    not_free = set(taken)
    free = (index for index in range(job["spec"].get("completions", 0)) if index not in not_free)
    return [index for index, _ in zip(free, range(count), strict=False)]
