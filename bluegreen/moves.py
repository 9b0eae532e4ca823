"""What can be done to a release under way, whoever does it: its own run, the next run, ``recover`` or ``rollback``.

Each move may be cut off anywhere and made again: it looks at what is there and does the rest. A move never removes a
colour that the live Service selects, and writes the journal before it acts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from bluegreen import baseline, clock, confirm, evidence, leaving, workers
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
from bluegreen.live_object import LiveObject, Ref
from bluegreen.lock import Lock
from bluegreen.observability import observers
from bluegreen.probe.result import REHEARSE_BACK, REHEARSE_FORWARD, SWITCH
from bluegreen.settings import Settings
from bluegreen.steps import Steps
from bluegreen.traffic import Traffic
from bluegreen.verdict import Outcome
from bluegreen.ways import wholly
from bluegreen.workload import Workload

ROLL_BACK = "roll back"
"""The name of the step that takes live traffic back."""

GONE_TIMEOUT_S = 45.0
"""The longest the pods of a removed candidate are waited for: Kubernetes' grace of 30 s and its preStop hook."""


ROUTE_PAUSE_S = 0.02
"""A choice: pause between two looks at a route that is not followed yet, doubled up to a quarter of a second."""


class HalfSwitchedError(HarnessError):
    """One of several objects could not be moved, and those that had been were taken back."""


def desk(kube: Kube, settings: Settings, out_dir: Path, release_id: str, lock: Lock, steps: Steps) -> Desk:
    """A desk for the holder of this release's epoch."""
    watching = observers(kube, settings, steps, steps.progress)
    return Desk(
        kube=kube,
        settings=settings,
        out_dir=out_dir,
        lock=lock,
        journal=Journal(kube, settings, release_id, lock.check, watching.entered),
        traffic=Traffic(kube, settings, release_id, lock.check),
        deployments=Deployments(kube, settings, release_id, lock.check),
        access=Access(kube, settings),
        steps=steps,
        observers=watching,
    )


def claim(desk: Desk) -> dict[Colour, dict[str, Obj]]:
    """Stamp this epoch on what steers live traffic and on all Deployments: whoever held the lock changes nothing now.

    Returns the Deployments by colour and name without it.
    """
    desk.traffic.claim()
    return desk.deployments.claim()


def each(desk: Desk) -> list[tuple[Workload, Deployments]]:
    """Every Deployment of the release under way, in either colour, and what acts on it; the main one is first."""
    return [(workload, desk.deployments.of(workload)) for workload in desk.record.workloads]


# --- forward ---------------------------------------------------------------------------------------------------------


def switch(desk: Desk, share_out: Callable[[], int] = lambda: 0) -> None:
    """Move live traffic to the candidate and see it arrive. The journal says that it is being watched afterwards.

    ``share_out``: gives the candidate a part of it before, and says how many per cent it was at last.
    """
    record = desk.record
    desk.enter(Step.SWITCHING)
    percent = share_out()
    workers.hand_over(desk)
    _move(desk, SWITCH, record.live, record.candidate, record.version, percent)
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


def _move(desk: Desk, name: str, before: Colour | None, after: Colour | None, version: str, percent: int = 0) -> None:
    """Patch, and see it arrive; how long that took is noted. When one of several cannot be moved, none is.

    ``percent``: how much is at ``after`` already.
    """
    deadline = Deadline(desk.settings.rollback_timeout)
    moved: list[Ref] = []
    with desk.steps.step(name) as step:
        try:
            desk.traffic.move(before, after, moved.append, percent)
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


def _compensate(desk: Desk, moved: list[Ref], before: Colour | None, after: Colour | None, why: HarnessError) -> None:
    """Take what moved back to where it was, because something else could not be moved; all or none.

    Raises HalfSwitchedError, which says what was done.
    """
    names = ", ".join(name for _, name in moved)
    with desk.steps.step("compensate") as step:
        for ref in reversed(moved):
            desk.traffic.move_one(ref, wholly(after), wholly(before))
        step.detail = f"{names} moved back to {before or 'nobody'}"
    raise HalfSwitchedError(
        f"Not all of live traffic could be moved: {why.sentence} {names} had moved and went back to "
        f"{before or 'nobody'}.",
        why.remedy,
    ) from why


def arrived(desk: Desk, colour: Colour, version: str, deadline: Deadline) -> int:
    """Wait until live traffic is at a colour, by EndpointSlices and by fresh requests; returns how many were made."""
    for service in desk.traffic.behind(colour):
        name = service["metadata"]["name"]
        awaited = f"Service {name} has only {colour}'s pods"
        confirm.endpoints(desk.kube, name, partial(desk.traffic.pods, service, colour), deadline, awaited)
    followed(desk, deadline)
    return confirm.answers(target(desk, version), deadline)


