"""Every bad image is refused, or rolled back, at the stage that is to catch it, and nobody feels it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bluegreen.localkube import Cluster
from tests.way_back import WayBack

from .conftest import App, assert_nobody_felt_it

GOOD = "gremlinsai/backend:v1.0.0"

REFUSED = {
    "never-ready": "resources",
    "crash-loop": "resources",
    "slow-start": "resources",
    "unhealthy": "health",
    "http-500": "api",
    "wrong-version": "api",
    "no-metrics": "monitoring",
    "deaf": "network",
    "flaky-10": "load",
    "slow": "load",
    "dies-under-load": "load",
}


@pytest.fixture(scope="module")
def serving(release_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An application whose blue serves a good version; refusals and roll-backs leave it so, one after the other."""
    app = App(release_cluster, tmp_path_factory.mktemp("serving"))
    good = app.release(GOOD)
    assert good.code == 0, good.output
    yield app
    app.kube.delete("Namespace", app.namespace)


@pytest.mark.parametrize(("fault", "stage"), REFUSED.items())
def test_a_bad_image_is_refused_where_it_should_be(serving: App, fault: str, stage: str) -> None:
    result = serving.release(f"gremlinsai/backend:v1.1.0-bad-{fault}", HEALTH_CHECK_TIMEOUT="8")
    assert result.code == 1, result.output
    assert result.record["outcome"] == "gate-failed"
    assert result.first_bad_stage == stage, result.output
    assert result.verdict(stage) == "fail"
    assert result.verdict("production") == "not-run"
    assert serving.live_colour() == "blue"
    assert serving.replicas().get("green", 0) == 0
    assert_nobody_felt_it(result.record)


def test_an_unknown_image_is_refused_with_the_reason(app: App) -> None:
    result = app.release("gremlinsai/backend:absent")
    assert result.code == 1, result.output
    assert result.first_bad_stage == "resources"
    assert "ErrImagePull" in result.output or "ImagePullBackOff" in result.output
    assert app.live_colour() == "none"


@pytest.mark.parametrize("fault", ["unready-after-switch", "http-500-after-switch"])
def test_an_image_that_turns_bad_after_the_switch_is_rolled_back(serving: App, fault: str) -> None:
    result = serving.release(f"gremlinsai/backend:v1.1.0-bad-{fault}", POST_SWITCH_WATCH="30")
    assert result.code == 6, result.output
    assert result.record["outcome"] == "rolled-back"
    assert result.first_bad_stage == "production"
    assert (result.record["colour_before"], result.record["colour_after"]) == ("blue", "blue")
    back = WayBack.of(result.reports, result.record)
    print(f"{fault}: {back}")
    assert back.confirmed_s < 5, back  # the goal is 1 s, on a machine that does nothing else: python -m tests.bench
    assert back.failing_s < 8, back  # the goal is 2 s
    assert serving.live_colour() == "blue"
