"""Which Deployments a release is of, and how many pods each has to have: from the plan and from what is there.

A release may add a Deployment that live does not have, and leave one out: what only one of the two sides has is
written down as well, so that whoever mends the release takes all of it away, or puts all of it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from bluegreen.colour import Colour, Obj
from bluegreen.deployments import Deployments, kept
from bluegreen.plan import Plan
from bluegreen.workload import Workload

Found = Mapping[Colour, Mapping[str, Obj]]
"""Deployments that are there, by colour and by name without it."""

ACTIVE_ONLY = "bluegreen/active-only"
"""Annotation of a Deployment, ``"true"``: its pods must not run twice, and run in the live colour alone."""

RETIRED_FROM = "bluegreen/retired-from"
"""Annotation of a Deployment at zero: the number of pods it had when it was retired."""


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


def marked(deployment: Obj) -> bool:
    """Whether a Deployment says that its pods run in the live colour alone. Pure."""
    return ((deployment.get("metadata") or {}).get("annotations") or {}).get(ACTIVE_ONLY) == "true"


def selector_of(deployment: Obj) -> str:
    """The label selector of a Deployment's pods as the API takes it, without the colour. Pure."""
    return selector_text(((deployment.get("spec") or {}).get("selector")) or {})


def selector_text(selector: Mapping[str, object]) -> str:
    """A selector of an object as a query of the API, without the colour. Pure."""
    labels = selector.get("matchLabels")
    equal = labels.items() if isinstance(labels, dict) else ()
    expressions = selector.get("matchExpressions")
    parts = [f"{key}={value}" for key, value in equal if key != "version"]
    return ",".join([*parts, *map(_expression, expressions if isinstance(expressions, list) else ())])


def _expression(one: Mapping[str, object]) -> str:
    key, values = one["key"], one.get("values")
    listed = f"({','.join(map(str, values if isinstance(values, list) else ()))})"
    return {
        "In": f"{key} in {listed}",
        "NotIn": f"{key} notin {listed}",
        "Exists": f"{key}",
        "DoesNotExist": f"!{key}",
    }[str(one["operator"])]
