"""What a release asks of the API server, by step and by size: replicas, Services, files of tests.

Counted in the embedded cluster's audit log, by the release's own account, for a release that replaces a live colour.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bluegreen import clock, localkube
from bluegreen.kube import connect_handle
from bluegreen.settings import load
from tests.account import set_up_for
from tests.bench.rows import IMAGE, Row

CHECKOUT = Path(__file__).resolve().parents[2]
FILES = 50
SERVICES = 20
SIZES = (3, 30, 100)

BETWEEN = "between the steps: the gate's tests, watching production, keeping the lock"

QUICK = {
    "LOAD_TEST_DURATION": "5",
    "POST_SWITCH_WATCH": "5",
    "DRAIN_TIMEOUT": "10",
    "CPU_REQUEST": "1m",
    "CPU_LIMIT": "500m",
    "MEMORY_REQUEST": "8Mi",
    "MEMORY_LIMIT": "256Mi",
    "HEALTH_CHECK_TIMEOUT": "300",
}


@dataclass(frozen=True)
class Cost:
    """One release: requests by step, where ``tests`` are those between the steps, and seconds in all."""

    seconds: float
    by_step: Counter[str] = field(default_factory=Counter)
    by_right: Counter[str] = field(default_factory=Counter)
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """All of them."""
        return self.by_right.total()


@contextmanager
def audited() -> Iterator[localkube.Cluster]:
    """A cluster that writes down what is asked of it."""
    with localkube.running("large", audit=True) as cluster:
        yield cluster


def large(_: localkube.Cluster) -> list[Row]:
    """Rows: requests of a release at each size, against those at the smallest."""
    few = SIZES[0]
    least = measure(few)
    bigger = {f"the same, {replicas} replicas": measure(replicas) for replicas in SIZES[1:]}
    bigger[f"the same, {few} replicas, {SERVICES} Services"] = measure(few, services=SERVICES)
    bigger[f"the same, {few} replicas, {FILES} more test files"] = measure(few, files=FILES)
    first = Row(f"API requests a release, {few} replicas", least.requests, "")
    return [first, *(_row(what, cost, least) for what, cost in bigger.items())]


def _row(what: str, cost: Cost, least: Cost) -> Row:
    return Row(what, cost.requests, "", "", least.requests, f"{SIZES[0]} replicas")


def measure(replicas: int, *, services: int = 1, files: int = 0) -> Cost:
    """The second of two releases at this size."""
    with audited() as cluster, tempfile.TemporaryDirectory() as folder:
        names = [f"gremlinsai-extra-{number}" for number in range(1, services)]
        settings = {
            **QUICK,
            "NAMESPACE": "large",
            "REPLICAS": str(replicas),
            "MAX_REPLICAS": str(max(20, replicas)),
            "EXTRA_SERVICES": " ".join(names),
            "REPORTS_DIR": f"{folder}/reports",
            "CLUSTER": cluster.context,
            "DOCKER_IMAGE": IMAGE,
        }
        kube = connect_handle(str(cluster.kubeconfig), cluster.context, "large")
        account = Path(folder, "account")
        set_up_for(kube, load(settings), cluster, account)
        suite = _suite(Path(folder, "suites"), files)
        environment = {**os.environ, **settings, "KUBECONFIG": str(account)}
        _release(suite, environment, IMAGE)
        asked = len(cluster.audit_log.read_text().splitlines())
        started_s = clock.now_s()
        record = _release(suite, environment, "gremlinsai/backend:v1.1.0")
        seconds = clock.now_s() - started_s
        lines = cluster.audit_log.read_text().splitlines()[asked:]
        return cost(lines, record, seconds)


def _suite(folder: Path, files: int) -> Path:
    """The suite of releases, with so many more files of one test each."""
    shutil.copytree(CHECKOUT / "suites", folder)
    for number in range(files):
        text = f'def test_{number}(candidate):\n    assert candidate.get("/").status_code == 200\n'
        head = 'import pytest\n\npytestmark = pytest.mark.stage("api")\n\n\n'
        (folder / "release" / f"test_more_{number}.py").write_text(head + text)
    lines = ["[tool.pytest.ini_options]", 'bluegreen_release = "suites/release"']
    (folder.parent / "pyproject.toml").write_text("\n".join([*lines, 'addopts = ["-p", "no:locust"]', ""]))
    shutil.copytree(CHECKOUT / "loadtests", folder.parent / "loadtests")
    return folder / "release"


def _release(suite: Path, environment: dict[str, str], image: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "pytest", str(suite), "-q", "-p", "no:cacheprovider"]
    env = environment | {"DOCKER_IMAGE": image}
    done = subprocess.run(command, cwd=suite.parents[1], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    found: dict[str, Any] = json.loads(Path(environment["REPORTS_DIR"], "latest/release.json").read_text())
    return found


def cost(lines: list[str], record: dict[str, Any], seconds: float) -> Cost:
    """What the audit lines of one release amount to.

    The record's steps are in seconds since its beginning, whose time follows from the switch: its first patch has both.
    """
    switch = next(step for step in record["steps"] if step["name"] == "switch")
    began = datetime.fromisoformat(record["patches"][0]["sent_at"]).timestamp() - switch["started_s"]
    found = Cost(seconds, record=record)
    for line in lines:
        event = json.loads(line)
        if not event["user"].get("username", "").startswith("system:serviceaccount:large:"):
            continue
        about = event.get("objectRef") or {}
        found.by_right[f"{event['verb']} {about.get('resource') or event.get('requestURI', '')}"] += 1
        at_s = datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp() - began
        steps = [s for s in record["steps"] if s["started_s"] <= at_s <= s["started_s"] + s["duration_s"]]
        found.by_step[steps[-1]["name"] if steps else BETWEEN] += 1
    return found


def table(measured: Cost, record: dict[str, Any]) -> str:
    """What each step cost, as Markdown."""
    took = Counter({step["name"]: step["duration_s"] for step in record["steps"]})
    rows = [f"| {name} | {measured.by_step[name]} | {seconds:.2f} |" for name, seconds in took.items()]
    rest = measured.by_step[BETWEEN]
    return "\n".join(["| step | API requests | seconds |", "|---|---|---|", *rows, f"| {BETWEEN} | {rest} | |"])


if __name__ == "__main__":
    for size in [int(text) for text in sys.argv[1:]] or SIZES:
        measured = measure(size)
        print(f"\n{size} replicas: {measured.requests} requests in {measured.seconds:.1f} s\n")
        print(table(measured, measured.record))
        print(dict(measured.by_right.most_common()))
