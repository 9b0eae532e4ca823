"""A team's own repository: suites, load tests, conftest.py and the configuration that switches the plugin on.

Written once. Nothing that is there already is touched: what a team has changed is its own.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from bluegreen.errors import CannotStartError

CONFIGURATION = """\
[pytest]
# locust's plugin takes --host and patches the standard library; anyio's costs time at every start
addopts = -p no:locust -p no:anyio
# the suites that switch bluegreen on; everything else is ordinary pytest
bluegreen_release = suites/release
bluegreen_validate = suites/validate
"""

CONFIGURATION_TOML = """\
[tool.pytest.ini_options]
addopts = ["-p", "no:locust", "-p", "no:anyio"]
bluegreen_release = "suites/release"
bluegreen_validate = "suites/validate"
"""
"""The same, for ``pyproject.toml``."""

CONFTEST = '''\
"""This repository's own fixtures and hooks; those of a release (candidate, live, release, cluster, settings) are there.

A hook hears of each step before it is taken, and refuses it by raising:

    def pytest_bluegreen_before_step(step, context):
        if step == "switching":
            context.await_approval(step)
"""
'''

SMALL_FILES = {"conftest.py": CONFTEST, "reports/.gitignore": "*\n"}
"""Files that are written where they are missing; what a run leaves in reports/ belongs to no repository."""

IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc")


def write(folder: Path) -> list[str]:
    """Write what is missing into ``folder``; the names written, none when everything was there.

    Raises:
        CannotStartError: this installation lacks the suites.
    """
    written = []
    for name in ("suites", "loadtests"):
        if not (folder / name).exists():
            shutil.copytree(_source(name), folder / name, ignore=IGNORED)
            written.append(f"{name}/")
    for name, text in SMALL_FILES.items():
        if not (folder / name).exists():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
            written.append(name)
    configured = any((folder / name).exists() for name in ("pytest.ini", "pytest.toml", "pyproject.toml", "tox.ini"))
    if not configured:
        (folder / "pytest.ini").write_text(CONFIGURATION)
        written.append("pytest.ini")
    return written


def configuration_of(folder: Path) -> str:
    """What a repository that has a configuration of its own must add to it; empty when it names a suite already."""
    files = [folder / name for name in ("pytest.ini", "pytest.toml", "pyproject.toml", "tox.ini")]
    if any("bluegreen_release" in file.read_text() for file in files if file.exists()):
        return ""
    return CONFIGURATION_TOML if (folder / "pyproject.toml").exists() else CONFIGURATION


def _source(name: str) -> Path:
    """Where the bundled folder lies: inside the package when installed from a wheel, beside it in a checkout."""
    package = Path(__file__).resolve().parent
    found = next((p for p in (package / "templates" / name, package.parent / name) if p.is_dir()), None)
    if found is None:
        raise CannotStartError(f"The folder {name} is missing from this installation.", "Install the package again.")
    return found
