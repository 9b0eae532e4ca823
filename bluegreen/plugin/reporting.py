"""What people see: a line a step while it runs, the verdict at the end, and the files in the report's folder."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bluegreen import clock
from bluegreen.plugin.state import FILE
from bluegreen.verdict import BAD, UNPROVEN, Outcome, Verdict, exit_code

if TYPE_CHECKING:
    import pytest

    from bluegreen.plugin.owner import Owner
    from bluegreen.plugin.stages import Test
    from bluegreen.plugin.validation import Validation
    from bluegreen.settings import Settings

UNFINISHED = "-unfinished"

HEADLINES = {
    Outcome.SWITCHED: "live traffic is on {candidate}, verified",
    Outcome.GATE_PASSED: "every stage passed; nothing was switched, as asked",
    Outcome.GATE_FAILED: "the gate refused {image}; live traffic never moved",
    Outcome.NO_EVIDENCE: "nothing failed, but a stage proved nothing; live traffic never moved",
    Outcome.INTERRUPTED: "interrupted, and everything put back",
    Outcome.HARNESS_FAILED: "the harness itself failed, and put everything back",
    Outcome.LOCK_LOST: "the lock was lost; this run changed nothing more",
    Outcome.COULD_NOT_START: "could not start; nothing was changed",
    Outcome.ROLLED_BACK: "switched, failed there, and rolled back",
    Outcome.NEEDS_PERSON: "a person has to look",
}
"""One sentence an outcome, for the last lines of a run."""

VALIDATED = {
    Outcome.GATE_PASSED: "what is live passed every stage; nothing was changed",
    Outcome.GATE_FAILED: "what is live did not pass: {image} on {candidate}; nothing was changed",
    Outcome.NO_EVIDENCE: "nothing failed, but a stage proved nothing; nothing was changed",
    Outcome.INTERRUPTED: "interrupted; nothing was changed",
    Outcome.HARNESS_FAILED: "the harness itself failed; nothing was changed",
}
"""The same where what is live was looked at."""


STAYS_UP = "the embedded cluster stays up for the next run; stop it with: bluegreen cluster down"
KIND_STAYS = "the kind cluster stays for the next run; remove it with: bluegreen cluster down --kind"


class Reporting:
    """Writes and says what became of a release; decides nothing."""

    def __init__(self, config: pytest.Config, settings: Settings, run_dir: Path) -> None:
        self.config, self.settings, self.run_dir = config, settings, run_dir
        self.final_dir = run_dir
        self.discarded = False
        self.started_s = clock.now_s()
        self.record: dict[str, Any] = {}

    # -- while it runs ----------------------------------------------------------------------------------------------
    def progress(self, text: str) -> None:
        """One line a step, with the seconds since the run began."""
        terminal = self.config.pluginmanager.getplugin("terminalreporter")
        line = f"[{clock.now_s() - self.started_s:6.1f} s] {text}"
        if terminal is None:
            return
        terminal.ensure_newline()
        terminal.write_line(line)

    def last_word(self, text: str) -> None:
        """A line out of a test that is about to end this process: past what captures its output, and flushed."""
        if (capture := self.config.pluginmanager.getplugin("capturemanager")) is not None:
            capture.suspend_global_capture()
        self.progress(text)
        if (terminal := self.config.pluginmanager.getplugin("terminalreporter")) is not None:
            terminal.flush()

    # -- files ------------------------------------------------------------------------------------------------------
    def write(self, owner: Owner | Validation) -> None:
        """Write release.json and summary.md; failing to (a full disk, say) changes no verdict and says so."""
        from bluegreen.plugin.record import release_record
        from bluegreen.report import write_json, write_markdown

        self.record = release_record(owner, self.settings, clock.now_s() - self.started_s)
        try:
            self.run_dir.mkdir(parents=True, exist_ok=True)
            write_json(self.record, self.run_dir / "release.json")
            write_markdown(self.record, self.run_dir / "summary.md")
        except OSError as error:
            self.progress(f"the report could not be written: {error}")
        self.final_dir = self._final_name()

    def discard(self) -> None:
        """Nothing was begun: leave nothing behind."""
        self.discarded = True

    def _final_name(self) -> Path:
        stem = self.run_dir.name.removesuffix(UNFINISHED)
        colour = self.record.get("candidate") or "none"
        return Path(self.settings.reports_dir).resolve() / f"{stem}-{colour}"

    def settle(self) -> None:
        """Move the folder to where reports go and point ``latest`` at it; after every report is written."""
        if self.discarded:
            shutil.rmtree(self.run_dir, ignore_errors=True)
            return
        (self.run_dir / FILE).unlink(missing_ok=True)
        if not self.record:
            return
        try:
            self.final_dir.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(self.run_dir, self.final_dir)
        except OSError as error:
            shutil.rmtree(self.final_dir, ignore_errors=True)
            self.progress(f"the report stays in {self.run_dir}: it could not be moved to {self.final_dir}: {error}")
            self.final_dir = self.run_dir
            return
        with suppress(OSError):
            latest = self.final_dir.parent / "latest"
            draft = latest.with_name(f".latest-{os.getpid()}")
            draft.symlink_to(self.final_dir.name)
            draft.replace(latest)

    # -- HTML -------------------------------------------------------------------------------------------------------
    def title(self, owner: Owner | Validation) -> str:
        """The report's title."""
        outcome = str(owner.outcome or "not finished")
        from bluegreen.report import words

        return f"{words.image(self.record)}: {outcome}".strip(": ")

    def html(self) -> str:
        """Everything that stands above the table of tests."""
        if not self.record:
            return ""
        from bluegreen.report import evidence_html, summary_html

        return summary_html(self.record) + evidence_html(self.record.get("evidence") or {})

    # -- the last lines ---------------------------------------------------------------------------------------------
    def say(self, terminal: Any, owner: Owner | Validation) -> None:
        """Print the verdict, why, where traffic goes, and where the report is."""
        from bluegreen.report import words

        outcome = owner.outcome
        if outcome is None:
            return
        good = exit_code(outcome) == 0
        facts = {
            "image": words.image(self.record) or self.settings.docker_image,
            "candidate": self.record.get("candidate", ""),
        }
        validates = owner.suite == "validate"
        headline = (VALIDATED if validates else {}).get(outcome, HEADLINES[outcome])
        terminal.write_sep("=", "validation" if validates else "release", bold=True)
        terminal.write_line(f"{str(outcome).upper()}: {headline.format(**facts)}", bold=True, green=good, red=not good)
        for name, text in self._lines(owner):
            for number, part in enumerate(text.splitlines() or [""]):
                terminal.write_line(f"  {name if number == 0 else '':<9} {part}")

    def _lines(self, owner: Owner | Validation) -> list[tuple[str, str]]:
        from bluegreen.report.words import rehearsed, warnings

        record = self.record
        lines = []
        if owner.problem:
            lines.append(("why", owner.problem))
        if not record:
            return lines
        lines.append(("traffic", _traffic(record, self.settings)))
        lines.append(("stages", "  ".join(f"{name} {entry['verdict']}" for name, entry in record["stages"].items())))
        lines += _failures(owner)
        lines += [("warning", f"{stage}: {said}") for stage, said in warnings(record)]
        if (back_s := record.get("way_back_s")) is not None:
            lines.append(("way back", f"confirmed {back_s * 1000:.0f} ms after the finding"))
        lines += [("rehearsed", f"{way}: {said}") for way, said in rehearsed(record)]
        if probe := record.get("probe"):
            lines.append(("probe", _probe(probe)))
        if until := record.get("kept_until"):
            text = f"{record['colour_before']} stays at full size until {until}: `bluegreen rollback` is one patch"
            lines += [("old", text), ("", "afterwards retire it: `bluegreen retire --wait`, or the next release does")]
        lines.append(("report", str(_shown(self.final_dir / "report.html"))))
        if self.settings.own_cluster:
            lines.append(("cluster", STAYS_UP if self.settings.embedded else KIND_STAYS))
        return lines


