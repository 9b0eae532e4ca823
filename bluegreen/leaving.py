"""Waiting until the pods of a Deployment have left, those on their way out included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bluegreen.clock import Deadline
from bluegreen.colour import Colour
from bluegreen.desk import Desk
from bluegreen.workload import Workload

GRACE_DEFAULT_S = 30.0
"""Kubernetes' own, where a pod states none."""

ON_TOP_S = 15.0
"""A choice: what a pod may take beyond its grace until its object is gone."""


def await_no_pods(
    desk: Desk, workload: Workload, colour: Colour, deadline: Deadline, on_tick: Callable[[], None] | None = None
) -> None:
    """Wait until no pod of a Deployment is left in a colour. Raises TimeoutExpiredError."""
    what = f"the pods of {colour}" if len(desk.record.workloads) == 1 else f"the pods of {workload.name}-{colour}"
    desk.kube.wait(
        "Pod",
        lambda pods: True if not pods else None,
        labels=workload.pods(colour),
        deadline=deadline,
        awaited=f"{what} are gone",
        on_tick=on_tick,
        seen=lambda pods: f"{len(pods)} pods",
    )


def longest_s(pods: list[dict[str, Any]]) -> float:
    """How long these pods may take to leave: their own grace, and what comes on top."""
    graces = [float(pod["spec"].get("terminationGracePeriodSeconds") or GRACE_DEFAULT_S) for pod in pods]
    return max(graces, default=0) + ON_TOP_S
