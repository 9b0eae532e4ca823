"""What becomes of an old colour after a release and of a refused candidate: kept, returned to, judged again."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen import environment, intent, localkube, overview, recovery, rollback
from bluegreen.clock import Deadline
from bluegreen.colour import Colour
from bluegreen.errors import CannotStartError
from bluegreen.intent import Intent, intended, may_return
from bluegreen.journal import Step
from bluegreen.release import ProductionError, Release
from bluegreen.verdict import Outcome
from tests.apps import App

NAME = "gremlinsai-backend"
DELAY = {"SCALE_DOWN_DELAY": "600"}


@pytest.fixture
def app(cluster: localkube.Cluster, tmp_path: Path) -> Iterator[App]:
    """An application of the test's own."""
    app = App(cluster, tmp_path)
    yield app
    app.remove()


def of(app: App, what: Intent, tag: str = "v9.9.9", **more: str) -> Release:
    """A release that is not of the image that the settings name."""
    chosen = intended(app.settings(tag, **more), app.kube, what)
    return Release(chosen, app.kube, out_dir=app.folder / str(what), progress=lambda _: None, intent=what)


def went_through(release: Release) -> Release:
    """The release, over and switched."""
    try:
        release.begin()
        release.promote()
        release.watch_tick()
        release.finish()
    finally:
        release.close()
    return release


def quietly(_: str) -> None:
    """Progress that nobody reads."""


def minimum(app: App, colour: Colour) -> int:
    """The least number of pods that a colour's autoscaler allows."""
    found = app.kube.get("HorizontalPodAutoscaler", f"{NAME}-{colour}")
    assert found is not None
    return int(found["spec"]["minReplicas"])


def uids(app: App, colour: Colour) -> set[str]:
    """Which pods a colour has."""
    found = app.kube.list("Pod", labels=f"app={NAME},version={colour}")
    return {pod["metadata"]["uid"] for pod in found}


def test_an_old_colour_is_kept_at_full_size_and_a_return_to_it_is_one_patch(app: App) -> None:
    app.released("v1.0.0")
    app.kube.merge_patch("Deployment", f"{NAME}-blue", {"spec": {"replicas": 3}}, manager="somebody-else")
    done = app.released("v1.1.0", MIN_REPLICAS="1", **DELAY)
    record = app.record
    assert record is not None
    assert (record.step, record.outcome, record.unfinished) == (Step.KEPT, "switched", False)
    assert done.record["kept_until"] == record.kept_until
    assert 500 < record.kept_for_s <= 600
    assert [entry["outcome"] for entry in done.desk.journal.history] == ["switched", "switched"]
    old = uids(app, Colour.BLUE)
    assert (len(old), minimum(app, Colour.BLUE), minimum(app, Colour.GREEN)) == (3, 3, 1)
    assert app.kube.get("PodDisruptionBudget", f"{NAME}-blue") is not None
    shown = overview.text(overview.read(app.kube, app.settings("v1.1.0")))
    assert f"kept at full size until {record.kept_until}" in shown
    assert "is kept" in recovery.retire_kept(app.settings("v1.1.0"), app.kube, quietly)
    assert "is kept" in recovery.recover(app.settings("v1.1.0"), app.kube, quietly)
    assert "v1.0.0" in may_return(app.settings("v1.1.0"), app.kube)
    with app.watched() as selectors:
        rollback.roll_back(app.settings("v1.1.0", **DELAY), app.kube, progress=quietly)
    assert selectors == ["green", "blue"]
    assert uids(app, Colour.BLUE) == old
    assert minimum(app, Colour.BLUE) == 2
    app.at_rest()
    assert may_return(app.settings("v1.1.0"), app.kube) == "", "what was left because it is bad is gated"


def test_an_autoscaler_that_keeps_more_pods_at_rest_adds_none_to_a_smaller_candidate(app: App) -> None:
    """It would add one at once and take one away a moment later, in the middle of the gate."""
    environment.set_up(app.kube, app.settings("v9.9.9"))
    app.kube.merge_patch("HorizontalPodAutoscaler", f"{NAME}-blue", {"spec": {"minReplicas": 3}})
    chosen = app.settings("v9.9.9", REPLICAS="1", MIN_REPLICAS="1")
    release = Release(chosen, app.kube, out_dir=app.folder / "small", progress=quietly)
    try:
        assert release.begin().candidate == "blue"
        assert minimum(app, Colour.BLUE) == 1
        deployment = app.kube.get("Deployment", f"{NAME}-blue")
        assert deployment is not None
        assert deployment["spec"]["replicas"] == 1
        assert len(uids(app, Colour.BLUE)) == 1
        release.revert("seen")
    finally:
        release.close()


