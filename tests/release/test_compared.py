"""A release compared with what is live, from first to last: fresh pods of the live release, and none of them left."""

from __future__ import annotations

from .conftest import App

COMPARE = {"COMPARE": "copy", "COMPARE_DURATION": "6", "REPLICAS": "1", "CPU_REQUEST": "50m"}


def test_a_release_is_compared_with_a_copy_of_live_and_a_first_one_says_why_not(app: App) -> None:
    first = app.release("gremlinsai/backend:v1.0.0", **COMPARE)
    assert first.code == 0, first.output
    assert first.record["compare"]["skipped"].startswith("nothing is live yet")
    assert first.record["compare"]["rows"] == []

    second = app.release("gremlinsai/backend:v1.1.0", **COMPARE)
    assert second.code == 0, second.output
    rows = second.record["compare"]["rows"]
    assert {row["endpoint"] for row in rows if row["source"] == "load test"} == {
        "GET /",
        "GET /api/v1/capabilities",
        "all endpoints",
    }
    assert {row["judgement"] for row in rows} == {"alike"}
    assert not app.kube.list("Pod", labels="version=baseline")
    assert app.kube.get("Deployment", "gremlinsai-backend-baseline") is None

    slow = app.release("gremlinsai/backend:v1.2.0-bad-slow", LOAD_P95_MS="5000", LOAD_USERS="60", **COMPARE)
    assert slow.code == 1, slow.output
    assert "times as long as live" in slow.output
    assert slow.first_bad_stage == "load"
    assert app.kube.get("Deployment", "gremlinsai-backend-baseline") is None
    assert app.live_colour() == second.record["candidate"]
