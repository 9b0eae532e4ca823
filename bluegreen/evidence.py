"""What a colour looked like, captured before anything of it is deleted: events, logs and object states.

Never in it: the data of a Secret, or the value of a secret setting, wherever an application may have printed it.
Capturing never stops a revert: what cannot be read or written is named in ``problems``, and there is a deadline.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bluegreen import clock
from bluegreen.clock import Deadline
from bluegreen.colour import Colour, Obj, colour_service
from bluegreen.errors import HarnessError
from bluegreen.kube import Kube
from bluegreen.plan import plan_of
from bluegreen.settings import SETTINGS, Settings
from bluegreen.workload import Workload

T = TypeVar("T")

TAIL_LINES = 200
TIME_LIMIT_S = 10.0
"""The longest a capture may take; a choice: the candidate is kept alive, and serves nobody, meanwhile."""

SHORTEST_SECRET = 4
"""Shorter values are not looked for in texts: they occur in any text by chance."""


def capture(
    kube: Kube, settings: Settings, colour: Colour, out_dir: Path, workloads: Sequence[Workload]
) -> dict[str, Any]:
    """Everything about a colour's Deployments as it is now; also written to ``out_dir/evidence-COLOUR.json``.

    Keys: colour, captured_at, events (time, type, reason, object, message, count), logs ({"pod/container": text},
    ``(previous)`` for the run before), objects ({"Kind/name": object}), problems (sentences), file ("" if not written).
    """
    taking = _Taking(kube, settings, colour, workloads)
    taken = taking.all()
    return _written(redacted(taken, secret_values(settings)), out_dir / f"evidence-{colour}.json")


def secret_values(settings: Settings) -> dict[str, str]:
    """Every secret setting's value in every form it may be printed in, with the text that replaces it."""
    found: dict[str, str] = {}
    for setting in SETTINGS:
        value = str(getattr(settings, setting.attribute) or "") if setting.secret else ""
        if len(value) >= SHORTEST_SECRET:
            forms = (value, base64.b64encode(value.encode()).decode(), json.dumps(value)[1:-1])
            found |= dict.fromkeys(forms, f"[{setting.name}]")
    return found


def redacted(value: Any, secrets: dict[str, str]) -> Any:
    """The same JSON-able value with every secret in it replaced by its setting's name."""
    if isinstance(value, str):
        for secret in sorted(secrets, key=len, reverse=True):
            value = value.replace(secret, secrets[secret])
        return value
    if isinstance(value, dict):
        return {redacted(key, secrets): redacted(inner, secrets) for key, inner in value.items()}
    return [redacted(inner, secrets) for inner in value] if isinstance(value, list | tuple) else value


def event_line(event: Obj) -> dict[str, Any]:
    """What is worth reading of an Event."""
    regarding = event.get("involvedObject") or event.get("regarding") or {}
    return {
        "time": event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp") or "",
        "type": event.get("type", ""),
        "reason": event.get("reason", ""),
        "object": f"{regarding.get('kind', '')}/{regarding.get('name', '')}",
        "message": event.get("message") or event.get("note") or "",
        "count": event.get("count") or 1,
    }


class _Taking:
    """One capture, under one deadline."""

    def __init__(self, kube: Kube, settings: Settings, colour: Colour, workloads: Sequence[Workload]) -> None:
        self._kube, self._settings, self._colour, self._workloads = kube, settings, colour, workloads
        self._deadline = Deadline(TIME_LIMIT_S)
        self._problems: list[str] = []

    def all(self) -> dict[str, Any]:
        names = [f"{workload.name}-{self._colour}" for workload in self._workloads]
        each = [workload.pods(self._colour) for workload in self._workloads]
        pods = [pod for labels in each for pod in self._list("Pod", labels)]
        logs = self._logs(pods)
        sets = [found for labels in each for found in self._list("ReplicaSet", labels)]
        objects = [*self._named(names), *sets, *pods, *self._behind_services()]
        return {
            "colour": str(self._colour),
            "captured_at": clock.timestamp(),
            "events": self._events(tuple(names)),
            "logs": logs,
            "objects": {f"{obj['kind']}/{obj['metadata']['name']}": _plain(obj) for obj in objects},
            "problems": self._problems,
        }

    def _try(self, what: str, read: Callable[[], T], otherwise: T) -> T:
        if self._deadline.expired:
            self._problems.append(f"{what}: left out after {TIME_LIMIT_S:.0f} s")
            return otherwise
        try:
            return read()
        except HarnessError as error:
            self._problems.append(f"{what}: {error.sentence}")
            return otherwise

    def _list(self, kind: str, labels: str = "") -> list[Obj]:
        nothing: list[Obj] = []
        return self._try(kind, lambda: self._kube.list(kind, labels=labels), nothing)

    def _named(self, names: Sequence[str]) -> list[Obj]:
        """The Deployments, their autoscalers and disruption budgets of the same name, the Services, and the routes."""
        services = _services(self._settings)
        kinds = ("Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget")
        wanted = [(kind, name) for name in names for kind in kinds]
        wanted += [*(("Service", service) for service in services), *self._settings.routes]
        found = [self._try(f"{kind} {one}", partial(self._kube.get, kind, one), None) for kind, one in wanted]
        return [obj for obj in found if obj is not None]

    def _behind_services(self) -> list[Obj]:
        names = ",".join(_services(self._settings))
        return self._list("EndpointSlice", f"kubernetes.io/service-name in ({names})")

    def _events(self, names: tuple[str, ...]) -> list[dict[str, Any]]:
        """Events about the Deployments and everything named after them, oldest first."""
        lines = [event_line(event) for event in self._list("Event")]
        ours = [line for line in lines if line["object"].partition("/")[2].startswith(names)]
        return sorted(ours, key=lambda line: str(line["time"]))

    def _logs(self, pods: Sequence[Obj]) -> dict[str, str]:
        logs: dict[str, str] = {}
        for pod in pods:
            for container in _containers(pod):
                logs |= self._container_logs(pod["metadata"]["name"], container)
        return logs

    def _container_logs(self, pod: str, container: Obj) -> dict[str, str]:
        name = container["name"]
        reads = [("", False), (" (previous)", True)] if container.get("restartCount") else [("", False)]
        found = {
            f"{pod}/{name}{suffix}": self._try(
                f"log of {pod}/{name}{suffix}",
                partial(self._kube.logs, pod, name, previous=previous, tail_lines=TAIL_LINES),
                "",
            )
            for suffix, previous in reads
            if container.get("state", {}).get("waiting", {}).get("reason") != "ContainerCreating"
        }
        return {key: text for key, text in found.items() if text}


def _containers(pod: Obj) -> Iterable[Obj]:
    status = pod.get("status", {})
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _plain(obj: Obj) -> Obj:
    """An object without the bookkeeping nobody reads."""
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": metadata}


def _written(taken: dict[str, Any], path: Path) -> dict[str, Any]:
    """The capture with the name of its file; a full disk is named, not raised."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**taken, "file": path.name}, indent=1))
    except OSError as error:
        return {**taken, "problems": [*taken["problems"], f"{path.name}: {error.strerror}"], "file": ""}
    return {**taken, "file": path.name}


def _services(settings: Settings) -> list[str]:
    """The live Services, their previews, and those of the colours where routes lead to them."""
    names = plan_of(settings).services
    own = [colour_service(name, colour) for name in names for colour in Colour] if settings.routes else []
    return [service for name in names for service in (name, f"{name}-preview")] + own
