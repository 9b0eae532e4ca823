"""A release that turns bad 20 s after the switch, while it is watched: how soon it is back, and what that costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bluegreen import localkube
from tests.bench.rows import Row
from tests.way_back import WayBack

CHECKOUT = Path(__file__).resolve().parents[2]
GOOD, BAD = "gremlinsai/backend:v1.0.0", "gremlinsai/backend:v1.1.0-bad-http-500-20s-after-switch"


def rollback(cluster: localkube.Cluster) -> list[Row]:
    """One good release, and one that is rolled back."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "BLUEGREEN_HOME": str(cluster.base),
            "NAMESPACE": "bench-rollback",
            "REPORTS_DIR": f"{folder}/reports",
            "LOAD_TEST_DURATION": "3",
            "POST_SWITCH_WATCH": "60",
        }
        _release({**environment, "DOCKER_IMAGE": GOOD, "POST_SWITCH_WATCH": "1"}, 0)
        _release({**environment, "DOCKER_IMAGE": BAD}, 6)
        reports = Path(folder, "reports", "latest")
        back = WayBack.of(reports, json.loads((reports / "release.json").read_text()))
    return [
        Row("bad 20 s after the switch: finding to good", back.confirmed_s * 1000, "ms", "<= 1000"),
        Row("first failed request to the last", back.failing_s, "s", "<= 2"),
        Row(f"requests lost, of {back.asked} at 20/s", back.lost, ""),
    ]


def _release(environment: dict[str, str], code: int) -> None:
    command = [sys.executable, "-m", "pytest", "suites/release", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True)
    assert done.returncode == code, done.stdout
