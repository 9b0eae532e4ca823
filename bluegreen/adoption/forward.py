"""Adopting: from a plain Deployment behind a Service to a blue one, while it serves.

What runs is copied, not what the YAML says today: the same image, the same configuration, the same size. Blue's pods
get their share of requests as soon as they are ready, for the Service selects them too; then it selects them alone, and
the plain ones drain and rest at zero.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from bluegreen import config_copies, environment
from bluegreen.adoption import hands, plain
from bluegreen.colour import Colour
from bluegreen.desk import Desk
from bluegreen.errors import CannotStartError
from bluegreen.kube import Kube
from bluegreen.plan import colouring
from bluegreen.plan.application import inner
from bluegreen.plan.own import Own
from bluegreen.plan.own_files import as_written
from bluegreen.workload import Workload

Obj = dict[str, Any]

BLUE = Colour.BLUE
"""The colour that a plain Deployment becomes."""


def require_adoptable(kube: Kube, plan: Own) -> bool:
    """Whether there is anything to do. Raises CannotStartError with what does not fit; reads only."""
    main = plan.names[0]
    services = {name: kube.get("Service", name) for name in plan.services}
    absent = [name for name, found in services.items() if found is None]
    if absent:
        raise CannotStartError(
            f"There is no Service {', '.join(absent)}: this application does not run here as its YAML says.",
            "Release it: the first release makes what is missing.",
        )
    deployments = {name: kube.get("Deployment", name) for name in plan.names}
    places = [plain.place_of(found) for found in services.values() if found is not None]
    if all(places):
        return any(found is not None and found["spec"].get("replicas", 1) for found in deployments.values())
    if deployments[main] is None:
        raise CannotStartError(
            f"There is no Deployment {main}: nothing runs here that could be adopted.",
            "Release it: a first release needs no adopting.",
        )
    for name, found in deployments.items():
        if found is not None and not plain.selected(found, plan.written(name)):
            raise CannotStartError(
                f"Deployment {name} selects {inner(found, 'spec', 'selector')}, and the YAML says "
                f"{inner(plan.written(name), 'spec', 'selector')}: it is not the same application.",
                "Name the YAML of what runs here.",
            )
    for name, found in services.items():
        _require_expected(plan, name, found or {})
    return True


def _require_expected(plan: Own, name: str, found: Obj) -> None:
    selector, written = inner(found, "spec", "selector"), plan.written_selector(name)
    if not plain.expected(selector, written, {plain.mark_of(plan.written(one)) for one in plan.names}):
        raise CannotStartError(
            f"Service {name} selects {selector}, and the YAML says {written}.",
            "Name the YAML of what runs here, or give the Service that selector.",
        )


def adopt(desk: Desk, plan: Own) -> str:
    """Take every step that is not taken yet; what was done, in words."""
    with desk.steps.step("set up") as step:
        step.detail = f"{len(environment.set_up(desk.kube, desk.settings))} objects around it"
    desk.traffic.claim()
    desk.deployments.claim()
    there = [one for one in hands.workloads(plan) if desk.kube.get("Deployment", one.name) is not None]
    places = [plain.place_of(desk.kube.get("Service", name) or {}) for name in plan.services]
    colour = next(filter(None, places), BLUE)  # another one where a way back was begun and is given up
    if not all(places):
        _stand_up(desk, plan, there, colour)
        _switch(desk, plan, colour)
    _hand_over(desk, [one for one in there if one.active_only], colour)
    _rest(desk, plan, there)
    return f"{', '.join(f'{one.name} is {one.name}-{colour}' for one in there)}; live traffic is at {colour}"


def _stand_up(desk: Desk, plan: Own, there: list[Workload], colour: Colour) -> None:
    """The colour's Deployments beside the plain ones, at the size that those have."""
    with desk.steps.step(f"stand up {colour}") as step:
        made = []
        if not any(plain.may_reach(desk.kube.get("Service", name) or {}, colour) for name in plan.services):
            _begin_anew(desk, [one for one in there if not one.active_only], colour)
        for workload in there:
            found = desk.kube.get("Deployment", workload.name)
            if found is None or not found["spec"].get("replicas", 1):
                continue  # handed over, in a run before this one
            size = hands.size_of(desk, found)
            _make(desk, workload, as_written(found), 0 if workload.active_only else size, colour)
            made.append((workload, size))
        for workload, size in made:
            if not workload.active_only:
                labels = hands.colour_labels(plan, workload.name, colour)
                hands.await_ready(desk, f"{workload.name}-{colour}", labels, size)
        step.detail = ", ".join(f"{one.name}-{colour}: {0 if one.active_only else size} pods" for one, size in made)


