"""Whole releases that switch by an Ingress: forward, back, killed, and written to by others; users feel nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen import environment, localkube, overview, recovery, rollback
from bluegreen.clock import Deadline
from bluegreen.colour import Colour
from bluegreen.errors import CannotStartError, NeedsPersonError, TakenOverError
from bluegreen.journal import Step
from bluegreen.live_object import MOVED
from bluegreen.moves import HalfSwitchedError
from bluegreen.traffic import EPOCH, FencedOffError
from bluegreen.ways import wholly
from tests.apps import App
from tests.tls_api import Authority
from tests.users import users
from tests.ways.fronts import NAME, SERVICE, TEAM, Front, ended_tls, leads

BLUE, GREEN = Colour.BLUE, Colour.GREEN


@pytest.fixture
def app(cluster: localkube.Cluster, tmp_path: Path) -> Iterator[Front]:
    """An application of the test's own, behind an Ingress, that serves v1.0.0 from blue."""
    app = Front(cluster, tmp_path)
    app.released("v1.0.0")
    yield app
    app.remove()


def recovered_as_soon_as_free(app: Front) -> str:
    """Mend, without the settings that name the route, once the holder that is gone has lost its lock."""
    deadline = Deadline(20)
    while True:
        try:
            plain = app.settings("v1.1.0", SWITCH_BY="selector", ROUTE_NAME="")
            return recovery.recover(plain, app.kube, lambda _: None)
        except CannotStartError:
            assert not deadline.expired


def test_users_feel_neither_a_release_nor_a_roll_back_nor_a_return(app: Front) -> None:
    app.rests_at(BLUE, "v1.0.0")
    with users(app.url) as felt:
        release = app.released("v1.1.0")
        app.rests_at(GREEN, "v1.1.0")
        assert release.record["patches"][0]["kind"] == "Ingress"
        assert [patch["name"] for patch in release.record["patches"]] == [NAME, SERVICE]
        annotations = app.route["metadata"]["annotations"]
        assert (annotations[EPOCH], annotations[MOVED]) == (release.id, "green")
        refused = app.release("v1.2.0")
        refused.begin()
        refused.promote()
        assert app.leads_to(BLUE)
        refused.roll_back("production: fail")
        refused.close()
        app.rests_at(GREEN, "v1.1.0")
        rollback.roll_back(app.settings("v1.1.0"), app.kube, lambda _: None)
        app.rests_at(BLUE, "v1.0.0")
    assert felt.failed.total() == 0, (felt.failed, felt.first_failures)
    assert felt.versions >= {"v1.0.0", "v1.1.0"}


def test_the_first_release_takes_the_route_over_and_a_failed_one_leaves_it_at_nobody(
    cluster: localkube.Cluster, tmp_path: Path
) -> None:
    app = Front(cluster, tmp_path)
    try:
        release = app.release("v1.0.0")
        release.begin()
        release.promote()
        assert app.leads_to(BLUE)
        release.roll_back("production: fail")
        release.close()
        assert app.backends == [SERVICE, "others-service"]
        assert app.live is None
        app.released("v1.0.1")
        app.rests_at(BLUE, "v1.0.1")
    finally:
        app.remove()


STEPS = [Step.STANDING_UP, Step.JUDGING, Step.SWITCHING, Step.WATCHING, Step.RETIRING]


def test_a_release_killed_at_any_step_is_mended_and_nobody_feels_it(app: Front) -> None:
    serving, tag = BLUE, "v1.0.0"
    with users(app.url) as felt:
        for number, step in enumerate(STEPS, 1):
            killed = app.driven(f"v1.{number}.0", "--kill", "after", "--step", step)
            assert killed.code == -9, killed.log
            recovered_as_soon_as_free(app)
            if step is Step.RETIRING:
                serving, tag = serving.other, f"v1.{number}.0"
            app.rests_at(serving, tag)
    assert felt.failed.total() == 0, (felt.failed, felt.first_failures)


def test_a_release_killed_between_route_and_service_is_mended(app: Front) -> None:
    with users(app.url) as felt:
        killed = app.driven("v1.1.0", "--kill", "after", "--write", "2", "--of", f"/{NAME}")  # the first is the epoch
        assert killed.code == -9, killed.log
        assert app.backends == [f"{SERVICE}-green", "others-service"]
        assert app.live is BLUE
        shown = overview.text(overview.read(app.kube, app.settings("v1.1.0")))
        assert f"Ingress {NAME} sends it to green" in shown
        assert "sends it to blue  (not as the main one: `bluegreen recover`)" in shown
        recovered_as_soon_as_free(app)
    app.rests_at(BLUE, "v1.0.0")
    assert felt.failed.total() == 0, (felt.failed, felt.first_failures)


def test_a_route_that_somebody_else_moves_is_named_and_left(app: Front) -> None:
    release = app.release("v1.1.0")
    release.begin()
    rules = [{"http": {"paths": [leads("/", f"{SERVICE}-green"), leads("/others", "others-service")]}}]
    app.kube.merge_patch("Ingress", NAME, {"spec": {"rules": rules}}, manager="kubectl-edit")
    with pytest.raises(NeedsPersonError, match=r"Live traffic is at green, but field manager 'kubectl-edit'"):
        release.promote()
    release.close()
    assert app.backends[0] == f"{SERVICE}-green"
    rules[0]["http"]["paths"][0] = leads("/", f"{SERVICE}-blue")
    app.kube.merge_patch("Ingress", NAME, {"spec": {"rules": rules}}, manager="kubectl-edit")
    recovered_as_soon_as_free(app)
    app.rests_at(BLUE, "v1.0.0")


