"""Releases on a real (embedded) cluster, without pytest around them: what moves, what stays, and who is stopped."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegreen import localkube, rollback
from bluegreen.clock import Deadline
from bluegreen.colour import Colour
from bluegreen.errors import CannotStartError, NeedsPersonError, TakenOverError
from bluegreen.lock import LockLostError
from bluegreen.release import ProductionError, Release
from bluegreen.rollback import RefusedError
from bluegreen.settings import SETTINGS
from bluegreen.traffic import FencedOffError, ForeignWriteError
from bluegreen.verdict import Outcome
from tests.apps import App

NAME = "gremlinsai-backend"


@pytest.fixture
def app(cluster: localkube.Cluster, tmp_path: Path) -> Iterator[App]:
    """An application of the test's own."""
    app = App(cluster, tmp_path)
    yield app
    app.remove()


def test_releases_go_from_nothing_to_blue_to_green_and_no_request_fails(app: App) -> None:
    first = app.released("v1.0.0")
    assert (app.live, app.tag(Colour.BLUE)) == (Colour.BLUE, "v1.0.0")
    assert first.record["colour_before"] is None
    app.at_rest()
    with app.watched() as selectors:
        second = app.released("v1.1.0")
    assert selectors == ["blue", "green"]
    assert (app.live, app.tag(Colour.GREEN), app.tag(Colour.BLUE)) == (Colour.GREEN, "v1.1.0", "v1.0.0")
    app.at_rest()
    assert second.record["probe"]["failed"] == 0
    assert {"v1.0.0", "v1.1.0"} <= set(second.record["probe"]["by_version"])
    assert json.loads(json.dumps(second.record))["patches"][0]["operations"][-1]["value"] == "green"
    assert [entry["outcome"] for entry in second.desk.journal.history] == ["switched", "switched"]


def test_a_refused_candidate_goes_and_the_last_good_version_is_put_back(app: App) -> None:
    app.released("v1.0.0")
    app.released("v1.1.0")
    before = app.deployment(Colour.BLUE)
    release = app.release("v1.2.0")
    handle = release.begin()
    assert handle.available
    assert handle.candidate == "blue"
    assert app.tag(Colour.BLUE) == "v1.2.0"
    assert app.endpoints("gremlinsai-service-preview") == set(app.pods(Colour.BLUE))
    release.revert("api: fail")
    release.close()
    after = app.deployment(Colour.BLUE)
    assert before is not None
    assert after is not None
    assert after["spec"] == before["spec"]
    assert app.live is Colour.GREEN
    app.at_rest()
    assert release.record["probe"]["failed"] == 0
    assert "v1.2.0" in str(release.record["evidence"]["blue"]["objects"])
    assert (app.record.outcome, app.record.reason) == ("gate-failed", "api: fail") if app.record else False


def test_a_first_release_that_is_refused_leaves_traffic_to_nobody(app: App) -> None:
    release = app.release("v1.0.0")
    release.begin()
    release.promote()
    release.roll_back("production: fail")
    release.close()
    assert app.live is None
    assert app.deployment(Colour.BLUE) is None
    felt = release.record["probe"]
    assert felt["failed"] == 0, felt["first_failures"]
    assert felt["not_counted"] > 0
    app.at_rest()


@pytest.mark.parametrize(
    ("tag", "says"), [("v2-bad-crash-loop", "exit"), ("v2-bad-no-such-fault", "image"), ("v2-bad-never-ready", "ready")]
)
def test_a_candidate_that_does_not_come_up_is_a_finding_with_its_reason(app: App, tag: str, says: str) -> None:
    started = Deadline(60)
    release = app.release(tag, HEALTH_CHECK_TIMEOUT="6")
    handle = release.begin()
    release.revert(handle.unavailable_reason)
    release.close()
    assert not handle.available
    assert says in handle.unavailable_reason
    assert not started.expired
    app.at_rest()


def test_what_fails_after_the_switch_goes_back_with_one_patch(app: App) -> None:
    app.released("v1.0.0")
    release = app.release("v1.1.0")
    release.begin()
    with app.watched() as selectors:
        release.promote()
        assert app.live is Colour.GREEN
        release.roll_back("production: fail")
    release.close()
    assert selectors == ["blue", "green", "blue"]
    assert release.switched
    assert len(release.record["patches"]) == 2
    assert release.record["probe"]["failed"] == 0
    assert app.deployment(Colour.GREEN) is None
    app.at_rest()


