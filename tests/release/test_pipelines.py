"""The pipelines of docs/ci.md: GitHub's is run step by step, with its second job; all are read as their services do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from bluegreen.settings import SETTINGS
from bluegreen.verdict import EXIT_CODES
from tests.pages import block, blocks

from .conftest import QUICK, App

PAGE = "docs/ci.md"
ACTIONLINT = shutil.which("actionlint")
IMAGE = "gremlinsai/backend:v1.0.0"


@dataclass
class Runner:
    """Runs a job of a workflow as GitHub's runner does: each step a script of bash -e, in one folder."""

    folder: Path
    contexts: dict[str, str]
    environment: dict[str, str]
    said: list[str] = field(default_factory=list)

    def run(self, workflow: dict[str, Any], name: str) -> bool:
        """Whether every step of a job ended well."""
        job = workflow["jobs"][name]
        good = True
        for step in job["steps"]:
            if "run" not in step or not (good or step.get("if") == "always()"):
                continue
            given = {**workflow["env"], **job.get("env", {}), **step.get("env", {})}
            good = self._step(step["run"], {key: self._filled(value) for key, value in given.items()}) and good
        return good

    def _step(self, script: str, given: dict[str, str]) -> bool:
        file = self.folder / f"step-{len(self.said)}-{threading.get_ident()}.sh"
        file.write_text(script.replace("pip install bluegreen-harness", "true"))
        environment = {**self.environment, **given, **QUICK, "LOAD_TEST_DURATION": "3"}
        done = subprocess.run(
            ["bash", "-e", str(file)], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=150
        )
        self.said.append(f"$ {script}\n{done.stdout}{done.stderr}({done.returncode})")
        return done.returncode == 0

    def _filled(self, value: str) -> str:
        """A value with its ${{ … }} in place; one that nobody knows is an error."""
        return re.sub(r"\$\{\{ *(\S+) *\}\}", lambda found: self.contexts[found[1]], value)


def kubeconfig(app: App) -> str:
    """The account's kubeconfig, made by the page's own commands."""
    app.environment()  # an administrator sets the application up
    script = block(PAGE, "release.kubeconfig").replace("--namespace gremlinsai", f"--namespace {app.namespace}")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    admin = {"ADMIN": app.cluster.context, "KUBECONFIG": str(app.cluster.kubeconfig)}
    subprocess.run(["bash", "-e", "-c", script], cwd=app.folder, env={"PATH": path, **admin}, check=True)
    return (app.folder / "release.kubeconfig").read_text()


def test_githubs_pipeline_releases_when_its_second_job_approves(app: App, tmp_path: Path) -> None:
    workflow = yaml.safe_load(block(PAGE, ".github/workflows/release.yml"))
    account = kubeconfig(app)
    jobs = {}
    for name in workflow["jobs"]:
        folder = tmp_path / name
        folder.mkdir()
        contexts = {"github.workspace": str(folder), "inputs.image": IMAGE}
        contexts["secrets.RELEASE_KUBECONFIG"] = account
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        own = {"PATH": path, "HOME": str(tmp_path), "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
        jobs[name] = Runner(folder, contexts, {**own, "NAMESPACE": app.namespace})
    subprocess.run([sys.executable, "-m", "bluegreen.cli", "init"], cwd=jobs["release"].folder, check=True)
    ended: dict[str, bool] = {}
    approval = threading.Thread(target=lambda: ended.update(approve=jobs["approve"].run(workflow, "approve")))
    approval.start()
    ended["release"] = jobs["release"].run(workflow, "release")
    approval.join(60)
    assert ended == {"release": True, "approve": True}, "\n".join(jobs["release"].said + jobs["approve"].said)
    assert app.live_colour() == "blue"
    assert (jobs["release"].folder / "summary.md").read_text().startswith("# Switched: gremlinsai/backend:v1.0.0")
    assert "Approved:" in jobs["approve"].said[-1]
    assert "Nothing to recover" in jobs["release"].said[-1]


@pytest.mark.skipif(ACTIONLINT is None, reason="actionlint is not on PATH")
def test_actionlint_finds_nothing(tmp_path: Path) -> None:
    page = tmp_path / "release.yml"
    page.write_text(block(PAGE, ".github/workflows/release.yml"))
    own = sorted((Path(__file__).resolve().parents[2] / ".github/workflows").glob("*.yml"))
    done = subprocess.run([str(ACTIONLINT), page, *own], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_gitlabs_jobs_are_whole() -> None:
    found = yaml.safe_load(block(PAGE, ".gitlab-ci.yml"))
    jobs = {name: job for name, job in found.items() if isinstance(job, dict)}
    assert set(jobs) == {"release", "approve"}
    for job in jobs.values():
        assert job["stage"] in found["stages"]
        assert set(job["variables"]) <= {setting.name for setting in SETTINGS}
    assert jobs["release"]["resource_group"], "one at a time"
    assert jobs["release"]["artifacts"]["when"] == "always"


def test_every_exit_code_that_is_branched_on_is_one() -> None:
    [jenkins] = [text for text in blocks(PAGE) if "Jenkinsfile" in text]
    named = {int(code) for code in re.findall(r"\b(\d): '", jenkins)}
    assert named == set(EXIT_CODES.values()) - {0, 2, 3}, "those two are the default's"
    [shell] = [text for text in blocks(PAGE) if "case $code in" in text]
    assert {int(code) for code in re.findall(r"\b(\d)\b(?= \||\))", shell)} <= set(EXIT_CODES.values())
