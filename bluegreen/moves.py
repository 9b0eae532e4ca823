"""What can be done to a release under way, whoever does it: its own run, the next run, ``recover`` or ``rollback``.

Each move may be cut off anywhere and made again: it looks at what is there and does the rest. A move never removes a
colour that the live Service selects, and writes the journal before it acts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from bluegreen import baseline, clock, confirm, evidence
from bluegreen.access import Access
from bluegreen.clock import Deadline
from bluegreen.colour import Colour, Obj
from bluegreen.confirm import Target
from bluegreen.deployments import Deployments
from bluegreen.desk import Desk
from bluegreen.errors import HarnessError, NeedsPersonError, TakenOverError, TimeoutExpiredError
from bluegreen.going_back import require_better
from bluegreen.journal import Journal, Step
from bluegreen.kube import Kube
from bluegreen.lock import Lock
from bluegreen.probe.result import REHEARSE_BACK, REHEARSE_FORWARD, SWITCH
from bluegreen.settings import Settings
from bluegreen.steps import Steps
from bluegreen.traffic import Traffic, last_writer, selected, written_here
from bluegreen.verdict import Outcome
from bluegreen.workload import Workload

ROLL_BACK = "roll back"
"""The name of the step that takes live traffic back."""

GONE_TIMEOUT_S = 45.0
"""The longest the pods of a removed candidate are waited for: Kubernetes' grace of 30 s and its preStop hook."""


class HalfSwitchedError(HarnessError):
    """One of several Services could not be moved, and those that had been were taken back."""


def desk(kube: Kube, settings: Settings, out_dir: Path, release_id: str, lock: Lock, steps: Steps) -> Desk:
    """A desk for the holder of this release's epoch."""
    return Desk(
        kube=kube,
        settings=settings,
        out_dir=out_dir,
        lock=lock,
        journal=Journal(kube, settings, release_id, lock.check),
        traffic=Traffic(kube, settings, release_id, lock.check),
        deployments=Deployments(kube, settings, release_id, lock.check),
        access=Access(kube, settings),
        steps=steps,
    )


def claim(desk: Desk) -> tuple[Obj, dict[Colour, dict[str, Obj]]]:
    """Stamp this epoch on the live Service and all Deployments: whoever held the lock before changes nothing now.

    Returns the Service, and the Deployments by colour and name without it.
    """
    return desk.traffic.claim(), desk.deployments.claim()


def each(desk: Desk) -> list[tuple[Workload, Deployments]]:
    """Every Deployment of the release under way, in either colour, and what acts on it; the main one is first."""
    return [(workload, desk.deployments.of(workload)) for workload in desk.record.workloads]


# --- forward ---------------------------------------------------------------------------------------------------------


def switch(desk: Desk) -> None:
    """Move live traffic to the candidate and see it arrive. The journal says that it is being watched afterwards."""
    record = desk.record
    desk.enter(Step.SWITCHING)
    _move(desk, SWITCH, record.live, record.candidate, record.version)
    desk.enter(Step.WATCHING)


def rehearse_forward(desk: Desk) -> None:
    """Move live traffic to the candidate and see it arrive, to move it back again; a killed run is rolled back."""
    record = desk.record
    desk.enter(Step.SWITCHING)
    _move(desk, REHEARSE_FORWARD, record.live, record.candidate, record.version)


def rehearse_back(desk: Desk) -> None:
    """The way back, as a rollback would take it, while nothing is wrong."""
    record = desk.record
    desk.lock.check()
    desk.journal.enter(Step.REHEARSING)  # no hook hears of it: to them a rehearsed switch is one switch
    _move(desk, REHEARSE_BACK, record.candidate, record.live, record.live_version)


def _move(desk: Desk, name: str, before: Colour | None, after: Colour | None, version: str) -> None:
    """Patch, and see it arrive; how long that took is noted. When a Service cannot be moved, none is."""
    deadline = Deadline(desk.settings.rollback_timeout)
    moved: list[str] = []
    with desk.steps.step(name) as step:
        try:
            desk.traffic.move(before, after, moved.append)
        except TakenOverError:
            raise
        except HarnessError as error:
            step.detail = error.sentence
            if moved:
                _compensate(desk, moved, before, after, error)
            raise
        asked = arrived(desk, after, version, deadline) if after is not None else 0
        step.detail = f"live traffic {before or 'nobody'} -> {after or 'nobody'}, {asked} fresh requests"
    way = {"from": before and str(before), "to": after and str(after)}
    desk.moved.append({"mark": name, **way, "confirmed_after_s": round(step.duration_s, 3)})


