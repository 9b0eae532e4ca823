"""A pod's status from the statuses of its containers: phase and conditions as the kubelet states them. Pure.

The rules are those of the kubelet's getPhase and of its status package (GenerateXCondition, TerminatePod,
normalizeStatus).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Obj = dict[str, Any]
PENDING, RUNNING, SUCCEEDED, FAILED = "Pending", "Running", "Succeeded", "Failed"
MESSAGES_LIMIT = 12 * 1024  # bytes of all termination messages of a pod together
LOST: Obj = {
    "terminated": {
        "exitCode": 137,
        "reason": "ContainerStatusUnknown",
        "message": "The container could not be located when the pod was terminated",
        "startedAt": None,
        "finishedAt": None,
    }
}
"""How a container shows that had its turn, and of which nobody knows how it ended."""
OWN_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


@dataclass(frozen=True)
class Condition:
    """One condition's value now."""

    type: str
    status: bool
    reason: str = ""
    message: str = ""


def restartable(container: Obj) -> bool:
    """Whether an init container is a sidecar, which starts with the others and runs on."""
    return container.get("restartPolicy") == "Always"


def _terminated(status: Obj, where: str = "state") -> Obj | None:
    found: Obj | None = (status.get(where) or {}).get("terminated")
    return found


def shortened(statuses: Iterable[Obj], containers: int) -> list[Obj]:
    """Statuses with termination messages that share the pod's limit. ``containers``: how many the pod has in all."""
    limit = MESSAGES_LIMIT // containers
    return [
        {**each, "state": _short(each["state"], limit), "lastState": _short(each["lastState"], limit)}
        for each in statuses
    ]


def _short(state: Obj, limit: int) -> Obj:
    text = (state.get("terminated") or {}).get("message", "").encode()
    if len(text) <= limit:
        return state
    return {"terminated": {**state["terminated"], "message": text[:limit].decode(errors="ignore")}}


def undone(statuses: Iterable[Obj]) -> list[Obj]:
    """Statuses of a pod that is deleted: what waits to start again will not, so it shows how it ended."""
    return [
        {**each, "state": each["lastState"], "lastState": {}}
        if "waiting" in each["state"] and each["lastState"]
        else each
        for each in statuses
    ]


def concluded(spec: Obj, inits: list[Obj], mains: list[Obj]) -> tuple[list[Obj], list[Obj]]:
    """(init containers, containers) of a pod that is over: whatever had its turn has ended, known or not."""
    turns = max((number for number, each in enumerate(inits, 1) if _has_begun(each)), default=1)
    ended = [_ended(each) if number <= turns else each for number, each in enumerate(inits, 1)]
    return ended, [_ended(each) for each in mains] if _was_initialized(spec, inits, mains) else mains


def _ended(status: Obj) -> Obj:
    return status if _terminated(status) else {**status, "state": LOST}


def _has_begun(status: Obj) -> bool:
    return "waiting" not in status["state"] or bool(status["lastState"])


def _was_initialized(spec: Obj, inits: list[Obj], mains: list[Obj]) -> bool:
    """Whether the containers had their turn."""
    if not inits or any(map(_has_begun, mains)):
        return True
    if restartable(spec["initContainers"][-1]):
        return bool(inits[-1]["started"])
    return (_terminated(inits[-1]) or {}).get("exitCode") == 0


def phase(spec: Obj, inits: Iterable[Obj], mains: Iterable[Obj], *, ends: bool = False) -> str:
    """The pod's phase. ``ends``: the pod is being stopped, so nothing that has stopped starts again."""
    policy = spec.get("restartPolicy", "Always")
    kinds = {container["name"]: container for container in spec.get("initContainers") or ()}
    pending, failed, running = 0, 0, 0
    for status in inits:
        state = status["state"]
        if restartable(kinds[status["name"]]):
            running += "running" in state
            pending += not status.get("started") and "terminated" not in state and not status.get("lastState")
            continue
        ended = _terminated(status) or (_terminated(status, "lastState") if "waiting" in state else None)
        failed += bool(ended and ended["exitCode"] != 0)
        pending += ended is None
    if failed and policy == "Never":
        return FAILED
    waiting, stopped, succeeded, count = 0, 0, 0, 0
    for status in mains:
        count += 1
        running += "running" in status["state"]
        ended = _terminated(status) or (_terminated(status, "lastState") if "waiting" in status["state"] else None)
        stopped += ended is not None
        succeeded += bool(_terminated(status) and _terminated(status)["exitCode"] == 0)  # type: ignore[index]
        waiting += ended is None and "running" not in status["state"]
    if pending or waiting or not count:
        return PENDING
    if stopped < count or running:
        return RUNNING
    if ends or policy != "Always":
        if stopped == succeeded:
            return SUCCEEDED
        return FAILED if ends or policy == "Never" else RUNNING
    return RUNNING


