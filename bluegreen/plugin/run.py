"""What is registered with pytest once a suite of ours runs: measuring everywhere, owning in one process."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bluegreen import clock
from bluegreen.plugin import fixtures, intent_of, leaving, load_settings, suite_folder
from bluegreen.plugin.completeness import Completeness, LeftOut
from bluegreen.plugin.owner import Owner
from bluegreen.plugin.stages import PHASES, order, phase_of, stage_of
from bluegreen.plugin.state import FILE, StateFile
from bluegreen.plugin.validation import Validation
from bluegreen.plugin.witness import Witness
from bluegreen.verdict import Outcome, exit_code

if TYPE_CHECKING:
    from bluegreen.settings import Settings

RUN_DIR_INPUT = "bluegreen_run_dir"  # the key under which a worker is told where the run's files lie


def switch_on(config: pytest.Config, suite: str) -> None:
    """Register the plugins that this process needs.

    Raises:
        pytest.UsageError: a setting is wrong; nothing was changed. Exit code 4.
    """
    _must_be_whole(config, suite_folder(config, suite))
    releases = suite == "release"
    settings = load_settings(config, image_required=releases and intent_of(config) == "release", image_default=releases)
    if worker := getattr(config, "workerinput", None):
        run_dir = Path(worker[RUN_DIR_INPUT])
        _end_with_controller()
    elif config.option.collectonly:
        config.pluginmanager.register(CollectingOnly(), "bluegreen-ordering")
        config.pluginmanager.register(fixtures, "bluegreen-fixtures")
        return
    else:
        run_dir = _new_run_dir(config, settings)
    config.pluginmanager.register(fixtures, "bluegreen-fixtures")
    config.stash[fixtures.RUN_DIR] = run_dir
    config.stash[fixtures.SETTINGS] = settings
    config.pluginmanager.register(Witness(suite_folder(config, suite)), "bluegreen-witness")
    config.pluginmanager.register(Measuring(config, run_dir, suite), "bluegreen-measuring")
    if not worker:
        _direct_reports(config, run_dir)
        config.pluginmanager.register(Owning(config, suite, settings, run_dir), "bluegreen-owner")


PARTS = ("bluegreen-ordering", "bluegreen-fixtures", "bluegreen-measuring", "bluegreen-witness", "bluegreen-owner")
"""The names under which a suite's plugins are registered."""


def _must_be_whole(config: pytest.Config, folder: Path) -> None:
    """Refuse to judge with a part of the gate switched off, or with assertions that Python leaves out."""
    own = folder / "conftest.py"
    loaded = {getattr(plugin, "__file__", None) for plugin in config.pluginmanager.get_plugins()}
    if own.exists() and str(own) not in loaded:
        raise pytest.UsageError(
            f"bluegreen: {own} is not loaded (--noconftest, --confcutdir), and with it hooks that may refuse a "
            "release. Nothing was changed."
        )
    if blocked := [name for name in PARTS if config.pluginmanager.is_blocked(name)]:
        raise pytest.UsageError(f"bluegreen: -p no:{blocked[0]} takes a part of the gate away; nothing was changed.")
    if sys.flags.optimize:
        raise pytest.UsageError(
            "bluegreen: python -O (PYTHONOPTIMIZE) leaves every assert out, so tests would prove nothing; run without "
            "it. Nothing was changed."
        )
    if config.getoption("looponfail", False):
        raise pytest.UsageError("bluegreen: --looponfail runs tests until they pass, which is no evidence.")


def _end_with_controller() -> None:
    """End this worker when the controller is gone, killed say; xdist itself would let it measure on for 15 seconds."""
    controller = os.getppid()

    def watch() -> None:
        while os.getppid() == controller:
            clock.sleep_s(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="controller").start()


def _new_run_dir(config: pytest.Config, settings: Settings) -> Path:
    """The folder of this run's files, which is moved to REPORTS_DIR at the end, under a name with the colour.

    What the release depends on while it runs lies here, in the directory for temporary files: a disk that fills up
    under REPORTS_DIR costs a report and no release.
    """
    intent = intent_of(config)
    named = settings.docker_image if intent == "release" else intent
    image = named.rpartition("/")[2].replace(":", "-").replace("@", "-") or "live"
    stamp = clock.utc().strftime("%Y%m%d-%H%M%S-%f")[:-3]
    base = Path(tempfile.mkdtemp(prefix="bluegreen-"))
    config.add_cleanup(lambda: _remove_empty(base))
    return base / f"{stamp}-{image}-unfinished"


def _remove_empty(folder: Path) -> None:
    """Remove a folder, unless a report that could not be moved is still in it."""
    with suppress(OSError):
        folder.rmdir()