def test_a_selector_that_somebody_else_wrote_stops_the_release_and_names_them(app: App) -> None:
    app.released("v1.0.0")
    release = app.release("v1.1.0")
    release.begin()
    other = [{"op": "replace", "path": "/spec/selector/version", "value": "none"}]
    app.kube.json_patch("Service", "gremlinsai-service", other, manager="somebody-else")
    with pytest.raises(ForeignWriteError, match="somebody-else"):
        release.promote()
    with pytest.raises(NeedsPersonError, match="somebody-else"):
        release.abort("the switch was refused", Outcome.HARNESS_FAILED)
    release.close()
    assert app.live is None
    assert app.deployment(Colour.GREEN) is None
    assert app.tag(Colour.BLUE) == "v1.0.0"


def test_reports_that_cannot_be_written_stop_it_before_anything_is_changed(app: App) -> None:
    app.released("v1.0.0")
    release = app.release("v1.1.0")
    release.out_dir.write_text("in the way")
    with pytest.raises(CannotStartError, match="cannot be written: File exists"):
        release.begin()
    release.close()
    assert app.deployment(Colour.GREEN) is None
    app.at_rest()


def test_a_second_release_is_stopped_and_told_who_runs(app: App) -> None:
    running = app.release("v1.0.0", LEASE_DURATION="15")
    running.begin()
    second = app.release("v1.1.0")
    with pytest.raises(CannotStartError) as stopped:
        second.begin()
    second.close()
    assert running.id in stopped.value.sentence
    assert "since" in stopped.value.sentence
    assert "lease" in stopped.value.remedy
    running.abort("enough")
    running.close()
    app.at_rest()


def test_a_release_that_was_taken_over_changes_nothing_any_more(app: App) -> None:
    app.released("v1.0.0")
    frozen = app.release("v1.1.0")
    frozen.begin()
    frozen.lock.stop()  # as a process that is stopped: no renewals, and it knows nothing of time
    later = app.begun_as_soon_as_free("v1.2.0")
    assert later.record["recovered"]
    with pytest.raises(LockLostError):
        frozen.promote()
    with pytest.raises(FencedOffError):
        frozen.desk.traffic.move(Colour.BLUE, Colour.GREEN)
    with pytest.raises(FencedOffError):
        frozen.desk.deployments.scale(Colour.BLUE, 0)
    with pytest.raises(TakenOverError):
        frozen.abort("woken up")
    assert later.id in frozen.lock.holder()
    frozen.close()
    assert app.live is Colour.BLUE
    later.promote()
    later.finish()
    later.close()
    assert (app.live, app.tag(Colour.GREEN)) == (Colour.GREEN, "v1.2.0")
    app.at_rest()


def test_scaling_the_new_colour_during_the_watch_does_not_end_it(app: App) -> None:
    app.released("v1.0.0")
    release = app.release("v1.1.0")
    release.begin()
    release.promote()
    for size in (4, 2):
        app.kube.merge_patch("Deployment", f"{NAME}-green", {"spec": {"replicas": size}}, manager="somebody-else")
        while len(app.endpoints()) != size:
            release.watch_tick()
        release.watch_tick()
    release.finish()
    release.close()
    app.at_rest()


def watch(release: Release, deadline: Deadline) -> None:
    """Look and look again."""
    while not deadline.expired:
        release.watch_tick()


def test_what_is_wrong_after_the_switch_is_seen_at_a_look(app: App) -> None:
    app.released("v1.0.0")
    release = app.release("v1.1.0")
    release.begin()
    release.promote()
    release.watch_tick()
    app.kube.merge_patch("Deployment", f"{NAME}-green", {"spec": {"replicas": 0}}, manager="somebody-else")
    with pytest.raises(ProductionError, match=r"green|v1\.1\.0"):
        watch(release, Deadline(10))
    release.roll_back("seen")
    release.close()
    assert app.live is Colour.BLUE
    app.at_rest()


