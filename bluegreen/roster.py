"""Which Deployments a release is of, and how many pods each has to have: from the plan and from what is there.

A release may add a Deployment that live does not have, and leave one out: what only one of the two sides has is
written down as well, so that whoever mends the release takes all of it away, or puts all of it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from bluegreen.colour import Colour, Obj
from bluegreen.deployments import RETIRED_FROM, Deployments, kept
from bluegreen.plan import Plan
from bluegreen.workload import Workload, marked, selector_text

Found = Mapping[Colour, Mapping[str, Obj]]
"""Deployments that are there, by colour and by name without it."""


def roster(
    deployments: Deployments, candidate: Colour, live: Colour | None, found: Found, *, resumed: bool = False
) -> tuple[Workload, ...]:
    """Every Deployment of a release of ``candidate``, the main one first. Reads autoscalers; changes nothing.

    ``resumed``: the candidate is what that colour was, not what the plan makes.
    """
    plan, there = deployments.plan, found[candidate]
    serving = found[live] if live is not None else {}
    released = tuple(there) if resumed else plan.names
    names = dict.fromkeys([deployments.workload, *released, *there, *serving])
    return tuple(_workload(deployments, name, candidate, live, found, released=name in released) for name in names)


def _workload(
    deployments: Deployments, name: str, candidate: Colour, live: Colour | None, found: Found, *, released: bool
) -> Workload:
    plan, there = deployments.plan, found[candidate].get(name)
    serving = found[live].get(name) if live is not None else None
    planned = name in plan.names
    known = Workload(name, plan.selector(name) if planned else selector_of(there or serving or {}))
    one = deployments.of(known)
    live_replicas = one.size(live) if live is not None and serving is not None else None
    main = name == deployments.workload
    return replace(
        known,
        active_only=plan.active_only(name) if planned else marked(there or serving or {}),
        released=released,
        replicas=_size(plan, name, there, live_replicas, main=main) if released else 0,
        live_replicas=live_replicas,
        bounds=one.bounds(candidate),
        before=kept(there),
    )


def _size(plan: Plan, name: str, there: Obj | None, live_replicas: int | None, *, main: bool) -> int:
    """The live colour's present size; of one that live does not have, what it had itself, else what the plan says."""
    if live_replicas is not None and (live_replicas or not main):
        return live_replicas
    retired = ((there or {}).get("metadata", {}).get("annotations") or {}).get(RETIRED_FROM, "")
    if name not in plan.names:
        return int(retired) if str(retired).isdigit() else 1
    return plan.first_size(name)


def as_before(workloads: Iterable[Workload], left: Iterable[Workload]) -> tuple[Workload, ...]:
    """The workloads with what each was before an earlier release, whose refused candidate stands in its place. Pure."""
    known = {workload.name: workload.before for workload in left}
    return tuple(replace(w, before=known[w.name]) if w.name in known else w for w in workloads)


def selector_of(deployment: Obj) -> str:
    """The label selector of a Deployment's pods as the API takes it, without the colour. Pure."""
    return selector_text(((deployment.get("spec") or {}).get("selector")) or {})
