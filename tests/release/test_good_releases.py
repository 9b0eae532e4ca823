"""Good releases get through, one colour after the other, and nobody feels it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from .conftest import CHECKOUT, App, assert_nobody_felt_it

V1, V2 = "gremlinsai/backend:v1.0.0", "gremlinsai/backend:v1.1.0"


def test_blue_green_blue(app: App) -> None:
    before: str | None = None
    for number, (image, colour) in enumerate([(V1, "blue"), (V2, "green"), (V1, "blue"), (V2, "green")]):
        result = app.release(image)
        assert result.code == 0, result.output
        assert result.record["outcome"] == "switched"
        assert (result.record["colour_before"], result.record["colour_after"]) == (before, colour)
        assert app.live_colour() == colour
        assert_nobody_felt_it(result.record)
        assert "SWITCHED" in result.output
        assert "report.html" in result.output
        if number:
            assert app.replicas() == {colour: 2, str(before): 0}
        before = colour


def test_the_report_is_whole(app: App) -> None:
    result = app.release()
    assert result.code == 0, result.output
    files = {path.name for path in result.reports.iterdir()}
    assert {"report.html", "release.json", "junit.xml", "summary.md", "locust.html"} <= files
    schema = json.loads((CHECKOUT / "docs" / "release.schema.json").read_text())
    jsonschema.validate(result.record, schema)
    page = (result.reports / "report.html").read_text()
    for part in ("gremlinsai/backend:v1.0.0", "switched", "<svg", "test_it_bears_the_load"):
        assert part in page
    assert all(entry["verdict"] == "pass" for entry in result.record["stages"].values())
    assert result.record["patches"], "the exact patches are in the record"
    assert result.reports.resolve().name.endswith("-blue")


@pytest.mark.parametrize("workers", ["2", "4"])
def test_workers_measure_one_single_release(app: App, workers: str) -> None:
    result = app.release("", "-n", workers)
    assert result.code == 0, result.output
    assert result.record["outcome"] == "switched"
    assert app.replicas() == {"blue": 2}
    bad = app.release("gremlinsai/backend:v1.1.0-bad-http-500", "-n", workers)
    assert bad.code == 1, bad.output
    assert bad.first_bad_stage == "api"
    assert app.live_colour() == "blue"
    assert_nobody_felt_it(bad.record)


def test_the_gate_alone_switches_nothing(app: App) -> None:
    assert app.release(V1).code == 0
    result = app.release(V2, "--gate-only")
    assert result.code == 0, result.output
    assert result.record["outcome"] == "gate-passed"
    assert app.live_colour() == "blue"
    assert_nobody_felt_it(result.record)


def versions(app: App) -> dict[str, list[str]]:
    """What moves when somebody writes: the resourceVersion of everything that setup and releases write."""
    kinds = ("Service", "Secret", "ConfigMap", "NetworkPolicy", "PodDisruptionBudget", "ServiceAccount", "Role")
    return {kind: [o["metadata"]["resourceVersion"] for o in app.kube.list(kind)] for kind in kinds}


def test_validate_judges_what_is_live_and_changes_nothing(app: App, tmp_path: Path) -> None:
    nothing = app.result(app.start(suite="suites/validate"))
    assert nothing.code == 4, nothing.output
    assert app.release(V2).code == 0
    before = versions(app)
    found = {"CLUSTER": app.cluster.context, "KUBECONFIG": str(app.cluster.kubeconfig)}
    result = app.result(app.start(suite="suites/validate", **found))  # names no image: it is what is there
    assert result.code == 0, result.output
    assert "GATE-PASSED: what is live passed every stage; nothing was changed" in result.output
    assert result.record["image"] == V2
    wrong = app.result(app.start(suite="suites/validate", **found, DOCKER_IMAGE=V1))
    assert wrong.code == 1, wrong.output
    assert "GATE-FAILED: what is live did not pass" in wrong.output
    assert (wrong.reports / "summary.md").read_text().startswith("# Not valid")
    assert versions(app) == before


def test_rollback_brings_the_old_version_back(app: App) -> None:
    assert app.release(V1).code == 0
    assert app.release(V2).code == 0
    done = app.command("rollback")
    assert done.returncode == 0, done.stdout + done.stderr
    assert app.live_colour() == "blue"
    assert app.replicas()["blue"] == 2
    status = app.command("status")
    assert status.returncode == 0, status.stderr
    assert "blue" in status.stdout
