"""The record of a release, kept in the cluster: what a killed run leaves behind, and what to do about it.

One ConfigMap an application, ``$APP_NAME-release-journal``: ``data.release`` is the present release, ``data.history``
the last ones. A step is written down before it is taken, so that the journal never lags behind the cluster; the next
step's entry says that the one before is done. Every write tests the resourceVersion of the one before: a process that
lost its lock, and with it the journal, cannot write any more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from bluegreen import clock, fence
from bluegreen.colour import Colour, Obj
from bluegreen.errors import HarnessError, TakenOverError
from bluegreen.kube import Kube
from bluegreen.settings import Settings
from bluegreen.workload import Workload

MANAGER = "bluegreen-journal"
HISTORY_LENGTH = 20
"""Releases kept in the history; a choice: a month of working days, 8 KiB of the 1 MiB a ConfigMap may hold."""

REASON_LENGTH = 1000
"""Characters of a release's reason that the history keeps, so that it is bounded whatever a test's failure says."""


DEPLOYMENTS_KEPT = 20
"""Names of a release's Deployments that the history keeps; a choice: enough to know what it was of."""


class Step(StrEnum):
    """Where a release is. Written before the step is taken."""

    OPENED = "opened"  # the lock is held and what is live is written down; nothing is changed yet
    STANDING_UP = "standing-up"  # the candidate is being made
    JUDGING = "judging"  # the candidate stands, or cannot; the gate measures it
    SWITCHING = "switching"  # live traffic is being moved; only the live Service knows whether it has
    REHEARSING = "rehearsing"  # live traffic is being moved back as asked; only the live Service knows whether it has
    WATCHING = "watching"  # live traffic is on the candidate; production is being verified
    KEPT = "kept"  # over and verified; the old colour stands at full size until ``kept_until``, and is to be retired
    RETIRING = "retiring"  # verified; the old colour drains and goes, and there is no way back in this release
    REFUSED = "refused"  # the gate refused; the candidate stands as asked, for a look at it or to be judged again
    REVERTING = "reverting"  # live traffic never moved; the candidate is being removed
    ROLLING_BACK = "rolling-back"  # live traffic is being moved back, then the candidate is removed
    CLOSED = "closed"  # over, with an outcome


class Mend(StrEnum):
    """What mends a release that ended at a step."""

    NOTHING = "nothing"
    LATER = "nothing before it is due"  # the old colour is retired once its time is up, or its place is needed
    REVERT = "revert"  # remove the candidate, live stays as it is
    ROLL_BACK = "roll back"  # move live traffic back if it had moved, then remove the candidate
    FINISH = "finish"  # retire the old colour


MENDS: Mapping[Step, Mend] = {
    Step.OPENED: Mend.REVERT,
    Step.STANDING_UP: Mend.REVERT,
    Step.JUDGING: Mend.REVERT,
    Step.SWITCHING: Mend.ROLL_BACK,
    Step.REHEARSING: Mend.ROLL_BACK,
    Step.WATCHING: Mend.ROLL_BACK,  # nobody verified it, and nobody will: not a guess in its favour
    Step.KEPT: Mend.LATER,
    Step.RETIRING: Mend.FINISH,
    Step.REFUSED: Mend.REVERT,
    Step.REVERTING: Mend.REVERT,
    Step.ROLLING_BACK: Mend.ROLL_BACK,
    Step.CLOSED: Mend.NOTHING,
}

ALLOWED: Mapping[Step, frozenset[Step]] = {
    Step.OPENED: frozenset({Step.STANDING_UP, Step.REVERTING}),
    Step.STANDING_UP: frozenset({Step.JUDGING, Step.REVERTING}),
    Step.JUDGING: frozenset({Step.SWITCHING, Step.REVERTING, Step.REFUSED}),
    Step.SWITCHING: frozenset({Step.REHEARSING, Step.WATCHING, Step.ROLLING_BACK}),
    Step.REHEARSING: frozenset({Step.SWITCHING, Step.ROLLING_BACK}),
    Step.WATCHING: frozenset({Step.KEPT, Step.RETIRING, Step.ROLLING_BACK}),
    Step.KEPT: frozenset({Step.RETIRING}),
    Step.REFUSED: frozenset({Step.REVERTING}),
    Step.RETIRING: frozenset({Step.RETIRING, Step.CLOSED}),
    Step.REVERTING: frozenset({Step.REVERTING, Step.CLOSED}),
    Step.ROLLING_BACK: frozenset({Step.ROLLING_BACK, Step.CLOSED}),
    Step.CLOSED: frozenset(),
}
"""Which step may follow which; the steps that mend may be entered again by whoever takes over."""


UNREADABLE = (
    "A newer version of this software may have written it: then use that one. Otherwise look at its ConfigMap; delete "
    "it when no release is under way, then start again."
)
"""What to do about a journal that cannot be read."""


class JournalLostError(TakenOverError):
    """Somebody else writes the journal now: this process lost its lock and may change nothing any more."""


