"""Waiting until a colour stands: Available at its present generation, behind its Service, and answering through it.

Watched, not polled; and it ends early, with the reason, when waiting would not mend what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable

from bluegreen import availability, clock, confirm, moves
from bluegreen.clock import Deadline
from bluegreen.colour import Colour, Obj
from bluegreen.confirm import Target
from bluegreen.deployments import Deployments
from bluegreen.desk import Desk
from bluegreen.errors import HarnessError
from bluegreen.kube import KubeError
from bluegreen.traffic import pod_ready

LOOK_EVERY_S = 1.0
"""Seconds between two looks at the Deployment while its pods are watched: a choice, one cheap read a second."""


class HopelessError(HarnessError):
    """A colour will not come up, and waiting does not mend it."""


def make(desk: Desk, *, resumed: bool = False) -> Obj:
    """Make the candidate's Deployments, each at its size; ``resumed``: as they were. Returns the main one.

    Those whose pods run in the live colour alone are made at zero: they are started at the switch. Raises what the API
    raises when it refuses an object.
    """
    record, made = desk.record, []
    for workload, deployments in moves.each(desk):
        size = 0 if workload.active_only else workload.replicas
        if workload.released:
            act = deployments.resume if resumed else deployments.stand_up
            made.append(act(record.candidate, size, record.id))
    return made[0]


def await_standing(desk: Desk, deadline: Deadline) -> None:
    """Wait until the candidate stands at its size behind the preview Service.

    Raises HopelessError as soon as it will not, and TimeoutExpiredError at the deadline.
    """
    colour = desk.record.candidate
    for workload, deployments in moves.each(desk):
        if workload.replicas and not workload.active_only:
            await_workload(desk, deployments, colour, workload.replicas, deadline)
    service = desk.settings.preview_service_name
    awaited = f"Service {service} has only {colour}'s pods"
    confirm.endpoints(desk.kube, service, lambda: desk.deployments.pods(colour), deadline, awaited)
    address = desk.access.preview()
    target = Target(address.host, address.port, desk.settings.health_path, desk.settings.version_header, "")
    confirm.reachable(target, deadline)


def await_workload(desk: Desk, deployments: Deployments, colour: Colour, replicas: int, deadline: Deadline) -> None:
    """Wait until one Deployment stands at a size. Raises as ``await_standing``."""
    _await_pods(desk, deployments, colour, replicas, deadline)
    await_available(desk, deployments, colour, deadline)


def await_available(desk: Desk, deployments: Deployments, colour: Colour, deadline: Deadline) -> None:
    """Wait until a colour's Deployment is Available: desired = updated = ready = available, at its generation."""
    desk.kube.wait(
        "Deployment",
        lambda found: _judged(found, []),
        fields=f"metadata.name={deployments.name(colour)}",
        deadline=deadline,
        awaited=f"Deployment {deployments.name(colour)} is Available",
        seen=lambda found: availability.progress(found[0] if found else None),
    )


def complaint(desk: Desk, colour: Colour) -> str:
    """What the cluster's last warning about a colour's pods says, such as the answer to a probe; "" without one."""
    names = {pod["metadata"]["name"] for _, one in moves.each(desk) for pod in one.pods(colour)}
    try:
        events = desk.kube.events()
    except KubeError:
        return ""
    warnings = [e for e in events if e.get("type") == "Warning" and e["involvedObject"].get("name") in names]
    return f"{warnings[-1]['involvedObject']['name']}: {warnings[-1].get('message', '')}" if warnings else ""


def _await_pods(desk: Desk, deployments: Deployments, colour: Colour, replicas: int, deadline: Deadline) -> None:
    """Wait until so many of a colour's pods are ready; the Deployment itself is looked at now and then."""
    name = str(colour) if len(desk.record.workloads) == 1 else deployments.name(colour)
    tell = _Teller(desk.steps.progress, name, replicas)

    def until(pods: list[Obj]) -> bool | None:
        if (reason := availability.hopeless(None, pods)) is not None:
            raise HopelessError(reason)
        ready = sum(map(pod_ready, pods))
        tell(ready)
        return True if ready >= replicas else None

    desk.kube.wait(
        "Pod",
        until,
        labels=deployments.labels(colour),
        deadline=deadline,
        awaited=f"{replicas} pods of {name} are ready",
        seen=availability.unready,
        on_tick=_Looker(desk, deployments, colour),
    )


def _judged(found: list[Obj], pods: list[Obj]) -> bool | None:
    deployment = found[0] if found else None
    if (reason := availability.hopeless(deployment, pods)) is not None:
        raise HopelessError(reason)
    return True if deployment is not None and availability.available(deployment) else None


class _Looker:
    """Looks at the Deployment once in a while: what stops it is seen there when it has no pods at all."""

    def __init__(self, desk: Desk, deployments: Deployments, colour: Colour) -> None:
        self._desk, self._deployments, self._colour = desk, deployments, colour
        self._next = Deadline(LOOK_EVERY_S)

    def __call__(self) -> None:
        if self._next.expired:
            self._next = Deadline(LOOK_EVERY_S)
            deployment = self._deployments.get(self._colour)
            if deployment is not None and (reason := availability.hopeless_deployment(deployment)) is not None:
                raise HopelessError(reason)
            self._desk.lock.check()


class _Teller:
    """Tells how many pods are ready, once a number."""

    def __init__(self, progress: Callable[[str], None], name: str, wanted: int) -> None:
        self._progress, self._name, self._wanted, self._told = progress, name, wanted, 0
        self._started_s = clock.now_s()

    def __call__(self, ready: int) -> None:
        if ready > self._told:
            self._told = ready
            self._progress(
                f"{self._name}: {ready} of {self._wanted} pods ready {clock.now_s() - self._started_s:.2f} s"
            )