def followed(desk: Desk, deadline: Deadline) -> None:
    """Wait until whoever routes by the routes follows them as they are now, as far as it says so.

    Raises RefusedRouteError when it refuses, TimeoutExpiredError with what it has not said.
    """
    for ref in desk.traffic.routes:
        pause_s = ROUTE_PAUSE_S
        while said := (live := desk.traffic.object(ref)).pending():
            if deadline.expired:
                raise TimeoutExpiredError(f"{live.title} is followed", deadline.seconds, said)
            clock.sleep_s(min(pause_s, deadline.remaining_s))
            pause_s = min(2 * pause_s, 0.25)


def target(desk: Desk, version: str) -> Target:
    """The live address and what must answer there."""
    address, settings = desk.access.live(), desk.settings
    where = address.host, address.port, settings.health_path
    return Target(*where, settings.version_header, version, address.authority, address.tls)


def finish(desk: Desk, retire: Callable[[Desk, Colour], None]) -> None:
    """After verification: let the old colour drain and go, and free the candidate's autoscaler."""
    record = desk.record
    if record.step is not Step.RETIRING:
        desk.enter(Step.RETIRING)
    for live in desk.traffic.objects():
        if live.place() is not record.candidate:
            desk.traffic.require_not_taken_over(live)
            raise NeedsPersonError(
                f"Release {record.id} was verified on {record.candidate}, but live traffic of {live.title} is at "
                f"{live.told()}; {live.last_writer} moved it.",
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
    _capture(desk, colour)
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
            part = "" if len(at) == len(desk.traffic.refs) else f" ({_names(at)}, where alone it was)"
            step.detail = f"live traffic {record.candidate} -> {record.live}{part}: {reason}"
        else:
            step.detail = f"live traffic is not at {record.candidate}: {reason}"
    workers.hand_back(desk)
    _take_away(desk)
    desk.close(outcome)
    _require_served(desk)


def _require_served(desk: Desk) -> None:
    """Raise NeedsPersonError when somebody else left live traffic where this release did not find it."""
    old = desk.record.live
    for live in desk.traffic.objects():
        if live.place() is not old:
            desk.traffic.require_not_taken_over(live)
            raise NeedsPersonError(
                f"The candidate is removed, but {live.title} sends live traffic to {live.told()} and not to "
                f"{old or 'nobody'}, as before this release; {live.last_writer} wrote it.",
                f"Decide which colour shall serve, and let {live.title} say so; `bluegreen status` shows both.",
            )


def _names(objects: list[LiveObject]) -> str:
    return ", ".join(live.ref[1] for live in objects)


def _require_own(desk: Desk, live: LiveObject) -> None:
    """Raise NeedsPersonError when somebody else moved live traffic to the candidate: what is theirs stays theirs."""
    if not live.moved_here:
        raise NeedsPersonError(
            f"Live traffic is at {desk.record.candidate}, but {live.last_writer} moved it there, not this release.",
            f"Decide which colour shall serve. To go back: let {live.title} send all of it to {desk.record.live}, then "
            f"`bluegreen recover`; to stay: delete ConfigMap {desk.journal.name}, which holds this release.",
        )


def _go_back(desk: Desk, at: list[LiveObject], old: Colour, deadline: Deadline) -> None:
    """Move live traffic to the old colour when that is safe, and see it arrive; ``at``: what had moved."""
    record = desk.record
    for live in at:
        _require_own(desk, live)
    try:
        require_better(desk, old, target(desk, record.live_version), deadline)
    except NeedsPersonError:
        for live in desk.traffic.objects():  # a newer release may have retired the old colour: then it is in charge
            desk.traffic.require_not_taken_over(live)
        raise
    try:
        desk.traffic.move_back(record.candidate, old)
        arrived(desk, old, record.live_version, deadline)
    except TakenOverError:
        raise
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
        _capture(desk, colour)
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


def _capture(desk: Desk, colour: Colour) -> None:
    workloads = desk.record.workloads
    with desk.steps.step("capture evidence"):
        desk.evidence[str(colour)] = evidence.capture(desk.kube, desk.settings, colour, desk.out_dir, workloads)


def require_idle(desk: Desk, colour: Colour) -> None:
    """Raise NeedsPersonError when live traffic is at a colour that is about to be removed."""
    desk.lock.check()
    for live in desk.traffic.at(colour):
        desk.traffic.require_not_taken_over(live)
        raise NeedsPersonError(
            f"{colour} was to be removed, but {live.title} sends live traffic to it; {live.last_writer} wrote that.",
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
                leaving.await_no_pods(desk, workload, colour, deadline)
    except TimeoutExpiredError as error:
        return error.sentence
    if any(sizes.values()):
        return f"{colour} is as it was before, with {sum(sizes.values())} pods"
    new = all(workload.before is None for workload in workloads)
    return f"{colour} is gone" if new else f"{colour} is as it was before, at zero"
