"""A gate of one's own: a team's folder with hooks, a migration, approvals, and checks that it has already."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bluegreen import checkout, localkube
from bluegreen.clock import Deadline
from tests.release.conftest import CHECKOUT, App, Result, assert_nobody_felt_it

BREAKING = """
def pytest_bluegreen_before_step(step, context):
    if step == "standing-up":
        cluster = context.cluster
        cluster.merge_patch("Deployment", "gremlinsai-backend-blue", {"spec": {"replicas": 0}})
        for pod in cluster.list("Pod", labels="version=blue"):
            cluster.delete("Pod", pod["metadata"]["name"], grace_s=0)
"""

PAGE = CHECKOUT / "docs" / "gate.md"


def examples() -> dict[str, str]:
    """The files that the page shows, by their names: what stands in a block below a line with nothing but a path."""
    blocks = re.findall(r"^`([^`\n]+)`:\n\n```\w+\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return dict(blocks)


class Team(App):
    """An application released from a repository of its team."""

    def __init__(self, cluster: localkube.Cluster, folder: Path) -> None:
        super().__init__(cluster, folder)
        checkout.write(folder)
        self.take("conftest.py")

    def start(self, *arguments: str, suite: str = "suites/release", **settings: str) -> subprocess.Popen[str]:
        """As the team runs it, in its own folder."""
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", suite, "-p", "no:cacheprovider", *arguments],
            cwd=self.folder,
            env=self.environment(**settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def write(self, name: str, text: str) -> None:
        """A file of the suite."""
        (self.folder / "suites/release" / name).write_text(text)

    def take(self, *names: str, command: str = "") -> None:
        """Files of the page, perhaps with another command for the Job in them."""
        for name in names:
            text = examples()[f"suites/release/{name}"]
            self.write(name, re.sub(r'"echo [^"]+"', f'"{command}"', text) if command else text)

    @property
    def heard(self) -> list[str]:
        """What the hooks heard."""
        return (self.folder / "heard.txt").read_text().splitlines()

    def answer(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Answer the approval as soon as one is asked for."""
        deadline = Deadline(60)
        while not deadline.expired:
            answered = self.command("approve", *arguments)
            if answered.returncode != 4:
                return answered
        pytest.fail("no approval was asked for within 60 s")


@pytest.fixture
def team(release_cluster: localkube.Cluster, tmp_path: Path) -> Any:
    team = Team(release_cluster, tmp_path)
    yield team
    team.kube.delete("Namespace", team.namespace)


def assert_nothing_left(team: Team) -> None:
    assert not team.kube.list("Job")
    assert not [pod for pod in team.kube.list("Pod") if "bluegreen/release" in pod["metadata"].get("labels", {})]


def test_hooks_checks_a_migration_and_an_approval(team: Team) -> None:
    team.take("checks.yaml", "check-schema.yaml", "helm-test.yaml", "migrate.yaml", "test_capabilities.py")
    run = team.start(APPROVAL="switching", MIGRATION="suites/release/migrate.yaml")
    try:
        answered = team.answer("--reason", "looks right")
    finally:
        result = team.result(run)
    assert result.code == 0, result.output
    assert "Approved: may gremlinsai/backend:v1.0.0 go on to switching?" in answered.stdout
    assert ": looks right" in result.output
    assert "migrate-" in result.output
    assert (team.folder / "suites/release/smoke.txt").read_text() == f"v1.0.0 in {team.namespace}\n"
    assert {result.verdict(stage) for stage in ("checks", "api")} == {"pass"}
    forward = ["opened", "standing-up", "judging", "switching", "watching", "retiring"]
    assert team.heard == [
        "before opened",
        *(line for one, two in itertools.pairwise(forward) for line in (f"after {one} well", f"before {two}")),
        "after retiring well",
        "outcome switched",
    ]
    assert_nothing_left(team)


def released(team: Team) -> Result:
    result = team.release()
    assert result.code == 0, result.output
    (team.folder / "heard.txt").unlink()
    return result


def test_what_is_refused_goes_back_and_live_never_notices(team: Team) -> None:
    released(team)
    team.take("test_capabilities.py")
    run = team.start(APPROVAL="switching", DOCKER_IMAGE="gremlinsai/backend:v1.1.0")
    try:
        team.answer("--refuse", "--reason", "not today")
    finally:
        refused = team.result(run)
    assert refused.code == 1, refused.output
    assert "not today" in refused.output
    assert_nobody_felt_it(refused.record)
    assert team.heard[-3:] == ["before reverting", "after reverting well", "outcome gate-failed"]

    team.take("migrate.yaml", command="echo no such column; exit 3")
    failed = team.release("gremlinsai/backend:v1.1.0", MIGRATION="suites/release/migrate.yaml")
    assert failed.code == 1, failed.output
    assert "no such column" in failed.output

    team.write("checks.yaml", "- {name: smoke test, command: 'echo it is broken; exit 9'}\n")
    judged = team.release("gremlinsai/backend:v1.1.0")
    assert judged.code == 1, judged.output
    assert judged.verdict("checks") == "fail"
    assert "exited with 9. It printed:\nit is broken" in judged.output
    assert team.live_colour() == "blue"
    assert_nothing_left(team)


def test_a_migration_that_breaks_what_is_live_calls_for_a_person(team: Team) -> None:
    released(team)
    team.write("conftest.py", BREAKING)
    result = team.release("gremlinsai/backend:v1.1.0")
    assert result.code == 7, result.output
    assert "before this release's hooks ran" in result.output
    assert team.replicas()["blue"] == 0  # what a hook did stays; the candidate is gone
    assert "green" not in team.replicas()


def test_the_selftest_tells_a_gate_that_works_from_one_that_does_not(team: Team) -> None:
    works = team.command("selftest", CLUSTER="local")
    assert works.returncode == 0, works.stdout + works.stderr
    assert "The gate works: gremlinsai/backend:v1.0.0-bad-http-500 was refused; stage api refused it." in works.stdout
    blind = team.command("selftest", SELFTEST_IMAGE="gremlinsai/backend:v1.0.0")  # not bad at all
    assert blind.returncode == 1, blind.stdout + blind.stderr
    assert "let gremlinsai/backend:v1.0.0 through" in blind.stderr
