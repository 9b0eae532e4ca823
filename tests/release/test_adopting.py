"""An application that runs without colours is adopted, released, and given back, and its users notice nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest
import yaml

from bluegreen import localkube
from bluegreen.access import Access
from bluegreen.clock import Deadline
from bluegreen.release import Release
from bluegreen.settings import load
from bluegreen.traffic import pod_ready
from tests.apps import Driven
from tests.users import users

from .conftest import CHECKOUT
from .team import EXAMPLES, IMAGE, SETTINGS, Team

OWN = {"app.kubernetes.io/name": "shop", "app.kubernetes.io/component": "web"}


@pytest.fixture
def running(release_cluster: localkube.Cluster, tmp_path: Path) -> Iterator[Team]:
    """The application of plain YAML as `kubectl apply` brings it about, serving; nothing of the harness is there."""
    team = Team(release_cluster, tmp_path, EXAMPLES / "plain")
    team.kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": team.namespace}})
    for obj in written():
        team.kube.apply(obj, manager="kubectl")
    team.kube.wait(
        "Pod",
        lambda pods: True if sum(map(pod_ready, pods)) == 2 else None,
        labels="app.kubernetes.io/name=shop",
        deadline=Deadline(60),
        awaited="the plain pods",
    )
    yield team
    team.kube.delete("Namespace", team.namespace)


def as_administrator(team: Team, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as whoever sets up: a release's own account may not."""
    cluster = {"CLUSTER": team.cluster.context, "KUBECONFIG": str(team.cluster.kubeconfig)}
    return team.command(*arguments, DOCKER_IMAGE=f"{IMAGE}:v1.0.0", **cluster)


def written() -> list[dict[str, Any]]:
    """What the team has."""
    return list(yaml.safe_load_all((EXAMPLES / "plain" / "shop.yaml").read_text()))


def address(team: Team) -> str:
    """Where users come in."""
    settings = load({**SETTINGS, "MANIFESTS": str(EXAMPLES / "plain"), "NAMESPACE": team.namespace})
    access = Access(team.kube, settings)
    url = access.live().url
    access.close()
    return url


def release(team: Team, tag: str) -> None:
    """A release without the gate, which other tests run."""
    settings = load(team.environment(DOCKER_IMAGE=f"{IMAGE}:{tag}", CLUSTER=team.cluster.context))
    one = Release(settings, team.kube, out_dir=team.folder / tag, progress=lambda _: None)
    try:
        one.begin()
        one.promote()
        one.watch_tick()
        one.finish()
    finally:
        one.close()


def selector(team: Team) -> dict[str, str]:
    """What the live Service selects."""
    found = team.kube.get("Service", "shop")
    assert found is not None
    return dict(found["spec"]["selector"])


def test_it_is_adopted_released_and_given_back_while_users_are_at_work(running: Team) -> None:
    with users(address(running)) as felt:
        adopted = as_administrator(running, "adopt")
        assert adopted.returncode == 0, adopted.stdout + adopted.stderr
        assert selector(running) == {**OWN, "version": "blue"}
        assert running.sizes() == {"web": 0, "web-blue": 2}
        assert "Nothing to adopt" in as_administrator(running, "adopt").stdout
        release(running, "v1.1.0")
        assert running.sizes() == {"web": 0, "web-blue": 0, "web-green": 2}
        undone = as_administrator(running, "adopt", "--undo")
        assert undone.returncode == 0, undone.stdout + undone.stderr
    assert selector(running) == OWN
    assert running.sizes() == {"web": 2}
    web = running.deployment("web")["spec"]["template"]["spec"]
    assert web["containers"][1]["image"] == f"{IMAGE}:v1.1.0"
    assert web["containers"][1]["envFrom"] == [{"configMapRef": {"name": "shop-config"}}]
    assert running.kube.get("PodDisruptionBudget", "shop") is not None
    assert running.kube.get("PodDisruptionBudget", "shop-blue") is None
    assert running.kube.get("Service", "shop-preview") is None
    assert felt.failed.total() == 0, felt.first_failures
    assert felt.versions == {"v1.0.0", "v1.1.0"}
    assert all(felt.answered[kind] > 5 for kind in ("keep-alive", "fresh", "slow", "stream")), felt.answered
    assert "Nothing to undo" in as_administrator(running, "adopt", "--undo").stdout


def driven(team: Team, way: str, *arguments: str) -> Driven:
    """An adoption, or its undoing, in a process of its own, which the arguments may kill."""
    command = [sys.executable, "-m", "tests.driver", "--kubeconfig", str(team.cluster.kubeconfig)]
    command += [
        "--context",
        team.cluster.context,
        "--reports",
        str(team.folder / "driven"),
        "--instead",
        way,
        *arguments,
    ]
    settings = team.environment(
        CLUSTER=team.cluster.context, DOCKER_IMAGE=f"{IMAGE}:v1.0.0", LEASE_DURATION="1", HEALTH_CHECK_TIMEOUT="60"
    )
    environment = {**os.environ, **settings, "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return Driven(done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr)


def test_killed_on_its_way_it_is_run_again_or_undone(running: Team) -> None:
    """The way there is killed twice and gone on with, and once undone; the way back is killed twice."""
    with users(address(running)) as felt:
        for when, number in (("after", 5), ("after", 6)):
            killed = driven(running, "adopt", "--wait-for-lock", "--kill", when, "--write", str(number))
            assert killed.code == -SIGKILL, killed.log
        assert driven(running, "adopt", "--wait-for-lock").code == 0
        assert running.sizes() == {"web": 0, "web-blue": 2}
        for when, number in (("before", 5), ("after", 6)):
            killed = driven(running, "undo", "--wait-for-lock", "--kill", when, "--write", str(number))
            assert killed.code == -SIGKILL, killed.log
        assert driven(running, "undo", "--wait-for-lock").code == 0
        assert (selector(running), running.sizes()) == (OWN, {"web": 2})
        assert driven(running, "adopt", "--wait-for-lock", "--kill", "after", "--write", "5").code == -SIGKILL
        assert driven(running, "undo", "--wait-for-lock").code == 0
        assert (selector(running), running.sizes()) == (OWN, {"web": 2})
    assert felt.failed.total() == 0, felt.first_failures