def _compensate(desk: Desk, moved: list[str], before: Colour | None, after: Colour | None, why: HarnessError) -> None:
    """Take the Services that moved back to where they were, because another one could not be moved; all or none.

    Raises HalfSwitchedError, which says what was done.
    """
    with desk.steps.step("compensate") as step:
        for name in reversed(moved):
            desk.traffic.move_one(name, after, before)
        step.detail = f"{', '.join(moved)} moved back to {before or 'nobody'}"
    raise HalfSwitchedError(
        f"Not all Services could be moved: {why.sentence} {', '.join(moved)} had moved and went back to "
        f"{before or 'nobody'}.",
        why.remedy,
    ) from why


def arrived(desk: Desk, colour: Colour, version: str, deadline: Deadline) -> int:
    """Wait until live traffic is at a colour, by EndpointSlices and by fresh requests; returns how many were made."""
    for service in desk.traffic.services():
        name = service["metadata"]["name"]
        awaited = f"Service {name} has only {colour}'s pods"
        confirm.endpoints(desk.kube, name, partial(desk.traffic.pods, service, colour), deadline, awaited)
    return confirm.answers(target(desk, version), deadline)


def target(desk: Desk, version: str) -> Target:
    """The live address and what must answer there."""
    address, settings = desk.access.live(), desk.settings
    return Target(address.host, address.port, settings.health_path, settings.version_header, version)


def finish(desk: Desk, retire: Callable[[Desk, Colour], None]) -> None:
    """After verification: let the old colour drain and go, and free the candidate's autoscaler."""
    record = desk.record
    if record.step is not Step.RETIRING:
        desk.enter(Step.RETIRING)
    for service in desk.traffic.services():
        if selected(service) is not record.candidate:
            raise NeedsPersonError(
                f"Release {record.id} was verified on {record.candidate}, but live traffic of Service "
                f"{service['metadata']['name']} is at {selected(service) or 'nobody'}; "
                f"{last_writer(service)} moved it.",
                "Decide which colour shall serve; `bluegreen status` shows both. Nothing was retired.",
            )
    desk.traffic.preview(None)
    if record.live is not None:
        retire(desk, record.live)
    for workload, deployments in each(desk):
        if not workload.released:  # of an earlier release of this colour, which there is no return to any more
            deployments.delete(record.candidate)
        if record.live is not None:
            deployments.free(record.live, workload.bounds)
        deployments.free(record.candidate, workload.bounds)
    desk.deployments.collect_configuration()
    desk.close(Outcome.SWITCHED)


def keep(desk: Desk, delay_s: float) -> None:
    """After verification: the release is over, and the old colour stays at full size for a while.

    Its autoscaler's minimum is pinned to its size, or no traffic would shrink it. The journal tells who comes next.
    """
    record = desk.record
    desk.traffic.require(record.candidate)
    with desk.steps.step("keep the old colour") as step:
        until = clock.timestamp_in(delay_s)
        desk.rest(Step.KEPT, Outcome.SWITCHED, kept_until=until)
        for workload, deployments in each(desk):
            if record.live is not None:
                deployments.guard(record.live, max(1, deployments.size(record.live)))
            deployments.free(record.candidate, workload.bounds)
        desk.traffic.preview(None)
        step.detail = f"{record.live} stays at full size until {until}"


# --- back ------------------------------------------------------------------------------------------------------------


def revert(desk: Desk, reason: str, outcome: Outcome) -> None:
    """Before the switch: take the candidate away and leave everything as it was.

    Raises NeedsPersonError afterwards when somebody else has moved live traffic meanwhile.
    """
    desk.enter(Step.REVERTING, reason)
    _take_away(desk)
    desk.close(outcome)
    _require_served(desk)


def refuse(desk: Desk, reason: str, outcome: Outcome) -> None:
    """Before the switch: leave a refused candidate standing behind the preview Service, to be looked at or retried."""
    colour = desk.record.candidate
    with desk.steps.step("capture evidence"):
        desk.evidence[str(colour)] = evidence.capture(desk.kube, desk.settings, colour, desk.out_dir)
    desk.rest(Step.REFUSED, outcome, reason)
    desk.steps.progress(f"{colour} stays for `bluegreen retry`; the next release or `bluegreen recover` takes it away")


def roll_back(desk: Desk, reason: str, outcome: Outcome = Outcome.ROLLED_BACK) -> None:
    """After the switch: move live traffic back at once, then take the candidate away.

    Raises NeedsPersonError, and leaves traffic where it is, when the old colour cannot serve.
    """
    record = desk.record
    desk.enter(Step.ROLLING_BACK, reason)
    deadline = Deadline(desk.settings.rollback_timeout)
    with desk.steps.step(ROLL_BACK) as step:
        if record.live is None:
            desk.traffic.move_back(record.candidate, None)
            for service in desk.traffic.live_names:
                confirm.nobody(desk.kube, service, deadline)
            step.detail = "live traffic to nobody, as before this first release"
        elif at := desk.traffic.at(record.candidate):
            _go_back(desk, at, record.live, deadline)
            part = "" if len(at) == len(desk.traffic.live_names) else f" ({_names(at)}, where alone it was)"
            step.detail = f"live traffic {record.candidate} -> {record.live}{part}: {reason}"
        else:
            step.detail = f"live traffic is not at {record.candidate}: {reason}"
    _take_away(desk)
    desk.close(outcome)
    _require_served(desk)


