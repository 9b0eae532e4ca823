"""The owner of the release: begins it, opens its phases, and ends it with one outcome.

Lives in the process that owns the session and nowhere else. It decides nothing itself: what the tests said goes
through ``bluegreen.verdict``, what is done to the cluster through ``bluegreen.release``.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from bluegreen.clock import Deadline
from bluegreen.errors import (
    CannotStartError,
    HarnessError,
    HookError,
    InputError,
    LiveHarmedError,
    NeedsPersonError,
    TakenOverError,
    WorkersError,
)
from bluegreen.plugin.stages import PHASES, Tally, phase_of
from bluegreen.plugin.state import FILE, State, StateFile
from bluegreen.verdict import BAD, GATE_STAGES, RETURN_STAGES, UNPROVEN, Outcome, Verdict, gate_verdict, stage_verdict

if TYPE_CHECKING:
    import pytest

    from bluegreen.plugin.completeness import LeftOut
    from bluegreen.plugin.hooks import Calls
    from bluegreen.release import Release
    from bluegreen.settings import Settings

LOOK_EVERY_S = 0.25  # a choice: how often the probe's findings are read while tests run
LOOK_AT_CLUSTER_EVERY_S = 1.0  # a choice: how often production's Services, endpoints and pods are asked for: 3 requests


class Owner:
    """One release, from the collected tests to its outcome."""

    suite = "release"

    def __init__(
        self,
        settings: Settings,
        run_dir: Path,
        progress: Callable[[str], None],
        config: pytest.Config,
        intent: str = "release",
    ) -> None:
        self.config = config  # whose hooks hear of the release's steps
        self.settings, self.run_dir, self.progress, self.intent = settings, run_dir, progress, intent
        self.needed: tuple[str, ...] = GATE_STAGES
        self.state = StateFile(run_dir / FILE)
        self.tally = Tally({})
        self.release: Release | None = None
        self.outcome: Outcome | None = None
        self.problem = ""  # the sentence that goes with the outcome
        self.signal = ""  # the name of the signal that interrupted the run
        self.phase = PHASES[0]
        self.finding = ""  # harm to live, found by the watching thread
        self._gate_time = Deadline(settings.validation_timeout)
        self._next_look = Deadline(0)
        self._over = threading.Event()
        self._acting = threading.RLock()  # held while the release is ended: by the tests' thread or the watching one
        self._turning = threading.Lock()  # held while the gate is ended, or left for the switch
        self._watching = "gate"  # what the watching thread looks at: gate, production, or nothing
        self._ending = False
        self._calls: Calls | None = None

    # -- beginning --------------------------------------------------------------------------------------------------
    def start(self, stage_by_test: Mapping[str, str], left_out: tuple[LeftOut, ...] = ()) -> bool:
        """Stand up the candidate. False, with ``outcome`` set, when the release could not start."""
        self.tally = Tally(stage_by_test, left_out)
        if not stage_by_test:
            return False
        try:
            self.release = self._new_release()
            self._hang_hooks(self.release)
            handle = self.release.begin()
            self.state.write(State(handle.to_json(), known=self.release.kube.known()))
        except HarnessError as error:
            self._could_not_begin(error)
            return False
        except OSError as error:
            self._could_not_begin(HarnessError(f"The run's files cannot be written: {error}.", "Make room in TMPDIR."))
            return False
        if handle.returning:
            self._need_less(handle.returning)
        if not handle.available:
            self.state.change(stop=f"not run: the candidate never became available: {handle.unavailable_reason}")
        self._gate_time = Deadline(self.settings.validation_timeout)
        threading.Thread(target=self._watch, daemon=True).start()
        return True

    def prove_nothing(self, why: str, left_out: tuple[LeftOut, ...] = ()) -> None:
        """There was nothing to run: no candidate is stood up for it."""
        self.tally = Tally({}, left_out) if left_out else self.tally
        self._end(Outcome.NO_EVIDENCE, why)

    def _hang_hooks(self, release: Release) -> None:
        """Let the hooks of the suite's conftest.py, of plugins and of settings hear of the release's steps."""
        from bluegreen.plugin.hooks import BuiltIn, Calls, Context

        self.config.pluginmanager.register(BuiltIn(), "bluegreen-built-in-hooks")
        self._calls = Calls(self.config, Context(self.settings, release.kube, release, self.progress))
        release.listen(self._calls)

    def _need_less(self, returning: str) -> None:
        """A return to what served until a moment ago: its health is confirmed, the rest of the gate is left out."""
        self.needed = RETURN_STAGES
        why = f"{returning}; within ROLLBACK_WINDOW its health is enough"
        self.progress(why)
        self.state.change(only=" ".join(RETURN_STAGES), why=f"not run: {why}")

    def _could_not_begin(self, error: HarnessError) -> None:
        """Nothing was changed, or what was begun is put back."""
        if isinstance(error, NeedsPersonError):
            self._end(Outcome.NEEDS_PERSON, str(error))
        elif self.release is None or isinstance(error, InputError | CannotStartError):
            self._end(Outcome.COULD_NOT_START, str(error))
        elif isinstance(error, HookError):
            self.abort(Outcome.GATE_FAILED, str(error))
        elif isinstance(error, LiveHarmedError):
            self.abort(Outcome.NEEDS_PERSON, str(error))
        else:
            self.abort(Outcome.HARNESS_FAILED, str(error))

    def _new_release(self) -> Release:
        from bluegreen import kindcluster
        from bluegreen.intent import Intent, intended
        from bluegreen.kube import connect
        from bluegreen.pinning import pinned
        from bluegreen.release import Release
        from bluegreen.settings import KIND

        self.progress(f"cluster {self.settings.cluster}")
        kube = connect(self.settings)
        for remark in kube.notes:  # an embedded cluster that runs other code than is installed, say
            self.progress(remark)
        intent = Intent(self.intent)
        self.settings = intended(self.settings, kube, intent)
        if self.settings.cluster == KIND:
            self.progress(kindcluster.bring_image(self.settings.docker_image))
        if intent is Intent.RELEASE:  # what served before, or was refused, is named as it was deployed
            self.settings, said = pinned(kube, self.settings)
            self.progress(said)
        return Release(self.settings, kube, out_dir=self.run_dir, progress=self.progress, intent=intent)

    # -- going on ---------------------------------------------------------------------------------------------------
    def enter(self, phase: str) -> bool:
        """Open a later phase if what was measured so far allows it; say why not where it does not."""
        if PHASES.index(phase) <= PHASES.index(self.phase):
            return self.state.read().phase == phase
        self.phase = phase
        why = self._why_not(phase)
        if not why and phase == "production":
            why = self._promote()
        if why:
            self.state.change(why=f"not run: {why}")
        else:
            self.state.change(phase=phase, known=self.release.kube.known() if self.release else [])
        return not why

    def _why_not(self, phase: str) -> str:
        """Why a phase may not open, in words; empty when it may."""
        if self.finding:
            return self.finding
        verdicts = self.verdicts()
        if phase == "load" and phase not in self.needed:
            return self.state.read().why.removeprefix("not run: ")
        before = [stage for stage in self._required(verdicts) if PHASES.index(phase_of(stage)) < PHASES.index(phase)]
        if bad := [f"{stage} {verdicts[stage]}" for stage in before if verdicts[stage] != Verdict.PASS]:
            return f"the gate is not passed ({', '.join(bad)})"
        if phase == "production":
            if self.settings.gate_only:
                return "--gate-only stops before the switch"
            tests = self.tally.of("production")
            if not any(test.outcome == "unfinished" for test in tests):
                return "no test would verify production after the switch"
            if left := next((test for test in tests if test.outcome != "unfinished"), None):
                return f"production would not be verified by all tests of the suite: {left.sentence or left.nodeid}"
        return ""

    def _required(self, verdicts: Mapping[str, Verdict]) -> dict[str, Verdict]:
        """The verdicts of the gate's stages that are needed, a team's own included where all are."""
        gate = {stage: verdict for stage, verdict in verdicts.items() if stage != "production"}
        return gate if self.needed == GATE_STAGES else {stage: gate[stage] for stage in self.needed}

    def _promote(self) -> str:
        """Switch live traffic; the reason when that did not come about."""
        assert self.release is not None
        with self._turning:
            self._watching = ""
        try:
            self.release.promote()
            self._watching = "production"
        except NeedsPersonError as error:
            self._end(Outcome.NEEDS_PERSON, str(error))
        except HarnessError as error:
            self._after_failed_promotion(error)
        return self.problem

    def _after_failed_promotion(self, error: HarnessError) -> None:
        """Rolled back where the switch had been made; otherwise the candidate is taken away."""
        assert self.release is not None
        if self.release.switched:
            self._end(Outcome.ROLLED_BACK, str(error))
        elif isinstance(error, HookError | LiveHarmedError | WorkersError):
            self.abort(Outcome.GATE_FAILED, str(error))
        else:
            self.abort(Outcome.HARNESS_FAILED, str(error))

    def record(self, report: pytest.TestReport) -> None:
        """Take a test's report; a failure in production switches back at once."""
        test = self.tally.record(report)
        bad = test is not None and test.outcome in (*BAD, *UNPROVEN)
        if test is not None and bad and phase_of(test.stage) == "production" and self.outcome is None:
            said = test.sentence.splitlines()[0] if test.sentence else test.outcome
            self._roll_back(f"{test.nodeid.rpartition('::')[2]}: {said}")

    def _roll_back(self, reason: str) -> None:
        """Once: the watching thread and the tests' thread may both find a reason."""
        assert self.release is not None
        with self._acting:
            if self.outcome is not None:
                return
            self._watching = ""
            with suppress(OSError):
                self.state.change(stop=f"not run: rolled back: {reason}")
            try:
                self.release.roll_back(reason)
                self._end(Outcome.ROLLED_BACK, reason)
            except HarnessError as error:
                self._end_badly(error, f"{reason}; and the way back failed: {error}")

    def _watch(self) -> None:
        """Beside the tests: end the gate when live is harmed, and tell of harm to production after the switch."""
        assert self.release is not None
        looks = {"gate": self._look_at_gate, "production": self._look_at_production}
        while not self._over.wait(LOOK_EVERY_S):
            watching = self._watching
            try:
                if watching:
                    looks[watching]()
            except HarnessError as error:
                with self._turning, suppress(OSError):  # the switch waits until what was found is told
                    if watching != self._watching:
                        continue  # what was looked at is over by now
                    self._found(watching, str(error))
                return

    def _look_at_gate(self) -> None:
        """Raise when live was harmed, or when the gate's tests take longer than they may."""
        assert self.release is not None
        self.release.check_live()
        if self._gate_time.expired:
            sentence = f"The gate's tests did not end within VALIDATION_TIMEOUT={self._gate_time.seconds:g} seconds."
            raise HarnessError(sentence)

    def _look_at_production(self) -> None:
        """What users feel, every time; what the cluster says, once a second. Raises what is found wrong."""
        assert self.release is not None
        if self._next_look.expired:
            self._next_look = Deadline(LOOK_AT_CLUSTER_EVERY_S)
            self.release.watch_tick()
        else:
            self.release.check_felt()

    def _found(self, watching: str, finding: str) -> None:
        """Tell everybody; a test of the gate that runs or hangs is ended too, for nothing it could say matters now.

        After the switch traffic goes back from here, at once: a test that takes its time keeps nobody waiting.
        """
        if watching == "gate":
            self.finding = finding
            self.state.change(stop=f"not run: {finding}")
            os.kill(os.getpid(), signal.SIGINT)
        else:
            with suppress(OSError):
                self.state.change(harm=finding)
            self._roll_back(finding)

    # -- ending -----------------------------------------------------------------------------------------------------
    def conclude(self) -> None:
        """All tests have run: finish the release, or take it back."""
        with self._acting:
            if self.outcome is not None or self.release is None:
                return
            self._over.set()
            self._ending = True
            if self.phase == "production" and self.state.read().phase == "production":
                self._conclude_production()
            else:
                self._conclude_gate()

    def _conclude_production(self) -> None:
        assert self.release is not None
        verdict = self.verdicts()["production"]
        if verdict != Verdict.PASS:
            self._roll_back(f"production: {verdict}")
            return
        try:
            self.release.finish()
            self._end(Outcome.SWITCHED, "")
        except HookError as error:
            self._roll_back(str(error))
        except HarnessError as error:
            self._end_badly(error, f"the new version was verified; retiring the old one failed: {error}")

    def _conclude_gate(self) -> None:
        assert self.release is not None
        verdicts = self._required(self.verdicts())
        worst = gate_verdict(verdicts, self.needed)
        if self.finding:
            outcome, reason = Outcome.GATE_FAILED, self.finding
        elif worst == Verdict.PASS and self.settings.gate_only:
            outcome, reason = Outcome.GATE_PASSED, "--gate-only: the gate passed, nothing was switched"
        else:
            outcome, reason = _gate_outcome(worst), _reason(verdicts)
        try:
            keep = self.settings.keep_refused and not self.finding and outcome != Outcome.GATE_PASSED
            (self.release.refuse if keep else self.release.revert)(reason, outcome)
            self._end(outcome, reason)
        except HarnessError as error:
            self._end_badly(error, f"{reason}; and taking the candidate away failed: {error}")

    def abort(self, outcome: Outcome, reason: str) -> None:
        """The run was cut short: undo what was done so far, whatever that is."""
        with self._acting:
            if self.outcome is not None or self.release is None:
                return
            self._over.set()
            self._ending = True
            try:
                self._end(self.release.abort(reason, outcome), reason)
            except HarnessError as error:
                self._end_badly(error, f"{reason}; and undoing it failed: {error}")

    def _end_badly(self, error: HarnessError, problem: str) -> None:
        """The last move failed. Where another process owns the release now, that one puts it in order, nobody else."""
        assert self.release is not None
        if isinstance(error, TakenOverError):
            said = str(error) if self.finding in ("", str(error)) else f"{self.finding} {error}"
            self._end(Outcome.LOCK_LOST, f"{said} {self.release.lock.holder()}")
        else:
            self._end(Outcome.NEEDS_PERSON, str(error) if isinstance(error, NeedsPersonError) else problem)

    def close(self) -> None:
        """Stop everything that runs beside the tests."""
        self._over.set()
        if self.release is not None:
            self.release.settle()

    def announce(self, result: Mapping[str, Any]) -> None:
        """Tell whoever watches from outside how it ended (``release.json``; empty when nothing was begun)."""
        if self.release is not None:
            if result:
                self.release.desk.observers.result(result)
            self.release.close()

    def _end(self, outcome: Outcome, problem: str) -> None:
        self.outcome, self.problem = outcome, problem
        if outcome is Outcome.NEEDS_PERSON and self.release is not None:
            self.release.desk.observers.person(problem)
        if self._calls is not None:
            self._calls.outcome(str(outcome), problem)

    def verdicts(self) -> dict[str, Verdict]:
        """The verdict of every stage as the tests stand now."""
        return {stage: stage_verdict(self.tally.outcomes(stage)) for stage in self.tally.stages}

    # -- signals ----------------------------------------------------------------------------------------------------
    def catch_signals(self) -> None:
        """SIGINT and SIGTERM end the run and revert; once that is under way further ones change nothing."""

        def interrupt(number: int, _frame: FrameType | None) -> None:
            name = signal.Signals(number).name
            if self._ending or self.signal or self.outcome is not None:
                # not from here: what was interrupted may be printing just now, and a stream is not to be entered twice
                said = f"{name}: already ending; the release is being put in order"
                threading.Thread(target=self.progress, args=(said,), daemon=True).start()
                return
            if not self.finding:
                self.signal = name
            self._ending = True
            raise KeyboardInterrupt(name)

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, interrupt)
            atexit.register(signal.signal, number, signal.SIG_IGN)  # or Python's end makes its exit code the signal's


def _gate_outcome(worst: Verdict) -> Outcome:
    """What a gate that did not pass is called."""
    return {Verdict.FAIL: Outcome.GATE_FAILED, Verdict.ERROR: Outcome.HARNESS_FAILED}.get(worst, Outcome.NO_EVIDENCE)


def _reason(verdicts: Mapping[str, Verdict]) -> str:
    """Which stages did not pass, in the order in which they run."""
    bad = [f"{stage}: {verdict}" for stage, verdict in verdicts.items() if verdict != Verdict.PASS]
    return "the gate was not passed (" + ", ".join(bad) + ")"
