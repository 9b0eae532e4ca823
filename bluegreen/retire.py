"""The old colour's end: told to drain where the application can be told, watched, and then retired.

Keep-alive connections stay on the old pods until those tell their clients to leave, so a release is not over at the
switch. Draining is observed, not slept: it ends when the application counts no client any more, or the time is up.
"""

from __future__ import annotations

from collections.abc import Callable

from bluegreen import leaving, moves
from bluegreen.clock import Deadline
from bluegreen.colour import Colour
from bluegreen.desk import Desk
from bluegreen.drain import Drain
from bluegreen.errors import TimeoutExpiredError


def retire(desk: Desk, colour: Colour) -> None:
    """Drain a colour that serves nobody any more and retire it as RETIRE says."""
    moves.require_idle(desk, colour)
    how = desk.settings.retire
    if how == "keep":
        desk.drain = {"colour": str(colour), "how": "kept, not drained", "observed": False}
        return
    pods = [pod for _, deployments in moves.each(desk) for pod in deployments.pods(colour)]
    drain = Drain(desk.kube, desk.settings, desk.access, pods)
    with desk.steps.step("drain") as step:
        deadline = Deadline(desk.settings.drain_timeout)
        drain.tell()
        drain.watch(deadline)
        desk.drain = {"colour": str(colour), **drain.as_json()}
        step.detail = str(desk.drain["how"])
    with desk.steps.step("retire") as step:
        moves.require_idle(desk, colour)
        for _, deployments in moves.each(desk):
            if how == "delete":
                deployments.delete(colour)
            elif deployments.get(colour) is not None:
                deployments.scale(colour, 0)
        step.detail = _await_gone(desk, colour, drain.last_looks)
        if not drain.told.pods:
            drain.waited_s = deadline.elapsed_s
            desk.drain = {"colour": str(colour), **drain.as_json()}


def _await_gone(desk: Desk, colour: Colour, on_tick: Callable[[], None]) -> str:
    """Wait until the old pods are gone; what became of them, in words. Their own grace is the longest it takes."""
    pods = [pod for _, deployments in moves.each(desk) for pod in deployments.pods(colour)]
    deadline = Deadline(leaving.longest_s(pods))
    try:
        for workload in desk.record.workloads:
            leaving.await_no_pods(desk, workload, colour, deadline, on_tick)
    except TimeoutExpiredError as error:
        return error.sentence
    return f"{colour} {'is deleted' if desk.settings.retire == 'delete' else 'is at zero'}"
