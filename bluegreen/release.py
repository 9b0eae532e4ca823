"""A release: stand the other colour up, let it be judged, move live traffic, or leave everything as it was.

pytest owns the loop and calls, in this order: ``begin``, the gate's tests (with ``check_live`` beside them),
``promote``, production's tests (with ``watch_tick``), ``finish``; or at any point ``revert``, ``roll_back``, ``abort``.

Each part is in a file of its own: ``lock`` and ``journal`` (one at a time, and mendable), ``deployments`` and
``standing`` (a colour), ``traffic`` and ``confirm`` (the switch), ``moves`` (back), ``retire`` (the old colour's end).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bluegreen import access, capacity, clock, confirm, environment, moves, recovery, standing
from bluegreen.clock import Deadline
from bluegreen.colour import Colour, Obj, live_colour
from bluegreen.confirm import Answer
from bluegreen.deployments import image_of, kept
from bluegreen.errors import CannotStartError, HarnessError, TimeoutExpiredError
from bluegreen.handle import Handle
from bluegreen.harm import harm
from bluegreen.journal import MENDS, JournalLostError, Mend, Record, Step
from bluegreen.kube import Forbidden, Kube, NotFound
from bluegreen.lock import Lock, LockLostError
from bluegreen.moves import Desk
from bluegreen.origin import origin
from bluegreen.probe import Probe
from bluegreen.probe.result import SWITCH, SWITCHED, ProbeResult
from bluegreen.retire import retire
from bluegreen.settings import Settings
from bluegreen.standing import HopelessError
from bluegreen.steps import Steps
from bluegreen.traffic import SERVICE_LABEL, FencedOffError, settled, slice_pods
from bluegreen.verdict import Outcome

__all__ = ["Handle", "LiveHarmedError", "ProductionError", "Release"]

CANDIDATE = "candidate"
"""The probe's mark at which the candidate is stood up: harm counts from there."""


class LiveHarmedError(HarnessError):
    """Live traffic got worse while the candidate was only being judged; the gate ends."""


class ProductionError(HarnessError):
    """The switch failed, or what serves after it is wrong: traffic goes back."""


