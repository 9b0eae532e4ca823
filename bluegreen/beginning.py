"""The first half of a release: from nothing to a candidate that stands beside what is live, ready to be judged.

``plan`` is the order of things. Nothing is changed before the lock is held, and nothing of the application before what
is live is written down.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from bluegreen import clock, confirm, environment, freeze, migrations, moves, preflight, recovery, standing
from bluegreen.clock import Deadline
from bluegreen.colour import Colour, Obj
from bluegreen.confirm import Answer
from bluegreen.deployments import fingerprint, image_of
from bluegreen.desk import Desk
from bluegreen.errors import CannotStartError, HarnessError, LiveHarmedError, TakenOverError, TimeoutExpiredError
from bluegreen.grammar import shown_image
from bluegreen.intent import Intent, proven
from bluegreen.journal import Record, Step
from bluegreen.kube import NotFound
from bluegreen.origin import origin
from bluegreen.probe import Probe
from bluegreen.roster import Found, as_before, roster
from bluegreen.settings import Settings
from bluegreen.standing import HopelessError

CANDIDATE = "candidate"
"""The probe's mark at which the candidate is stood up: harm to live counts from there."""

LIVE_TIMEOUT_S = 5.0
"""How long live may take to answer well after hooks have run; a choice: a pool of connections is made anew in less."""