def test_a_kept_colour_is_retired_when_its_time_is_up_and_by_whoever_comes_next(app: App) -> None:
    app.released("v1.0.0")
    app.released("v1.1.0", SCALE_DOWN_DELAY="3")
    assert app.record is not None
    assert app.record.step is Step.KEPT
    said: list[str] = []
    done = recovery.retire_kept(app.settings("v1.1.0"), app.kube, said.append, wait=True)
    assert "Retired" in done
    assert "is kept at full size until" in said[0]
    app.at_rest()
    assert "Nothing to retire" in recovery.retire_kept(app.settings("v1.1.0"), app.kube, quietly, wait=True)
    app.released("v1.2.0", **DELAY)
    assert len(app.pods(Colour.GREEN)) == 2
    later = app.released("v1.3.0")
    assert "old colour, kept until now, is retired" in str(later.record["recovered"])
    assert (app.live, app.tag(Colour.GREEN), app.tag(Colour.BLUE)) == (Colour.GREEN, "v1.3.0", "v1.2.0")
    app.at_rest()


def test_the_image_that_served_a_moment_ago_returns_without_the_whole_gate(app: App) -> None:
    app.released("v1.0.0")
    app.released("v1.1.0", **DELAY)
    old = uids(app, Colour.BLUE)
    back = app.released("v1.0.0")
    assert "served until" in back.record["returning"]
    assert app.live is Colour.BLUE
    assert uids(app, Colour.BLUE) == old, "what stood there was not started anew"
    app.at_rest()
    changed = app.released("v1.1.0", CPU_REQUEST="60m")
    assert changed.record["returning"] == "", "another pod template is another release"
    late = app.released("v1.0.0", ROLLBACK_WINDOW="0")
    assert late.record["returning"] == ""
    app.at_rest()


def test_a_rollback_through_the_gate_brings_the_old_colour_back_as_it_was(app: App) -> None:
    app.released("v1.0.0")
    template = (app.deployment(Colour.BLUE) or {})["spec"]["template"]
    app.released("v1.1.0")
    back = went_through(of(app, Intent.ROLLBACK, CPU_REQUEST="70m"))
    assert back.handle is not None
    assert (back.handle.version, back.handle.returning) == ("v1.0.0", "")
    assert app.live is Colour.BLUE
    assert (app.deployment(Colour.BLUE) or {})["spec"]["template"] == template
    app.at_rest()


def test_a_refused_candidate_that_is_kept_is_judged_again_as_it_stands(app: App) -> None:
    app.released("v1.0.0")
    app.released("v1.1.0")
    before = app.deployment(Colour.BLUE)
    first = app.release("v1.2.0")
    first.begin()
    first.refuse("api: fail")
    first.close()
    assert app.record is not None
    assert (app.record.step, app.record.outcome, app.record.reason) == (Step.REFUSED, "gate-failed", "api: fail")
    assert app.endpoints("gremlinsai-service-preview") == set(app.pods(Colour.BLUE))
    assert "bluegreen retry" in overview.text(overview.read(app.kube, app.settings("v1.1.0")))
    stood = uids(app, Colour.BLUE)
    again = of(app, Intent.RETRY)
    handle = again.begin()
    assert (handle.image.rpartition(":")[2], handle.available) == ("v1.2.0", True)
    assert uids(app, Colour.BLUE) == stood
    again.revert("api: fail again")
    again.close()
    after = app.deployment(Colour.BLUE)
    assert before is not None
    assert after is not None
    assert after["spec"] == before["spec"], "what was there before the first try is put back"
    app.at_rest()
    third = went_through(of(app, Intent.RETRY))
    assert third.record["image"].endswith("v1.2.0")
    app.at_rest()
    with pytest.raises(CannotStartError, match="not refused"):
        of(app, Intent.RETRY)


def test_a_refused_candidate_goes_when_another_release_or_recover_comes(app: App) -> None:
    app.released("v1.0.0")
    for mended in (
        lambda: recovery.recover(app.settings("v1.2.0"), app.kube, quietly),
        lambda: app.released("v1.3.0"),
    ):
        refused = app.release("v1.2.0")
        refused.begin()
        refused.refuse("api: fail", Outcome.NO_EVIDENCE)
        refused.close()
        assert mended()
        app.at_rest()
    assert app.tag(Colour.GREEN) == "v1.3.0"


