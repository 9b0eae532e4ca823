"""Undoing an adoption: from the live colour to a plain Deployment behind the Service, while it serves.

The plain Deployment runs what the live colour runs, whatever was released since. Its pods carry ``version`` too, so the
Service can be moved to them in one patch as a release moves it; once no colour is left, it selects what the team wrote.
"""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Any

from bluegreen import config_copies, fence
from bluegreen.adoption import hands, plain
from bluegreen.applying import bring_about
from bluegreen.colour import Colour
from bluegreen.config_copies import COPIED_FROM, COPY, Key
from bluegreen.deployments import MANAGER, RETIRED_FROM
from bluegreen.desk import Desk
from bluegreen.errors import CannotStartError
from bluegreen.fence import Op
from bluegreen.kube import Kube, NotFound
from bluegreen.plan.application import inner
from bluegreen.plan.own import Own
from bluegreen.workload import Workload

Obj = dict[str, Any]


def require_undoable(kube: Kube, plan: Own) -> bool:
    """Whether there is anything to do. Raises CannotStartError with what does not fit; reads only."""
    services = {name: kube.get("Service", name) for name in plan.services}
    for name, found in services.items():
        if found is None:
            raise CannotStartError(f"There is no Service {name}.", "Bring it back, then start again.")
    coloured = [f"{name}-{colour}" for name in plan.names for colour in Colour]
    left = any(kube.get("Deployment", name) is not None for name in coloured)
    left = left or any(kube.get("Service", f"{name}-preview") is not None for name in plan.services)
    as_written = all(inner(s, "spec", "selector") == plan.written_selector(n) for n, s in services.items())
    for name in plan.names:
        found = kube.get("Deployment", name)
        if found is not None and not plain.selected(found, plan.written(name)):
            raise CannotStartError(
                f"Deployment {name} is there and selects {inner(found, 'spec', 'selector')}, not as the YAML says; a "
                "Deployment's selector cannot be changed.",
                "Delete it where it serves nobody, then start again.",
            )
    return left or not as_written


def undo(desk: Desk, plan: Own) -> str:
    """Take every step that is not taken yet; what was done, in words."""
    desk.traffic.claim()
    found = desk.deployments.claim()
    live = _live(desk, plan)
    if live is not None:
        ours = [one for one in hands.workloads(plan) if one.name in found[live]]
        _stand_up(desk, plan, ours, live)
        _hand_back(desk, [one for one in ours if one.active_only], live)
        _switch(desk, plan, live)
    names = sorted({name for one in found.values() for name in one})
    _take_colours_away(desk, plan, names)
    with desk.steps.step("let the Services be as they were") as step:
        _put_the_rest_back(desk, plan)
        for name in plan.services:
            hands.point(desk, name, plan.written_selector(name), lambda _: True)
        step.detail = ", ".join(plan.services)
    return ", ".join(plan.names)


def _live(desk: Desk, plan: Own) -> Colour | None:
    """The colour that any live Service still selects."""
    places = (plain.place_of(desk.kube.get("Service", name) or {}) for name in plan.services)
    return next((place for place in places if place is not None), None)


def _stand_up(desk: Desk, plan: Own, ours: list[Workload], live: Colour) -> None:
    """The plain Deployments beside the live colour's, at the size that those have."""
    with desk.steps.step("stand the plain ones up") as step:
        sizes = []
        if all(plain.place_of(desk.kube.get("Service", name) or {}) is live for name in plan.services):
            _begin_anew(desk, [one for one in ours if not one.active_only])
        for workload in ours:
            serving = hands.of(desk, workload).get(live)
            if serving is None:
                continue
            size = hands.of(desk, workload).size(live) or hands.retired_from(serving)
            _put(desk, plan, workload, serving, 0 if workload.active_only else size)
            sizes.append((workload, size))
        for workload, size in sizes:
            if not workload.active_only:
                mark = plain.mark_of(plan.written(workload.name))
                hands.await_ready(desk, workload.name, f"{workload.selector},version={mark}", size)
        main = ours[0]
        hands.await_answers(desk, main, f"{main.selector},version={plain.mark_of(plan.written(main.name))}")
        step.detail = ", ".join(f"{one.name}: {0 if one.active_only else size} pods" for one, size in sizes)


def _begin_anew(desk: Desk, workloads: list[Workload]) -> None:
    """Let plain pods go that no Service leads to: an adoption that was killed may have told them to drain."""
    for workload in workloads:
        found = desk.kube.get("Deployment", workload.name)
        if found is not None and found["spec"].get("replicas", 1):
            hands.scale_plain(desk, workload.name, 0)
            hands.await_gone(desk, workload.name, plain.not_coloured(workload.selector))


def _put(desk: Desk, plan: Own, workload: Workload, serving: Obj, size: int) -> None:
    """Make a plain Deployment of a colour's, or give the one that rests that content."""
    wanted = plain.of_colour(serving, plan.written(workload.name), size)
    wanted = config_copies.renamed(wanted, _originals(desk, wanted))
    desk.lock.check()
    if desk.kube.get("Deployment", workload.name) is None:
        fence.create(desk.kube, wanted, ours=lambda _: True, otherwise=lambda _: NotFound("it is there"))
        return

    def decide(found: Obj) -> list[Op]:
        desk.lock.check()
        noted = plain.noted_on(found).items() if workload.active_only else ()  # its size, should this be cut off
        kept = {key: value for key, value in noted if key == RETIRED_FROM}
        return [
            {"op": "add", "path": "/metadata/annotations", "value": {**wanted["metadata"]["annotations"], **kept}},
            {"op": "replace", "path": "/spec", "value": wanted["spec"]},
        ]

    def landed(found: Obj) -> bool:  # what is wanted came from the same server, with its defaults
        same: bool = found["spec"]["template"] == wanted["spec"]["template"]
        return same and (workload.active_only or found["spec"].get("replicas") == size)

    there = desk.kube.get("Deployment", workload.name) or {"spec": {}}
    if workload.active_only and there["spec"].get("replicas") and not landed(there):
        hands.scale_plain(desk, workload.name, 0)  # replaced while it runs, it would run twice
        hands.await_gone(desk, workload.name, plain.not_coloured(workload.selector))
    fence.patch(desk.kube, "Deployment", workload.name, decide, landed=landed, manager=MANAGER)