class Beginning:
    """Takes the steps of ``plan`` and holds what they found."""

    def __init__(self, desk: Desk, release_id: str, started_at: str, intent: Intent = Intent.RELEASE) -> None:
        self._intent = intent
        self._left: Record | None = None  # what an earlier release left standing on purpose
        self.returning = ""  # in words, why the whole gate is not needed; empty when it is
        self._desk, self._settings, self._id, self._started_at = desk, desk.settings, release_id, started_at
        self.recovered: str | None = None  # what was done about an earlier run's release
        self.record: Record | None = None  # what is live and what is to come, once it was looked at
        self.probe: Probe | None = None
        self.unavailable = ""  # why the candidate did not come up
        self.digest = ""  # the candidate image's, where the cluster knows it
        self._missing: list[Obj] = []  # what has to be applied before anything else
        self._answer = Answer(problem="nothing serves")

    def plan(self) -> tuple[tuple[str, Callable[[], str]], ...]:
        """What is done, in order: each step's name, and what does it and says how it went."""
        return (
            ("look before anything is changed", self._preflight),
            ("take the lock", self._take_lock),
            ("mend what was left", self._mend),
            ("prepare the environment", self._prepare),
            ("look at what is live", self._look),
            ("start the probe", self._start_probe),
            ("open the journal", self._open),
            ("stand up the candidate", self._stand_up),
            ("wait for the candidate", self._await_candidate),
        )

    def frozen(self) -> str:
        """In words, the freeze that keeps live traffic from moving forward now; empty when none does.

        A return to what served before is never frozen, and FREEZE_OVERRIDE lifts any.
        """
        settings = self._settings
        if self._intent is Intent.ROLLBACK or settings.freeze_override:
            return ""
        window = freeze.holding(settings.freeze, clock.utc())
        return f"FREEZE={window} holds: no release starts, and no traffic moves to a new version." if window else ""

    def _preflight(self) -> str:
        """Find out what would stop this release, or be refused by the cluster, before anything is changed."""
        if frozen := self.frozen():
            raise CannotStartError(frozen, "Wait until it is over, or say why not: FREEZE_OVERRIDE='the reason'.")
        if self._intent is not Intent.ROLLBACK:  # what served before needs no newer schema
            migrations.require(self._desk.kube, self._settings)
        self._missing = preflight.check(self._desk.kube, self._settings, self._id)
        return "the environment is to be set up" if self._missing else "all is there"

    def _take_lock(self) -> str:
        lock = self._desk.lock
        try:
            lock.take()
        except NotFound:  # the namespace is not there yet
            self._prepare()
            lock.take()
        return lock.name

    def _mend(self) -> str:
        """Become the only writer of the journal, and finish or revert an earlier release before anything else."""
        self.recovered = recovery.claim_and_mend(self._desk, self._leaves)
        self._left = self._desk.journal.record
        return self.recovered or "nothing"

    def _leaves(self, left: Record) -> bool:
        """Whether what stands of an earlier release is what is asked for now; otherwise its place is needed."""
        if left.step is Step.REFUSED:
            return self._intent is Intent.RETRY
        return self._intent is Intent.ROLLBACK or left.live_image == self._settings.docker_image

    def _prepare(self) -> str:
        """Set up what is missing."""
        made, self._missing = environment.bring_all_about(self._desk.kube, self._missing), []
        return f"{len(made)} objects" if made else "nothing"

    def _look(self) -> str:
        """Stamp the epoch on what there is, and note what is live."""
        self._desk.traffic.forget()
        found = moves.claim(self._desk)
        live = self._desk.traffic.found()
        self._desk.traffic.join(live)
        if live is not None:
            preflight.require_live(self._settings, live, self._desk.deployments, found)
            self._answer = confirm.ask(moves.target(self._desk, ""))
        self.record = self._new_record(live, found)
        preflight.require_room(self._desk.kube, self._desk.deployments, self.record.candidate, self.record.workloads)
        size = self.record.workloads[0].live_replicas
        image = shown_image(self.record.live_image)
        return "nobody serves" if live is None else f"{live} serves: {size} pods of {image}"

    def _new_record(self, live: Colour | None, found: Found) -> Record:
        candidate = live.other if live is not None else Colour.BLUE
        left, rolls_back = self._left, self._intent is Intent.ROLLBACK
        main = self._desk.deployments.workload
        if rolls_back and image_of(found[candidate].get(main)) != self._settings.docker_image:
            raise CannotStartError("The colour that served before was changed meanwhile.", "Start again.")
        workloads = roster(self._desk.deployments, candidate, live, found, resumed=rolls_back)
        if left is not None and left.step is Step.REFUSED:
            workloads = as_before(workloads, left.workloads)
        serving = found[live].get(main) if live is not None else None
        return Record(
            id=self._id,
            step=Step.OPENED,
            image=self._settings.docker_image,
            version=self._settings.expected_version,
            candidate=candidate,
            live=live,
            live_image=image_of(serving),
            live_version=self._answer.version,
            replicas=workloads[0].replicas,
            started_at=self._started_at,
            started_by=origin(os.environ),
            reason="bluegreen rollback" if rolls_back else "",
            times={Step.OPENED.value: clock.timestamp()},
            live_template=fingerprint(serving),
            leaves_bad=rolls_back,
            moved_besides=self._desk.traffic.moved_besides,
            freeze_override=self._override(),
            workloads=workloads,
        )

    def _override(self) -> str:
        """Why this release runs in a freeze, for the history; empty where none holds."""
        return self._settings.freeze_override if freeze.holding(self._settings.freeze, clock.utc()) else ""

    def _open(self) -> str:
        self._desk.hooks.entering(Step.OPENED)
        self._desk.journal.open(self._known())
        self._desk.hooks.entered(Step.OPENED)
        return f"release {self._id}"

    def _start_probe(self) -> str:
        address = self._desk.access.live()
        self.probe = Probe(
            f"{address.url}{probed_path(self._settings)}",
            self._settings.version_header,
            self._desk.out_dir / "probe.jsonl",
            serving=self._known().live is not None and not self._answer.problem,
            authority=address.authority,
        )
        try:
            self.probe.start()
        except OSError as error:
            raise CannotStartError(
                f"The probe's file {self.probe.out_file} cannot be written: {error.strerror}.",
                "Make room, or set TMPDIR to a directory that can be written.",
            ) from error
        return str(address)

    def _stand_up(self) -> str:
        """Make the candidate at the live colour's present size, behind the preview Service."""
        record = self._known()
        if self.probe is not None:
            self.probe.mark(CANDIDATE)
        self._desk.enter(Step.STANDING_UP)
        self._require_live_unharmed()
        try:
            self._make(record)
            self._desk.traffic.preview(record.candidate)
        except TakenOverError:
            raise
        except HarnessError as error:
            self.unavailable = error.sentence
        return f"{record.candidate}: {record.replicas} pods of {shown_image(record.image, record.version)}"

    def _require_live_unharmed(self) -> None:
        """After hooks such as a migration: what is live must answer as before, old code on the new schema."""
        target = moves.target(self._desk, "")
        if not self._desk.hooks.listening or not self._answer.good(target):
            return
        try:
            confirm.answers(target, Deadline(LIVE_TIMEOUT_S))
        except TimeoutExpiredError as error:
            raise LiveHarmedError(
                f"What is live answered {self._answer} before this release's hooks ran, and now: {error.last_seen}.",
                "No traffic was moved and the candidate is not there: mend what the hooks changed, a migration say.",
            ) from error

    def _make(self, record: Record) -> None:
        """The candidate from the manifests, or as it was; and whether it is what served until a moment ago."""
        made = standing.make(self._desk, resumed=self._intent is Intent.ROLLBACK)
        if self._intent is Intent.RELEASE:
            window_s = self._settings.rollback_window
            self.returning = proven(self._desk.journal.history, record.candidate, made, window_s)

    def _await_candidate(self) -> str:
        """Wait until the candidate stands; that it does not is a finding, not an error."""
        record, deadline = self._known(), Deadline(self._settings.health_check_timeout)
        if not self.unavailable:
            try:
                standing.await_standing(self._desk, deadline)
            except HopelessError as error:
                self.unavailable = error.sentence
            except TimeoutExpiredError as error:
                said = standing.complaint(self._desk, record.candidate)
                self.unavailable = f"{error.sentence} The cluster says of {said}" if said else error.sentence
        self.digest = digest(self._desk.deployments.pods(record.candidate))
        self._desk.enter(Step.JUDGING)
        return self.unavailable or f"{record.candidate} is available at {self._desk.access.preview()}"

    def _known(self) -> Record:
        if self.record is None:
            raise HarnessError("What is live was not looked at yet.")
        return self.record


def probed_path(settings: Settings) -> str:
    """The path that the probe asks: one that users ask, for a healthy answer to a health check is not theirs."""
    return next(iter(settings.api_paths.split()), settings.health_path)


def digest(pods: list[Obj]) -> str:
    """The image's digest as pods state it; "" where the cluster does not know it."""
    statuses = [status for pod in pods for status in pod.get("status", {}).get("containerStatuses") or []]
    found = next((status["imageID"] for status in statuses if "sha256:" in status.get("imageID", "")), "")
    return str(found[found.index("sha256:") :]) if found else ""
