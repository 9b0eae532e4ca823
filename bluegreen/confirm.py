"""Whether live traffic really is where it was moved: by the EndpointSlices, and by asking.

A patched selector is a wish. It has come true when the Service's EndpointSlices hold the ready pods of the colour and
no others, and fresh requests through the live address are answered by its version several times in a row. On a real
cluster that takes 0.1 to 0.2 s, and a new address may refuse for two seconds first.
"""

from __future__ import annotations

from collections.abc import Callable

from bluegreen import clock
from bluegreen.asking import ANSWER_TIMEOUT_S, Answer, Target, ask
from bluegreen.clock import Deadline
from bluegreen.colour import Obj
from bluegreen.errors import TimeoutExpiredError
from bluegreen.kube import Kube
from bluegreen.traffic import SERVICE_LABEL, settled, slice_pods

__all__ = ["Answer", "Target", "answers", "ask", "endpoints", "nobody", "reachable"]

IN_A_ROW = 5
"""Fresh answers in a row that count as moved; a choice: with three pods, most of them have been asked."""

PAUSE_S = 0.01
"""Pause after a request that was answered wrongly or not at all; doubled up to a quarter of a second."""


def endpoints(kube: Kube, service: str, pods: Callable[[], list[Obj]], deadline: Deadline, awaited: str) -> set[str]:
    """Wait until a Service's EndpointSlices hold exactly the ready ones of these pods; returns their names."""

    def until(slices: list[Obj]) -> set[str] | None:
        return slice_pods(slices) if settled(slices, pods()) else None

    return kube.wait(
        "EndpointSlice",
        until,
        labels=f"{SERVICE_LABEL}={service}",
        deadline=deadline,
        awaited=awaited,
        seen=lambda slices: f"ready endpoints {', '.join(sorted(slice_pods(slices))) or 'none'}",
    )


def nobody(kube: Kube, service: str, deadline: Deadline) -> None:
    """Wait until a Service has no ready endpoint."""
    kube.wait(
        "EndpointSlice",
        lambda slices: True if not slice_pods(slices) else None,
        labels=f"{SERVICE_LABEL}={service}",
        deadline=deadline,
        awaited=f"Service {service} has no endpoint",
    )


def answers(target: Target, deadline: Deadline) -> int:
    """Ask until ``IN_A_ROW`` fresh requests in a row were answered as they must be; returns how many were made.

    Raises TimeoutExpiredError with what was answered last.
    """
    row, made, pause_s, last = 0, 0, PAUSE_S, Answer(problem="nothing was asked")
    while row < IN_A_ROW:
        if deadline.expired:
            where = f"http://{target.host}:{target.port}{target.path}"
            raise TimeoutExpiredError(f"{where} answers as {target.version or 'it must'}", deadline.seconds, str(last))
        last, made = ask(target, min(ANSWER_TIMEOUT_S, deadline.remaining_s)), made + 1
        if last.good(target):
            row, pause_s = row + 1, PAUSE_S
            continue
        row = 0
        clock.sleep_s(min(pause_s, deadline.remaining_s))
        pause_s = min(2 * pause_s, 0.25)
    return made


def reachable(target: Target, deadline: Deadline) -> None:
    """Ask until there is any HTTP answer at all, whatever it says. Raises TimeoutExpiredError with the last problem."""
    pause_s, last = PAUSE_S, ask(target, min(ANSWER_TIMEOUT_S, deadline.remaining_s))
    while last.problem:
        if deadline.expired:
            raise TimeoutExpiredError(f"{target.host}:{target.port} answers", deadline.seconds, last.problem)
        clock.sleep_s(min(pause_s, deadline.remaining_s))
        pause_s = min(2 * pause_s, 0.25)
        last = ask(target, min(ANSWER_TIMEOUT_S, deadline.remaining_s))