def _originals(desk: Desk, deployment: Obj) -> dict[Key, str]:
    """The names that copies of configuration had, each object there with the content that the live colour uses."""
    names: dict[Key, str] = {}
    for kind, name in config_copies.used_by(deployment):
        copied = desk.kube.get(kind, name)
        if copied is None or COPY not in (copied["metadata"].get("labels") or {}):
            continue
        original = copied["metadata"]["annotations"][COPIED_FROM]
        content: Obj = {key: copied[key] for key in ("data", "binaryData", "type") if key in copied}
        there = desk.kube.get(kind, original)
        desk.lock.check()
        if there is None:
            made = {"apiVersion": "v1", "kind": kind, "metadata": {"name": original}, **content}
            fence.create(desk.kube, made, ours=lambda _: True, otherwise=lambda _: NotFound("it is there"))
        elif any(there.get(key) != value for key, value in content.items()):
            if there.get("immutable"):
                continue  # then the plain Deployment goes on with the copy
            _give_content(desk, kind, original, content)
        names[kind, name] = original
    return names


def _give_content(desk: Desk, kind: str, name: str, content: Obj) -> None:
    """Let a ConfigMap or Secret hold what the live colour was released with."""

    def decide(_: Obj) -> list[Op]:
        desk.lock.check()
        return [{"op": "add", "path": f"/{key}", "value": value} for key, value in content.items() if key != "type"]

    def landed(found: Obj) -> bool:
        return all(found.get(key) == value for key, value in content.items())

    fence.patch(desk.kube, kind, name, decide, landed=landed, manager=MANAGER)


def _switch(desk: Desk, plan: Own, live: Colour) -> None:
    """Live traffic from the colour to the plain pods, in one patch a Service."""
    with desk.steps.step("switch") as step:
        marks = {name: _mark(plan, name) for name in plan.services}
        for name, mark in marks.items():
            selector = {**(plan.service_selector(name) or {}), "version": mark}
            hands.point(desk, name, selector, lambda found: plain.place_of(found) in (live, None))

        labels_of = partial(_labels_at, plan, marks)
        asked = hands.await_arrived(desk, list(plan.services), labels_of, "the plain pods")
        step.detail = f"{', '.join(plan.services)}: {live} -> the plain pods, {asked} fresh requests"


def _labels_at(plan: Own, marks: dict[str, str], name: str) -> str:
    return hands.service_labels(plan, name, marks[name])


def _mark(plan: Own, service: str) -> str:
    """What tells the plain pods that a Service leads to."""
    led_to = next(name for name in plan.names if plan.leads_to(service, name))
    return plain.mark_of(plan.written(led_to))


def _hand_back(desk: Desk, workers: list[Workload], live: Colour) -> None:
    """Workers that must not run twice: the colour's end, then the plain ones begin."""
    for workload in workers:
        with desk.steps.step("hand a worker back") as step:
            one = hands.of(desk, workload)
            was = hands.retired_from(one.get(live)) or hands.retired_from(desk.kube.get("Deployment", workload.name))
            size = one.size(live) or was
            one.scale(live, 0)
            hands.await_gone(desk, one.name(live), one.labels(live))
            hands.scale_plain(desk, workload.name, size)
            hands.await_ready(desk, workload.name, plain.not_coloured(workload.selector), size)
            step.detail = f"{one.name(live)} stopped, {workload.name} started"


def _take_colours_away(desk: Desk, plan: Own, names: list[str]) -> None:
    """Both colours' pods drain and go, with their Deployments and what belongs to those."""
    known = {one.name: one for one in hands.workloads(plan)}
    gone = [known[name] for name in names if name in known]
    pods = [pod for one in gone for colour in Colour for pod in hands.of(desk, one).pods(colour)]
    drained = hands.drain(desk, pods, "both") if pods else None
    with desk.steps.step("take the colours away") as step:
        for workload in gone:
            for colour in Colour:
                hands.of(desk, workload).delete(colour)
        for workload in gone:
            for colour in Colour:
                one = hands.of(desk, workload)
                hands.await_gone(desk, one.name(colour), one.labels(colour), drained.last_looks if drained else None)
        for kind, name in plan.coloured_around():
            desk.lock.check()
            with contextlib.suppress(NotFound):
                desk.kube.delete(kind, name)
        desk.deployments.collect_configuration()
        step.detail = ", ".join(f"{one.name}-{colour}" for one in gone for colour in Colour)


def _put_the_rest_back(desk: Desk, plan: Own) -> None:
    """Autoscalers and disruption budgets of the plain Deployments, where they are not there any more."""
    for obj in plan.plain_around():
        if desk.kube.get(obj["kind"], obj["metadata"]["name"]) is None:
            desk.lock.check()
            bring_about(desk.kube, obj)
