"""A Job or a bare pod of the team's, run to its end inside the cluster: a migration, a check that exists already.

It gets a name of its own each time and is removed afterwards; what it printed stays.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bluegreen import manifests
from bluegreen.clock import Deadline
from bluegreen.colour import Obj
from bluegreen.errors import HarnessError, InputError, Mistake
from bluegreen.kube import Forbidden, Kube
from bluegreen.network import CANNOT_START, RELEASE_LABEL
from bluegreen.settings import Settings

LOG_LINES = 100  # a choice: what a person reads; the rest is in the application's own logs
NAME_LENGTH = 50  # a Job's name is a label value of its pods, 63 characters at most, with a suffix of ours


class JobFailedError(HarnessError):
    """A Job or pod did not succeed; what it printed last is in the sentence."""


@dataclass(frozen=True)
class Ended:
    """A Job or pod that has ended."""

    name: str
    succeeded: bool
    why: str  # what the cluster says of a failure
    log: str  # what it printed, the last lines of each container


def read(settings: Settings, file: Path) -> Obj:
    """The Job or Pod of a manifest, with the settings put in for its placeholders.

    Raises InputError when the file cannot be read, or holds anything but one Job or Pod.
    """
    objects = manifests.render_file(settings, file)
    kinds = [str(obj.get("kind")) for obj in objects]
    if len(objects) != 1 or kinds[0] not in ("Job", "Pod"):
        found = ", ".join(kinds) or "nothing"
        raise InputError([Mistake(str(file), None, f"it holds {found}.", "Write exactly one Job or Pod into it.")])
    return objects[0]


def run(kube: Kube, obj: Obj, *, release: str, deadline: Deadline, on_tick: Callable[[], None] | None = None) -> Ended:
    """Create a Job or Pod under a name of its own, wait for its end, read its log and remove it.

    ``on_tick`` is called several times a second and ends the wait by what it raises.
    Raises TimeoutExpiredError at the deadline, with what its pods were waiting for.
    """
    kind = str(obj["kind"])
    made = _named(obj, release)
    name = str(made["metadata"]["name"])
    kube.create(made)
    try:
        why = kube.wait(
            "Pod" if kind == "Pod" else "Job",
            _pod_end if kind == "Pod" else _job_end,
            fields=f"metadata.name={name}",
            deadline=deadline,
            awaited=f"{kind} {name} has ended",
            on_tick=_Watch(kube, kind, name, on_tick),
        )
        return Ended(name, not why, why, _log(kube, kind, name))
    except _HopelessError as hopeless:
        return Ended(name, False, str(hopeless), "")
    finally:
        with suppress(HarnessError):  # its name is its own: one that stays is in nobody's way
            kube.delete(kind, name, grace_s=0)


def sweep(kube: Kube, release: str) -> None:
    """Remove the Jobs and pods that were run for a release and are still there: their process did not live to do it."""
    for kind in ("Job", "Pod"):
        with suppress(Forbidden):  # a Role from before Jobs were run
            for found in kube.list(kind, labels=f"{RELEASE_LABEL}={release}"):
                kube.delete(kind, found["metadata"]["name"], grace_s=0)


def must_succeed(ended: Ended) -> Ended:
    """The same. Raises JobFailedError when it did not succeed."""
    if not ended.succeeded:
        raise JobFailedError(
            f"{ended.name} failed: {ended.why}.", f"It printed: {ended.log.strip()[-1000:] or 'nothing'}"
        )
    return ended


class _HopelessError(HarnessError):
    """A pod that will not start by waiting longer."""


class _Watch:
    """Called while waiting: looks at the pods now and then, for a Job does not say that its image is missing."""

    def __init__(self, kube: Kube, kind: str, name: str, then: Callable[[], None] | None) -> None:
        self._kube, self._labels, self._then = kube, _pods_of(kind, name), then
        self._next = Deadline(1.0)

    def __call__(self) -> None:
        if self._then is not None:
            self._then()
        if not self._next.expired:
            return
        self._next = Deadline(1.0)
        for found in self._kube.list("Pod", **self._labels):
            for container in found.get("status", {}).get("containerStatuses", []):
                waiting = container.get("state", {}).get("waiting", {})
                if waiting.get("reason") in CANNOT_START:
                    raise _HopelessError(f"{waiting['reason']}: {waiting.get('message', '')}")


def _pods_of(kind: str, name: str) -> dict[str, str]:
    return {"fields": f"metadata.name={name}"} if kind == "Pod" else {"labels": f"batch.kubernetes.io/job-name={name}"}


def _named(obj: Obj, release: str) -> Obj:
    """The object under a name that no earlier run took, with the labels by which it can be found."""
    made = copy.deepcopy(obj)
    metadata = made["metadata"]
    base = str(metadata.pop("generateName", None) or metadata.get("name") or "job").rstrip("-")[:NAME_LENGTH]
    metadata["name"] = f"{base}-{uuid.uuid4().hex[:6]}"
    metadata.setdefault("labels", {}).update({RELEASE_LABEL: release, "app.kubernetes.io/managed-by": "bluegreen"})
    return made


def _job_end(jobs: list[Obj]) -> str | None:
    """Why a Job failed, "" when it is complete, None while it runs."""
    for job in jobs:
        for condition in job.get("status", {}).get("conditions") or []:
            if condition.get("status") == "True" and condition.get("type") == "Complete":
                return ""
            if condition.get("status") == "True" and condition.get("type") == "Failed":
                return f"{condition.get('reason', 'Failed')}: {condition.get('message', '')}".rstrip(": ")
    return None


def _pod_end(pods: list[Obj]) -> str | None:
    """Why a pod failed, "" when it succeeded, None while it runs."""
    for pod in pods:
        status = pod.get("status", {})
        if status.get("phase") == "Succeeded":
            return ""
        if status.get("phase") == "Failed":
            ended = [c.get("state", {}).get("terminated", {}) for c in status.get("containerStatuses", [])]
            codes = [str(one["exitCode"]) for one in ended if one.get("exitCode")]
            return str(status.get("message") or status.get("reason") or f"exit code {', '.join(codes) or 'unknown'}")
    return None


def _log(kube: Kube, kind: str, name: str) -> str:
    """What the pods printed, the newest pod last; "" where it cannot be read."""
    parts = []
    with suppress(HarnessError):
        for pod in kube.list("Pod", **_pods_of(kind, name)):
            for container in pod["spec"]["containers"]:
                with suppress(HarnessError):
                    parts.append(kube.logs(pod["metadata"]["name"], container["name"], tail_lines=LOG_LINES))
    return "".join(parts)
