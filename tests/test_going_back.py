"""Going back is only right when the old colour is the better place: asked of it, not read off its status."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest

from bluegreen import clock, localkube
from bluegreen.colour import Colour
from bluegreen.errors import NeedsPersonError
from bluegreen.going_back import may_go_back
from bluegreen.release import Release
from bluegreen.verdict import Outcome
from tests.apps import App
from tests.pods import frozen

NAME = "gremlinsai-backend"


@pytest.fixture
def app(cluster: localkube.Cluster, tmp_path: Path) -> Iterator[App]:
    """An application of the test's own."""
    app = App(cluster, tmp_path)
    yield app
    app.remove()


@pytest.mark.parametrize(
    ("answering", "wanted", "new_ready", "wanted_back"),
    [
        (3, 3, 3, True),
        (2, 3, 3, True),
        (1, 2, 2, True),
        (1, 3, 3, False),
        (1, 3, 1, True),
        (1, 3, 0, True),
        (0, 3, 3, False),
        (0, 3, 0, False),
        (0, 0, 3, False),
    ],
)
def test_traffic_goes_back_to_what_answers_at_least_half_or_as_much_as_what_is_bad(
    answering: int, wanted: int, new_ready: int, wanted_back: bool
) -> None:
    assert may_go_back(answering, wanted, new_ready) is wanted_back


def switched(app: App, **settings: str) -> Release:
    """A release that is being watched after its switch."""
    app.released("v1.0.0")
    release = app.release("v1.1.0", **settings)
    release.begin()
    release.promote()
    return release


def test_an_old_colour_that_hangs_gets_no_traffic_although_it_is_ready(app: App) -> None:
    release = switched(app, ROLLBACK_TIMEOUT="3")
    refused = pytest.raises(NeedsPersonError, match="0 answer")
    with frozen(app.pods(Colour.BLUE)), app.watched() as selectors, refused as said:
        release.roll_back("production: fail")
    release.close()
    assert selectors == ["green"]
    assert "stays at green" in said.value.sentence
    assert "bluegreen recover" in said.value.remedy
    assert app.endpoints() == set(app.pods(Colour.GREEN))


def test_pods_that_were_just_lost_are_waited_for(app: App) -> None:
    release = switched(app)
    for pod in app.pods(Colour.BLUE):
        app.kube.delete("Pod", pod, grace_s=0)
    release.roll_back("production: fail")
    release.close()
    assert app.live is Colour.BLUE
    app.at_rest()


def test_half_an_old_colour_is_better_than_a_bad_one_and_is_not_waited_for(app: App) -> None:
    release = switched(app, ROLLBACK_TIMEOUT="60")
    decided = clock.utc()
    with frozen(app.pods(Colour.BLUE)[:1]), suppress(NeedsPersonError):
        release.roll_back("production: fail")  # the frozen pod is behind the Service, and confirming may fail on it
    release.close()
    assert app.live is Colour.BLUE
    patched = datetime.fromisoformat(release.record["patches"][-1]["sent_at"].replace("Z", "+00:00"))
    assert (patched - decided).total_seconds() < 15, "half of ROLLBACK_TIMEOUT is what waiting for all would take"


def test_a_person_is_called_with_the_journal_left_to_mend(app: App) -> None:
    release = switched(app, ROLLBACK_TIMEOUT="2")
    app.kube.merge_patch("Deployment", f"{NAME}-blue", {"spec": {"replicas": 0}}, manager="somebody-else")
    app.await_size(Colour.BLUE)
    with pytest.raises(NeedsPersonError, match="not safe"):
        release.abort("interrupted", Outcome.INTERRUPTED)
    release.close()
    assert app.live is Colour.GREEN
    assert app.record is not None
    assert app.record.unfinished
