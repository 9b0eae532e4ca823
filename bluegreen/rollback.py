"""``bluegreen rollback``: bring the colour that served before back to full size, check it, and move live traffic to it.

It is a release of a colour that is already there: the same lock, journal and switch, so that it can be killed and
mended like any other. Nothing is switched to a colour that does not stand and answer as the version it was.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from bluegreen import clock, confirm, moves, recovery, standing
from bluegreen.clock import Deadline
from bluegreen.deployments import fingerprint, image_of
from bluegreen.desk import Desk
from bluegreen.errors import CannotStartError, HarnessError, NeedsPersonError
from bluegreen.intent import version_of
from bluegreen.journal import Record, Step
from bluegreen.kube import Kube
from bluegreen.lock import Lock
from bluegreen.origin import origin
from bluegreen.retire import retire
from bluegreen.roster import Found, roster
from bluegreen.settings import Settings
from bluegreen.steps import Steps
from bluegreen.verdict import Outcome


class RefusedError(HarnessError):
    """The colour that served before does not serve now: live traffic stays where it is."""


def roll_back(settings: Settings, kube: Kube, progress: Callable[[str], None] = print) -> str:
    """Switch live traffic back to the other colour; the sentence that says what was done.

    Raises CannotStartError when there is nothing to go back to, RefusedError when that does not serve (live traffic
    never moved), and NeedsPersonError when neither colour is safe.
    """
    run_id = recovery.new_id()
    lock = Lock(kube, settings, recovery.identity(run_id, "rollback"))
    desk = moves.desk(kube, settings, settings.reports_dir / f"{run_id}-rollback", run_id, lock, Steps(progress))
    lock.take()
    with desk.attended():
        try:
            recovery.claim_and_mend(desk, leave=lambda left: left.step is Step.KEPT)
            found = moves.claim(desk)
            record = _record(desk, run_id, found)
            desk.journal.open(record)
            _run(desk, record)
        except KeyboardInterrupt:  # what was begun is done before this ends
            recovery.mend(desk)
            ended = desk.journal.record
            if ended is None or (ended.id, ended.outcome) != (run_id, str(Outcome.SWITCHED)):
                raise
    return f"Rolled back: live traffic is at {record.candidate} ({record.image}), with {record.replicas} pods."


def _record(desk: Desk, run_id: str, found: Found) -> Record:
    """The release of the colour that served before."""
    live = desk.traffic.live()
    if live is None:
        raise CannotStartError("Nothing serves, so there is nothing to roll back.", "Run a release.")
    desk.traffic.join(live)
    old = live.other
    deployment, serving = (found[colour].get(desk.deployments.workload) for colour in (old, live))
    if deployment is None:
        raise CannotStartError(
            f"There is no Deployment {desk.deployments.name(old)} to go back to.",
            "Release the image that served before; RETIRE=scale keeps the old colour.",
        )
    image = image_of(deployment)
    workloads = roster(desk.deployments, old, live, found, resumed=True)
    return Record(
        id=run_id,
        step=Step.OPENED,
        image=image,
        version=version_of(desk.journal.history, image) if desk.settings.version_header else "",
        candidate=old,
        live=live,
        live_image=image_of(serving),
        live_version=confirm.ask(moves.target(desk, "")).version,
        replicas=workloads[0].replicas,
        started_at=clock.timestamp(),
        started_by=origin(os.environ),
        reason="bluegreen rollback",
        times={Step.OPENED.value: clock.timestamp()},
        live_template=fingerprint(serving),
        leaves_bad=True,
        moved_besides=desk.traffic.moved_besides,
        workloads=workloads,
    )


def _run(desk: Desk, record: Record) -> None:
    """Stand up, check, switch, retire; on any failure before the switch, back to how it was."""
    try:
        _stand_up(desk, record)
        _check(desk, record)
    except HarnessError as error:
        moves.revert(desk, error.sentence, Outcome.GATE_FAILED)
        raise RefusedError(
            f"{record.candidate} ({record.image}) does not serve: {error.sentence} Live traffic stays at {record.live}."
        ) from error
    try:
        moves.switch(desk)
    except NeedsPersonError:
        raise
    except HarnessError as error:
        moves.roll_back(desk, error.sentence)
        raise RefusedError(f"The switch was not confirmed and was taken back: {error.sentence}") from error
    moves.finish(desk, retire)


def _stand_up(desk: Desk, record: Record) -> None:
    desk.enter(Step.STANDING_UP)
    with desk.steps.step("stand up") as step:
        standing.make(desk, resumed=True)
        desk.traffic.preview(record.candidate)
        standing.await_standing(desk, Deadline(desk.settings.health_check_timeout))
        step.detail = f"{record.candidate}: {record.replicas} pods of {record.image}"
    desk.enter(Step.JUDGING)


def _check(desk: Desk, record: Record) -> None:
    """Several healthy answers in a row of the right version, through the preview Service and from every pod."""
    deadline = Deadline(desk.settings.validation_timeout)
    with desk.steps.step("check") as step:
        addresses = [desk.access.preview(), *(desk.access.pod(pod) for pod in desk.deployments.pods(record.candidate))]
        target = moves.target(desk, record.version)
        for address in addresses:
            confirm.answers(target.at(address.host, address.port), deadline)
        step.detail = f"{len(addresses) - 1} pods and the preview Service answer"
