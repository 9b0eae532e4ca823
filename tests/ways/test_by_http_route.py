"""Whole releases that switch by an HTTPRoute; users, and the probe, come in by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegreen import localkube, rollback
from bluegreen.clock import Deadline
from bluegreen.colour import Colour
from bluegreen.errors import CannotStartError, NeedsPersonError
from bluegreen.journal import Step
from tests.users import users
from tests.ways.fronts import NAME, SERVICE, Gated
from tests.ways.test_by_ingress import recovered_as_soon_as_free

BLUE, GREEN = Colour.BLUE, Colour.GREEN


@pytest.fixture
def app(cluster: localkube.Cluster, tmp_path: Path) -> Iterator[Gated]:
    """An application of the test's own, behind an HTTPRoute, that serves v1.0.0 from blue."""
    app = Gated(cluster, tmp_path)
    app.released("v1.0.0")
    yield app
    app.remove()


def test_users_feel_neither_a_release_nor_a_return(app: Gated) -> None:
    app.rests_at(BLUE, "v1.0.0")
    assert app.weights == {f"{SERVICE}-blue": 1}
    with users(app.url, app.host) as felt:
        release = app.released("v1.1.0", REHEARSE="true")
        app.rests_at(GREEN, "v1.1.0")
        assert app.weights == {f"{SERVICE}-blue": 0, f"{SERVICE}-green": 1}
        assert {patch["kind"] for patch in release.record["patches"]} == {"HTTPRoute", "Service"}
        assert release.handle is not None
        assert (release.handle.live_via, release.handle.live_host) == ("route", app.host)
        assert release.record["probe"]["failed"] == 0
        assert set(release.record["probe"]["by_version"]) == {"v1.0.0", "v1.1.0"}
        assert [leg["failed"] for leg in release.record["rehearsal"]] == [0, 0, 0]
        rollback.roll_back(app.settings("v1.1.0"), app.kube, lambda _: None)
        app.rests_at(BLUE, "v1.0.0")
    assert felt.failed.total() == 0, (felt.failed, felt.first_failures)
    assert felt.versions >= {"v1.0.0", "v1.1.0"}
    assert app.route["spec"]["rules"][1]["backendRefs"][0]["name"] == "others-service"


def test_a_release_killed_after_the_switch_is_mended_and_nobody_feels_it(app: Gated) -> None:
    with users(app.url, app.host) as felt:
        killed = app.driven("v1.1.0", "--kill", "after", "--step", Step.WATCHING)
        assert killed.code == -9, killed.log
        assert app.leads_to(GREEN)
        recovered_as_soon_as_free(app)
        app.rests_at(BLUE, "v1.0.0")
    assert felt.failed.total() == 0, (felt.failed, felt.first_failures)


FILTERS = "/spec/rules/1/filters"


def test_a_route_that_its_gateway_refuses_stops_a_release_and_calls_for_a_person_after_the_switch(app: Gated) -> None:
    release = app.release("v1.1.0")
    release.begin()
    app.kube.json_patch("HTTPRoute", NAME, [{"op": "add", "path": FILTERS, "value": [{"type": "X"}]}])
    with pytest.raises(NeedsPersonError, match=r"Gateway gate does not follow HTTPRoute front: Accepted is False"):
        release.promote()
    release.close()
    assert app.leads_to(BLUE)
    app.kube.json_patch("HTTPRoute", NAME, [{"op": "remove", "path": FILTERS}])
    recovered_as_soon_as_free(app)
    app.rests_at(BLUE, "v1.0.0")
    app.kube.json_patch("HTTPRoute", NAME, [{"op": "add", "path": FILTERS, "value": [{"type": "X"}]}])
    deadline = Deadline(10)
    while not _refused(app):
        assert not deadline.expired
    release = app.release("v1.1.0")
    with pytest.raises(CannotStartError, match="Gateway gate does not follow HTTPRoute front: Accepted is False"):
        release.begin()
    release.close()


def _refused(app: Gated) -> bool:
    (parent,) = app.route["status"]["parents"]
    return any((each["type"], each["status"]) == ("Accepted", "False") for each in parent["conditions"])
