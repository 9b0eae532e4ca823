"""What of a suite a run leaves out: a gate is as good as the tests that were there, and a test left out proves nothing.

In come what pytest collected, what it kept and which files the suite has; out goes each test or file that should be
there and is not, with the stage whose evidence is missing. How it was left out (an option, a part of the suite named,
a conftest.py that filters) makes no difference to the gate, only to the words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from bluegreen.plugin.stages import stage_of, stage_of_file

if TYPE_CHECKING:
    import pytest

DEFAULT_FILES = ("test_*.py", "*_test.py", "checks.yaml")
"""Names of files that hold tests, whatever a run's own ``python_files`` says."""

NO_SUITE = ("__pycache__", "node_modules")  # folders that hold nobody's tests, beside hidden ones and environments


@dataclass(frozen=True)
class LeftOut:
    """A test, or a file of tests, that the suite has and the run does not. ``outcome``: how a report calls it."""

    nodeid: str
    stage: str
    why: str
    outcome: str = "left-out"


class Completeness:
    """Watches the collection of one suite."""

    def __init__(self, config: pytest.Config, folder: Path) -> None:
        self.config, self.folder = config, folder
        self.collected: dict[str, pytest.Item] = {}
        self.deselected: set[str] = set()
        self.files: dict[Path, str] = {}  # files that were looked into, and why nothing came out where nothing did

    def note_report(self, report: pytest.CollectReport) -> None:
        """A collector has been looked into; a skipped file is a file of skipped tests."""
        path = self.config.rootpath / report.nodeid.partition("::")[0]
        if report.skipped and path.is_file():
            self.files[path.resolve()] = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else "")

    def left_out(self, kept: Iterable[pytest.Item]) -> list[LeftOut]:
        """Everything that is missing from the tests that were kept."""
        names = {item.nodeid for item in kept}
        gone = [item for nodeid, item in self.collected.items() if nodeid not in names]
        items = [LeftOut(item.nodeid, stage_of(item), self._why_item(item)) for item in gone]
        return [*items, *self._files(), *self._parts()]

    def _files(self) -> Iterator[LeftOut]:
        seen = {item.path.resolve() for item in self.collected.values()}
        for path in files_of(self.folder, [*DEFAULT_FILES, *self.config.getini("python_files")]):
            if path in seen:
                continue
            nodeid, stage = self._name(path), stage_of_file(path.name)
            if path in self.files:
                yield LeftOut(nodeid, stage, self.files[path].removeprefix("Skipped: "), "skipped")
            else:
                yield LeftOut(nodeid, stage, f"no test of this file was collected: {self._why_file()}")

    def _parts(self) -> Iterator[LeftOut]:
        """Files of which only some tests were named: what else they hold was not even looked at."""
        named = {(self.config.invocation_params.dir / arg.partition("::")[0]).resolve() for arg in self._cut()}
        stages = {(item.path.resolve(), stage_of(item)) for item in self.collected.values()}
        for path, stage in sorted(stages):
            if path in named:
                yield LeftOut(self._name(path), stage, f"only a part of this file was named: {' '.join(self._cut())}")

    def _cut(self) -> list[str]:
        return [argument for argument in self.config.args if "::" in argument]

    def _name(self, path: Path) -> str:
        root = self.config.rootpath
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()

    def _why_item(self, item: pytest.Item) -> str:
        by = ", ".join(selections(self.config)) if item.nodeid in self.deselected else ""
        return f"left out by {by or 'a plugin or a conftest.py'}"

    def _why_file(self) -> str:
        if ways := [*selections(self.config), *_ignored(self.config)]:
            return f"left out by {', '.join(ways)}"
        named = [(self.config.invocation_params.dir / argument).resolve() for argument in self.config.args]
        if self.folder not in named:
            return f"the run named only {' '.join(self.config.args)}"
        return "it holds none, or a plugin, a conftest.py or pytest's configuration leaves it out"


def files_of(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """Every file of tests below a folder, by name."""
    found: list[Path] = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_dir():
            hidden = path.name.startswith(".") or path.name in NO_SUITE or (path / "pyvenv.cfg").exists()
            found += [] if hidden else files_of(path, patterns)
        elif any(fnmatch(path.name, pattern) for pattern in patterns):
            found.append(path.resolve())
    return found


def selections(config: pytest.Config) -> list[str]:
    """The options of this run that select tests, as a person writes them."""
    options = {"keyword": "-k", "markexpr": "-m", "deselect": "--deselect", "lf": "--last-failed"}
    options |= {"stepwise": "--stepwise", "stepwise_skip": "--stepwise-skip"}
    given = {flag: config.getoption(name, None) for name, flag in options.items()}
    return [flag if value is True else f"{flag} {_shown(value)}" for flag, value in given.items() if value]


def _ignored(config: pytest.Config) -> list[str]:
    given = {"--ignore": config.getoption("ignore", None), "--ignore-glob": config.getoption("ignore_glob", None)}
    return [f"{flag} {_shown(value)}" for flag, value in given.items() if value]


def _shown(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else repr(value)