@dataclass(frozen=True)
class Record:
    """One release, as far as it has come. A transition makes a new record."""

    id: str  # also the epoch stamped on the live Service
    step: Step
    image: str
    version: str  # what the candidate states
    candidate: Colour
    live: Colour | None  # what served when the release began; None: nothing did
    live_image: str  # image of the live colour, "" when there is none
    live_version: str  # what the live colour stated, "" when it stated none
    replicas: int  # the live colour's size when the release began, which the candidate gets
    started_at: str  # RFC 3339, UTC
    started_by: Mapping[str, str]  # user, host, commit, CI job
    before: Mapping[str, Any] | None = None  # in records of earlier versions: ``before`` of the only workload
    outcome: str = ""
    reason: str = ""
    ended_at: str = ""
    times: Mapping[str, str] = field(default_factory=dict)  # step -> when it was entered
    live_template: str = ""  # fingerprint of the live colour's pod template when the release began
    kept_until: str = ""  # RFC 3339, UTC: until when the old colour is kept at full size, where it is
    leaves_bad: bool = False  # a rollback: the colour it leaves is no place to return to
    moved_besides: str = ""  # what else moves with SERVICE_NAME, as KIND/NAME, separated by blanks
    freeze_override: str = ""  # why it ran although a freeze held, where one did
    workloads: tuple[Workload, ...] = ()  # every Deployment of either colour; the main one is first

    @property
    def first(self) -> bool:
        """Whether nothing served when this release began."""
        return self.live is None

    @property
    def unfinished(self) -> bool:
        """Whether a run that finds this record has something to mend."""
        return MENDS[self.step] not in (Mend.NOTHING, Mend.LATER)

    @property
    def kept_for_s(self) -> float:
        """Seconds for which the old colour still has to be kept; 0 when its retirement is due or done."""
        if self.step is not Step.KEPT:
            return 0.0
        return max(0.0, (datetime.fromisoformat(self.kept_until.replace("Z", "+00:00")) - clock.utc()).total_seconds())

    @property
    def active_only(self) -> tuple[Workload, ...]:
        """The Deployments whose pods run in the live colour only."""
        return tuple(workload for workload in self.workloads if workload.active_only)

    def entering(self, step: Step, reason: str = "") -> Record:
        """The same release at another step. Raises ValueError for a step that cannot follow."""
        if step not in ALLOWED[self.step]:
            raise ValueError(f"a release cannot go from {self.step} to {step}")
        times = {**self.times, step.value: clock.timestamp()}
        return replace(self, step=step, times=times, reason=reason or self.reason)

    def closing(self, outcome: str) -> Record:
        """The same release, over. What the candidate's Deployment was before is no longer needed."""
        closed = self.entering(Step.CLOSED)
        workloads = tuple(workload.closed() for workload in self.workloads)
        return replace(closed, outcome=outcome, ended_at=clock.timestamp(), before=None, workloads=workloads)

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Record:
        """The record that ``to_json`` wrote. Raises HarnessError when it is not one."""
        try:
            raw = json.loads(text)
            colours = {"candidate": Colour(raw["candidate"]), "live": Colour(raw["live"]) if raw["live"] else None}
            raw["moved_besides"] = raw.pop("extra_services", raw.get("moved_besides", ""))  # as older releases wrote it
            workloads = tuple(Workload(**workload) for workload in raw.get("workloads", ()))
            return cls(**{**raw, **colours, "workloads": workloads, "step": Step(raw["step"])})
        except (ValueError, KeyError, TypeError) as error:
            raise HarnessError(
                f"The release journal holds something that is no release record: {error}.", UNREADABLE
            ) from error


def _history(text: str) -> list[dict[str, Any]]:
    """The list of earlier releases. Raises HarnessError when it is none."""
    try:
        found = json.loads(text)
    except ValueError as error:
        found, problem = None, str(error)
    else:
        problem = f"it is a {type(found).__name__}"
    if isinstance(found, list) and all(isinstance(entry, dict) for entry in found):
        return found
    raise HarnessError(f"The release journal's history is no list of releases: {problem}.", UNREADABLE)


def summary(record: Record) -> dict[str, Any]:
    """What the history keeps of a release."""
    kept = ("id", "image", "version", "candidate", "live", "live_image", "replicas", "started_at", "ended_at")
    more = ("started_by", "outcome", "live_template", "leaves_bad", "freeze_override")
    switched_at = record.times.get(Step.WATCHING.value, "")
    found = {name: getattr(record, name) for name in (*kept, *more)}
    names = [workload.name for workload in record.workloads if workload.released]
    several = {"deployments": names[:DEPLOYMENTS_KEPT]} if len(names) > 1 else {}
    return {**found, **several, "reason": record.reason[:REASON_LENGTH], "switched_at": switched_at}


