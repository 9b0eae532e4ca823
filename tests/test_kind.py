"""On a real kind: a release, the next one, a bad one, the way back. Skipped, with the reason, where there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegreen.errors import CannotStartError
from bluegreen.kindcluster import programs

WANTED = "BLUEGREEN_TEST_KIND"
ROOT = Path(__file__).parents[1]


def _why_not() -> str:
    """Why these tests do not run here; empty when they do."""
    try:
        programs.find()
    except CannotStartError as problem:
        return problem.sentence
    if not os.environ.get(WANTED):
        return f"{WANTED} is not set: it would make a kind cluster, called bluegreen, and delete it"
    return ""


pytestmark = pytest.mark.skipif(bool(_why_not()), reason=_why_not())


class OnKind:
    """Commands on the kind cluster, small enough for a machine of CI."""

    def __init__(self, reports: Path) -> None:
        self.reports = reports
        small = {"REPLICAS": "2", "CPU_REQUEST": "100m", "LOAD_TEST_DURATION": "10", "POST_SWITCH_WATCH": "5"}
        self.env = {**os.environ, **small, "CLUSTER": "kind", "REPORTS_DIR": str(reports)}

    def release(self, image: str) -> tuple[int, dict[str, object]]:
        """Exit code and ``release.json``."""
        suite = [sys.executable, "-m", "pytest", str(ROOT / "suites/release"), "--docker-image", image]
        code = subprocess.run(suite, cwd=ROOT, env=self.env, check=False).returncode
        return code, json.loads((self.reports / "latest/release.json").read_text())

    def bluegreen(self, *arguments: str) -> int:
        """A command's exit code."""
        return subprocess.run([sys.executable, "-m", "bluegreen.cli", *arguments], env=self.env, check=False).returncode


@pytest.fixture
def kind(tmp_path: Path) -> Iterator[OnKind]:
    """kind, with the cluster removed at the end."""
    one = OnKind(tmp_path)
    yield one
    assert one.bluegreen("cluster", "down", "--kind") == 0


def test_released_refused_and_gone_back(kind: OnKind) -> None:
    code, first = kind.release("gremlinsai/backend:v1.0.0")
    assert (code, first["outcome"], first["colour_after"]) == (0, "switched", "blue")
    code, second = kind.release("gremlinsai/backend:v1.1.0")
    assert (code, second["outcome"], second["colour_after"]) == (0, "switched", "green")
    assert second["probe"]["failed"] == 0  # type: ignore[index]
    code, bad = kind.release("gremlinsai/backend:v1.2.0-bad-http-500")
    assert (code, bad["outcome"], bad["colour_after"]) == (1, "gate-failed", "green")
    assert kind.bluegreen("rollback") == 0
    assert kind.bluegreen("status") == 0
