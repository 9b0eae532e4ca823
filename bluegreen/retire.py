"""The old colour's end: told to drain where the application can be told, watched, and then retired.

Keep-alive connections stay on the old pods until those tell their clients to leave, so a release is not over at the
switch. Draining is observed, not slept: it ends when the application counts no connection any more, or the time is up.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable
from typing import Any

from bluegreen import clock
from bluegreen.clock import Deadline
from bluegreen.colour import Colour, Obj
from bluegreen.errors import HarnessError, TimeoutExpiredError
from bluegreen.moves import Desk, require_idle
from bluegreen.traffic import pod_ready

LOOK_EVERY_S = 0.1
"""Pause between two looks at the pods' own counts: the application offers no other way to learn of a change."""

ASK_TIMEOUT_S = 2.0

COUNTS = ("open_connections", "connections", "in_flight")
"""What a draining pod may call the number of its clients; the largest counts."""


def retire(desk: Desk, colour: Colour) -> None:
    """Drain a colour that serves nobody any more and retire it as RETIRE says."""
    require_idle(desk, colour)
    how = desk.settings.retire
    if how == "keep":
        desk.drain = {"colour": str(colour), "how": "kept, not drained", "observed": False}
        return
    deadline = Deadline(desk.settings.drain_timeout)
    with desk.steps.step("drain") as step:
        desk.drain = {"colour": str(colour), **_drain(desk, colour, deadline)}
        step.detail = str(desk.drain["how"])
    with desk.steps.step("retire") as step:
        require_idle(desk, colour)
        if how == "delete":
            desk.deployments.delete(colour)
        elif desk.deployments.get(colour) is not None:
            desk.deployments.scale(colour, 0)
        step.detail = _await_gone(desk, colour)


def _drain(desk: Desk, colour: Colour, deadline: Deadline) -> dict[str, Any]:
    """Tell every pod to drain and watch its counts, where the application offers that."""
    path = desk.settings.drain_path
    if not path:
        return {"how": "by the preStop hook and the application's own stop; not observed", "observed": False}
    pods = [pod for pod in desk.deployments.pods(colour) if pod_ready(pod)]
    told = {pod["metadata"]["name"]: _ask(desk, pod, "POST", path) for pod in pods}
    left = {name: count for name, answer in told.items() if (count := clients_of(answer)) is not None}
    while any(left.values()) and not deadline.expired:
        clock.sleep_s(min(LOOK_EVERY_S, deadline.remaining_s))
        counts = {name: clients_of(_ask(desk, pod, "GET", path)) for name, pod in _named(pods) if left.get(name)}
        left |= {name: count or 0 for name, count in counts.items()}
    return summary(told, left, deadline.elapsed_s)


def summary(told: dict[str, Any], left: dict[str, int], waited_s: float) -> dict[str, Any]:
    """What became of the drain, for the report: who was told, who could be observed, how many clients remained."""
    remaining = sum(left.values())
    if not left:
        how = f"{len(told)} pods told; the application offers no count, so nothing was observed"
    elif remaining:
        how = f"{remaining} clients were still connected after {waited_s:.1f} s"
    else:
        how = f"all clients had left after {waited_s:.1f} s"
    return {"how": how, "observed": bool(left), "clients_left": remaining, "waited_s": round(waited_s, 3)}


def clients_of(answer: Any) -> int | None:
    """The number of connections and requests a draining pod still has, by its own answer; None when it says none."""
    if not isinstance(answer, dict):
        return None
    counts = [answer[name] for name in COUNTS if isinstance(answer.get(name), int)]
    return max(counts) if counts else None


def _named(pods: Iterable[Obj]) -> list[tuple[str, Obj]]:
    return [(pod["metadata"]["name"], pod) for pod in pods]


def _ask(desk: Desk, pod: Obj, method: str, path: str) -> Any:
    """A pod's answer as JSON; None when it gave none: a pod that is gone has no clients to count."""
    try:
        address = desk.access.pod(pod)
        connection = http.client.HTTPConnection(address.host, address.port, timeout=ASK_TIMEOUT_S)
    except HarnessError:
        return None
    try:
        connection.request(method, path, headers={"Connection": "close"})
        return json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def _await_gone(desk: Desk, colour: Colour) -> str:
    """Wait until the old pods are gone; what became of them, in words. Their own grace is the longest it takes."""
    pods = desk.deployments.pods(colour)
    graces = [float(pod["spec"].get("terminationGracePeriodSeconds") or 30) for pod in pods]
    try:
        desk.kube.wait(
            "Pod",
            lambda found: True if not found else None,
            labels=desk.deployments.labels(colour),
            deadline=Deadline(max(graces, default=0) + 15),
            awaited=f"the pods of {colour} are gone",
            seen=lambda found: f"{len(found)} pods",
        )
    except TimeoutExpiredError as error:
        return error.sentence
    return f"{colour} {'is deleted' if desk.settings.retire == 'delete' else 'is at zero'}"
