"""A release: stand the other colour up, let it be judged, move live traffic, or leave everything as it was.

pytest owns the loop and calls, in this order: ``begin``, the gate's tests (with ``check_live`` beside them),
``promote``, production's tests (with ``watch_tick``), ``finish``; or at any point ``revert``, ``roll_back``, ``abort``.

Each part is in a file of its own: ``beginning`` (up to the gate), ``lock`` and ``journal`` (one at a time, mendable),
``deployments`` and ``standing`` (a colour), ``traffic`` and ``confirm`` (the switch), ``moves`` (forward and back),
``retire`` (the old colour's end), ``recovery`` (what a killed run left).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bluegreen import clock, confirm, moves, recovery, rehearsal, sharing, standing
from bluegreen.access import Address
from bluegreen.beginning import CANDIDATE, Beginning
from bluegreen.clock import Deadline
from bluegreen.colour import Colour
from bluegreen.errors import CannotStartError, FrozenError, HarnessError, LiveHarmedError, TakenOverError
from bluegreen.handle import Handle
from bluegreen.harm import harm
from bluegreen.hooks import Listener, StepHooks
from bluegreen.intent import Intent
from bluegreen.journal import MENDS, Mend, Record, Step
from bluegreen.kube import Kube, KubeError
from bluegreen.lock import Lock
from bluegreen.origin import origin
from bluegreen.probe.result import SWITCH, SWITCHED, UNSERVED, ProbeResult
from bluegreen.retire import retire
from bluegreen.settings import Settings
from bluegreen.steps import Steps
from bluegreen.traffic import SERVICE_LABEL, settled, slice_pods
from bluegreen.verdict import Outcome

SETTLE_S = 3.0
"""How long endpoints may differ from the ready pods after the switch; a choice: controllers tell in milliseconds."""

__all__ = ["Handle", "LiveHarmedError", "ProductionError", "Release"]


class ProductionError(HarnessError):
    """The switch failed, or what serves after it is wrong: traffic goes back."""


class Release:
    """The one owner of a release. The process that owns the run makes it; workers only get its handle."""

    def __init__(
        self,
        settings: Settings,
        kube: Kube,
        *,
        out_dir: Path,
        progress: Callable[[str], None] = print,
        intent: Intent = Intent.RELEASE,
    ) -> None:
        self.settings, self.kube, self.out_dir, self.progress = settings, kube, out_dir, progress
        self.id = recovery.new_id()
        self.started_at = clock.timestamp()
        self.steps = Steps(progress)
        self.lock = Lock(kube, settings, recovery.identity(self.id))
        self.desk = moves.desk(kube, settings, out_dir, self.id, self.lock, self.steps)
        self.handle: Handle | None = None
        self.switched = False  # whether live traffic was moved to the candidate at some time in this release
        self._beginning = Beginning(self.desk, self.id, self.started_at, intent)
        self._result: ProbeResult | None = None
        self.desk.observers.felt = self._probe_result
        self._found_bad_s = 0.0  # when the way back was decided on, monotonic; 0 without one
        self._unsettled: Deadline | None = None  # until when endpoints and ready pods may differ

    def listen(self, listener: Listener) -> None:
        """Have a listener told of each step, before it is taken and after; what it raises refuses the step."""
        self.desk.hooks = StepHooks(listener, self.progress)

    # --- forward -----------------------------------------------------------------------------------------------------

    def begin(self) -> Handle:
        """Take the lock, mend what an earlier run left, and stand the candidate up beside what is live.

        A candidate that does not come up is no exception: the handle says so and the gate fails on it.
        Raises CannotStartError when nothing may be changed, NeedsPersonError when what an earlier run left needs one.
        """
        try:
            for name, take in self._beginning.plan():
                with self.steps.step(name) as step:
                    step.detail = take()
        except KubeError as error:
            if self._phase is None:
                raise CannotStartError(error.sentence, error.remedy) from error
            raise
        finally:
            if self._phase is None:
                self._end()
        self.handle = self._handle()
        return self.handle

    def check_live(self) -> None:
        """Raise LiveHarmedError when the probe says that live got worse since the candidate was stood up."""
        self.lock.check()
        if (sentence := self._harm(CANDIDATE)) is not None:
            raise LiveHarmedError(f"During the gate: {sentence}")

    def look(self) -> None:
        """Whatever is looked at in the present phase, once: for a hook that waits. Raises what it finds wrong."""
        self.lock.check()
        if self._phase is Step.JUDGING:
            self.check_live()
        elif self._phase is Step.WATCHING:
            self.watch_tick()

    def promote(self) -> None:
        """Move live traffic to the candidate. Raises ProductionError after it has gone back, when it did not work."""
        record = self.desk.record
        self.desk.hooks.entering(Step.SWITCHING)  # whoever takes his time does so before the last look, not after it
        if frozen := self._beginning.frozen():  # it began while this release ran, or waited for an approval
            raise FrozenError(frozen, "Release again when it is over, or say why not: FREEZE_OVERRIDE='the reason'.")
        self.check_live()
        self._match_size(record)
        try:
            if self.settings.rehearse:
                self._rehearse()
            moves.switch(self.desk, self._share_out)
        except TakenOverError:
            raise
        except HarnessError as error:
            self.switched = bool(self.desk.moved) or self._at(record.candidate)
            if not self.switched:
                raise
            self.roll_back(f"the switch was not confirmed: {error.sentence}")
            raise ProductionError(f"The switch failed and was taken back: {error.sentence}") from error
        self.switched = True
        self._mark(SWITCHED)

    def watch_tick(self) -> None:
        """One cheap look at what serves after the switch. Raises ProductionError with the reason, and ForeignWriteError
        when somebody else moved live traffic."""
        record = self.desk.record
        self.lock.check()
        self.desk.traffic.require(record.candidate)
        self._look_at_endpoints(record.candidate)
        target = moves.target(self.desk, record.version)
        if not confirm.ask(target).good(target) and not (answer := confirm.ask(target)).good(target):
            raise ProductionError(f"The live address answers {answer}, not as version {record.version}.")
        self.check_felt()

    def check_felt(self) -> None:
        """Raise ProductionError when users feel the switch; by the probe's figures, which are here."""
        if (sentence := self._harm(SWITCHED)) is not None:
            raise ProductionError(f"After the switch: {sentence}")

    def finish(self) -> None:
        """After the watch: drain and retire the old colour, or keep it for a while; end the journal, free the lock."""
        if self._keeps_old and self._phase is Step.WATCHING:
            moves.keep(self.desk, self.settings.scale_down_delay)
        else:
            moves.finish(self.desk, retire)
        self._end()

    # --- back --------------------------------------------------------------------------------------------------------

    def roll_back(self, reason: str, outcome: Outcome = Outcome.ROLLED_BACK) -> None:
        """Move live traffic back and remove the candidate. Raises NeedsPersonError when that is not safe."""
        self._found_bad_s = self._found_bad_s or clock.now_s()
        self._mark(UNSERVED if self.desk.record.first else "roll back")
        moves.roll_back(self.desk, reason, outcome)
        self._end()

    def revert(self, reason: str, outcome: Outcome = Outcome.GATE_FAILED) -> None:
        """Before the switch: remove the candidate and leave everything as it was; ``outcome`` is for the journal."""
        moves.revert(self.desk, reason, outcome)
        self._end()

    def refuse(self, reason: str, outcome: Outcome = Outcome.GATE_FAILED) -> None:
        """Before the switch: end the release, but leave the refused candidate standing to be looked at or retried."""
        moves.refuse(self.desk, reason, outcome)
        self._end()

    def abort(self, reason: str, outcome: Outcome = Outcome.INTERRUPTED) -> Outcome:
        """Whatever is right in the present phase: nothing, revert, roll back or finish. May be called again.

        Returns how the release ended: ``outcome``; ``switched`` when it had been verified already. Raises
        NeedsPersonError, and TakenOverError when another process owns the release now and puts it in order.
        """
        phase = self._phase
        how = Mend.NOTHING if phase is None else MENDS[phase]
        self.progress(f"{reason}: {how}" if how is not Mend.NOTHING else reason)
        turns: dict[Mend, Callable[[], None]] = {
            Mend.REVERT: lambda: self.revert(reason, outcome),
            Mend.ROLL_BACK: lambda: self.roll_back(reason, outcome),
            Mend.FINISH: self.finish,
            Mend.NOTHING: self._end,
            Mend.LATER: self._end,
        }
        turns[how]()
        return Outcome(self.desk.record.outcome) if phase is not None else outcome

    def settle(self) -> None:
        """Stop the probe and free the lock: whoever mends what is left need not wait for it. May be called again."""
        self._stop_probe()
        self.lock.release()
        self.desk.access.close()

    def close(self) -> None:
        """Settle, and let the observers deliver what they have. May be called again."""
        self.settle()
        self.desk.observers.close()

    # --- what the report needs ---------------------------------------------------------------------------------------

    @property
    def record(self) -> dict[str, Any]:
        """The release so far, as JSON-able values.

        Keys: release_id, started_at, started_by, image, digest, version, colour_before, colour_after, candidate,
        replicas, deployments (name without colour, replicas, active_only; the main one first), first, switched,
        reached_by, patches (of the live Service, in the order sent), steps (name, started_s, duration_s, detail,
        failed), durations_s, probe, evidence, drain, reason, recovered, unavailable_reason.
        """
        found = self.desk.journal.record if self._phase is not None else self._beginning.record
        before = found.live if found is not None else None
        result = self._probe_result()
        return {
            "release_id": self.id,
            "started_at": self.started_at,
            "started_by": origin(os.environ),
            "image": self.settings.docker_image,
            "digest": self._beginning.digest,
            "version": self.settings.expected_version,
            "colour_before": _word(before),
            "colour_after": _word(self._colour_now(before)),
            "candidate": _word(found.candidate if found is not None else None),
            "replicas": found.replicas if found is not None else 0,
            "deployments": [one.told() for one in found.workloads if one.released] if found is not None else [],
            "first": before is None,
            "switched": self.switched,
            "reached_by": {"live": self.handle.live_via, "preview": self.handle.preview_via} if self.handle else {},
            "patches": [patch.as_json() for patch in self.desk.traffic.patches],
            "steps": [step.as_json() for step in self.steps.taken],
            "durations_s": self.steps.durations_s(),
            "probe": result.to_json() if result is not None else None,
            "evidence": self.desk.evidence,
            "shares": self.desk.shares,
            "rehearsal": rehearsal.account(self.desk, self._beginning.probe),
            "way_back_s": self._way_back_s(),
            "drain": self.desk.drain,
            "kept_until": found.kept_until if found is not None else "",
            "returning": self._beginning.returning,
            "reason": found.reason if found is not None else "",
            "recovered": self._beginning.recovered,
            "unavailable_reason": self._beginning.unavailable,
        }

    # --- inside ------------------------------------------------------------------------------------------------------

    @property
    def _phase(self) -> Step | None:
        """Where this release is; None as long as it has written nothing to the journal."""
        record = self.desk.journal.record
        return record.step if record is not None and record.id == self.id else None

    def _way_back_s(self) -> float | None:
        """Seconds from the finding until live traffic was confirmed on the old colour; None without a way back."""
        back = next((step for step in self.steps.taken if step.name == moves.ROLL_BACK and not step.failed), None)
        if back is None or not self._found_bad_s:
            return None
        return round(self.steps.began_s + back.started_s + back.duration_s - self._found_bad_s, 3)

    def _share_out(self) -> int:
        """Whatever TRAFFIC_STEPS asks for before all of it moves."""
        percent = sharing.share_out(self.desk, self._beginning.probe, self._harm)
        self._mark(SWITCH)
        return percent

    def _rehearse(self) -> None:
        """Forward and back, and see that nobody felt it."""
        rehearsal.rehearse(self.desk, self._beginning.probe)
        if (sentence := self._harm(CANDIDATE)) is not None:
            raise LiveHarmedError(f"In the rehearsal: {sentence}")

    @property
    def _keeps_old(self) -> bool:
        """Whether the old colour stays for SCALE_DOWN_DELAY: not one that was left because it is bad."""
        record, settings = self.desk.record, self.settings
        return bool(settings.scale_down_delay and record.live and not record.leaves_bad and settings.retire != "keep")

    def _match_size(self, record: Record) -> None:
        """Grow the candidate when the live colour has grown since, and see that it is still available."""
        deadline = Deadline(self.settings.health_check_timeout)
        for workload, deployments in moves.each(self.desk):
            if not workload.released or workload.active_only or not workload.replicas:
                continue
            wanted = deployments.size(record.live) if record.live is not None else 0
            if wanted > deployments.size(record.candidate):
                with self.steps.step("match live's size") as step:
                    deployments.scale(record.candidate, wanted)
                    deployments.guard(record.candidate, wanted)
                    step.detail = f"{deployments.name(record.candidate)} -> {wanted} pods"
                    standing.await_workload(self.desk, deployments, record.candidate, wanted, deadline)
            standing.await_available(self.desk, deployments, record.candidate, deadline)

    def _look_at_endpoints(self, colour: Colour) -> None:
        """At least one pod, nobody else's, and soon all that are ready: while a colour is scaled, both lists differ."""
        unsettled = {}
        for service in self.desk.traffic.behind(colour):
            name = service["metadata"]["name"]
            found = self.kube.list("EndpointSlice", labels=f"{SERVICE_LABEL}={name}")
            pods = self.desk.traffic.pods(service, colour)
            if not settled(found, pods):
                unsettled[name] = slice_pods(found), {pod["metadata"]["name"] for pod in pods}
        self._unsettled = (self._unsettled or Deadline(SETTLE_S)) if unsettled else None
        for name, (behind, ours) in unsettled.items():
            if not behind or behind - ours or (self._unsettled and self._unsettled.expired):
                shown = ", ".join(sorted(behind)) or "nobody"
                raise ProductionError(f"Service {name} is not served by {colour}'s ready pods, but by {shown}.")

    def _at(self, colour: Colour) -> bool:
        """Whether any live traffic is at a colour now, as far as it can be known."""
        try:
            return bool(self.desk.traffic.at(colour))
        except HarnessError:
            return self._colour_now() is colour

    def _colour_now(self, otherwise: Colour | None = None) -> Colour | None:
        """The colour that live traffic is at now, as far as it can be known."""
        try:
            return self.desk.traffic.live()
        except HarnessError:
            return otherwise

    def _handle(self) -> Handle:
        record, settings = self.desk.record, self.settings
        return Handle(
            release_id=self.id,
            namespace=settings.namespace,
            app_name=settings.app_name,
            service_name=settings.service_name,
            preview_name=settings.preview_service_name,
            candidate=str(record.candidate),
            live=_word(record.live),
            image=settings.docker_image,
            version=settings.expected_version,
            version_header=settings.version_header,
            live_version=record.live_version,
            replicas=record.replicas,
            deployment=self.desk.deployments.name(record.candidate),
            kubeconfig=self.kube.kubeconfig,
            context=self.kube.context,
            live_urls=self._urls(settings.service_name, self.desk.access.live),
            preview_urls=self._urls(settings.preview_service_name, self.desk.access.preview),
            live_via=self.desk.access.live().via,
            live_host=self.desk.access.live().authority,
            preview_via=self.desk.access.preview().via,
            available=not self._beginning.unavailable,
            unavailable_reason=self._beginning.unavailable,
            returning=self._beginning.returning,
            started_at=self.started_at,
            report_dir=str(self.out_dir),
        )

    def _urls(self, service: str, reach: Callable[[str], Address]) -> dict[str, str]:
        """The base URL of each plain HTTP port of a Service, by the port's name."""
        found = self.kube.get("Service", service)
        names = [str(port.get("name") or port["port"]) for port in (found or {}).get("spec", {}).get("ports") or []]
        return {name: reach(name).url for name in dict.fromkeys(["http", *names]) if name != "https"}

    def _harm(self, since: str, share: float = 1.0) -> str | None:
        probe = self._beginning.probe
        return harm(probe.snapshot(), since, share) if probe is not None else None

    def _mark(self, name: str) -> None:
        if self._beginning.probe is not None:
            self._beginning.probe.mark(name)

    def _probe_result(self) -> ProbeResult | None:
        probe = self._beginning.probe
        return self._result or (probe.snapshot() if probe is not None and probe.running else None)

    def _end(self) -> None:
        """The release is over: stop watching, let the next one in."""
        self._stop_probe()
        self.lock.release()

    def _stop_probe(self) -> None:
        if self._beginning.probe is not None and self._result is None:
            self._result = self._beginning.probe.stop()


def _word(colour: Colour | None) -> str | None:
    return None if colour is None else str(colour)
