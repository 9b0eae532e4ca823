"""A switch that nobody feels: no failed request, whatever kind of user, while releases go forward and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegreen import localkube
from bluegreen.colour import Colour
from tests.apps import App
from tests.switch_matrix import Switches, cut
from tests.users import USERS, users


@pytest.fixture
def app(cluster: localkube.Cluster, tmp_path: Path) -> Iterator[App]:
    """An application of the test's own."""
    app = App(cluster, tmp_path)
    yield app
    app.remove()


def test_no_user_feels_a_release_a_roll_back_and_the_end_of_an_old_colour_that_cannot_be_told(app: App) -> None:
    offered = {"DRAIN_PATH": "none", "DRAIN_COUNT_PATH": "none", "DRAIN_TIMEOUT": "10"}
    first = app.released("v1.0.0")
    assert first.handle is not None
    with users(first.handle.live_urls["http"]) as felt:
        app.released("v1.1.0", **offered)
        refused = app.release("v1.2.0", **offered)
        refused.begin()
        refused.promote()
        refused.roll_back("production: fail")
        refused.close()
    assert felt.failed.total() == 0, (felt.failed, felt.first_failures)
    assert set(felt.answered) == {kind for kind, *_ in USERS}
    assert {"v1.0.0", "v1.1.0"} <= felt.versions
    assert app.live is Colour.GREEN
    app.at_rest()


def test_no_user_feels_switches_back_and_forth(app: App) -> None:
    switches = Switches(app)
    switches.run(2, before_s=1.0)
    assert (switches.done, switches.wrong) == (2, [])
    assert switches.felt.failed.total() == 0, (switches.felt.failed, switches.felt.first_failures)
    assert set(switches.felt.answered) == {kind for kind, *_ in USERS}
    assert switches.felt.versions == {"v1.0.0", "v1.1.0"}
    assert len(switches.windows) == 2
    app.at_rest()


def test_users_feel_it_when_old_pods_are_killed_in_place_of_the_drain(app: App) -> None:
    felt = cut(app)
    assert felt.failed["keep-alive"] > 0
    assert felt.failed["slow"] + felt.failed["stream"] > 0
