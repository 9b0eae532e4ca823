"""Waiting until a colour stands: Available at its present generation, behind its Service, and answering through it.

Watched, not polled; and it ends early, with the reason, when waiting would not mend what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable

from bluegreen import availability, clock, confirm
from bluegreen.clock import Deadline
from bluegreen.colour import Colour, Obj
from bluegreen.confirm import Target
from bluegreen.desk import Desk
from bluegreen.errors import HarnessError
from bluegreen.kube import KubeError
from bluegreen.traffic import pod_ready

LOOK_EVERY_S = 1.0
"""Seconds between two looks at the Deployment while its pods are watched: a choice, one cheap read a second."""


class HopelessError(HarnessError):
    """A colour will not come up, and waiting does not mend it."""


def await_standing(desk: Desk, colour: Colour, replicas: int, deadline: Deadline) -> None:
    """Wait until a colour stands at this size behind the preview Service.

    Raises HopelessError as soon as it will not, and TimeoutExpiredError at the deadline.
    """
    _await_pods(desk, colour, replicas, deadline)
    await_available(desk, colour, deadline)
    service = desk.settings.preview_service_name
    awaited = f"Service {service} has only {colour}'s pods"
    confirm.endpoints(desk.kube, service, lambda: desk.deployments.pods(colour), deadline, awaited)
    address = desk.access.preview()
    target = Target(address.host, address.port, desk.settings.health_path, desk.settings.version_header, "")
    confirm.reachable(target, deadline)


def await_available(desk: Desk, colour: Colour, deadline: Deadline) -> None:
    """Wait until a colour's Deployment is Available: desired = updated = ready = available, at its generation."""
    desk.kube.wait(
        "Deployment",
        lambda found: _judged(found, []),
        fields=f"metadata.name={desk.deployments.name(colour)}",
        deadline=deadline,
        awaited=f"Deployment {desk.deployments.name(colour)} is Available",
        seen=lambda found: availability.progress(found[0] if found else None),
    )


def complaint(desk: Desk, colour: Colour) -> str:
    """What the cluster's last warning about a colour's pods says, such as the answer to a probe; "" without one."""
    names = {pod["metadata"]["name"] for pod in desk.deployments.pods(colour)}
    try:
        events = desk.kube.events()
    except KubeError:
        return ""
    warnings = [e for e in events if e.get("type") == "Warning" and e["involvedObject"].get("name") in names]
    return f"{warnings[-1]['involvedObject']['name']}: {warnings[-1].get('message', '')}" if warnings else ""


def _await_pods(desk: Desk, colour: Colour, replicas: int, deadline: Deadline) -> None:
    """Wait until so many of a colour's pods are ready; the Deployment itself is looked at now and then."""
    tell = _Teller(desk.steps.progress, str(colour), replicas)

    def until(pods: list[Obj]) -> bool | None:
        if (reason := availability.hopeless(None, pods)) is not None:
            raise HopelessError(reason)
        ready = sum(map(pod_ready, pods))
        tell(ready)
        return True if ready >= replicas else None

    desk.kube.wait(
        "Pod",
        until,
        labels=desk.deployments.labels(colour),
        deadline=deadline,
        awaited=f"{replicas} pods of {colour} are ready",
        seen=availability.unready,
        on_tick=_Looker(desk, colour),
    )


def _judged(found: list[Obj], pods: list[Obj]) -> bool | None:
    deployment = found[0] if found else None
    if (reason := availability.hopeless(deployment, pods)) is not None:
        raise HopelessError(reason)
    return True if deployment is not None and availability.available(deployment) else None


class _Looker:
    """Looks at the Deployment once in a while: what stops it is seen there when it has no pods at all."""

    def __init__(self, desk: Desk, colour: Colour) -> None:
        self._desk, self._colour = desk, colour
        self._next = Deadline(LOOK_EVERY_S)

    def __call__(self) -> None:
        if self._next.expired:
            self._next = Deadline(LOOK_EVERY_S)
            deployment = self._desk.deployments.get(self._colour)
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
