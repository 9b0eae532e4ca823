"""Going back after the switch waits for no test: a team's own may take as long as it likes."""

from __future__ import annotations

from bluegreen import checkout
from tests.way_back import WayBack

from .conftest import App
from .test_interruptions import V1

BAD = "gremlinsai/backend:v1.1.0-bad-http-500-after-switch"

TAKES_ITS_TIME = """
import threading
import pytest

pytestmark = pytest.mark.stage("production")


def test_that_takes_its_time(release):
    assert not threading.Event().wait(0 if release.live is None else 25)
"""


def test_a_long_test_of_production_keeps_no_traffic_on_a_bad_version(app: App) -> None:
    checkout.write(app.folder)
    suite = app.folder / "suites" / "release"
    (suite / "test_a_long_one.py").write_text(TAKES_ITS_TIME)  # collected first: it runs when the version turns bad
    first = app.result(app.start(suite=str(suite), DOCKER_IMAGE=V1))
    assert first.code == 0, first.output
    result = app.result(app.start(suite=str(suite), DOCKER_IMAGE=BAD))
    assert result.code == 6, result.output
    assert app.live_colour() == "blue"
    back = WayBack.of(result.reports, result.record)
    assert back.failing_s < 12, back  # it turns bad after 5 s, and that test ends 20 s later
