"""The owner of ``suites/validate``: the same checks against what is live, and not one write."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bluegreen import clock
from bluegreen.clock import Deadline
from bluegreen.colour import live_colour
from bluegreen.errors import CannotStartError, HarnessError
from bluegreen.handle import Handle
from bluegreen.plugin.stages import PHASES, Tally
from bluegreen.plugin.state import FILE, State, StateFile
from bluegreen.verdict import GATE_STAGES, Outcome, Verdict, gate_outcome, stage_verdict, worst

if TYPE_CHECKING:
    import pytest

    from bluegreen.kube import Kube
    from bluegreen.plugin.completeness import LeftOut
    from bluegreen.settings import Settings

REACH_TIMEOUT_S = 10.0  # a choice: what is live answers at once or not at all


class Validation:
    """One look at what is live; has the face of ``Owner``, and changes nothing."""

    suite = "validate"
    release = None

    def __init__(
        self, settings: Settings, run_dir: Path, progress: Callable[[str], None], _config: pytest.Config
    ) -> None:
        self.settings, self.run_dir, self.progress = settings, run_dir, progress
        self.state = StateFile(run_dir / FILE)
        self.tally = Tally({})
        self.outcome: Outcome | None = None
        self.problem = ""
        self.signal = ""
        self.handle: Handle | None = None

    def start(self, stage_by_test: Mapping[str, str], left_out: tuple[LeftOut, ...] = ()) -> bool:
        """Find what is live; False when nothing is, or it cannot be reached."""
        from bluegreen.kube import connect

        self.tally = Tally(stage_by_test, left_out)
        try:
            self.handle = self._find_live(connect(self.settings))
        except HarnessError as error:
            self.outcome, self.problem = Outcome.COULD_NOT_START, str(error)
            return False
        self.state.write(State(self.handle.to_json()))
        return True

    def prove_nothing(self, why: str, left_out: tuple[LeftOut, ...] = ()) -> None:
        """There was nothing to run."""
        self.tally = Tally({}, left_out) if left_out else self.tally
        self.outcome, self.problem = Outcome.NO_EVIDENCE, why

    def _find_live(self, kube: Kube) -> Handle:
        from bluegreen.access import Access, await_reachable
        from bluegreen.deployments import image_of
        from bluegreen.intent import version_of
        from bluegreen.journal import Journal
        from bluegreen.plan import plan_of

        settings = self.settings
        service = kube.get("Service", settings.service_name)
        colour = live_colour(service) if service else None
        if colour is None:
            raise CannotStartError(
                f"Nothing is live: Service {settings.service_name} in namespace {settings.namespace} "
                f"{'selects no colour' if service else 'does not exist'}.",
                "Release something first: pytest suites/release",
            )
        name = f"{plan_of(settings).names[0]}-{colour}"
        deployment = kube.get("Deployment", name)
        if deployment is None:
            raise CannotStartError(
                f"Service {settings.service_name} selects {colour}, but Deployment {name} is not there."
            )
        image = image_of(deployment)
        access = Access(kube, settings)
        address, behind = access.live("http"), access.behind("http")
        await_reachable(address, Deadline(REACH_TIMEOUT_S), settings.health_path)
        self.progress(f"what is live is reached at {address}")
        journal = Journal(kube, settings)
        journal.read()
        version = settings.expected_version or version_of(journal.history, image)
        return Handle(
            release_id="validate",
            namespace=settings.namespace,
            app_name=settings.app_name,
            service_name=settings.service_name,
            preview_name=settings.service_name,
            candidate=str(colour),
            live=str(colour),
            image=image,
            version=version,
            live_version=version,
            version_header=settings.version_header,
            replicas=int(deployment["spec"]["replicas"]),
            deployment=name,
            kubeconfig=str(kube.kubeconfig),
            context=kube.context,
            live_urls={"http": address.url},
            preview_urls={"http": behind.url},
            live_via=address.via,
            live_host=address.authority,
            preview_via=behind.via,
            available=True,
            started_at=clock.timestamp(),
            report_dir=str(self.run_dir),
        )

    def enter(self, phase: str) -> bool:
        """There is one phase: nothing is loaded, nothing is switched."""
        return phase == PHASES[0]

    def record(self, report: pytest.TestReport) -> None:
        """Take a test's report."""
        self.tally.record(report)

    def conclude(self) -> None:
        """The worst stage is the outcome."""
        if self.outcome is None and self.handle is not None:
            verdicts = self.verdicts()
            self.outcome = gate_outcome(worst(verdicts.values()))
            if self.outcome is not Outcome.GATE_PASSED:
                self.problem = ", ".join(f"{s}: {v}" for s, v in verdicts.items() if v is not Verdict.PASS)

    def abort(self, outcome: Outcome, reason: str) -> None:
        """Nothing is to be undone."""
        self.outcome, self.problem = outcome, reason

    def close(self) -> None:
        """Nothing runs beside the tests."""

    def announce(self, result: Mapping[str, Any]) -> None:
        """Nobody watches from outside: nothing changes."""

    def catch_signals(self) -> None:
        """SIGTERM ends the run as Ctrl-C does."""
        signal.signal(signal.SIGTERM, signal.default_int_handler)

    def verdicts(self) -> dict[str, Verdict]:
        """The verdict of every stage that can be measured without loading or switching."""
        added = [stage for stage in self.tally.stages if stage not in (*GATE_STAGES, "production")]
        stages = [*(stage for stage in GATE_STAGES if stage != "load"), *added]
        return {stage: stage_verdict(self.tally.outcomes(stage)) for stage in stages}
