"""The documented Role for running releases: all that releases do is in it, and all that is in it is done by one.

What was done is read from the cluster's audit log, not from what the code says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegreen import localkube
from bluegreen.clock import Deadline
from bluegreen.kube import connect
from bluegreen.release import Release
from bluegreen.settings import load

from .conftest import App

V1, V2, V3 = (f"gremlinsai/backend:v1.{minor}.0" for minor in range(3))

Right = tuple[str, str, str]
"""Verb, API group, resource with its subresource."""

LOOKED_FOR: set[Right] = {
    ("list", "", "nodes"),  # their addresses: the pods' own statements serve as well
    ("list", "rbac.authorization.k8s.io", "roles"),
    ("list", "rbac.authorization.k8s.io", "rolebindings"),
}
"""What a release tries, and does without where it is refused."""

OTHER_DAYS = {
    ("create", "", "pods/portforward"): "Kubernetes 1.35 asks for create as well as get at a WebSocket's upgrade",
    ("create", "", "pods/exec"): "the same",
    ("create", "autoscaling", "horizontalpodautoscalers"): "an apply that makes one: asked for besides patch, unseen",
    ("watch", "apps", "deployments"): "where a Deployment is not Available by the time its pods are ready",
    ("watch", "discovery.k8s.io", "endpointslices"): "where endpoints are not there by the time they are looked for",
    ("list", "keda.sh", "scaledobjects"): "where the cluster serves them; the embedded one has no such kind",
    ("list", "autoscaling.k8s.io", "verticalpodautoscalers"): "the same",
    ("get", "", "pods"): "whether a pod is there whose creation, or whose answer to a drain, was lost",
}
"""What the Role allows for other days than the tests', and why."""


@pytest.fixture(scope="module")
def audited() -> Iterator[localkube.Cluster]:
    """A cluster that writes down what is asked of it."""
    with localkube.running("audited", audit=True) as cluster:
        yield cluster


def lines(cluster: localkube.Cluster, namespace: str) -> Iterator[tuple[Right, int]]:
    """What the release account of a namespace asked for, and the status of each answer."""
    for line in cluster.audit_log.read_text().splitlines():
        event = json.loads(line)
        if event["user"].get("username", "").startswith(f"system:serviceaccount:{namespace}:") and "objectRef" in event:
            about = event["objectRef"]
            resource = "/".join(filter(None, (about["resource"], about.get("subresource"))))
            yield (event["verb"], about.get("apiGroup", ""), resource), event["responseStatus"]["code"]


def documented(app: App) -> set[Right]:
    """What the Role allows."""
    role = app.kube.get("Role", "gremlinsai-backend-release")
    assert role is not None
    return {
        (verb, group, resource)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_role_is_what_releases_use(audited: localkube.Cluster, tmp_path: Path) -> None:
    app = App(audited, tmp_path, INGRESS_HOST="example.org", MIN_REPLICAS="1")
    assert release_in_every_way(app) == ["switched", "gate-failed", "rolled-back", "switched"]
    for command in ("recover", "status", "rollback"):
        done = app.command(command, RETIRE="delete")
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    asked = list(lines(audited, app.namespace))
    reviews = {right for right, _ in asked if right[1] == "authorization.k8s.io"}  # which everybody may ask for
    used = {right for right, status in asked if status < 400}  # 0: its answer was lost
    refused = {right for right, status in asked if status == 403}
    assert refused <= LOOKED_FOR, refused - LOOKED_FOR
    assert used <= documented(app) | reviews
    assert documented(app) - used <= set(OTHER_DAYS), documented(app) - used - set(OTHER_DAYS)
    assert set(OTHER_DAYS) <= documented(app)


MIGRATION = """
apiVersion: batch/v1
kind: Job
metadata: {name: migration}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{name: migrate, image: "${DOCKER_IMAGE}", command: [sh, -c, "echo done"]}]
"""


def release_in_every_way(app: App) -> list[str]:
    """Releases that end in each way, the first one whole, and one that is killed and recovered; how they ended."""
    # with this seed the second is struck: the first is the dry run, before anything is changed
    lost = {"share": 0.5, "seed": 0, "answers": "cut-after", "verbs": "create", "resources": "jobs"}
    app.cluster.set_fault("requests", **lost)
    migration = app.folder / "migration.yaml"
    migration.write_text(MIGRATION)
    found = [str(app.release(V1, MIGRATION=str(migration)).record.get("outcome"))]
    for kind, name in (("ConfigMap", "config"), ("Secret", "secrets")):  # so that a candidate's copies go with it
        app.kube.merge_patch(kind, f"gremlinsai-backend-{name}", {"data": {"CHANGED": "eWVz"}})
    found += [ended(app, last, DOCKER_IMAGE=V2) for last in ("revert", "roll back")]
    app.kube.delete("HorizontalPodAutoscaler", "gremlinsai-backend-green")  # which the next release makes anew
    found.append(ended(app, "finish", DOCKER_IMAGE=V2, ACCESS="port-forward", DRAIN_COMMAND="true"))
    killed = app.start(DOCKER_IMAGE=V3, LEASE_DURATION="1")
    try:
        app.kube.wait("Pod", lambda pods: pods or None, labels="version=blue", deadline=Deadline(60), awaited="pods")
    finally:
        killed.kill()
        killed.communicate()
    done = app.command("recover")
    assert done.returncode == 0, done.stdout + done.stderr
    return found


def ended(app: App, last: str, **settings: str) -> str:
    """A release whose gate asks nothing, to its end: ``revert``, ``roll back`` or ``finish``. How it ended."""
    chosen = load(app.environment(**settings))
    kube = connect(chosen)
    release = Release(chosen, kube, out_dir=app.folder / "direct", progress=lambda _: None)
    try:
        release.begin()
        if last == "revert":
            release.revert("refused as asked")
        else:
            release.promote()
        if last == "roll back":
            release.roll_back("rolled back as asked")
        if last == "finish":
            release.watch_tick()
            release.finish()
        return str(release.desk.record.outcome)
    finally:
        release.close()
        kube.close()