def _require_served(desk: Desk) -> None:
    """Raise NeedsPersonError when somebody else left live traffic where this release did not find it."""
    old = desk.record.live
    for service in desk.traffic.services():
        if selected(service) is not old:
            raise NeedsPersonError(
                f"The candidate is removed, but Service {service['metadata']['name']} selects "
                f"{selected(service) or 'nobody'} and not {old or 'nobody'}, as before this release; "
                f"{last_writer(service)} wrote it.",
                "Decide which colour shall serve, and set the Service's selector; `bluegreen status` shows both.",
            )


def _names(services: list[Obj]) -> str:
    return ", ".join(str(service["metadata"]["name"]) for service in services)


def _require_own(desk: Desk, service: Obj) -> None:
    """Raise NeedsPersonError when somebody else moved live traffic to the candidate: what is theirs stays theirs."""
    if not written_here(service):
        raise NeedsPersonError(
            f"Live traffic is at {desk.record.candidate}, but {last_writer(service)} moved it there, not this release.",
            f"Decide which colour shall serve. To go back: set the selector's version to {desk.record.live}, then "
            f"`bluegreen recover`; to stay: delete ConfigMap {desk.journal.name}, which holds this release.",
        )


def _go_back(desk: Desk, at: list[Obj], old: Colour, deadline: Deadline) -> None:
    """Move live traffic to the old colour when that is safe, and see it arrive; ``at``: the Services that moved."""
    record = desk.record
    for service in at:
        _require_own(desk, service)
    require_better(desk, old, target(desk, record.live_version), deadline)
    try:
        desk.traffic.move_back(record.candidate, old)
        arrived(desk, old, record.live_version, deadline)
    except HarnessError as error:
        raise NeedsPersonError(
            f"Live traffic could not be moved back to {old}: {error.sentence}",
            f"Live traffic is at {_where(desk)}. Look at both colours (`bluegreen status`), then `bluegreen recover`.",
        ) from error


def _where(desk: Desk) -> str:
    try:
        return str(desk.traffic.live() or "nobody")
    except HarnessError as error:
        return f"an unknown place ({error.sentence})"


def _take_away(desk: Desk) -> None:
    """Capture what the candidate looks like, then put back what was there before it."""
    record, colour = desk.record, desk.record.candidate
    require_idle(desk, colour)
    if any(deployments.get(colour) is not None for _, deployments in each(desk)):
        with desk.steps.step("capture evidence"):
            desk.evidence[str(colour)] = evidence.capture(desk.kube, desk.settings, colour, desk.out_dir)
    with desk.steps.step("remove candidate") as step:
        desk.traffic.preview(None)
        baseline.remove(desk.kube, desk.settings.app_name)
        for workload, deployments in each(desk):
            if workload.before is None:
                deployments.delete(colour)
            else:
                deployments.put_back(colour, workload.before, record.id)
            deployments.free(colour, workload.bounds)
        desk.deployments.collect_configuration()
        step.detail = _await_gone(desk, colour)


def require_idle(desk: Desk, colour: Colour) -> None:
    """Raise NeedsPersonError when live traffic is at a colour that is about to be removed."""
    desk.lock.check()
    for service in desk.traffic.at(colour):
        name = service["metadata"]["name"]
        raise NeedsPersonError(
            f"{colour} was to be removed, but the live Service {name} selects it; {last_writer(service)} wrote that.",
            "Something else moved live traffic. Look at `bluegreen status`, decide, then run `bluegreen recover`.",
        )


def _await_gone(desk: Desk, colour: Colour) -> str:
    """Wait until no more pods of a colour are left than may remain; what became of them, in words."""
    workloads = desk.record.workloads
    sizes = {w.name: int(w.before["spec"].get("replicas", 1)) if w.before else 0 for w in workloads}
    deadline = Deadline(GONE_TIMEOUT_S)
    try:
        for workload in workloads:
            if not sizes[workload.name]:
                await_no_pods(desk, workload, colour, deadline)
    except TimeoutExpiredError as error:
        return error.sentence
    if any(sizes.values()):
        return f"{colour} is as it was before, with {sum(sizes.values())} pods"
    new = all(workload.before is None for workload in workloads)
    return f"{colour} is gone" if new else f"{colour} is as it was before, at zero"


def await_no_pods(
    desk: Desk, workload: Workload, colour: Colour, deadline: Deadline, on_tick: Callable[[], None] | None = None
) -> None:
    """Wait until no pod of a Deployment is left in a colour, those on their way out included."""
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
