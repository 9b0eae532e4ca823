"""Releases in turn: ours, and the script's, on the same cluster."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bluegreen import clock, localkube
from bluegreen.kube import connect_handle

CHECKOUT = Path(__file__).resolve().parents[2]
ROUNDS = 3
LOAD_S, WATCH_S = 3, 1


def overheads(cluster: localkube.Cluster) -> tuple[list[float], list[float]]:
    """Seconds of overhead of each of our releases, and of the script's (none where kubectl, curl or bc is missing)."""
    ours, script = [], []
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "BLUEGREEN_HOME": str(cluster.base),
            "KUBECONFIG": str(cluster.kubeconfig),
            "NAMESPACE": "bench-release",
            "REPORTS_DIR": f"{folder}/reports",
            "LOAD_TEST_DURATION": str(LOAD_S),
            "POST_SWITCH_WATCH": str(WATCH_S),
        }
        _ours(environment, folder, 0)
        for number in range(1, ROUNDS + 1):
            ours.append(_ours(environment, folder, number))
            if all(shutil.which(program) for program in ("kubectl", "curl", "bc")):
                script.append(_script(cluster, environment, number))
    return ours, script


def _ours(environment: dict[str, str], folder: str, number: int) -> float:
    image = {"DOCKER_IMAGE": f"gremlinsai/backend:v1.{number}.0"}
    # what only the dev extra installs is no part of a release
    without = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    command = [sys.executable, "-m", "pytest", "suites/release", "-q", *without]
    started_s = clock.now_s()
    done = subprocess.run(command, cwd=CHECKOUT, env=environment | image, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    wall_s = clock.now_s() - started_s
    record = json.loads(Path(folder, "reports/latest/release.json").read_text())
    steps = {step["name"]: step["duration_s"] for step in record["steps"]}
    waited = ("stand up the candidate", "wait for the candidate", "drain", "retire")
    return wall_s - LOAD_S - WATCH_S - sum(steps.get(name, 0.0) for name in waited)


def _script(cluster: localkube.Cluster, environment: dict[str, str], number: int) -> float:
    kube = connect_handle(str(cluster.kubeconfig), cluster.context, "bench-release")
    service = kube.get("Service", "gremlinsai-service")
    assert service is not None
    source = service["spec"]["selector"]["version"]
    target = "green" if source == "blue" else "blue"
    address = service["spec"]["clusterIP"]
    image = f"gremlinsai/backend:v2.{number}.0"
    command = ["sh", str(CHECKOUT / "tests/bench/release.sh"), "bench-release", image, source, target, address]
    started_s = clock.now_s()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return clock.now_s() - started_s - float(done.stdout.split()[-1])
