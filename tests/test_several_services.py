"""Several Services, one switch: all move or none, whatever fails or is killed between two patches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen import localkube, overview, recovery, rollback
from bluegreen.clock import Deadline
from bluegreen.colour import Colour, live_colour
from bluegreen.errors import CannotStartError
from bluegreen.moves import HalfSwitchedError
from bluegreen.release import Release
from tests.apps import App

EXTRA = {"EXTRA_SERVICES": "chat-service admin-service"}
NAMES = ("gremlinsai-service", "chat-service", "admin-service")


@pytest.fixture
def app(cluster: localkube.Cluster, tmp_path: Path) -> Iterator[App]:
    """An application of the test's own, behind three Services, that serves v1.0.0 from blue."""
    app = App(cluster, tmp_path)
    app.released("v1.0.0", **EXTRA)
    yield app
    app.remove()


def selected(app: App, suffix: str = "") -> list[str]:
    """The colour that each Service selects, or None."""
    found = [app.kube.get("Service", name + suffix) for name in NAMES]
    assert all(found)
    return [str(live_colour(service)) for service in found if service is not None]


def assert_all_at(app: App, colour: Colour) -> None:
    """All Services, and nobody else's pods behind any; every preview is idle."""
    assert selected(app) == [str(colour)] * len(NAMES)
    assert selected(app, "-preview") == ["None"] * len(NAMES)
    for name in NAMES:
        assert app.endpoints(name) == set(app.pods(colour)), name
    app.at_rest()


def refuse_moves_of(release: Release, name: str) -> None:
    """Somebody else gives a Service another selector right before this release patches it."""
    patch = release.kube.json_patch

    def json_patch(kind: str, patched: str, ops: list[dict[str, Any]], **more: Any) -> Any:
        if patched == name and any(op["path"] == "/spec/selector/version" for op in ops):
            release.kube.merge_patch(
                "Service", name, {"spec": {"selector": {"version": "none"}}}, manager="kubectl-edit"
            )
        return patch(kind, patched, ops, **more)

    release.kube.json_patch = json_patch  # type: ignore[method-assign]


def test_all_services_move_together_and_back(app: App) -> None:
    assert_all_at(app, Colour.BLUE)
    release = app.released("v1.1.0", **EXTRA)
    assert_all_at(app, Colour.GREEN)
    assert [patch["service"] for patch in release.record["patches"]] == list(NAMES)
    rollback.roll_back(app.settings("v1.1.0"), app.kube, lambda _: None)  # without the setting: the journal knows them
    assert_all_at(app, Colour.BLUE)


def test_when_one_cannot_be_moved_those_before_it_go_back(app: App) -> None:
    release = app.release("v1.1.0", **EXTRA)
    try:
        release.begin()
        refuse_moves_of(release, "admin-service")
        with pytest.raises(HalfSwitchedError, match=r"kubectl-edit.*had moved and went back to blue") as caught:
            release.promote()
    finally:
        del release.kube.json_patch
    assert not release.switched
    assert selected(app) == ["blue", "blue", "None"]
    app.kube.merge_patch(
        "Service", "admin-service", {"spec": {"selector": {"version": "blue"}}}, manager="kubectl-edit"
    )
    release.abort(caught.value.sentence)
    release.close()
    assert_all_at(app, Colour.BLUE)
    record = json.loads(json.dumps(release.record))
    moved = [patch["service"] for patch in record["patches"]]
    assert moved[:2] == ["gremlinsai-service", "chat-service"]
    assert moved[-2:] == ["chat-service", "gremlinsai-service"]
    assert "chat-service moved back to blue" in next(s["detail"] for s in record["steps"] if s["name"] == "compensate")
    assert app.record is not None
    assert "went back to blue" in app.record.reason


@pytest.fixture(scope="module")
def switch_write(cluster: localkube.Cluster, tmp_path_factory: pytest.TempPathFactory) -> int:
    """The number of the write that moves the first Service, of a release onto what ``app`` serves."""
    app = App(cluster, tmp_path_factory.mktemp("reference"))
    app.released("v1.0.0", **EXTRA)
    whole = app.driven("v1.1.0", **EXTRA)
    app.remove()
    assert whole.code == 0, whole.log
    claimed, moved = (n for n, write in enumerate(whole.said["writes"], 1) if write.endswith(f"/{NAMES[0]}"))
    assert claimed < moved
    return moved


@pytest.mark.parametrize(("patched", "by_next_run"), [(1, False), (2, True)], ids=["recover", "next run"])
def test_a_release_killed_between_two_patches_is_mended(
    app: App, switch_write: int, patched: int, by_next_run: bool
) -> None:
    killed = app.driven("v1.1.0", "--kill", "after", "--write", str(switch_write + patched - 1), **EXTRA)
    assert killed.code == -9, killed.log
    assert selected(app) == ["green"] * patched + ["blue"] * (len(NAMES) - patched)
    shown = overview.text(overview.read(app.kube, app.settings("v1.1.0")))
    assert "admin-service sends it to blue  (not as the main one: `bluegreen recover`)" in shown
    if by_next_run:
        release = app.begun_as_soon_as_free("v1.2.0", **EXTRA)
        release.revert("the test is over")
        release.close()
    else:
        recovered_as_soon_as_free(app)
    assert_all_at(app, Colour.BLUE)


def recovered_as_soon_as_free(app: App) -> None:
    """Mend, without the setting, once the holder that is gone has lost its lock."""
    deadline = Deadline(20)
    while True:
        try:
            recovery.recover(app.settings("v1.1.0"), app.kube, lambda _: None)
            return
        except CannotStartError:
            assert not deadline.expired


def test_a_service_that_is_not_named_any_more_stops_a_release(app: App) -> None:
    release = app.release("v1.1.0")
    with pytest.raises(CannotStartError, match="Service chat-service sends live traffic to blue"):
        release.begin()
    release.close()
    assert_all_at(app, Colour.BLUE)
