"""Which stage a test belongs to, in which order stages run, and how each test of a stage went. Pure.

A stage is named by the marker ``stage("health")``, else by the file (``test_health.py``). Stages other than ``load``
and ``production`` are one phase, the gate: they run in any order and on any worker. ``load`` waits for all of them,
``production`` waits for the switch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import pytest

from bluegreen.plugin import witness
from bluegreen.verdict import STAGES

if TYPE_CHECKING:
    from bluegreen.plugin.completeness import LeftOut

PHASES = ("gate", "load", "production")


def phase_of(stage: str) -> str:
    """The phase that a stage runs in."""
    return stage if stage in PHASES else "gate"


def stage_of(item: pytest.Item) -> str:
    """The stage of a test: its ``stage`` marker, else its file's name without ``test_``."""
    marker = item.get_closest_marker("stage")
    if marker and marker.args:
        return str(marker.args[0])
    return stage_of_file(item.location[0])


def stage_of_file(name: str) -> str:
    """The stage of the tests of a file that say nothing else."""
    return PurePath(name).stem.removeprefix("test_")


def order(items: list[pytest.Item]) -> None:
    """Sort in place by phase, then by stage; tests of one stage keep their order."""

    def rank(item: pytest.Item) -> tuple[int, int]:
        stage = stage_of(item)
        known = STAGES.index(stage) if stage in STAGES else len(STAGES)
        return PHASES.index(phase_of(stage)), known

    items.sort(key=rank)


STAYS = ("failed", "error", "no-evidence", "rerun", "crashed", "left-out")
"""Outcomes that no later pass of the same test takes back."""


@dataclass
class Test:
    """One test of the suite and how it went: passed, failed, error, no-evidence, skipped, not-run,
    rerun, xfailed, xpassed, crashed, unfinished or left-out."""

    __test__ = False  # not for pytest to collect

    nodeid: str
    stage: str
    outcome: str = "unfinished"
    sentence: str = ""
    duration_s: float = 0.0
    properties: list[tuple[str, Any]] = field(default_factory=list)


class Tally:
    """What became of every test, by stage; fed with pytest's reports in any order."""

    def __init__(self, stage_by_test: Mapping[str, str], left_out: Iterable[LeftOut] = ()) -> None:
        self.tests = {nodeid: Test(nodeid, stage) for nodeid, stage in stage_by_test.items()}
        for one in left_out:
            nodeid = one.nodeid if one.nodeid not in self.tests else f"{one.nodeid} ({one.stage})"
            self.tests[nodeid] = Test(nodeid, one.stage, one.outcome, one.why)

    @property
    def stages(self) -> list[str]:
        """Every stage a release needs, then those that the team added."""
        added = dict.fromkeys(test.stage for test in self.tests.values() if test.stage not in STAGES)
        return [*STAGES[:-1], *added, STAGES[-1]]

    def of(self, stage: str) -> list[Test]:
        """The tests of a stage."""
        return [test for test in self.tests.values() if test.stage == stage]

    def outcomes(self, stage: str) -> list[str]:
        """How each test of a stage went, those that were left out included."""
        return [test.outcome for test in self.of(stage)]

    def why_unproven(self, stage: str) -> str:
        """Why a stage in which nothing went wrong has proved nothing; empty where single tests say it themselves."""
        tests = self.of(stage)
        if not tests:
            return "no test of this stage was there"
        if all(test.outcome == "skipped" for test in tests):
            many = f"all {len(tests)} tests were skipped" if len(tests) > 1 else "its one test was skipped"
            return f"{many}: {tests[0].sentence or 'no reason was given'}"
        return ""

    def complete(self, phase: str) -> bool:
        """Whether every test of a phase has ended."""
        return all(test.outcome != "unfinished" for test in self.tests.values() if phase_of(test.stage) == phase)

    def record(self, report: pytest.TestReport) -> Test | None:
        """Take one report (setup, call or teardown); the test it is about, or None for an unknown one."""
        test = self.tests.get(report.nodeid)
        if test is None:
            return None
        test.duration_s += report.duration
        outcome = _outcome(report)
        if outcome is not None and not (test.outcome in STAYS and outcome == "passed"):
            test.outcome, test.sentence = outcome, _sentence(report)
        if report.user_properties:
            test.properties = list(report.user_properties)
        return test


def _outcome(report: pytest.TestReport) -> str | None:
    """What a report says of its test, or None where it says nothing new."""
    if str(report.outcome) == "rerun":
        return "rerun"
    if report.failed:
        if str(report.when) == "???":  # xdist's report of the test that a worker died in
            return "crashed"
        if _kind(report) == NO_EVIDENCE:
            return "no-evidence"
        return "failed" if report.when == "call" else "error"
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        return "not-run" if reason.startswith(("Skipped: not run", "not run")) else "skipped"
    if report.when != "call" or type(report).__name__ == "SubtestReport":
        return None  # a part of a test that passed says nothing of the whole
    if not getattr(report, witness.SEEN, False):
        return "no-evidence"
    why = getattr(report, witness.UNPROVEN, "")
    return ("rerun" if why.startswith(witness.TRIED_AGAIN) else "no-evidence") if why else "passed"


NO_EVIDENCE = "NoEvidenceError"  # bluegreen.gate's: a test ran, found nothing wrong, and could not tell


def _kind(report: pytest.TestReport) -> str:
    """The name of the error's class that ended a test."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message).partition(":")[0].rpartition(".")[2] if crash else ""


def _sentence(report: pytest.TestReport) -> str:
    """The sentence a person needs of a test that did not pass: the message, without the traceback."""
    if hasattr(report, "wasxfail"):
        reason = str(report.wasxfail).removeprefix("reason: ")
        how = (
            "it fails, as its xfail mark expects"
            if report.skipped
            else "it passes, and its xfail mark expects it not to"
        )
        return how + (f": {reason}" if reason else "")
    if report.passed:
        return str(getattr(report, witness.UNPROVEN, "it was reported as passed, and nobody saw it run"))
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message if crash else report.longrepr)
    head, _, rest = text.partition(": ")
    return rest if rest and head.replace(".", "").isidentifier() else text
