"""``bluegreen adopt``: take over an application that runs as a plain Deployment behind a Service; ``--undo`` goes back.

One command each, while users are served. Each looks at where things stand and takes the steps that are left: killed
anywhere, it is run again, or the other one is. Neither writes to the journal before it is done, so that nothing else
takes a half-way state for a release to be mended.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from bluegreen import clock, moves, recovery
from bluegreen.adoption import back, forward, hands
from bluegreen.deployments import image_of
from bluegreen.desk import Desk
from bluegreen.errors import CannotStartError
from bluegreen.journal import Journal, Record, Step
from bluegreen.kube import Kube
from bluegreen.lock import Lock
from bluegreen.origin import origin
from bluegreen.plan import plan_of
from bluegreen.plan.own import Own
from bluegreen.settings import Settings
from bluegreen.steps import Steps
from bluegreen.verdict import Outcome

__all__ = ["adopt", "undo"]


def adopt(settings: Settings, kube: Kube, progress: Callable[[str], None] = print) -> str:
    """Adopt what runs, as far as it is not yet; what was done, in words.

    Raises CannotStartError where nothing was changed, and HarnessError with what could not be gone on with.
    """
    plan = _plan(settings, kube)
    if not forward.require_adoptable(kube, plan):
        return "Nothing to adopt: the application has its colours already."
    desk = _desk(settings, kube, "adopt", progress)
    desk.lock.take()
    with desk.attended():
        desk.journal.claim()
        done = forward.adopt(desk, plan)
        desk.journal.open(_record(desk, plan))
    return f"Adopted: {done}. `bluegreen adopt --undo` goes back."


def undo(settings: Settings, kube: Kube, progress: Callable[[str], None] = print) -> str:
    """Go back to plain Deployments, as far as it is not done yet; what was done, in words. Raises as ``adopt``."""
    plan = _plan(settings, kube)
    if not back.require_undoable(kube, plan):
        return "Nothing to undo: the application has no colours."
    desk = _desk(settings, kube, "adopt --undo", progress)
    desk.lock.take()
    with desk.attended():
        desk.journal.claim()
        done = back.undo(desk, plan)
    return f"Undone: {done} run as plain Deployments again, and what was live before is what they run."


def _plan(settings: Settings, kube: Kube) -> Own:
    """The application's own YAML. Raises CannotStartError for templates, and while a release is to be mended."""
    plan = plan_of(settings)
    if not isinstance(plan, Own):
        raise CannotStartError(
            "MANIFESTS names no application as it is: only one whose own YAML is known can be adopted.",
            "Name a directory with its Deployments and Services: --manifests DIR.",
        )
    record = Journal(kube, settings).read()
    moved = record.moved_besides.split() if record is not None else []
    if settings.routes or any("/" in word and not word.startswith("Service/") for word in moved):
        raise CannotStartError(
            "Traffic is switched by routes (SWITCH_BY), and an adoption moves Services alone.",
            "Let the routes' backends lead to the live Services themselves, release once with SWITCH_BY=selector, then "
            "start again.",
        )
    if record is not None and (record.unfinished or record.step is Step.KEPT):
        command = "bluegreen retire --now" if record.step is Step.KEPT else "bluegreen recover"
        raise CannotStartError(f"Release {record.id} is {record.step}.", f"Run `{command}` first.")
    return plan


def _desk(settings: Settings, kube: Kube, what: str, progress: Callable[[str], None]) -> Desk:
    run_id = recovery.new_id()
    lock = Lock(kube, settings, recovery.identity(run_id, what))
    out_dir = settings.reports_dir / f"{run_id}-{what.split()[0]}"
    return moves.desk(kube, settings, out_dir, run_id, lock, Steps(progress))


def _record(desk: Desk, plan: Own) -> Record:
    """What the journal keeps of an adoption: a release that is over."""
    colour = desk.traffic.live() or forward.BLUE
    main = desk.deployments.get(colour)
    now, image = clock.timestamp(), image_of(main)
    workloads = hands.workloads(plan)
    size = desk.deployments.size(colour)
    return Record(
        id=desk.traffic.epoch,
        step=Step.CLOSED,
        image=image,
        version="",
        candidate=colour,
        live=None,
        live_image="",
        live_version="",
        replicas=size,
        started_at=now,
        started_by=origin(os.environ),
        outcome=str(Outcome.SWITCHED),
        reason="bluegreen adopt",
        ended_at=now,
        times={Step.WATCHING.value: now, Step.CLOSED.value: now},
        moved_besides=desk.traffic.moved_besides,
        workloads=tuple(
            replace(workload, replicas=hands.of(desk, workload).size(forward.BLUE)) for workload in workloads
        ),
    )
