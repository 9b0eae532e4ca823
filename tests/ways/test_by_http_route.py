"""Whole releases that switch by an HTTPRoute; users, and the probe, come in by it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen import localkube, overview, rollback
from bluegreen.clock import Deadline
from bluegreen.colour import Colour
from bluegreen.errors import CannotStartError, NeedsPersonError
from bluegreen.journal import Step
from bluegreen.release import ProductionError
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


STEPS = {"TRAFFIC_STEPS": "10 50 100", "TRAFFIC_STEP_WATCH": "1.5"}


def test_traffic_moves_in_steps_that_users_do_not_feel(app: Gated) -> None:
    with users(app.url, app.host) as felt:
        release = app.released("v1.1.0", **STEPS)
        app.rests_at(GREEN, "v1.1.0")
    assert felt.failed.total() == 0, (felt.failed, felt.first_failures)
    record = json.loads(json.dumps(release.record))
    assert [weights(patch) for patch in record["patches"]] == [(90, 10), (50, 50), (0, 100), ()]
    small, half = record["shares"]
    assert (small["percent"], half["percent"], small["failed"], half["failed"]) == (10, 50, 0, 0)
    for step in (small, half):
        asked, green = step["requests"], step["by_version"].get("v1.1.0", 0)
        assert asked >= 20
        assert 0 < green / asked < 1
    assert "answered" in next(step["detail"] for step in record["steps"] if step["name"] == "10 % of traffic")


def weights(patch: dict[str, Any]) -> tuple[int, ...]:
    """The weights that a patch gives the application's backends."""
    written = [op["value"] for op in patch["operations"] if op["op"] == "replace" and "backendRefs" in op["path"]]
    return tuple(ref["weight"] for refs in written for ref in refs)


def test_harm_at_a_step_returns_everything_in_one_patch(app: Gated) -> None:
    release = app.release("v1.1.0-bad-http-500-after-switch", **{**STEPS, "TRAFFIC_STEP_WATCH": "20"})
    release.begin()
    with pytest.raises(ProductionError, match=r"With 10 % of live traffic at green: live traffic got worse"):
        release.promote()
    release.close()
    app.rests_at(BLUE, "v1.0.0")
    assert [weights(patch) for patch in release.record["patches"]] == [(90, 10), (100, 0)]
    captured = json.loads((release.out_dir / release.record["evidence"]["green"]["file"]).read_text())
    assert {f"HTTPRoute/{NAME}", f"Service/{SERVICE}-green"} <= captured["objects"].keys()
    (step,) = release.record["shares"]
    assert 3 <= step["failed"] <= 0.2 * step["requests"]


def test_steps_that_the_weights_of_others_do_not_allow_stop_a_release(app: Gated) -> None:
    beside = {"name": "others-service", "port": 80, "weight": 1}
    app.kube.json_patch("HTTPRoute", NAME, [{"op": "add", "path": "/spec/rules/0/backendRefs/-", "value": beside}])
    release = app.release("v1.1.0", **STEPS)
    with pytest.raises(CannotStartError, match=r"the weight 1 beside other backends, which cannot be divided into 10"):
        release.begin()
    release.close()


def test_a_release_killed_at_a_step_is_mended_and_nobody_feels_it(app: Gated) -> None:
    with users(app.url, app.host) as felt:
        killed = app.driven("v1.1.0", "--kill", "after", "--write", "3", "--of", f"/{NAME}", **STEPS)
        assert killed.code == -9, killed.log
        assert app.weights == {f"{SERVICE}-blue": 50, f"{SERVICE}-green": 50}
        shown = overview.text(overview.read(app.kube, app.settings("v1.1.0")))
        assert "HTTPRoute front sends it to 50 % blue, 50 % green" in shown
        recovered_as_soon_as_free(app)
        app.rests_at(BLUE, "v1.0.0")
    assert felt.failed.total() == 0, (felt.failed, felt.first_failures)


def test_a_share_that_somebody_else_changes_is_named_and_everything_goes_back(app: Gated) -> None:
    release = app.release("v1.1.0", **{**STEPS, "TRAFFIC_STEP_WATCH": "20"})
    release.begin()
    look, looked = release.desk.traffic.require, []

    def require(*expected: Any) -> None:
        looked.append(expected)
        if len(looked) == 2:
            ops = [{"op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": 80}]
            app.kube.json_patch("HTTPRoute", NAME, ops, manager="kubectl-edit")
        look(*expected)

    release.desk.traffic.require = require  # type: ignore[method-assign]
    with pytest.raises(NeedsPersonError, match=r"kubectl-edit"):
        release.promote()
    release.close()
    assert app.weights == {f"{SERVICE}-blue": 80, f"{SERVICE}-green": 10}
