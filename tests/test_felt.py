"""A switch that nobody feels: no failed request, whatever kind of user, while releases go forward and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegreen import localkube
from bluegreen.colour import Colour
from tests.apps import App
from tests.users import USERS, users


@pytest.fixture
def app(cluster: localkube.Cluster, tmp_path: Path) -> Iterator[App]:
    """An application of the test's own."""
    app = App(cluster, tmp_path)
    yield app
    app.remove()


@pytest.mark.parametrize("drain", ["none", "/api/v1/admin/drain"], ids=["preStop", "told to drain"])
def test_no_user_feels_a_release_a_roll_back_and_the_end_of_the_old_colour(app: App, drain: str) -> None:
    first = app.released("v1.0.0")
    assert first.handle is not None
    with users(first.handle.live_urls["http"]) as felt:
        app.released("v1.1.0", DRAIN_PATH=drain, DRAIN_TIMEOUT="10")
        refused = app.release("v1.2.0", DRAIN_PATH=drain, DRAIN_TIMEOUT="10")
        refused.begin()
        refused.promote()
        refused.roll_back("production: fail")
        refused.close()
    assert sum(felt.failed.values()) == 0, (felt.failed, felt.first_failures)
    assert set(felt.answered) == {kind for kind, *_ in USERS}
    assert {"v1.0.0", "v1.1.0"} <= felt.versions
    assert app.live is Colour.GREEN
    app.at_rest()
