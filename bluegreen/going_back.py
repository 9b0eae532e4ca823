"""Whether going back is safe: the old colour has to answer before live traffic is given to it again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from bluegreen import clock, confirm
from bluegreen.clock import Deadline
from bluegreen.colour import Colour, Obj
from bluegreen.confirm import Target
from bluegreen.desk import Desk
from bluegreen.errors import HarnessError, NeedsPersonError
from bluegreen.traffic import pod_ready

HEALTHY_SHARE = 0.5
"""The part of ROLLBACK_TIMEOUT that the old colour gets to become whole again; the rest is for the way back itself."""

ASK_EVERY_S = 0.1
"""A choice: how often an old colour of which too little answers is asked again."""

ASKED_AT_MOST = 10
"""A choice: pods asked at once before going back; each has a second to answer."""


def require_better(desk: Desk, old: Colour, target: Target, deadline: Deadline) -> None:
    """Raise NeedsPersonError when the old colour is not the better place for live traffic.

    ``target`` is what the live address answers when the old colour serves.
    """
    new, wanted = desk.record.candidate, desk.deployments.size(old)
    answering = _await_answering(desk, old, target, wanted, Deadline(HEALTHY_SHARE * deadline.remaining_s))
    new_ready = sum(pod_ready(pod) for pod in desk.deployments.pods(new))
    if not may_go_back(answering, wanted, new_ready):
        raise NeedsPersonError(
            f"{new} is bad, but going back is not safe: of {old}'s {wanted} pods {answering} answer, and {new} has "
            f"{new_ready} ready ones. Live traffic stays at {new}.",
            f"Mend {old} (`kubectl describe pods -l {desk.deployments.labels(old)}`), then `bluegreen recover`; or, "
            f"to keep {new}, delete ConfigMap {desk.journal.name}, which holds this unfinished release.",
        )


def may_go_back(answering: int, wanted: int, new_ready: int) -> bool:
    """Whether the old colour is the better place: so many of its pods answer, of so many that it has to have.

    A choice: with half of them at once, for the new colour is known to be bad; with fewer, when the new has no more.
    """
    return answering > 0 and (2 * answering >= wanted or answering >= new_ready)


def _await_answering(desk: Desk, colour: Colour, target: Target, wanted: int, deadline: Deadline) -> int:
    """The number of a colour's pods that answer, once that is half of them or the deadline has passed."""
    while True:
        answering = _answering(desk, colour, target)
        if 2 * answering >= wanted or deadline.expired:
            return answering
        clock.sleep_s(min(ASK_EVERY_S, deadline.remaining_s))


def _answering(desk: Desk, colour: Colour, target: Target) -> int:
    """How many of a colour's ready pods answer: one that hangs is ready until its probes have failed several times.

    Of many pods only the first few are asked, and their share counts for all.
    """
    ready = [pod for pod in desk.deployments.pods(colour) if pod_ready(pod)]
    asked = ready[:ASKED_AT_MOST]
    if not asked:
        return 0
    with ThreadPoolExecutor(len(asked)) as at_once:
        good = sum(at_once.map(lambda pod: _answers(desk, pod, target), asked))
    return good * len(ready) // len(asked)


def _answers(desk: Desk, pod: Obj, target: Target) -> bool:
    """Whether a pod answers its health check; one that cannot be reached from here is judged by its readiness."""
    try:
        address = desk.access.pod(pod)
    except HarnessError:
        return True
    asked = target.at(address.host, address.port)
    return confirm.ask(asked).good(asked)