def appended(history: list[dict[str, Any]], record: Record) -> list[dict[str, Any]]:
    """The history with this release at its end, once, and no longer than it may be."""
    others = [entry for entry in history if entry.get("id") != record.id]
    return [*others, summary(record)][-HISTORY_LENGTH:]


class Journal:
    """The ConfigMap and its present record, for one writer. Not for two threads at once."""

    def __init__(
        self,
        kube: Kube,
        settings: Settings,
        writer: str = "",
        held: Callable[[], None] = lambda: None,
        told: Callable[[Record], None] = lambda _: None,
    ) -> None:
        """``held`` raises when the lock is lost: asked after each look at what is there, before it is changed.

        ``told`` hears of each step once it is written down.
        """
        self._kube, self._writer, self._held, self._told = kube, writer, held, told
        self._labels = {"app": settings.app_name, "app.kubernetes.io/managed-by": "bluegreen"}
        self._app = settings.app_name
        self.name = f"{settings.app_name}-release-journal"
        self.record: Record | None = None
        self.history: list[dict[str, Any]] = []
        self._seen: Obj | None = None

    def read(self) -> Record | None:
        """Take in what the cluster holds: the present release, or None when there never was one."""
        return self._take_in(self._kube.get("ConfigMap", self.name))

    def claim(self) -> Record | None:
        """Become the only writer, and take in what the writer before left. The caller holds the lock."""
        empty = {"writer": self._writer}
        found = self._kube.get("ConfigMap", self.name)
        if found is None:
            metadata = {"name": self.name, "labels": self._labels}
            obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": empty}
            found = fence.create(self._kube, obj, ours=self._is_ours, otherwise=lambda _: self._lost())
        else:
            found = self._patch(found, self._take_over, empty)
        return self._take_in(found)

    def open(self, record: Record) -> None:
        """Begin a release. The caller has mended whatever ``claim`` found, or takes a refused candidate over."""
        if self.record is not None and self.record.unfinished and self.record.step is not Step.REFUSED:
            raise ValueError(f"release {self.record.id} is not over")
        self._write(record)

    def enter(self, step: Step, reason: str = "") -> Record:
        """Write down that this step is about to be taken, and that all before it are done."""
        return self._write(self._present().entering(step, reason))

    def close(self, outcome: str) -> Record:
        """Write down how the release ended, and add it to the history."""
        closed = self._present().closing(outcome)
        self.history = appended(self.history, closed)
        return self._write(closed)

    def _take_over(self, found: Obj) -> list[fence.Op]:
        self._held()  # a process that was frozen until now finds a new writer here, and must not take its place
        return [{"op": "add", "path": "/data", "value": {**(found.get("data") or {}), "writer": self._writer}}]

    def rest(self, step: Step, outcome: str, reason: str = "", kept_until: str = "") -> Record:
        """Write down how the release ended although something of it still stands: KEPT or REFUSED."""
        entered = self._present().entering(step, reason)
        record = replace(entered, outcome=outcome, ended_at=clock.timestamp(), kept_until=kept_until)
        self.history = appended(self.history, record)
        return self._write(record)

    def _present(self) -> Record:
        if self.record is None:
            raise ValueError("no release is open")
        return self.record

    def _take_in(self, found: Obj | None) -> Record | None:
        data: Mapping[str, str] = (found or {}).get("data") or {}
        self._seen = found
        self.record = self._with_workloads(Record.from_json(data["release"])) if data.get("release") else None
        self.history = _history(data.get("history") or "[]")
        return self.record

    def _write(self, record: Record) -> Record:
        """Write a record. It counts as entered from here on, even when the writing is cut off."""
        record = self.record = self._with_workloads(record)
        data = {"writer": self._writer, "release": record.to_json(), "history": json.dumps(self.history)}

        def decide(found: Obj) -> list[fence.Op]:
            if not self._is_ours(found):
                raise self._lost()
            return [{"op": "add", "path": "/data", "value": data}]

        self._seen = self._patch(self._seen, decide, data)
        self._told(record)
        return record

    def _with_workloads(self, record: Record) -> Record:
        """A record that names its Deployments: one of an earlier version has the one that is called as the app."""
        if record.workloads:
            return record
        live = record.replicas if record.live is not None else None
        only = Workload(self._app, f"app={self._app}", False, True, record.replicas, live, before=record.before)
        return replace(record, workloads=(only,))

    def _patch(self, known: Obj | None, decide: Callable[[Obj], list[fence.Op]], data: Mapping[str, str]) -> Obj:
        def landed(found: Obj) -> bool:
            return all((found.get("data") or {}).get(key) == value for key, value in data.items())

        return fence.patch(self._kube, "ConfigMap", self.name, decide, landed=landed, manager=MANAGER, known=known)

    def _is_ours(self, found: Obj) -> bool:
        return (found.get("data") or {}).get("writer") == self._writer

    def _lost(self) -> JournalLostError:
        return JournalLostError(
            f"ConfigMap {self.name} has another writer now: this release was taken over.",
            "It changes nothing any more; see `bluegreen status`.",
        )
