"""Deployments whose pods run in the live colour alone: stopped in one colour, then started in the other, never in both.

Queue consumers and schedulers, marked ``bluegreen/active-only``. They move before live traffic does, so that what the
new version puts into a queue finds a consumer that knows it, and so that one that does not start moves no traffic at
all; on the way back they move after it. Each step looks at what is there and does the rest: it may be cut off anywhere
and made again.
"""

from __future__ import annotations

from bluegreen import availability, clock, leaving
from bluegreen.clock import Deadline
from bluegreen.colour import Colour, Obj
from bluegreen.deployments import Deployments
from bluegreen.desk import Desk
from bluegreen.errors import NeedsPersonError, TimeoutExpiredError, WorkersError
from bluegreen.traffic import pod_ready
from bluegreen.workload import Workload

STEADY_S = 1.0
"""A choice: how long a worker must stay up once it is ready; without a probe it is ready as soon as it begins."""

LOOK_EVERY_S = 0.1
"""A choice: pause between two looks meanwhile."""


def hand_over(desk: Desk) -> None:
    """Stop those of the live colour, then start the candidate's and see them ready. Raises WorkersError."""
    record = desk.record
    if not record.active_only:
        return
    with desk.steps.step("hand the workers over") as step:
        try:
            stopped = [_stop(desk, one, record.live) for one in record.active_only if record.live is not None]
            started = [_start(desk, one, record.candidate, one.replicas) for one in record.active_only if one.released]
            for workload in (one for one in record.active_only if one.released):
                _await_ready(desk, workload, record.candidate)
            _require_steady(desk, [one for one in record.active_only if one.released])
        except TimeoutExpiredError as error:
            raise WorkersError(error.sentence, error.remedy) from error
        step.detail = ", ".join([*stopped, *started])


def hand_back(desk: Desk) -> None:
    """Stop the candidate's, then start those of the live colour, at the size they had when the release began.

    Raises NeedsPersonError when the candidate's do not end: then nothing is started beside them.
    """
    record = desk.record
    if not record.active_only:
        return
    with desk.steps.step("hand the workers back") as step:
        try:
            done = [_stop(desk, one, record.candidate) for one in record.active_only]
            if (live := record.live) is not None:
                were = [(one, one.live_replicas) for one in record.active_only if one.live_replicas]
                done += [_start(desk, one, live, size or 0) for one, size in were]
        except TimeoutExpiredError as error:
            raise NeedsPersonError(
                f"Workers that must not run twice are not handed back: {error.sentence}",
                "Find out why those pods do not end (a lost node, a finalizer), see that they are gone, then "
                "`bluegreen recover`. Live traffic is where it was before this release.",
            ) from error
        step.detail = ", ".join(done)


def _stop(desk: Desk, workload: Workload, colour: Colour | None) -> str:
    """No pod of it is left in a colour; says what was done."""
    if colour is None:
        return ""
    deployments = desk.deployments.of(workload)
    name, pods = deployments.name(colour), deployments.pods(colour)
    if deployments.get(colour) is not None:
        deployments.scale(colour, 0)
    leaving.await_no_pods(desk, workload, colour, Deadline(leaving.longest_s(pods)))
    return f"{name} stopped"


def _start(desk: Desk, workload: Workload, colour: Colour, replicas: int) -> str:
    """It runs in a colour, at a size; one that runs already stays as it is. Says what was done."""
    deployments = desk.deployments.of(workload)
    found = deployments.get(colour)
    if found is None:
        return f"{deployments.name(colour)} is not there"
    if not found["spec"].get("replicas", 1):
        pods = deployments.pods(colour)  # those on their way out may still be at work
        leaving.await_no_pods(desk, workload, colour, Deadline(leaving.longest_s(pods)))
        deployments.scale(colour, replicas)
    return f"{deployments.name(colour)} started"


def _await_ready(desk: Desk, workload: Workload, colour: Colour) -> None:
    """Wait until its pods are ready. Raises WorkersError as soon as they never will be, and TimeoutExpiredError."""
    deployments: Deployments = desk.deployments.of(workload)

    def until(pods: list[Obj]) -> bool | None:
        if (reason := availability.hopeless(None, pods)) is not None:
            raise WorkersError(reason)
        return True if sum(map(pod_ready, pods)) >= workload.replicas else None

    desk.kube.wait(
        "Pod",
        until,
        labels=deployments.labels(colour),
        deadline=Deadline(desk.settings.health_check_timeout),
        awaited=f"{workload.replicas} pods of {deployments.name(colour)} are ready",
        seen=availability.unready,
        on_tick=desk.lock.check,
    )


def _require_steady(desk: Desk, workloads: list[Workload]) -> None:
    """See the candidate's workers stay up for a moment. Raises WorkersError when one ends."""
    deadline = Deadline(STEADY_S)
    while workloads and not deadline.expired:
        for workload in workloads:
            for pod in desk.deployments.of(workload).pods(desk.record.candidate):
                if sentence := ended(pod):
                    raise WorkersError(sentence)
        clock.sleep_s(min(LOOK_EVERY_S, deadline.remaining_s))


def ended(pod: Obj) -> str:
    """In words, that a container of a pod has ended since it began; "" when none has. Pure."""
    for container in (pod.get("status") or {}).get("containerStatuses") or []:
        states = container.get("state") or {}, container.get("lastState") or {}
        for end in (state["terminated"] for state in states if state.get("terminated")):
            name = pod["metadata"]["name"]
            return f"Pod {name}: container {container['name']} ended with exit code {end.get('exitCode')}."
    return ""
