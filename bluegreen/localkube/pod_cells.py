"""A pod's row of ``kubectl get``: the word in its STATUS column says what holds it up, container by container.

The rules are those of Kubernetes 1.34's own printer for pods.
"""

from __future__ import annotations

from dataclasses import dataclass

from bluegreen.localkube.cell_words import NONE, Cells, age, name, since
from bluegreen.localkube.kinds import Obj


@dataclass(frozen=True)
class _Tally:
    """What the containers come to: the status word, how many are ready, restarts and when the last one was."""

    reason: str
    ready: int = 0
    restarts: int = 0
    last_restart: str = ""


@dataclass(frozen=True)
class _Initialization:
    """What the init containers come to; and the same with nothing but sidecars counted, which is what stays of it."""

    tally: _Tally
    sidecars: _Tally
    going_on: bool


def pod(obj: Obj) -> Cells:
    """A Pod: ready containers, what it is doing, restarts, where it runs."""
    spec, status = obj["spec"], obj.get("status") or {}
    tally = _tally(obj)
    restarts = str(tally.restarts)
    if tally.restarts and tally.last_restart:
        restarts += f" ({since(tally.last_restart)} ago)"
    total = len(spec.get("containers") or []) + sum(_sidecar(item) for item in spec.get("initContainers") or [])
    row: Cells = [name(obj), f"{tally.ready}/{total}", _final_word(obj, tally.reason), restarts, age(obj)]
    places = [status.get("podIP"), spec.get("nodeName"), status.get("nominatedNodeName")]
    return [*row, *(place or NONE for place in places), _gates(obj)]


_OUTCOMES = {
    "Succeeded": "The pod has completed successfully.",
    "Failed": "The pod failed.",
}


def row_conditions(obj: Obj) -> list[Obj]:
    """What a row of a Table says of a pod that has ended, beside its cells."""
    phase = (obj.get("status") or {}).get("phase", "")
    message = _OUTCOMES.get(phase)
    return [{"type": "Completed", "status": "True", "reason": phase, "message": message}] if message else []


def _tally(obj: Obj) -> _Tally:
    status = obj.get("status") or {}
    scheduled = [c for c in status.get("conditions") or [] if c["type"] == "PodScheduled"]
    gated = any(condition.get("reason") == "SchedulingGated" for condition in scheduled)
    reason = "SchedulingGated" if gated else status.get("reason") or status.get("phase") or ""
    begun = _init_containers(obj, reason)
    if begun.going_on and not _condition(status, "Initialized"):
        return begun.tally
    return _containers(status, begun.sidecars)


def _init_containers(obj: Obj, reason: str) -> _Initialization:
    specs = {item["name"]: item for item in obj["spec"].get("initContainers") or []}
    ready = restarts = sidecar_restarts = 0
    last = sidecar_last = ""
    going_on = False
    for index, status in enumerate((obj.get("status") or {}).get("initContainerStatuses") or []):
        sidecar = _sidecar(specs.get(status["name"], {}))
        restarts += status.get("restartCount", 0)
        last = max(last, _last_end(status))
        if sidecar:
            sidecar_restarts += status.get("restartCount", 0)
            sidecar_last = max(sidecar_last, _last_end(status))
        if (status.get("state") or {}).get("terminated", {}).get("exitCode") == 0:
            continue
        if sidecar and status.get("started"):
            ready += bool(status.get("ready"))
            continue
        reason, going_on = _init_word(status, index, len(specs)), True
        break
    sidecars = _Tally(reason, ready, sidecar_restarts, sidecar_last)
    return _Initialization(_Tally(reason, ready, restarts, last), sidecars, going_on)


def _init_word(status: Obj, index: int, total: int) -> str:
    state = status.get("state") or {}
    if "terminated" in state:
        return f"Init:{_end_word(state['terminated'])}"
    waiting = (state.get("waiting") or {}).get("reason")
    return f"Init:{waiting}" if waiting and waiting != "PodInitializing" else f"Init:{index}/{total}"


def _containers(status: Obj, tally: _Tally) -> _Tally:
    reason, ready, restarts, last = tally.reason, tally.ready, tally.restarts, tally.last_restart
    running = False
    for container in reversed(status.get("containerStatuses") or []):
        restarts += container.get("restartCount", 0)
        last = max(last, _last_end(container))
        state = container.get("state") or {}
        word = (state.get("waiting") or {}).get("reason") or _end_word(state.get("terminated"))
        if word:
            reason = word
        elif container.get("ready") and "running" in state:
            running, ready = True, ready + 1
    if reason == "Completed" and running:
        reason = "Running" if _condition(status, "Ready") else "NotReady"
    return _Tally(reason, ready, restarts, last)


def _end_word(terminated: Obj | None) -> str:
    if terminated is None:
        return ""
    signal = terminated.get("signal")
    return terminated.get("reason") or (f"Signal:{signal}" if signal else f"ExitCode:{terminated.get('exitCode')}")


def _final_word(obj: Obj, reason: str) -> str:
    status = obj.get("status") or {}
    if "deletionTimestamp" not in obj["metadata"]:
        return reason
    if status.get("reason") == "NodeLost":
        return "Unknown"
    return reason if status.get("phase") in ("Succeeded", "Failed") else "Terminating"


def _last_end(status: Obj) -> str:
    return ((status.get("lastState") or {}).get("terminated") or {}).get("finishedAt") or ""


def _condition(status: Obj, type_: str) -> bool:
    conditions = status.get("conditions") or []
    return any(item["type"] == type_ and item["status"] == "True" for item in conditions)


def _sidecar(container: Obj) -> bool:
    return container.get("restartPolicy") == "Always"


def _gates(obj: Obj) -> str:
    gates = obj["spec"].get("readinessGates") or []
    true = sum(_condition(obj.get("status") or {}, gate["conditionType"]) for gate in gates)
    return f"{true}/{len(gates)}" if gates else NONE
