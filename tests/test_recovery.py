"""A release killed with -9 anywhere leaves something that ``recover`` or the next release mends.

Every write that a release makes to the API is a boundary: the process is killed right before it is sent, or right after
it was answered. Here a seeded sample; ``python -m tests.matrix kills`` runs them all.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegreen import localkube, recovery
from bluegreen.colour import Colour
from tests.apps import App
from tests.kill_matrix import GOOD, SCENARIOS, Kill, boundaries, moments, survive, writes_of

SEED, BOUNDARIES, MOMENTS = 20260101, 4, 2


@pytest.fixture
def app(cluster: localkube.Cluster, tmp_path: Path) -> Iterator[App]:
    """An application of the test's own that serves a good version."""
    app = App(cluster, tmp_path)
    app.released(GOOD)
    yield app
    app.remove()


@pytest.fixture(scope="module")
def writes(cluster: localkube.Cluster, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The writes of a whole release, by what becomes of it."""
    app = App(cluster, tmp_path_factory.mktemp("reference"))
    app.released(GOOD)
    counted = {scenario: writes_of(app, scenario) for scenario in SCENARIOS}
    app.remove()
    return counted


@pytest.mark.parametrize("number", range(BOUNDARIES))
def test_a_release_killed_at_a_write_is_mended(app: App, writes: dict[str, list[str]], number: int) -> None:
    kills = list(boundaries(lambda scenario: writes[scenario], random.Random(SEED)))
    survive(app, random.Random(SEED).sample(kills, BOUNDARIES)[number])


@pytest.mark.parametrize("kill", list(moments(3.5, MOMENTS, random.Random(SEED))), ids=str)
def test_a_release_killed_at_any_moment_is_mended(app: App, kill: Kill) -> None:
    survive(app, kill)


def test_a_release_that_was_frozen_past_its_lease_and_woken_changes_nothing(app: App) -> None:
    command, environment = app.command("v1.1.0")
    frozen = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert frozen.stderr is not None
        assert any(line.startswith("stand up the candidate") for line in frozen.stderr)
        frozen.send_signal(signal.SIGSTOP)
        done = app.driven("v1.2.0", "--wait-for-lock")
        assert done.said.get("outcome") == "switched", (done.said, done.log)
        with app.watched() as selectors:
            frozen.send_signal(signal.SIGCONT)
            said, log = frozen.communicate(timeout=60)
    finally:
        frozen.kill()
        frozen.wait()
    assert json.loads(said)["kind"] in ("LockLostError", "JournalLostError", "FencedOffError"), log
    assert selectors == ["green"]
    assert app.tag(Colour.GREEN) == "v1.2.0"
    app.at_rest()


def test_nothing_is_recovered_where_nothing_was_left(app: App) -> None:
    assert "Nothing to recover" in recovery.recover(app.settings(GOOD), app.kube, lambda _: None)
    app.at_rest()
