"""Whether the gate refuses what it must refuse: the suite is run on an image that is known to be bad.

The switch is left out (``--gate-only``), so that live traffic is safe even from a gate that lets everything through.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bluegreen.errors import CannotStartError, InputError, Mistake
from bluegreen.settings import Settings
from bluegreen.verdict import Outcome, exit_code

EMBEDDED_BAD_IMAGE = "gremlinsai/backend:v1.0.0-bad-http-500"
"""The bundled sample's image that the embedded cluster is asked to refuse unless another is named."""


@dataclass(frozen=True)
class Finding:
    """What became of a known-bad image."""

    image: str
    refused: bool
    stage: str  # the stage that refused it
    sentence: str


def image_of(settings: Settings) -> str:
    """The known-bad image: SELFTEST_IMAGE, or the sample's on a cluster of the harness' own. Raises InputError."""
    if settings.selftest_image:
        return settings.selftest_image
    if settings.own_cluster:
        return EMBEDDED_BAD_IMAGE
    raise InputError(
        [
            Mistake(
                "SELFTEST_IMAGE", None, "a self-test needs an image that is known to be bad.", "Build one and name it."
            )
        ]
    )


def run(
    image: str, suite: Path, folder: Path, options: Mapping[str, str], progress: Callable[[str], None] = print
) -> Finding:
    """Run the gate on a known-bad image, with its reports in ``folder``.

    The settings are ``options`` by their names, over those of the environment and ``.env``; only the image and where
    reports go are other ones.
    Raises CannotStartError when the gate did not come to a verdict: then nothing is known about it.
    """
    if not suite.is_dir():
        raise CannotStartError(f"There is no suite {suite} here.", "Run this where `pytest suites/release` is run.")
    own = {"DOCKER_IMAGE": image, "EXPECTED_VERSION": "", "GATE_ONLY": "true", "REPORTS_DIR": str(folder)}
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", str(suite), "-p", "no:cacheprovider", "-q"],
        env={**os.environ, **options, **own},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert process.stdout is not None
    last = ""
    try:
        for line in process.stdout:
            last = line.strip() or last
            if line.startswith("["):
                progress(line.rstrip())
        code = process.wait()
    finally:
        if process.poll() is None:
            process.terminate()  # the release puts itself in order
            process.wait()
    return _finding(image, code, folder / "latest" / "release.json", last)


def _finding(image: str, code: int, record_file: Path, last: str) -> Finding:
    if code == exit_code(Outcome.GATE_PASSED):
        return Finding(image, False, "", "every stage passed")
    if code != exit_code(Outcome.GATE_FAILED):
        raise CannotStartError(
            f"The gate came to no verdict on {image}: pytest ended with exit code {code} ({last}).",
            "Run `pytest suites/release --gate-only` and see why.",
        )
    stages = json.loads(record_file.read_text())["stages"]
    bad = next((name for name, stage in stages.items() if stage["verdict"] == "fail"), "")
    return Finding(image, True, bad, f"stage {bad} refused it")
