"""Going back and trying again, as a user does it: with the gate where it is needed, and without where it is not."""

from __future__ import annotations

from .conftest import CHECKOUT, App, assert_nobody_felt_it

V1, V2 = "gremlinsai/backend:v1.0.0", "gremlinsai/backend:v1.1.0"
SUITE = ("--suite", str(CHECKOUT / "suites" / "release"))


def stages(app: App) -> dict[str, str]:
    """The verdicts of the last run's stages."""
    return {name: entry["verdict"] for name, entry in app.latest()["stages"].items()}


def test_a_return_is_gated_only_when_what_returns_is_not_proven(app: App) -> None:
    first = app.release(V1)
    assert first.code == 0, first.output
    kept = app.release(V2, SCALE_DOWN_DELAY="600")
    assert kept.code == 0, kept.output
    assert app.replicas() == {"blue": 2, "green": 2}
    assert "blue stays at full size until" in kept.output
    assert "kept at full size until" in app.command("status").stdout
    returned = app.release(V1)
    assert returned.code == 0, returned.output
    needed = {"health": "pass", "production": "pass"}
    assert stages(app) == {name: needed.get(name, "not-run") for name in returned.record["stages"]}
    assert "served until" in returned.record["returning"]
    assert_nobody_felt_it(returned.record)
    assert app.replicas() == {"blue": 2, "green": 0}
    gated = app.command("rollback", *SUITE, ROLLBACK_WINDOW="0")
    assert gated.returncode == 0, gated.stdout + gated.stderr
    assert set(stages(app).values()) == {"pass"}
    assert (app.latest()["image"], app.latest()["reason"]) == (V2, "bluegreen rollback")
    assert app.live_colour() == "green"
    assert app.replicas() == {"blue": 0, "green": 2}


def test_what_the_gate_refused_is_judged_again_without_being_made_again(app: App) -> None:
    first = app.release(V1)
    assert first.code == 0, first.output
    refused = app.release(V2, KEEP_REFUSED="true", METRICS="gremlinsai_no_such_metric:gauge")
    assert refused.code == 1, refused.output
    assert refused.first_bad_stage == "monitoring"
    pods = {pod["metadata"]["uid"] for pod in app.kube.list("Pod", labels="version=green")}
    assert len(pods) == 2
    retried = app.command("retry", *SUITE)
    assert retried.returncode == 0, retried.stdout + retried.stderr
    assert app.latest()["image"] == V2
    assert set(stages(app).values()) == {"pass"}
    assert {pod["metadata"]["uid"] for pod in app.kube.list("Pod", labels="version=green")} == pods
    assert app.live_colour() == "green"
    nothing = app.command("retry", *SUITE)
    assert nothing.returncode == 4
    assert "not refused" in nothing.stderr
