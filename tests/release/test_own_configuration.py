"""A colour keeps the configuration that it was released with, and going back goes back to it."""

from __future__ import annotations

from bluegreen.config_copies import COPIED_FROM, COPY, KINDS
from bluegreen.kube.execution import execute

from .conftest import App
from .test_role import ended

V1, V2 = "gremlinsai/backend:v1.0.0", "gremlinsai/backend:v1.1.0"
CONFIG = "gremlinsai-backend-config"


def seen(app: App, colour: str) -> set[str]:
    """What a colour's running processes were given for DB_HOST."""
    pods = app.kube.list("Pod", labels=f"version={colour}")
    ready = [pod["metadata"]["name"] for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    return {execute(app.kube, pod, "app", ["printenv", "DB_HOST"], 20).output.strip() for pod in ready}


def change(app: App, host: str) -> None:
    """What a team does between two releases."""
    app.kube.merge_patch("ConfigMap", CONFIG, {"data": {"DB_HOST": host}})


def copies(app: App) -> list[str]:
    """What the copies are copies of."""
    label = f"{COPY}=gremlinsai-backend"
    found = [obj for kind in KINDS for obj in app.kube.list(kind, labels=label)]
    assert all(obj["immutable"] for obj in found)
    return sorted(obj["metadata"]["annotations"][COPIED_FROM] for obj in found)


SECRETS = "gremlinsai-backend-secrets"


def test_a_rollback_brings_the_old_configuration_back(app: App) -> None:
    app.environment()  # which sets up
    change(app, "old.example")
    assert ended(app, "finish", DOCKER_IMAGE=V1) == "switched"
    change(app, "refused.example")
    assert ended(app, "revert", DOCKER_IMAGE=V2) == "gate-failed"
    assert copies(app) == [CONFIG, SECRETS]  # what the refused candidate had is gone
    change(app, "new.example")
    assert ended(app, "finish", DOCKER_IMAGE=V2) == "switched"
    assert seen(app, "green") == {"new.example"}
    assert copies(app) == [CONFIG, CONFIG, SECRETS]  # blue rests at zero with its own; the same Secret serves both
    change(app, "broken.example")
    for pod in app.kube.list("Pod", labels="version=green"):
        app.kube.delete("Pod", pod["metadata"]["name"], grace_s=0)
    done = app.command("rollback", "--no-gate")
    assert done.returncode == 0, done.stdout + done.stderr
    assert app.live_colour() == "blue"
    assert seen(app, "blue") == {"old.example"}
    assert ended(app, "finish", DOCKER_IMAGE=V1) == "switched"
    assert seen(app, "green") == {"broken.example"}
    assert copies(app) == [CONFIG, CONFIG, SECRETS]  # new.example had no colour any more
