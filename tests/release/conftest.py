"""Whole releases, as a user runs them: ``pytest suites/release`` as a process, on a cluster of the tests' own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bluegreen import localkube
from bluegreen.kube import Kube, connect_handle
from bluegreen.settings import LOCAL, LOCAL_IMAGE, load
from tests.account import set_up_for

CHECKOUT = Path(__file__).resolve().parents[2]

QUICK = {
    "HEALTH_CHECK_TIMEOUT": "15",
    "LOAD_TEST_DURATION": "4",
    "LOAD_WARMUP": "1",
    "POST_SWITCH_WATCH": "1",
    "DRAIN_TIMEOUT": "5",
    "REPLICAS": "2",
    "CPU_REQUEST": "100m",
    "MEMORY_REQUEST": "64Mi",
}
"""Shorter waits than the defaults: what is tested is the order of things and the verdicts, not the load."""


@dataclass
class Result:
    """A release that has ended."""

    code: int
    output: str
    reports: Path
    record: dict[str, Any] = field(default_factory=dict)

    def verdict(self, stage: str) -> str:
        """The verdict of a stage."""
        return str(self.record["stages"][stage]["verdict"])

    @property
    def first_bad_stage(self) -> str:
        """The first stage that did not pass."""
        return next((name for name, entry in self.record["stages"].items() if entry["verdict"] != "pass"), "")


class App:
    """One application in a namespace of its own, released as often as a test likes."""

    def __init__(self, cluster: localkube.Cluster, folder: Path, **always: str) -> None:
        self.cluster, self.folder, self.always = cluster, folder, always  # ``always``: settings of every release
        self.namespace = f"team-{uuid.uuid4().hex[:6]}"
        self.kube: Kube = connect_handle(str(cluster.kubeconfig), cluster.context, self.namespace)
        self._account = folder / f"{self.namespace}.kubeconfig"

    def environment(self, **settings: str) -> dict[str, str]:
        """What a release's process gets: nothing of ours but PATH and HOME, and the documented account for releases.

        With CLUSTER=local it finds the cluster itself and is its administrator, as a newcomer is.
        """
        own = {"NAMESPACE": self.namespace, **self.always}
        if settings.get("CLUSTER") == LOCAL:
            own |= {"BLUEGREEN_HOME": str(self.cluster.base)}
        elif "CLUSTER" not in settings:
            own |= {"CLUSTER": self.cluster.context, "KUBECONFIG": str(self._kubeconfig()), "DOCKER_IMAGE": LOCAL_IMAGE}
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {**kept, **QUICK, **own, "REPORTS_DIR": str(self.folder / "reports"), **settings}

    def _kubeconfig(self) -> Path:
        """The kubeconfig of the account; the application is set up by an administrator when it is first asked for."""
        if not self._account.exists():
            chosen = load({**QUICK, "NAMESPACE": self.namespace, **self.always})
            set_up_for(self.kube, chosen, self.cluster, self._account)
        return self._account

    def start(self, *arguments: str, suite: str = "suites/release", **settings: str) -> subprocess.Popen[str]:
        """Start a release and come back at once."""
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", str(CHECKOUT / suite), "-p", "no:cacheprovider", *arguments],
            cwd=self.folder,
            env=self.environment(**settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def result(self, process: subprocess.Popen[str], timeout_s: float = 150) -> Result:
        """Wait for a release's end."""
        try:
            output, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            pytest.fail(f"the release hung for {timeout_s} s:\n{output}")
        latest = self.folder / "reports" / "latest"
        result = Result(process.returncode, output, latest)
        if (latest / "release.json").exists():
            result.record = json.loads((latest / "release.json").read_text())
        return result

    def release(self, image: str = "", *arguments: str, **settings: str) -> Result:
        """Release an image and wait for the end."""
        more = {"DOCKER_IMAGE": image} if image else {}
        return self.result(self.start(*arguments, **more, **settings))

    def command(self, *arguments: str, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
        """Run ``bluegreen`` with these arguments."""
        return subprocess.run(
            [sys.executable, "-m", "bluegreen.cli", *arguments],
            cwd=self.folder,
            env=self.environment(**settings),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def latest(self) -> dict[str, Any]:
        """The record of the last run."""
        found: dict[str, Any] = json.loads((self.folder / "reports" / "latest" / "release.json").read_text())
        return found

    # -- what stands in the cluster ---------------------------------------------------------------------------------
    def live_colour(self) -> str:
        """The colour that the live Service selects."""
        service = self.kube.get("Service", "gremlinsai-service")
        return str(service["spec"]["selector"]["version"]) if service else ""

    def replicas(self) -> dict[str, int]:
        """The wanted size of each colour's Deployment."""
        found = self.kube.list("Deployment")
        return {d["metadata"]["name"].rpartition("-")[2]: int(d["spec"]["replicas"]) for d in found}


@pytest.fixture(scope="session")
def release_cluster() -> Iterator[localkube.Cluster]:
    """The cluster that ``--cluster local`` finds, in a directory of its own."""
    with localkube.running(localkube.DEFAULT_NAME) as cluster:
        yield cluster


@pytest.fixture
def app(release_cluster: localkube.Cluster, tmp_path: Path) -> Iterator[App]:
    """An application that was never released; its namespace goes with the test."""
    app = App(release_cluster, tmp_path)
    yield app
    app.kube.delete("Namespace", app.namespace)


def assert_nobody_felt_it(record: Mapping[str, Any]) -> None:
    """The probe asked, and every answer was good."""
    assert record["probe"]["requests"] > 0
    assert record["probe"]["failed"] == 0, record["probe"]["first_failures"]
