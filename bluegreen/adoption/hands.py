"""What both ways of an adoption do to the cluster: point a Service, size a plain Deployment, drain pods, wait.

Every write is decided on what was just read, asked of the lock, and fenced by the resourceVersion; each may be made
again when it was made already.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bluegreen import availability, confirm, fence, leaving, moves
from bluegreen.adoption import plain
from bluegreen.clock import Deadline
from bluegreen.colour import Colour
from bluegreen.deployments import MANAGER, RETIRED_FROM, Deployments, present_size
from bluegreen.desk import Desk
from bluegreen.drain import Drain
from bluegreen.errors import CannotStartError, HarnessError
from bluegreen.fence import Op
from bluegreen.live_object import MANAGER as TRAFFIC
from bluegreen.plan.own import Own
from bluegreen.traffic import pod_ready, require_epoch
from bluegreen.workload import Workload

Obj = dict[str, Any]


class AdoptionError(HarnessError):
    """It could not be gone on with; what was done so far is as it was left, and the same command goes on from there."""


def workloads(plan: Own) -> tuple[Workload, ...]:
    """The Deployments of the application, the main one first."""
    return tuple(Workload(name, plan.selector(name), plan.active_only(name)) for name in plan.names)


def of(desk: Desk, workload: Workload) -> Deployments:
    """What acts on a Deployment's colours."""
    return desk.deployments.of(workload)


def size_of(desk: Desk, found: Obj) -> int:
    """The pods that a Deployment has to have now: as it says, or as its autoscaler just decided."""
    name = found["metadata"]["name"]
    scalers = desk.kube.list("HorizontalPodAutoscaler")
    own = next((one for one in scalers if one["spec"]["scaleTargetRef"].get("name") == name), None)
    return present_size(found, own)


def retired_from(found: Obj | None) -> int:
    """The pods that a Deployment at zero had before; 0 where nothing tells."""
    noted = ((found or {}).get("metadata", {}).get("annotations") or {}).get(RETIRED_FROM, "")
    return int(noted) if str(noted).isdigit() else 0


def point(desk: Desk, service: str, selector: dict[str, str], allowed: Callable[[Obj], bool]) -> None:
    """Let a live Service select these labels; ``allowed``: whether it is where this may be decided on."""

    def decide(found: Obj) -> list[Op]:
        desk.lock.check()
        require_epoch(found, desk.traffic.epoch)
        if not allowed(found):
            raise CannotStartError(
                f"Service {service} selects {found['spec'].get('selector')}, which somebody else wrote meanwhile.",
                "Find out who; then start again.",
            )
        now = dict(found["spec"].get("selector") or {})
        return [
            {"op": "test", "path": "/spec/selector", "value": now},
            {"op": "replace", "path": "/spec/selector", "value": selector},
        ]

    fence.patch(
        desk.kube,
        "Service",
        service,
        decide,
        landed=lambda found: (found["spec"].get("selector") or {}) == selector,
        manager=TRAFFIC,
    )


def scale_plain(desk: Desk, name: str, replicas: int) -> None:
    """Give a plain Deployment a size; zero is noted with the size before, for the way back."""

    def decide(found: Obj) -> list[Op]:
        desk.lock.check()
        size = found["spec"].get("replicas", 1)
        noted = fence.annotated(found, RETIRED_FROM, str(size)) if size and not replicas else []
        return [*noted, {"op": "replace", "path": "/spec/replicas", "value": replicas}]

    fence.patch(
        desk.kube,
        "Deployment",
        name,
        decide,
        landed=lambda found: found["spec"].get("replicas", 1) == replicas,
        manager=MANAGER,
    )


def await_ready(desk: Desk, name: str, labels: str, replicas: int) -> None:
    """Wait until so many of these pods are ready. Raises AdoptionError as soon as they never will be."""

    def until(pods: list[Obj]) -> bool | None:
        if (reason := availability.hopeless(None, pods)) is not None:
            raise AdoptionError(reason, "Mend it, then run the same command again, or `bluegreen adopt --undo`.")
        return True if sum(map(pod_ready, pods)) >= replicas else None

    desk.kube.wait(
        "Pod",
        until,
        labels=labels,
        deadline=Deadline(desk.settings.health_check_timeout),
        awaited=f"{replicas} pods of Deployment {name} are ready",
        seen=availability.unready,
        on_tick=desk.lock.check,
    )


def await_gone(desk: Desk, name: str, labels: str, on_tick: Callable[[], None] | None = None) -> None:
    """Wait until none of these pods is left, for as long as their grace lets them stay."""
    deadline = Deadline(leaving.longest_s(desk.kube.list("Pod", labels=labels)))
    desk.kube.wait(
        "Pod",
        lambda pods: True if not pods else None,
        labels=labels,
        deadline=deadline,
        awaited=f"the pods of Deployment {name} are gone",
        on_tick=on_tick,
        seen=lambda pods: f"{len(pods)} pods",
    )


def await_answers(desk: Desk, workload: Workload, labels: str) -> int:
    """See every pod of the main Deployment answer by itself; the number of them."""
    from dataclasses import replace

    target, deadline = moves.target(desk, ""), Deadline(desk.settings.health_check_timeout)
    pods = [pod for pod in desk.kube.list("Pod", labels=labels) if pod_ready(pod)]
    for pod in pods:
        address = desk.access.pod(pod)
        confirm.answers(replace(target, host=address.host, port=address.port), deadline)
    if not pods:
        raise AdoptionError(f"No pod of Deployment {workload.name} is ready.", "Run the same command again.")
    return len(pods)


def await_arrived(desk: Desk, services: list[str], labels_of: Callable[[str], str], what: str) -> int:
    """Wait until these Services lead to exactly those pods, and live answers; the number of fresh requests made."""
    deadline = Deadline(desk.settings.rollback_timeout)
    for name in services:
        labels = labels_of(name)
        awaited = f"Service {name} has only {what}"
        confirm.endpoints(desk.kube, name, lambda of=labels: desk.kube.list("Pod", labels=of), deadline, awaited)  # type: ignore[misc]
    return confirm.answers(moves.target(desk, ""), deadline)


def drain(desk: Desk, pods: list[Obj], colour: str) -> Drain:
    """Tell pods that serve nobody any more, and watch their clients leave."""
    drained = Drain(desk.kube, desk.settings, desk.access, pods)
    with desk.steps.step("drain") as step:
        drained.tell()
        drained.watch(Deadline(desk.settings.drain_timeout))
        desk.drain = {"colour": colour, **drained.as_json()}
        step.detail = str(desk.drain["how"])
    return drained


def plain_labels(plan: Own, name: str) -> str:
    """The query for a Deployment's pods that have no colour."""
    return plain.not_coloured(plan.selector(name))


def colour_labels(plan: Own, name: str, colour: Colour) -> str:
    """The query for a Deployment's pods of a colour."""
    return f"{plan.selector(name)},version={colour}"


def service_labels(plan: Own, service: str, version: str) -> str:
    """The query for the pods that a Service leads to when it is at this version."""
    own = {**(plan.service_selector(service) or {}), "version": version}
    return ",".join(f"{key}={value}" for key, value in own.items())