class Release:
    """The one owner of a release. The process that owns the run makes it; workers only get its handle."""

    def __init__(
        self, settings: Settings, kube: Kube, *, out_dir: Path, progress: Callable[[str], None] = print
    ) -> None:
        self.settings, self.kube, self.out_dir, self.progress = settings, kube, out_dir, progress
        self.id = recovery.new_id()
        self.steps = Steps(progress)
        self.lock = Lock(kube, settings, recovery.identity(self.id))
        self.desk: Desk = moves.desk(kube, settings, out_dir, self.id, self.lock, self.steps)
        self.probe: Probe | None = None
        self.handle: Handle | None = None
        self.switched = False  # whether live traffic was moved to the candidate at some time in this release
        self.started_at = clock.timestamp()
        self.recovered: str | None = None  # what was done about an earlier run's release
        self.unavailable = ""  # why the candidate did not come up
        self._found: _Found | None = None
        self._digest = ""
        self._result: ProbeResult | None = None

    # --- forward -----------------------------------------------------------------------------------------------------

    def begin(self) -> Handle:
        """Take the lock, mend what an earlier run left, and stand the candidate up beside what is live.

        A candidate that does not come up is no exception: the handle says so and the gate fails on it.
        Raises CannotStartError when nothing may be changed, NeedsPersonError when what an earlier run left needs one.
        """
        plan: tuple[tuple[str, Callable[[], str]], ...] = (
            ("take the lock", self._take_lock),
            ("mend what was left", self._mend),
            ("prepare the environment", self._prepare),
            ("look at what is live", self._look),
            ("open the journal", self._open),
            ("start the probe", self._start_probe),
            ("stand up the candidate", self._stand_up),
            ("wait for the candidate", self._await_candidate),
        )
        try:
            self._take(plan)
        except BaseException:
            if self._phase is None:
                self.lock.release()
            raise
        self.handle = self._handle()
        return self.handle

    def check_live(self) -> None:
        """Raise LiveHarmedError when the probe says that live got worse since the candidate was stood up."""
        self.lock.check()
        if self.probe is not None and (sentence := harm(self.probe.snapshot(), CANDIDATE)) is not None:
            raise LiveHarmedError(sentence)

    def promote(self) -> None:
        """Move live traffic to the candidate. Raises ProductionError after it has gone back, when it did not work."""
        record = self.desk.record
        self.check_live()
        self._match_size(record)
        self._mark(SWITCH)
        try:
            moves.switch(self.desk)
        except HarnessError as error:
            self.switched = self._moved(record)
            if not self.switched or isinstance(error, FencedOffError | JournalLostError | LockLostError):
                raise
            self.roll_back(f"the switch was not confirmed: {error.sentence}")
            raise ProductionError(f"The switch failed and was taken back: {error.sentence}") from error
        self.switched = True
        self._mark(SWITCHED)

    def watch_tick(self) -> None:
        """One cheap look at what serves after the switch. Raises ProductionError with the reason."""
        record, service = self.desk.record, self.settings.service_name
        self.lock.check()
        slices = self.kube.list("EndpointSlice", labels=f"{SERVICE_LABEL}={service}")
        pods = self.desk.deployments.pods(record.candidate)
        if not settled(slices, pods):
            behind = ", ".join(sorted(slice_pods(slices))) or "nobody"
            raise ProductionError(f"Service {service} is not served by {record.candidate}'s ready pods: {behind}.")
        answer = confirm.ask(target := moves.target(self.desk, record.version))
        if not answer.good(target):
            raise ProductionError(f"The live address answers {answer}, not as version {record.version}.")
        if self.probe is not None and (sentence := harm(self.probe.snapshot(), SWITCHED)) is not None:
            raise ProductionError(sentence.replace("during the gate", "after the switch"))

    def finish(self) -> None:
        """After the watch: drain and retire the old colour, close the journal, release the lock."""
        moves.finish(self.desk, retire)
        self._end()

    # --- back --------------------------------------------------------------------------------------------------------

    def roll_back(self, reason: str, outcome: Outcome = Outcome.ROLLED_BACK) -> None:
        """Move live traffic back and remove the candidate. Raises NeedsPersonError when that is not safe."""
        self._mark("roll back")
        moves.roll_back(self.desk, reason, outcome)
        self._end()

    def revert(self, reason: str, outcome: Outcome = Outcome.GATE_FAILED) -> None:
        """Before the switch: remove the candidate and leave everything as it was; ``outcome`` is for the journal."""
        moves.revert(self.desk, reason, outcome)
        self._end()

    def abort(self, reason: str, outcome: Outcome = Outcome.INTERRUPTED) -> Outcome:
        """Whatever is right in the present phase: nothing, revert, roll back or finish. May be called again.

        Returns how the release ended: ``outcome``, or ``switched`` when it had been verified already. Raises
        NeedsPersonError, and LockLostError when another process owns the release now.
        """
        phase = self._phase
        how = Mend.NOTHING if phase is None else MENDS[phase]
        self.progress(f"{reason}: {how}" if how is not Mend.NOTHING else reason)
        if how is Mend.REVERT:
            self.revert(reason, outcome)
        elif how is Mend.ROLL_BACK:
            self.roll_back(reason, outcome)
        elif how is Mend.FINISH:
            self.finish()
        self._end()
        return Outcome(self.desk.record.outcome) if phase is not None else outcome

    def close(self) -> None:
        """Stop the probe and the lease's thread. Never raises; may be called again."""
        self._stop_probe()
        self.lock.stop()
        self.desk.access.close()

    # --- what the report needs ---------------------------------------------------------------------------------------

    @property
    def record(self) -> dict[str, Any]:
        """The release so far, as JSON-able values.

        Keys: release_id, started_at, started_by, image, digest, version, colour_before, colour_after, candidate,
        replicas, first, switched, patches (of the live Service, in the order sent), steps (name, started_s,
        duration_s, detail, failed), durations_s, probe, evidence, drain, reason, recovered, unavailable_reason.
        """
        known = self._found.record if self._found is not None else None
        record = self.desk.journal.record if self._phase is not None else known
        before = record.live if record is not None else None
        result = self._result or (self.probe.snapshot() if self.probe is not None and self.probe.running else None)
        return {
            "release_id": self.id,
            "started_at": self.started_at,
            "started_by": origin(os.environ),
            "image": self.settings.docker_image,
            "digest": self._digest,
            "version": self.settings.expected_version,
            "colour_before": _word(before),
            "colour_after": _word(self._colour_now(before)),
            "candidate": _word(record.candidate if record is not None else None),
            "replicas": record.replicas if record is not None else 0,
            "first": before is None,
            "switched": self.switched,
            "patches": [patch.as_json() for patch in self.desk.traffic.patches],
            "steps": [step.as_json() for step in self.steps.taken],
            "durations_s": self.steps.durations_s(),
            "probe": result.to_json() if result is not None else None,
            "evidence": self.desk.evidence,
            "drain": self.desk.drain,
            "reason": record.reason if record is not None else "",
            "recovered": self.recovered,
            "unavailable_reason": self.unavailable,
        }

    # --- the steps of begin ------------------------------------------------------------------------------------------

    def _take(self, plan: Iterable[tuple[str, Callable[[], str]]]) -> None:
        for name, take in plan:
            with self.steps.step(name) as step:
                step.detail = take()

    def _take_lock(self) -> str:
        try:
            self.lock.take()
        except NotFound:  # the namespace is not there yet
            environment.ensure(self.kube, self.settings)
            self.lock.take()
        return self.lock.name

    def _mend(self) -> str:
        """Become the only writer of the journal, and finish or revert an earlier release before anything else."""
        self.desk.journal.claim()
        if self.desk.journal.record is not None and self.desk.journal.record.unfinished:
            moves.claim(self.desk)
            self.recovered = recovery.mend(self.desk)
        return self.recovered or "nothing"

    def _prepare(self) -> str:
        """Set up what is missing, and find out what the cluster would refuse before anything is changed."""
        environment.ensure(self.kube, self.settings)
        return ""

    def _look(self) -> str:
        """Stamp the epoch on what there is, and note what is live."""
        service, deployments = moves.claim(self.desk)
        live = live_colour(service)
        candidate = live.other if live is not None else Colour.BLUE
        if live is not None and deployments[live] is None:
            raise CannotStartError(
                f"Service {self.settings.service_name} selects {live}, but there is no Deployment "
                f"{self.desk.deployments.name(live)}.",
                "Run `bluegreen status`, and bring that Deployment back or run `bluegreen rollback`.",
            )
        answer = confirm.ask(moves.target(self.desk, "")) if live is not None else Answer(problem="nothing serves")
        size = self.desk.deployments.size(live) if live is not None else 0
        size = size or self.settings.replicas
        self._found = _Found(answer, self._new_record(live, candidate, deployments, answer, size))
        self._check_room(self._found.record)
        return f"{live or 'nobody'} serves" + (f" with {size} pods of {image_of(deployments[live])}" if live else "")

    def _new_record(
        self, live: Colour | None, candidate: Colour, deployments: dict[Colour, Obj | None], answer: Answer, size: int
    ) -> Record:
        return Record(
            id=self.id,
            step=Step.OPENED,
            image=self.settings.docker_image,
            version=self.settings.expected_version,
            candidate=candidate,
            live=live,
            live_image=image_of(deployments[live]) if live is not None else "",
            live_version=answer.version,
            replicas=size,
            started_at=self.started_at,
            started_by=origin(os.environ),
            before=kept(deployments[candidate]),
            times={Step.OPENED.value: clock.timestamp()},
        )

    def _check_room(self, record: Record) -> None:
        """Refuse, before anything is created, what a quota would refuse."""
        deployment = self.desk.deployments.rendered(record.candidate, record.replicas)
        try:
            quotas = self.kube.list("ResourceQuota")
        except Forbidden:
            quotas = []
        if short := list(capacity.shortages(quotas, capacity.needed(deployment, record.replicas))):
            raise CannotStartError(
                f"There is no room for a second colour: {'; '.join(short)}.", "Raise the quota, or free some of it."
            )

    def _open(self) -> str:
        assert self._found is not None
        self.desk.journal.open(self._found.record)
        return f"release {self.id}"

    def _start_probe(self) -> str:
        assert self._found is not None
        address = self.desk.access.live()
        serving = self._found.record.live is not None and not self._found.answer.problem
        self.probe = Probe(
            f"http://{address.host}:{address.port}{self.settings.health_path}",
            self.settings.version_header,
            self.out_dir / "probe.jsonl",
            serving=serving,
        )
        self.probe.start()
        return self.probe.url

    def _stand_up(self) -> str:
        """Make the candidate at the live colour's present size, behind the preview Service."""
        record = self.desk.record
        self._mark(CANDIDATE)
        self.desk.enter(Step.STANDING_UP)
        try:
            self.desk.deployments.stand_up(record.candidate, record.replicas, record.id)
            self.desk.traffic.preview(record.candidate)
        except (LockLostError, FencedOffError):
            raise
        except HarnessError as error:
            self.unavailable = error.sentence
        return f"{record.candidate}: {record.replicas} pods of {record.image}"

    def _await_candidate(self) -> str:
        """Wait until the candidate stands; that it does not is a finding, not an error."""
        record, deadline = self.desk.record, Deadline(self.settings.health_check_timeout)
        if not self.unavailable:
            try:
                standing.await_standing(self.desk, record.candidate, record.replicas, deadline)
            except (HopelessError, TimeoutExpiredError) as error:
                self.unavailable = error.sentence
        self._digest = self._digest_of(record.candidate)
        self.desk.enter(Step.JUDGING)
        return self.unavailable or f"{record.candidate} is available"

    # --- inside ------------------------------------------------------------------------------------------------------

    @property
    def _phase(self) -> Step | None:
        """Where this release is; None as long as it has written nothing to the journal."""
        record = self.desk.journal.record
        return record.step if record is not None and record.id == self.id else None

    def _match_size(self, record: Record) -> None:
        """Grow the candidate when the live colour has grown since, and see that it is still available."""
        deadline = Deadline(self.settings.health_check_timeout)
        if record.live is not None:
            wanted = self.desk.deployments.size(record.live)
            if wanted > self.desk.deployments.size(record.candidate):
                with self.steps.step("match live's size") as step:
                    self.desk.deployments.scale(record.candidate, wanted)
                    self.desk.deployments.guard(record.candidate, wanted)
                    step.detail = f"{record.candidate} -> {wanted} pods"
                    standing.await_standing(self.desk, record.candidate, wanted, deadline)
        standing.await_available(self.desk, record.candidate, deadline)

    def _moved(self, record: Record) -> bool:
        try:
            return self.desk.traffic.live() is record.candidate
        except HarnessError:
            return False

    def _colour_now(self, before: Colour | None) -> Colour | None:
        """The colour that live traffic is at now, as far as it can be known."""
        try:
            return self.desk.traffic.live()
        except HarnessError:
            return before

    def _digest_of(self, colour: Colour) -> str:
        """The image's digest as the candidate's pods state it; "" where the cluster does not know it."""
        try:
            pods = self.desk.deployments.pods(colour)
        except HarnessError:
            return ""
        statuses = [status for pod in pods for status in pod.get("status", {}).get("containerStatuses") or []]
        found = next((status["imageID"] for status in statuses if "sha256:" in status.get("imageID", "")), "")
        return found[found.index("sha256:") :] if found else ""

    def _handle(self) -> Handle:
        assert self._found is not None
        record = self.desk.record
        return Handle(
            release_id=self.id,
            namespace=self.settings.namespace,
            app_name=self.settings.app_name,
            service_name=self.settings.service_name,
            preview_name=self.settings.preview_service_name,
            candidate=str(record.candidate),
            live=str(record.live) if record.live is not None else None,
            image=self.settings.docker_image,
            version=self.settings.expected_version,
            version_header=self.settings.version_header,
            replicas=record.replicas,
            deployment=self.desk.deployments.name(record.candidate),
            kubeconfig=self.kube.kubeconfig,
            context=self.kube.context,
            live_urls=self._urls(self.settings.service_name, self.desk.access.live),
            preview_urls=self._urls(self.settings.preview_service_name, self.desk.access.preview),
            available=not self.unavailable,
            unavailable_reason=self.unavailable,
            started_at=self.started_at,
            report_dir=str(self.out_dir),
        )

    def _urls(self, service: str, reach: Callable[[str], access.Address]) -> dict[str, str]:
        """The base URL of each plain HTTP port of a Service, by the port's name."""
        found = self.kube.get("Service", service)
        names = [str(port.get("name") or port["port"]) for port in (found or {}).get("spec", {}).get("ports") or []]
        return {name: reach(name).url.rstrip("/") for name in names if name != "https"}

    def _mark(self, name: str) -> None:
        if self.probe is not None:
            self.probe.mark(name)

    def _end(self) -> None:
        """The release is over: stop watching, let the next one in."""
        self._stop_probe()
        self.lock.release()

    def _stop_probe(self) -> None:
        if self.probe is not None and self._result is None:
            self._result = self.probe.stop()


class _Found:
    """What was there before anything was changed."""

    def __init__(self, answer: Answer, record: Record) -> None:
        self.answer, self.record = answer, record


def _word(colour: Colour | None) -> str | None:
    return None if colour is None else str(colour)
