"""The pytest plugin: options, and the switch that turns the rest on.

Inert until pytest's configuration names a suite (``bluegreen_release`` or ``bluegreen_validate``, a folder relative to
the configuration file) and the run's arguments lie inside it. Then exactly one process owns the release: the one that
owns the session, xdist's controller included. Workers measure and report; they never deploy, switch or decide.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bluegreen.settings import SETTINGS

if TYPE_CHECKING:
    from bluegreen.settings import Settings

SUITES = ("release", "validate")

INTENTS = {
    "rollback": "release the colour that served before, as it is, through the whole gate",
    "retry": "release once more what the gate refused last; a candidate that was kept is judged as it stands",
}
"""What a release may be of, other than of DOCKER_IMAGE. No settings: nobody wants them in a file."""


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Know the hooks of a release, also where no release runs: a conftest.py may implement them."""
    from bluegreen.plugin import specification

    pluginmanager.add_hookspecs(specification)


def pytest_addoption(parser: pytest.Parser) -> None:
    """One option a setting (secrets have none: a process list is public), and where the suites lie."""
    for suite in SUITES:
        parser.addini(f"bluegreen_{suite}", f"folder of the {suite} suite; naming it switches bluegreen on for it")
    group = parser.getgroup("bluegreen", "blue-green release")
    for intent, text in INTENTS.items():
        group.addoption(f"--{intent}", dest=f"bluegreen_intent_{intent}", action="store_true", help=text)
    for setting in SETTINGS:
        if setting.option is None:
            continue
        destination = _destination(setting.name)
        text = f"{setting.help} [{setting.name}]".replace("%", "%%")
        if setting.is_flag:
            group.addoption(setting.option, dest=destination, action="store_const", const="true", help=text)
        elif setting.bare is not None:
            how = {"nargs": "?", "const": setting.bare}
            group.addoption(setting.option, dest=destination, metavar=setting.metavar, help=text, **how)
        else:
            group.addoption(setting.option, dest=destination, metavar=setting.metavar, help=text)


@pytest.hookimpl(tryfirst=True)  # before pytest-html and junitxml look where to write
def pytest_configure(config: pytest.Config) -> None:
    """Register the stateful part where a suite of ours is asked for, and only there."""
    config.addinivalue_line("markers", "stage(name): the stage of the gate that a test belongs to")
    suite = active_suite(config)
    if suite is None:
        return
    from bluegreen.plugin.run import switch_on

    switch_on(config, suite)


def active_suite(config: pytest.Config) -> str | None:
    """The suite that the arguments name, or None.

    A release runs on its own: mixing it with other tests would make their failures part of the gate.

    Raises:
        pytest.UsageError: some arguments lie in a suite and others do not.
    """
    folders = {suite: _folder(config, suite) for suite in SUITES}
    arguments = [_path(config, argument) for argument in config.args]
    found: set[str | None] = set()
    for path in arguments:
        found.add(next((name for name, folder in folders.items() if folder and path.is_relative_to(folder)), None))
        above = [name for name, folder in folders.items() if folder and folder != path and folder.is_relative_to(path)]
        if above and path.exists() and config.args_source is config.ArgsSource.ARGS:
            found.update(above)
    if found - {None} and len(found) > 1:
        raise pytest.UsageError(
            f"bluegreen: {' '.join(config.args)} mixes the suite {' and '.join(sorted(filter(None, found)))} "
            "with other tests; a suite runs on its own: pytest suites/release"
        )
    return next(iter(found), None)


def intent_of(config: pytest.Config) -> str:
    """What the release is of: ``release`` (of DOCKER_IMAGE), or one of ``INTENTS``.

    Raises:
        pytest.UsageError: both were given.
    """
    given = [intent for intent in INTENTS if config.getoption(f"bluegreen_intent_{intent}", False)]
    if len(given) > 1:
        raise pytest.UsageError(f"bluegreen: --{' and --'.join(given)} exclude each other; nothing was changed.")
    return given[0] if given else "release"


def load_settings(config: pytest.Config, *, image_required: bool, image_default: bool = True) -> Settings:
    """The settings of this run: options over environment over ``.env`` over defaults.

    Only a release needs an image to be named, and what is live is judged as what it is.

    Raises:
        pytest.UsageError: with every mistake, each naming its setting, value and remedy. Exit code 4.
    """
    import os

    from bluegreen import settings
    from bluegreen.errors import HarnessError

    given = {setting.name: config.getoption(_destination(setting.name), None) for setting in SETTINGS}
    options = {name: value for name, value in given.items() if value is not None}
    try:
        return settings.load(
            os.environ,
            options,
            dotenv=Path.cwd() / ".env",
            image_required=image_required,
            image_default=image_default,
        )
    except HarnessError as error:
        raise pytest.UsageError(f"bluegreen: cannot start, nothing was changed.\n{error}") from error


def _destination(name: str) -> str:
    return f"bluegreen_{name.lower()}"


def suite_folder(config: pytest.Config, suite: str) -> Path:
    """Where a suite that the configuration names lies."""
    folder = _folder(config, suite)
    assert folder is not None, f"bluegreen_{suite} is not set"
    return folder


def _folder(config: pytest.Config, suite: str) -> Path | None:
    named = str(config.getini(f"bluegreen_{suite}") or "")
    base = config.inipath.parent if config.inipath else config.rootpath
    return (base / named).resolve() if named else None


def _path(config: pytest.Config, argument: str) -> Path:
    return (config.invocation_params.dir / argument.split("::")[0]).resolve()
