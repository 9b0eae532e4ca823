"""Steps are told as they end, with their time, and kept; where a release came from is told without secrets."""

from __future__ import annotations

import pytest

from bluegreen.origin import origin
from bluegreen.steps import Steps


def test_a_step_is_told_with_its_detail_and_time_when_it_ends() -> None:
    told: list[str] = []
    steps = Steps(told.append)
    with steps.step("switch") as step:
        assert told == []
        step.detail = "blue -> green"
    assert told[0].startswith("switch: blue -> green in 0.0")
    assert steps.taken[0].as_json()["failed"] is False


def test_a_step_that_fails_is_told_as_well() -> None:
    told: list[str] = []
    steps = Steps(told.append)
    with pytest.raises(KeyboardInterrupt), steps.step("stand up"):
        raise KeyboardInterrupt
    assert "stand up failed after" in told[0]
    assert steps.taken[0].as_json()["failed"] is True


def test_durations_are_summed_by_name() -> None:
    steps = Steps(lambda _: None)
    for _ in range(3):
        with steps.step("look"):
            pass
    assert len(steps.taken) == 3
    assert list(steps.durations_s()) == ["look"]


CI = [
    ({"GITHUB_SHA": "abc"}, {"commit": "abc"}),
    ({"CI_COMMIT_SHA": "def", "CI_JOB_URL": "https://ci/1"}, {"commit": "def", "ci_job": "https://ci/1"}),
    ({"BUILD_URL": "https://jenkins/7", "GIT_COMMIT": "012"}, {"commit": "012", "ci_job": "https://jenkins/7"}),
    (
        {"GITHUB_SERVER_URL": "https://hub", "GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ID": "9", "GITHUB_ACTOR": "me"},
        {"ci_job": "https://hub/a/b/actions/runs/9", "ci_user": "me"},
    ),
    ({}, {}),
    ({"DB_PASSWORD": "canary"}, {}),
]


@pytest.mark.parametrize(("env", "told"), CI)
def test_the_origin_names_commit_and_job_where_the_environment_does(env: dict[str, str], told: dict[str, str]) -> None:
    found = origin(env)
    assert {key: found[key] for key in found if key not in ("user", "host", "pid")} == told
    assert found["user"]
    assert found["host"]
