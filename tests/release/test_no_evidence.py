"""What proves nothing does not pass: selections, skips, a worker that dies, a test that passes at its second try."""

from __future__ import annotations

from pathlib import Path

import pytest

from bluegreen import checkout

from .conftest import App

DIES = "import os\n\n\ndef test_it(target):\n    os._exit(7)\n"
SKIPS = "import pytest\n\n\ndef test_it(target):\n    pytest.skip('not today')\n"
FAILS = "def test_it(target):\n    assert target.pods() == [], 'there are pods'\n"
BREAKS = """
import pytest

@pytest.fixture
def broken():
    raise OSError("no disk")

def test_it(broken):
    pass
"""


@pytest.fixture
def team(app: App) -> Path:
    """A team's repository with suites of its own."""
    checkout.write(app.folder)
    return app.folder / "suites" / "release"


@pytest.mark.parametrize(
    ("text", "code", "verdict"),
    [(DIES, 5, "no-evidence"), (SKIPS, 5, "no-evidence"), (FAILS, 1, "fail"), (BREAKS, 3, "error")],
    ids=["a worker that dies", "only skips", "a failure", "a fixture that breaks"],
)
def test_a_teams_own_stage_counts(app: App, team: Path, text: str, code: int, verdict: str) -> None:
    (team / "test_migrations.py").write_text(text)
    result = app.result(app.start("-n", "2", suite=str(team)))
    assert result.code == code, result.output
    assert result.verdict("migrations") == verdict
    assert result.verdict("load") == "not-run"
    assert app.live_colour() == "none"
    assert app.replicas().get("blue", 0) == 0


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_gate_that_does_not_end_is_ended(app: App, team: Path, workers: tuple[str, ...]) -> None:
    (team / "test_migrations.py").write_text("import time\n\n\ndef test_it(target):\n    time.sleep(600)\n")
    result = app.result(app.start(*workers, suite=str(team), VALIDATION_TIMEOUT="6"), timeout_s=60)
    assert result.code == 1, result.output
    assert result.record["outcome"] == "gate-failed"
    assert "VALIDATION_TIMEOUT=6" in result.output
    assert app.live_colour() == "none"
    assert app.replicas().get("blue", 0) == 0


def test_without_production_tests_nothing_is_switched(app: App, team: Path) -> None:
    (team / "test_production.py").unlink()
    result = app.result(app.start(suite=str(team)))
    assert result.code == 5, result.output
    assert app.live_colour() == "none"
