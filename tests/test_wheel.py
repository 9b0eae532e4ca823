"""A wheel built from the project works in a virtual environment and a folder that know nothing of the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest

from bluegreen import checkout, localkube

CHECKOUT = Path(__file__).resolve().parents[1]

QUICK = {"LOAD_TEST_DURATION": "3", "POST_SWITCH_WATCH": "1", "REPLICAS": "1", "CPU_REQUEST": "100m"}


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    """Run a command to its good end; what it printed."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env={**kept, **env}, capture_output=True, text=True, timeout=170
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a virtual environment that has the wheel; what it depends on is borrowed from this one."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=CHECKOUT)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv" / "bin"
    run(programs / "pip", "install", "--no-deps", "--no-index", "--quiet", wheel, cwd=folder)
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return programs


def test_a_release_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    place = run(installed / "python", "-c", "import bluegreen; print(bluegreen.__file__)", cwd=tmp_path)
    assert str(CHECKOUT) not in place
    said = run(installed / "bluegreen", "init", cwd=tmp_path)
    assert "suites/, loadtests/, conftest.py, reports/.gitignore, pytest.ini" in said
    assert "nothing was written" in run(installed / "bluegreen", "init", cwd=tmp_path)
    with localkube.running(localkube.DEFAULT_NAME) as cluster:
        home = {"BLUEGREEN_HOME": str(cluster.base)}
        output = run(installed / "python", "-m", "pytest", "suites/release", cwd=tmp_path, **home, **QUICK)
        status = run(installed / "bluegreen", "status", cwd=tmp_path, **home)
    assert "SWITCHED" in output
    assert "blue" in status
    assert (tmp_path / "reports" / "latest" / "report.html").exists()


def test_a_repository_with_its_own_configuration_is_told_what_to_add(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (tmp_path / "conftest.py").write_text("# a team's\n")
    assert checkout.write(tmp_path) == ["suites/", "loadtests/", "reports/.gitignore"]
    assert (tmp_path / "conftest.py").read_text() == "# a team's\n"
    to_add = tomllib.loads(checkout.configuration_of(tmp_path))
    assert to_add["tool"]["pytest"]["ini_options"]["bluegreen_release"] == "suites/release"
    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\nbluegreen_release = "suites/release"\n')
    assert checkout.configuration_of(tmp_path) == ""