def test_the_candidate_gets_the_size_that_live_has_at_the_switch(app: App) -> None:
    app.released("v1.0.0")
    release = app.release("v1.1.0")
    assert release.begin().replicas == 2
    app.kube.merge_patch("Deployment", f"{NAME}-blue", {"spec": {"replicas": 3}}, manager="somebody-else")
    release.promote()
    assert len(app.endpoints()) == 3
    scaler = app.kube.get("HorizontalPodAutoscaler", f"{NAME}-green")
    assert scaler is not None
    assert scaler["spec"]["minReplicas"] == 3
    release.finish()
    release.close()
    scaler = app.kube.get("HorizontalPodAutoscaler", f"{NAME}-green")
    assert scaler is not None
    assert scaler["spec"]["minReplicas"] == 2
    app.at_rest()


def test_going_back_to_a_colour_that_is_gone_needs_a_person_and_traffic_stays(app: App) -> None:
    app.released("v1.0.0")
    release = app.release("v1.1.0", ROLLBACK_TIMEOUT="2")
    release.begin()
    release.promote()
    app.kube.delete("Deployment", f"{NAME}-blue")
    with pytest.raises(NeedsPersonError, match="not safe"):
        release.roll_back("production: fail")
    release.close()
    assert app.live is Colour.GREEN
    assert app.endpoints() == set(app.pods(Colour.GREEN))


def test_a_quota_without_room_for_two_colours_is_found_before_anything_is_made(app: App) -> None:
    app.released("v1.0.0")
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "team"},
        "spec": {"hard": {"requests.cpu": "150m"}},
    }
    app.kube.create(quota)
    release = app.release("v1.1.0")
    with pytest.raises(CannotStartError, match="ResourceQuota team"):
        release.begin()
    release.close()
    assert app.deployment(Colour.GREEN) is None
    app.kube.delete("ResourceQuota", "team")
    app.at_rest()


def test_rollback_brings_the_old_colour_back_to_full_size_and_checks_it(app: App) -> None:
    app.released("v1.0.0")
    app.released("v1.1.0")
    with app.watched() as selectors:
        said = rollback.roll_back(app.settings("v1.1.0"), app.kube, progress=lambda _: None)
    assert selectors == ["green", "blue"]
    assert "blue" in said
    assert (app.live, app.tag(Colour.BLUE), app.tag(Colour.GREEN)) == (Colour.BLUE, "v1.0.0", "v1.1.0")
    app.at_rest()


def test_rollback_to_a_colour_that_is_bad_now_moves_nothing(app: App) -> None:
    app.released("v1.0.0")
    app.released("v1.1.0")
    broken = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": f"{NAME}:v9-bad-none"}]}}}}
    app.kube.apply(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": f"{NAME}-blue"}, **broken},
        manager="somebody-else",
        force=True,
    )
    with app.watched() as selectors, pytest.raises(RefusedError, match="stays at green"):
        rollback.roll_back(app.settings("v1.1.0"), app.kube, progress=lambda _: None)
    assert selectors == ["green"]
    app.at_rest()


def test_rollback_without_anything_before_cannot_start(app: App) -> None:
    app.released("v1.0.0")
    with pytest.raises(CannotStartError, match="no Deployment"):
        rollback.roll_back(app.settings("v1.0.0"), app.kube, progress=lambda _: None)
    app.at_rest()


def test_no_secret_is_in_anything_that_a_refused_release_leaves(app: App) -> None:
    canaries = {setting.name: f"canary-{setting.name.lower()}-5f2e" for setting in SETTINGS if setting.secret}
    given = canaries | {"NOTIFY_URL": f"http://127.0.0.1:9/{canaries['NOTIFY_URL']}"}
    app.released("v1.0.0", **given)
    release = app.release("v1.1.0", **given)
    release.begin()
    release.revert("refused as asked")
    release.close()
    left = [json.dumps(release.record), *(path.read_text() for path in app.folder.rglob("*") if path.is_file())]
    kinds = ("ConfigMap", "Event", "Deployment", "ReplicaSet", "Pod", "Service", "Lease")
    left += [json.dumps(app.kube.list(kind)) for kind in kinds]
    coded = [base64.b64encode(canary.encode()).decode() for canary in canaries.values()]
    assert [word for word in [*canaries.values(), *coded] if any(word in text for text in left)] == []