def _direct_reports(config: pytest.Config, run_dir: Path) -> None:
    """Have pytest-html and junitxml write into the run's folder, unless the user said where."""
    if not config.option.xmlpath:
        config.option.xmlpath = str(run_dir / "junit.xml")
    if config.pluginmanager.hasplugin("html") and not config.option.htmlpath:
        config.option.htmlpath = str(run_dir / "report.html")
        config.option.self_contained_html = True


class Ordering:
    """Collects a suite's tests, the checks that stand in YAML too, and puts them into the order of the stages."""

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """Take ``checks.yaml`` for a file of tests."""
        if file_path.name != "checks.yaml":
            return None
        from bluegreen.plugin.checks import ChecksFile

        collector: pytest.Collector = ChecksFile.from_parent(parent, path=file_path)
        return collector

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Sort after every other plugin had its say: the order is part of the gate."""
        order(items)


class CollectingOnly(Ordering):
    """For ``--collect-only``: nothing is released, and nobody may take the exit code for a release that went well."""

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Looking at a suite is no evidence."""
        if exitstatus == pytest.ExitCode.OK:
            session.exitstatus = exit_code(Outcome.NO_EVIDENCE)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say so."""
        terminalreporter.write_line(
            "NO-EVIDENCE: --collect-only lists the suite's tests; nothing was released", red=True
        )


class Measuring(Ordering):
    """In every process that runs tests: the order of the stages, and no test before its phase is open."""

    def __init__(self, config: pytest.Config, run_dir: Path, suite: str) -> None:
        self.config = config
        self.state = StateFile(run_dir / FILE)
        self.run_dir = run_dir
        self.completeness = Completeness(config, suite_folder(config, suite))
        self.left_out: list[LeftOut] = []

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Remember every test that there is."""
        self.completeness.collected[item.nodeid] = item

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Remember whose evidence will be missing."""
        self.completeness.deselected.update(item.nodeid for item in items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember files that were skipped whole."""
        self.completeness.note_report(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """A worker tells the controller, which collects nothing, the stage of each test, and what was left out."""
        self.left_out = self.completeness.left_out(session.items)
        if worker := getattr(self.config, "workerinput", None):
            stages = {item.nodeid: stage_of(item) for item in session.items}
            file = self.run_dir / f"collected-{worker['workerid']}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            left_out = [asdict(one) for one in self.left_out]
            file.write_text(json.dumps({"stages": stages, "left_out": left_out}))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Skip a test whose phase did not open, and every further test once the run was told to stop."""
        state = self.state.read()
        stage = stage_of(item)
        if state.stop and stage != "resources":
            pytest.skip(state.stop)
        if state.only and phase_of(stage) != "production" and stage not in state.only.split():
            pytest.skip(state.why)
        if PHASES.index(phase_of(stage)) > PHASES.index(state.phase):
            pytest.skip(state.why or "not run: its phase was not reached")


class Owning:
    """In the process that owns the session: the release itself, and everything that is said about it."""

    def __init__(self, config: pytest.Config, suite: str, settings: Settings, run_dir: Path) -> None:
        from bluegreen.plugin.reporting import Reporting

        self.config, self.run_dir = config, run_dir
        self.reporting = Reporting(config, settings, run_dir)
        self.owner = self._new_owner(suite, settings)
        self.stage_by_test: dict[str, str] = {}
        self.left_out: tuple[LeftOut, ...] = ()
        self.broken: list[str] = []  # files that could not be collected
        self.html_report: Any = None

    def _new_owner(self, suite: str, settings: Settings) -> Owner | Validation:
        if suite == "validate":
            return Validation(settings, self.run_dir, self.reporting.progress, self.config)
        return Owner(settings, self.run_dir, self.reporting.progress, self.config, intent_of(self.config))

    # -- xdist ------------------------------------------------------------------------------------------------------
    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker where the run's files lie."""
        node.workerinput[RUN_DIR_INPUT] = str(self.run_dir)

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config) -> Any:
        """Replace xdist's scheduler by one that knows the phases."""
        from xdist.workermanage import parse_tx_spec_config

        from bluegreen.plugin.scheduling import PhaseScheduling

        return PhaseScheduling(len(parse_tx_spec_config(config)), _Phases(self), self._collected)

    def _collected(self, nodeids: Sequence[str]) -> Mapping[str, str]:
        found = [json.loads(file.read_text()) for file in sorted(self.run_dir.glob("collected-*.json"))]
        for file in self.run_dir.glob("collected-*.json"):
            file.unlink()
        self.left_out = tuple(LeftOut(**one) for one in found[0]["left_out"])
        self.stage_by_test = {nodeid: found[0]["stages"][nodeid] for nodeid in nodeids}
        return self.stage_by_test

    # -- the run ----------------------------------------------------------------------------------------------------
    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Stand up before the first test, conclude after the last; a failed collection deploys nothing."""
        self.owner.catch_signals()
        if not self._distributed:
            measuring: Measuring = self.config.pluginmanager.getplugin("bluegreen-measuring")
            stages = {item.nodeid: stage_of(item) for item in session.items}
            if session.testsfailed or not self.owner.start(stages, tuple(measuring.left_out)):
                session.items.clear()
        with leaving.never_as_a_success(self.reporting.last_word):
            result = yield
        self.owner.conclude()
        return result

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember what could not be collected: whatever it holds was not tried."""
        if report.failed and report.nodeid not in self.broken:
            self.broken.append(report.nodeid)

    @property
    def _distributed(self) -> bool:
        return bool(self.config.pluginmanager.hasplugin("dsession"))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        """Without xdist: open the phase of the test that comes next."""
        if not self._distributed:
            self.owner.enter(phase_of(stage_of(item)))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take each test's report, from here or from a worker."""
        self.owner.record(report)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Generator[None, None, None]:
        """Whatever ended the run early: put the release in order, write the record, choose the exit code.

        The other plugins write their reports in between; a report that cannot be written changes no exit code.
        """
        if self.owner.outcome is None and self.owner.release is not None:
            self._cut_short(int(exitstatus))
        elif self.owner.outcome is None:
            self._not_begun(int(exitstatus))
        self.owner.close()
        if self.owner.outcome in (None, Outcome.COULD_NOT_START):
            self.reporting.discard()
        else:
            self.reporting.write(self.owner)
        self.owner.announce(self.reporting.record)
        if self.owner.outcome is not None:
            session.exitstatus = exit_code(self.owner.outcome)
        try:
            yield
        except OSError as error:
            self.reporting.progress(f"a report could not be written: {error}")
        self._settle()
        if exitstatus == pytest.ExitCode.INTERNAL_ERROR:  # pytest says nothing more then; where traffic is must be said
            self.pytest_terminal_summary(self.config.pluginmanager.getplugin("terminalreporter"))

    def _cut_short(self, exitstatus: int) -> None:
        if self.owner.signal:
            self.owner.abort(Outcome.INTERRUPTED, f"interrupted by {self.owner.signal}")
        elif exitstatus == pytest.ExitCode.INTERNAL_ERROR:
            self.owner.abort(Outcome.HARNESS_FAILED, "pytest met an internal error")
        else:  # -x, --maxfail: what was measured decides
            self.owner.conclude()

    def _not_begun(self, exitstatus: int) -> None:
        """No test was there to run, or not every file could be read: nothing was deployed, and nothing is proven."""
        if self.broken:
            files = ", ".join(self.broken)
            self.owner.prove_nothing(f"the suite could not be collected, so nothing was deployed: {files}")
        elif exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            self.owner.prove_nothing("the run has no test, so nothing was deployed", self.left_out)

    def _settle(self) -> None:
        """The reports are written: give their folder its final name, and let nobody name it by the earlier one."""
        self.reporting.settle()
        if junit := self.config.pluginmanager.getplugin("junitxml"):
            junit.pytest_unconfigure(self.config)
        for plugin in list(self.config.pluginmanager.get_plugins()):
            if type(plugin).__module__.startswith("pytest_html."):
                self.config.pluginmanager.unregister(plugin)

    # -- what people see --------------------------------------------------------------------------------------------
    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """The verdict, where traffic goes, and where the report is: the last lines printed."""
        self.reporting.say(terminalreporter, self.owner)

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_report_title(self, report: Any) -> None:
        """Take the report at its beginning; its title is known at its end."""
        self.html_report = report

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, prefix: list[str]) -> None:
        """Put the release above the table of tests."""
        if self.html_report is not None:
            self.html_report.title = self.reporting.title(self.owner)
        prefix.append(self.reporting.html())


class _Phases:
    """The owner as the scheduler sees it."""

    def __init__(self, owning: Owning) -> None:
        self.owning = owning

    def start(self) -> bool:
        """Stand up the candidate, unless a worker failed to collect."""
        session = self.owning.config.pluginmanager.getplugin("session")
        if session is not None and session.testsfailed:
            return False
        return self.owning.owner.start(self.owning.stage_by_test, self.owning.left_out)

    def enter(self, phase: str) -> None:
        """Open a later phase if it may be."""
        self.owning.owner.enter(phase)