def test_a_path_that_others_add_stays_and_is_no_move(app: Front) -> None:
    release = app.release("v1.1.0")
    release.begin()
    path = leads("/more", "more-service")
    ops = [{"op": "add", "path": "/spec/rules/0/http/paths/-", "value": path}]
    app.kube.json_patch("Ingress", NAME, ops, manager=TEAM)
    release.promote()
    release.watch_tick()
    release.finish()
    release.close()
    assert app.backends == [f"{SERVICE}-green", "others-service", "more-service"]


REFUSED: list[tuple[dict[str, str], str]] = [
    ({"ROUTE_NAME": "none"}, "There is no Ingress none"),
    ({"SWITCH_BY": "httproute", "ROUTE_NAME": NAME}, "HTTPRoute"),
    ({"SWITCH_BY": "selector", "ROUTE_NAME": ""}, "Ingress front sends live traffic to blue: the last release"),
    ({"ROUTE_NAME": "foreign"}, "Ingress foreign has no backend of this application; its backends: others"),
]


def test_a_route_that_is_not_there_or_not_named_stops_a_release(app: Front) -> None:
    app.make("others", name="foreign")
    for settings, said in REFUSED:
        release = app.release("v1.1.0", **settings)
        with pytest.raises(CannotStartError, match=said):
            release.begin()
        release.close()
    app.rests_at(BLUE, "v1.0.0")


def test_a_release_that_was_taken_over_moves_no_route_any_more(app: Front) -> None:
    frozen = app.release("v1.1.0")
    frozen.begin()
    frozen.lock.stop()  # as a process that is stopped: no renewals, and it knows nothing of time
    later = app.begun_as_soon_as_free("v1.2.0")
    assert app.route["metadata"]["annotations"][EPOCH] == later.id
    with pytest.raises(FencedOffError):
        frozen.desk.traffic.move_one(("Ingress", NAME), wholly(BLUE), wholly(GREEN))
    with pytest.raises(TakenOverError):
        frozen.abort("woken up")
    frozen.close()
    assert app.leads_to(BLUE)
    later.revert("the test is over")
    later.close()
    app.rests_at(BLUE, "v1.0.0")


def test_a_router_that_follows_late_is_waited_for_and_nobody_feels_it(app: Front) -> None:
    app.cluster.set_fault("endpoints", router_s=1.0)
    try:
        with users(app.url) as felt:
            release = app.released("v1.1.0")
    finally:
        app.cluster.clear_faults()
    [moved] = release.desk.moved
    assert moved["confirmed_after_s"] >= 0.5  # of the 1 s, what is left once the patch is answered
    assert felt.failed.total() == 0, (felt.failed, felt.first_failures)
    app.rests_at(GREEN, "v1.1.0")


def test_the_ingress_that_setting_up_makes_can_be_switched_by_and_set_up_again(
    cluster: localkube.Cluster, tmp_path: Path
) -> None:
    app = App(cluster, tmp_path)
    own = {"INGRESS_HOST": "shop.test", "SWITCH_BY": "ingress", "ROUTE_NAME": "gremlinsai-backend"}
    try:
        for tag, colour in (("v1.0.0", BLUE), ("v1.1.0", GREEN)):
            release = app.released(tag, **own)
            assert release.handle is not None
            assert (release.handle.live_via, release.handle.live_host) == ("route", "shop.test")
            for _ in range(2):
                ingress = app.kube.get("Ingress", "gremlinsai-backend")
                assert ingress is not None
                (path,) = ingress["spec"]["rules"][0]["http"]["paths"]
                assert path["backend"]["service"]["name"] == f"{SERVICE}-{colour}"
                environment.set_up(app.kube, app.settings(tag, **own))
    finally:
        app.remove()


def test_when_one_of_two_routes_cannot_be_moved_the_other_goes_back(app: Front) -> None:
    app.make(f"{SERVICE}-blue", name="back")
    release = app.release("v1.1.0", ROUTE_NAME=f"{NAME} back")
    release.begin()
    patch = release.kube.json_patch

    def json_patch(kind: str, patched: str, ops: list[dict[str, Any]], **more: Any) -> Any:
        if patched == "back" and any(op["value"] == f"{SERVICE}-green" for op in ops):  # somebody is faster
            rules = [{"http": {"paths": [leads("/", "others-service")]}}]
            app.kube.merge_patch("Ingress", "back", {"spec": {"rules": rules}}, manager="kubectl-edit")
        return patch(kind, patched, ops, **more)

    release.kube.json_patch = json_patch  # type: ignore[method-assign]
    try:
        with pytest.raises(HalfSwitchedError, match=r"kubectl-edit.*front had moved and went back to blue") as caught:
            release.promote()
    finally:
        del release.kube.json_patch
    assert app.leads_to(BLUE)
    rules = [{"http": {"paths": [leads("/", f"{SERVICE}-blue")]}}]
    app.kube.merge_patch("Ingress", "back", {"spec": {"rules": rules}}, manager="kubectl-edit")
    release.abort(caught.value.sentence)
    release.close()
    app.rests_at(BLUE, "v1.0.0")


def test_users_who_come_by_https_are_followed_by_the_url_that_they_use(
    app: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with ended_tls(app.url, *authority.issue("shop", "127.0.0.1")) as url:
        release = app.released("v1.1.0", ROUTE_URL=url)
    assert release.handle is not None
    assert (release.handle.live_urls["http"], release.handle.live_via) == (url, "route")
    assert release.record["probe"]["failed"] == 0, release.record["probe"]["first_failures"]
    assert set(release.record["probe"]["by_version"]) == {"v1.0.0", "v1.1.0"}
    app.rests_at(GREEN, "v1.1.0")
