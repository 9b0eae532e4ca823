"""What a release is of: a new image, the colour that served before, or once more the image that the gate refused.

Also whether a return needs the whole gate: a colour that served live traffic until a moment ago, and has not changed
since, was proven there by more than any gate; its health is confirmed, and that is enough (ROLLBACK_WINDOW).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from bluegreen import clock, grammar
from bluegreen.colour import Colour, Obj
from bluegreen.deployments import Deployments, fingerprint, image_of
from bluegreen.errors import CannotStartError
from bluegreen.journal import Journal, Step
from bluegreen.kube import Kube
from bluegreen.settings import Settings
from bluegreen.traffic import Traffic
from bluegreen.verdict import Outcome

Entry = Mapping[str, Any]
"""What the journal's history keeps of a release."""

NOT_LIVE = frozenset({Outcome.GATE_FAILED, Outcome.NO_EVIDENCE, Outcome.INTERRUPTED, Outcome.HARNESS_FAILED})
"""Ends of a release that never served: it may be tried again. One that was rolled back failed where it matters."""


class Intent(StrEnum):
    """What is asked for."""

    RELEASE = "release"  # the image that the settings name
    ROLLBACK = "rollback"  # the colour that served before, as it is
    RETRY = "retry"  # the image that was refused last


def intended(settings: Settings, kube: Kube, intent: Intent) -> Settings:
    """The settings, with the image and the version that the intent means.

    Raises CannotStartError when there is nothing to return to, or nothing that was refused.
    """
    if intent is Intent.RELEASE:
        return settings
    image, version = _before(settings, kube) if intent is Intent.ROLLBACK else _refused(settings, kube)
    return settings.releasing(image, version)


def _before(settings: Settings, kube: Kube) -> tuple[str, str]:
    """Image and version of the colour that served before."""
    live = Traffic(kube, settings, "").live()
    if live is None:
        raise CannotStartError("Nothing serves, so there is nothing to roll back.", "Run a release.")
    deployments = Deployments(kube, settings, "")
    found = deployments.get(live.other)
    if found is None:
        raise CannotStartError(
            f"There is no Deployment {deployments.name(live.other)} to go back to.",
            "Release the image that served before; RETIRE=scale keeps the old colour.",
        )
    journal = Journal(kube, settings)
    journal.read()
    image = image_of(found)
    return image, version_of(journal.history, image)


def _refused(settings: Settings, kube: Kube) -> tuple[str, str]:
    """Image and version of the last release, when it never served."""
    last = Journal(kube, settings).read()
    if last is None or not (last.unfinished or last.outcome in NOT_LIVE):
        ended = "there was none" if last is None else f"it ended as {last.outcome}"
        raise CannotStartError(f"The last release was not refused: {ended}.", "Release an image: pytest suites/release")
    return last.image, last.version


def version_of(history: Iterable[Entry], image: str) -> str:
    """What an image states: as its release expected it, else its tag."""
    known = [entry["version"] for entry in history if entry.get("image") == image and entry.get("version")]
    return str(known[-1]) if known else grammar.parse_image(image).version


def proven(history: Iterable[Entry], old: Colour, deployment: Obj | None, window_s: float) -> str:
    """In words, that a colour served until a moment ago and is what it was; empty when it needs the whole gate.

    The last verified release tells until when; one that left its old colour because that was bad does not count.
    """
    last = next((entry for entry in reversed([*history]) if entry.get("outcome") == Outcome.SWITCHED), None)
    if last is None or deployment is None or last.get("live") != old or last.get("leaves_bad"):
        return ""
    until = str(last.get("switched_at") or "")
    if not until or fingerprint(deployment) != last.get("live_template"):
        return ""
    since_s = (clock.utc() - datetime.fromisoformat(until.replace("Z", "+00:00"))).total_seconds()
    if not -1 <= since_s <= window_s:
        return ""
    return (
        f"{old} ({image_of(deployment)}) served until {until}, {max(0, since_s):.0f} s ago, and has not changed since"
    )


def may_return(settings: Settings, kube: Kube) -> str:
    """In words, that the other colour may serve again without the whole gate; empty when it may not."""
    live = Traffic(kube, settings, "").live()
    journal = Journal(kube, settings)
    record = journal.read()
    if live is None or (record is not None and record.step is Step.REFUSED):
        return ""
    other = Deployments(kube, settings, "").get(live.other)
    return proven(journal.history, live.other, other, settings.rollback_window)