def _begin_anew(desk: Desk, workloads: list[Workload], colour: Colour) -> None:
    """Let a colour's pods go that no Service leads to: a way back that was killed may have told them to drain."""
    for workload in workloads:
        one = hands.of(desk, workload)
        if (one.get(colour) or {"spec": {}})["spec"].get("replicas"):
            one.scale(colour, 0)
            hands.await_gone(desk, one.name(colour), one.labels(colour))


def _make(desk: Desk, workload: Workload, found: Obj, size: int, colour: Colour) -> None:
    """What a plain Deployment runs, in a colour, with a configuration of its own."""
    made = colouring.deployment(found, colour, size, image="")
    app = desk.settings.app_name
    wanted = config_copies.with_own(desk.kube, app, made, desk.traffic.epoch, desk.lock.check)
    one = hands.of(desk, workload)
    standing = one.get(colour)
    if standing is None or not (workload.active_only and standing["spec"].get("replicas")):
        one.put(colour, wanted, desk.traffic.epoch)


def _switch(desk: Desk, plan: Own, colour: Colour) -> None:
    """Live traffic from both kinds of pods to the colour's alone."""
    with desk.steps.step("switch") as step:
        marks = {plain.mark_of(plan.written(name)) for name in plan.names}
        main = hands.workloads(plan)[0]
        hands.await_answers(desk, main, hands.colour_labels(plan, main.name, colour))
        for name in plan.services:
            if plain.place_of(desk.kube.get("Service", name) or {}) is not None:
                continue
            written = plan.written_selector(name)
            selector = {**(plan.service_selector(name) or {}), "version": colour.value}
            hands.point(
                desk,
                name,
                selector,
                lambda found, written=written: plain.expected(inner(found, "spec", "selector"), written, marks),  # type: ignore[misc]
            )
        labels_of = partial(hands.service_labels, plan, version=colour.value)
        asked = hands.await_arrived(desk, list(plan.services), labels_of, f"{colour}'s pods")
        step.detail = f"{', '.join(plan.services)} -> {colour}, {asked} fresh requests"


def _hand_over(desk: Desk, workers: list[Workload], colour: Colour) -> None:
    """Workers that must not run twice: the plain ones end, then the colour's begin."""
    for workload in workers:
        with desk.steps.step("hand a worker over") as step:
            found = desk.kube.get("Deployment", workload.name)
            one = hands.of(desk, workload)
            was = hands.retired_from(one.get(colour)) or hands.retired_from(found)
            size = (hands.size_of(desk, found) if found is not None else 0) or was
            hands.scale_plain(desk, workload.name, 0)
            hands.await_gone(desk, workload.name, plain.not_coloured(workload.selector))
            if not (one.get(colour) or {"spec": {}})["spec"].get("replicas"):
                one.scale(colour, size)
            hands.await_ready(desk, one.name(colour), one.labels(colour), size)
            step.detail = f"{workload.name} stopped, {one.name(colour)} started"


def _rest(desk: Desk, plan: Own, there: list[Workload]) -> None:
    """The plain pods drain and go; their Deployments stay at zero, for the way back."""
    pods = [pod for one in there for pod in desk.kube.list("Pod", labels=hands.plain_labels(plan, one.name))]
    if pods:
        drained = hands.drain(desk, pods, plain.PLAIN)
    with desk.steps.step("put the plain ones to rest") as step:
        for budget in plan.plain_budgets():  # pods may be counted by one only, and blue has its own
            desk.lock.check()
            desk.kube.delete("PodDisruptionBudget", budget["metadata"]["name"])
        for workload in there:
            hands.scale_plain(desk, workload.name, 0)
        for workload in there:
            looks = drained.last_looks if pods else None
            hands.await_gone(desk, workload.name, hands.plain_labels(plan, workload.name), looks)
        step.detail = f"{', '.join(one.name for one in there)} at zero"