def _traffic(record: dict[str, Any], settings: Settings) -> str:
    """Where live traffic went, in words."""
    before, after = record.get("colour_before") or "nobody", record.get("colour_after") or "nobody"
    way = f"{before} -> {after}" if before != after else f"stays with {after}"
    return f"{way}   (Service {settings.service_name}, namespace {settings.namespace})"


def _probe(probe: dict[str, Any]) -> str:
    """What users would have felt, in words."""
    gap = probe.get("longest_gap_ms")
    text = f"{probe.get('requests', 0)} requests to the live service, {probe.get('failed', 0)} failed"
    return text + (f", longest gap {gap:.0f} ms" if isinstance(gap, int | float) else "")


def _failures(owner: Owner | Validation, limit: int = 5) -> list[tuple[str, str]]:
    """A sentence for each test that failed, the first few; then for what is without evidence."""
    tests = list(owner.tally.tests.values())
    said = [(t.stage, t.sentence.splitlines()[0] if t.sentence else t.nodeid.rpartition("::")[2]) for t in tests]
    failed = [f"{stage}: {text}" for t, (stage, text) in zip(tests, said, strict=True) if t.outcome in BAD]
    unproven = [
        f"{stage}: {_name(t)}{text}" for t, (stage, text) in zip(tests, said, strict=True) if t.outcome in UNPROVEN
    ]
    whole = [
        f"{stage}: {owner.tally.why_unproven(stage)}"
        for stage, verdict in owner.verdicts().items()
        if verdict is Verdict.NO_EVIDENCE and owner.tally.why_unproven(stage)
    ]
    return [*_few("failed", failed, limit), *_few("unproven", [*whole, *unproven], limit)]


def _name(test: Test) -> str:
    """The test's name in front of why it proves nothing, for that sentence alone does not say what is missing."""
    return f"{test.nodeid.rpartition('/')[2]}: " if test.sentence else ""


def _few(name: str, sentences: list[str], limit: int) -> list[tuple[str, str]]:
    more = [f"and {len(sentences) - limit} more, see the report"] if len(sentences) > limit else []
    return [(name, sentence) for sentence in [*sentences[:limit], *more]]


def _shown(path: Path) -> Path:
    """The path as seen from here, where that is shorter."""
    with suppress(ValueError):
        return path.relative_to(Path.cwd())
    return path
