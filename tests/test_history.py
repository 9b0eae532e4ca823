"""The history of releases, as the journal keeps it and ``bluegreen history`` shows it; and what a freeze stops."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from bluegreen import clock, history, localkube
from bluegreen.colour import Colour
from bluegreen.errors import CannotStartError, FrozenError
from bluegreen.journal import HISTORY_LENGTH, REASON_LENGTH, Record, Step, appended
from bluegreen.origin import origin
from bluegreen.release import Release
from tests.apps import App
from tests.test_overview import a_release

GITHUB = {
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "team/app",
    "GITHUB_RUN_ID": "17",
    "GITHUB_SHA": "0123456789abcdef0123",
    "GITHUB_ACTOR": "ann",
}
GITLAB = {
    "CI_JOB_URL": "https://gitlab.example/team/app/-/jobs/5",
    "CI_COMMIT_SHA": "89abcdef",
    "GITLAB_USER_LOGIN": "ben",
}
JENKINS = {"BUILD_URL": "https://jenkins.example/job/app/7/", "GIT_COMMIT": "fedcba98", "BUILD_USER_ID": "cleo"}


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        (GITHUB, ("ann", "0123456789abcdef0123", "https://github.example/team/app/actions/runs/17")),
        (GITLAB, ("ben", "89abcdef", "https://gitlab.example/team/app/-/jobs/5")),
        (JENKINS, ("cleo", "fedcba98", "https://jenkins.example/job/app/7/")),
    ],
    ids=["github", "gitlab", "jenkins"],
)
def test_a_ci_job_says_who_and_what_it_is(variables: Mapping[str, str], found: tuple[str, ...]) -> None:
    told = origin(variables)
    assert (told["ci_user"], told["commit"], told["ci_job"]) == found


def an_entry(outcome: str = "switched", **more: str) -> dict[str, object]:
    who = {"user": "runner", "host": "node1", "commit": "0123456789abcdef", "ci_user": "ann", "ci_job": "https://ci/1"}
    plain = {"id": "r1", "image": "app:v2", "candidate": "green", "live": "blue", "started_at": "2026-01-01T00:00:00Z"}
    return {**plain, "started_by": who, "outcome": outcome, **more}


def test_the_newest_stands_first_with_its_reason_beneath() -> None:
    old = an_entry()
    new = an_entry("gate-failed", image="app:v3", reason="api: fail\nmore", freeze_override="a fire")
    lines = history.text([old, new]).splitlines()
    assert lines[0].split() == ["STARTED", "OUTCOME", "IMAGE", "TRAFFIC", "BY", "COMMIT", "CI", "JOB"]
    words = [
        "2026-01-01T00:00:00Z",
        "gate-failed",
        "app:v3",
        "did",
        "not",
        "move",
        "ann",
        "0123456789ab",
        "https://ci/1",
    ]
    assert lines[1].split() == words
    assert [line.strip() for line in lines[2:4]] == ["api: fail", "in a freeze: a fire"]
    assert lines[4].split()[3:6] == ["blue", "->", "green"]


def test_without_a_release_there_is_a_sentence() -> None:
    assert history.text([]) == "No release was made here yet."


def test_what_is_kept_is_bounded() -> None:
    kept: list[dict[str, object]] = []
    for number in range(3 * HISTORY_LENGTH):
        record = a_release(reason="because " * 10_000, outcome="gate-failed")
        kept = appended(kept, Record(**{**vars(record), "id": f"r{number}"}))
    assert [entry["id"] for entry in kept] == [f"r{number}" for number in range(2 * HISTORY_LENGTH, 3 * HISTORY_LENGTH)]
    assert all(len(str(entry["reason"])) == REASON_LENGTH for entry in kept)
    assert len(json.dumps(kept)) < 64 * 1024


# --- on a cluster ----------------------------------------------------------------------------------------------------


@pytest.fixture
def app(cluster: localkube.Cluster, tmp_path: Path) -> Iterator[App]:
    """An application of the test's own."""
    app = App(cluster, tmp_path)
    yield app
    app.remove()


def frozen(from_s: float, to_s: float) -> str:
    """A window that begins and ends so many seconds from now."""
    begin, end = (clock.utc() + timedelta(seconds=seconds) for seconds in (from_s, to_s))
    return f"{begin:%Y-%m-%d %H:%M}-{end:%Y-%m-%d %H:%M}"


def test_a_freeze_stops_a_release_unless_told_why_not(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GITHUB.items():
        monkeypatch.setenv(name, value)
    windows = {"FREEZE": frozen(-300, 3600)}
    stopped = app.release("v1.0.0", **windows)
    with pytest.raises(CannotStartError, match=r"FREEZE=\d.* holds: no release starts.*FREEZE_OVERRIDE"):
        stopped.begin()
    stopped.close()
    assert app.kube.get("Namespace", app.namespace) is None, "something was changed"
    app.released("v1.0.0", **windows, FREEZE_OVERRIDE="users cannot log in")
    (entry,) = history.read(app.kube, app.settings("v0"))
    assert entry["freeze_override"] == "users cannot log in"
    assert entry["started_by"]["ci_job"] == "https://github.example/team/app/actions/runs/17"
    shown = history.text([entry])
    assert "nobody -> blue" in shown
    assert "in a freeze: users cannot log in" in shown


def test_a_freeze_that_begins_meanwhile_keeps_traffic_where_it_is(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    app.released("v1.0.0")
    release = app.release("v1.1.0", FREEZE=frozen(3600, 7200))
    try:
        release.begin()
        assert [entry["outcome"] for entry in history.read(app.kube, release.settings)] == ["switched", "under way"]
        later = clock.utc() + timedelta(hours=1, minutes=10)
        with monkeypatch.context() as patched:
            patched.setattr(clock, "utc", lambda: later)
            with pytest.raises(FrozenError, match="no traffic moves"):
                release.promote()
        release.revert("a freeze began")
    finally:
        release.close()
    assert app.live is Colour.BLUE
    app.at_rest()


def test_a_release_that_asks_for_no_window_keeps_no_reason(app: App) -> None:
    release: Release = app.release("v1.0.0", FREEZE=frozen(-7200, -3600), FREEZE_OVERRIDE="left over in the job")
    try:
        release.begin()
        assert release.desk.record.freeze_override == ""
        assert release.desk.record.step is Step.JUDGING
        release.revert("enough")
    finally:
        release.close()
