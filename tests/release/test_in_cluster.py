"""A release from inside the cluster: the Job of docs/ci.md, by its service account, to its end and cancelled."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import yaml

from bluegreen.clock import Deadline
from bluegreen.localkube import Cluster
from tests.pages import block

from .conftest import CHECKOUT, QUICK, App

IMAGE = "registry.example.com/team/release:v1"


@pytest.fixture
def ready(app: App, release_cluster: Cluster) -> App:
    """An application that is set up for its release account; the Job's image is this checkout with this Python."""
    release_cluster.add_image(IMAGE, [sys.executable])
    app.environment()
    return app


def job(app: App, version: str) -> dict[str, Any]:
    """The documented Job, with the names and the short waits of a test."""
    found: dict[str, Any] = yaml.safe_load(block("docs/ci.md", "release-job.yaml"))
    found["metadata"]["namespace"] = app.namespace
    [container] = found["spec"]["template"]["spec"]["containers"]
    assert container["command"][0] == "pytest"
    container |= {"workingDir": str(CHECKOUT), "command": [sys.executable, "-u", "-m", *container["command"]]}
    own = {"NAMESPACE": app.namespace, "DOCKER_IMAGE": f"gremlinsai/backend:{version}"}
    documented = {entry["name"]: entry["value"] for entry in container["env"]}
    reports = {"REPORTS_DIR": str(app.folder / "reports"), "PYTEST_ADDOPTS": "-p no:cacheprovider"}
    changed = {**documented, **QUICK, **own, **reports}
    container["env"] = [{"name": name, "value": value} for name, value in changed.items()]
    return found


def ended(app: App) -> tuple[str, str]:
    """The condition that the Job ended with, and what its pod said."""

    def over(jobs: list[dict[str, Any]]) -> str | None:
        conditions = [c for one in jobs for c in one.get("status", {}).get("conditions") or []]
        return next(
            (c["type"] for c in conditions if c["type"] in ("Complete", "Failed") and c["status"] == "True"), None
        )

    condition = app.kube.wait("Job", over, deadline=Deadline(150), awaited="the Job has ended")
    [pod] = app.kube.list("Pod", labels="job-name=release")
    return condition, app.kube.logs(pod["metadata"]["name"], tail_lines=None)


def test_a_job_releases_by_its_service_account_and_reverts_when_it_is_deleted(ready: App) -> None:
    ready.kube.create(job(ready, "v1.0.0"))
    condition, said = ended(ready)
    assert condition == "Complete", said
    assert "cluster in-cluster" in said
    assert "SWITCHED: live traffic is on blue" in said
    assert "(port-forward)" not in said, "inside the cluster there are nearer ways"
    ready.kube.delete("Job", "release")
    ready.kube.wait(
        "Pod",
        lambda pods: None if pods else True,
        labels="job-name=release",
        deadline=Deadline(30),
        awaited="it is gone",
    )

    ready.kube.create(job(ready, "v1.1.0"))
    ready.kube.wait(
        "Pod", lambda pods: pods or None, labels="version=green", deadline=Deadline(60), awaited="the candidate's pods"
    )
    ready.kube.delete("Job", "release")
    ready.kube.wait(
        "Pod",
        lambda pods: None if pods else True,
        labels="job-name=release",
        deadline=Deadline(90),
        awaited="it is gone",
    )
    assert ready.live_colour() == "blue"
    assert ready.replicas() == {"blue": 2}
    assert ready.latest()["outcome"] == "interrupted"