def conditions(
    spec: Obj, phase_: str, inits: list[Obj], mains: list[Obj], custom: Iterable[Obj], sandbox: bool
) -> list[Condition]:
    """The kubelet's conditions of a pod. ``custom``: conditions of others, for readiness gates."""
    initialized = _initialized(spec, phase_, inits, mains)
    containers = _containers_ready(spec, phase_, inits, mains)
    return [
        Condition("PodReadyToStartContainers", sandbox),
        initialized,
        _ready(spec, containers, custom),
        containers,
        Condition("PodScheduled", True),
    ]


def held_back(wanted: list[Condition]) -> list[Condition]:
    """The conditions on a node that is not ready, as its controller leaves them: Ready is False, and nothing else."""
    return [Condition("Ready", False, each.reason, each.message) if each.type == "Ready" else each for each in wanted]


def _initialized(spec: Obj, phase_: str, inits: list[Obj], mains: list[Obj]) -> Condition:
    if phase_ == SUCCEEDED:
        return Condition("Initialized", True, "PodCompleted")
    sidecars = {each["name"] for each in spec.get("initContainers") or () if restartable(each)}
    begun = any("waiting" not in status["state"] or _terminated(status, "lastState") for status in mains)
    incomplete = [
        status["name"]
        for status in inits
        if not (status.get("started") if status["name"] in sidecars else status["ready"])
    ]
    if incomplete and not begun:
        message = f"containers with incomplete status: [{' '.join(incomplete)}]"
        return Condition("Initialized", False, "ContainersNotInitialized", message)
    return Condition("Initialized", True)


def _containers_ready(spec: Obj, phase_: str, inits: list[Obj], mains: list[Obj]) -> Condition:
    if phase_ == SUCCEEDED:
        return Condition("ContainersReady", False, "PodCompleted")
    if phase_ == FAILED:
        return Condition("ContainersReady", False, "PodFailed")
    ready = {status["name"] for status in [*inits, *mains] if status["ready"]}
    sidecars = [each for each in spec.get("initContainers") or () if restartable(each)]
    unready = [each["name"] for each in [*sidecars, *spec["containers"]] if each["name"] not in ready]
    if unready:
        message = f"containers with unready status: [{' '.join(unready)}]"
        return Condition("ContainersReady", False, "ContainersNotReady", message)
    return Condition("ContainersReady", True)


def _ready(spec: Obj, containers: Condition, custom: Iterable[Obj]) -> Condition:
    if not containers.status:
        return Condition("Ready", False, containers.reason, containers.message)
    states = {condition["type"]: condition["status"] for condition in custom}
    problems = []
    for gate in spec.get("readinessGates") or ():
        name = gate["conditionType"]
        if name not in states:
            problems.append(f'corresponding condition of pod readiness gate "{name}" does not exist.')
        elif states[name] != "True":
            problems.append(f'the status of pod readiness gate "{name}" is not "True", but {states[name]}')
    if problems:
        return Condition("Ready", False, "ReadinessGatesNotReady", ", ".join(problems))
    return Condition("Ready", True)


def merged(live: Iterable[Obj], wanted: Iterable[Condition], now: str, generation: int | None) -> list[Obj]:
    """Conditions as they are written: others' are kept, a transition time moves with the status only."""
    before = {condition["type"]: condition for condition in live}
    written = [_written(each, before.get(each.type), now, generation) for each in wanted]
    return written + [condition for type_, condition in before.items() if type_ not in OWN_CONDITIONS]


def _written(condition: Condition, before: Obj | None, now: str, generation: int | None) -> Obj:
    status = "True" if condition.status else "False"
    same = before is not None and before["status"] == status
    out: Obj = {"type": condition.type, "status": status, "lastProbeTime": None}
    if generation is not None:
        out["observedGeneration"] = generation
    out["lastTransitionTime"] = before["lastTransitionTime"] if same and before else now
    if condition.reason:
        out["reason"] = condition.reason
    if condition.message:
        out["message"] = condition.message
    return out