def entry(**more: Any) -> dict[str, Any]:
    """A verified release from blue to green, as the history keeps it."""
    now = {"switched_at": intent.clock.timestamp(), "live_template": intent.fingerprint(DEPLOYMENT)}
    return {"outcome": "switched", "live": "blue", "candidate": "green", **now, **more}


DEPLOYMENT = {"spec": {"template": {"spec": {"containers": [{"image": "a/b:v1"}]}}}}


@pytest.mark.parametrize(
    ("history", "wanted"),
    [
        ([entry()], True),
        ([entry(), entry(outcome="gate-failed")], True),
        ([entry(outcome="gate-failed")], False),
        ([], False),
        ([entry(live="green")], False),
        ([entry(live=None)], False),
        ([entry(leaves_bad=True)], False),
        ([entry(live_template="another")], False),
        ([entry(switched_at="2001-01-01T00:00:00Z")], False),
        ([entry(switched_at="2096-01-01T00:00:00Z")], False),
        ([entry(switched_at="")], False),
        ([entry(), entry(live="green", candidate="blue")], False),
    ],
)
def test_only_what_served_until_a_moment_ago_and_has_not_changed_is_proven(
    history: list[dict[str, Any]], wanted: bool
) -> None:
    assert bool(intent.proven(history, Colour.BLUE, DEPLOYMENT, 3600)) is wanted


def test_waiting_for_a_kept_colour_ends_when_somebody_went_back_to_it(app: App) -> None:
    app.released("v1.0.0")
    app.released("v1.1.0", SCALE_DOWN_DELAY="4")
    rollback.roll_back(app.settings("v1.1.0"), app.kube, progress=quietly)
    started = Deadline(60)
    assert "Nothing to retire" in recovery.retire_kept(app.settings("v1.1.0"), app.kube, quietly, wait=True)
    assert not started.expired
    assert app.live is Colour.BLUE
    app.at_rest()


def test_a_rehearsed_switch_goes_forward_back_and_forward_and_is_measured(app: App) -> None:
    first = app.released("v1.0.0", REHEARSE="true")
    assert first.record["rehearsal"] == [], "before a first release there is no way back"
    with app.watched() as selectors:
        done = app.released("v1.1.0", REHEARSE="true")
    assert selectors == ["blue", "green", "blue", "green"]
    legs = done.record["rehearsal"]
    assert [leg["way"] for leg in legs] == ["blue -> green", "green -> blue", "blue -> green"]
    assert all(leg["confirmed_after_s"] > 0 and leg["failed"] == 0 for leg in legs), legs
    assert all(leg["requests"] >= 20 for leg in legs[:2]), legs
    assert len(done.record["patches"]) == 3
    app.at_rest()


def test_a_rehearsal_that_users_feel_ends_the_release_on_the_old_colour(app: App) -> None:
    app.released("v1.0.0")
    release = app.release("v1.1.0-bad-http-500", REHEARSE="true")
    release.begin()
    with pytest.raises(ProductionError, match="rehearsal"):
        release.promote()
    release.close()
    assert release.switched
    assert app.record is not None
    assert app.record.outcome == "rolled-back"
    assert app.live is Colour.BLUE
    app.at_rest()


STOPS = {
    "before it goes back": ("before", "rehearsing", "blue"),
    "as it goes back": ("after", "rehearsing", "blue"),
    "as it is kept": ("after", "kept", "green"),
}


@pytest.mark.parametrize("moment", STOPS)
def test_a_rehearsal_and_a_kept_colour_survive_a_kill(app: App, moment: str) -> None:
    app.released("v1.0.0")
    when, step, serves = STOPS[moment]
    killed = app.driven("v1.1.0", "--rehearse", "--kill", when, "--step", step, SCALE_DOWN_DELAY="0.1")
    assert killed.code == -signal.SIGKILL, killed.log
    assert app.live is Colour.GREEN, "killed where the new colour serves"
    with app.watched() as selectors:
        mended(app)
    assert set(selectors) <= {"green", serves}
    assert str(app.live) == serves
    app.at_rest()


def mended(app: App) -> None:
    """What ``bluegreen recover`` does, once the killed run's lease has run out."""
    deadline = Deadline(20)
    while True:
        try:
            assert "Recovered" in recovery.recover(app.settings("v1.1.0"), app.kube, quietly)
            return
        except CannotStartError:
            assert not deadline.expired
