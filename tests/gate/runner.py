"""Releases one case of the catalogue and says where it was caught."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bluegreen import clock, localkube
from bluegreen.clock import Deadline
from bluegreen.manifests import BUILT_IN
from tests.gate.catalogue import COULD_NOT_START, ROLLED_BACK, SWITCHED, Case
from tests.release.conftest import CHECKOUT, App, Result

GOOD = "gremlinsai/backend:v1.0.0"
TIMEOUT_S = 240.0  # of one release; far above what any case takes
RIGHT, ELSEWHERE, MISSED = "right stage", "elsewhere", "missed"

SETTINGS = {"HEALTH_CHECK_TIMEOUT": "30", "LOAD_TEST_DURATION": "8"}
"""What every case runs under beside the quick settings of the release tests."""

_REGISTERING = threading.Lock()


@dataclass(frozen=True)
class Caught:
    """What became of a case. ``wrong`` is empty when everything was as the catalogue says."""

    case: Case
    where: str
    stage: str
    seconds: float
    wrong: str = ""


class Serving:
    """An application that serves a good version, for case after case; or one for its ``first`` release."""

    def __init__(self, cluster: localkube.Cluster, folder: Path, first: Case | None = None) -> None:
        folder.mkdir(parents=True)
        # an administrator sets an application up with its own manifests before its first release
        self.app = App(cluster, folder, **_manifests(first, folder)) if first else App(cluster, folder)
        if first is None or first.live:
            image = registered(self.app, "live", first.live) if first else GOOD
            result = self.app.release(image, **SETTINGS)
            if result.code != SWITCHED:
                raise AssertionError(f"the good version was not released:\n{result.output}")

    def remove(self) -> None:
        """Take everything of it away."""
        self.app.kube.delete("Namespace", self.app.namespace)
        self.app.kube.close()


def run(case: Case, serving: Serving) -> Caught:
    """Release a case and hold its end against the catalogue."""
    app = serving.app
    began_s = clock.now_s()
    more = {
        **SETTINGS,
        "TMPDIR": str(app.folder / "tmp"),
        **case.settings,
        **_manifests(case, app.folder),
        **_thresholds(case, app.folder),
    }
    (app.folder / "tmp").mkdir(exist_ok=True)
    (app.folder / "reports" / "latest").unlink(missing_ok=True)  # whoever wrote none has said nothing
    process = app.start(DOCKER_IMAGE=case.image or registered(app, case.id, case.bad), **more)
    over = Deadline(TIMEOUT_S)
    others = threading.Thread(target=_meanwhile, args=(case, app, over), daemon=True)
    others.start()
    try:
        result = app.result(process, TIMEOUT_S)
    finally:
        object.__setattr__(over, "seconds", 0.0)  # whoever acts meanwhile stops
        others.join(30)
    return _judged(case, result, app, clock.now_s() - began_s)


def _meanwhile(case: Case, app: App, over: Deadline) -> None:
    if case.meanwhile is not None:
        case.meanwhile(app, over)


def registered(app: App, name: str, bad: str) -> str:
    """The application with this fault, registered with the cluster under a reference of its own."""
    reference = f"catalogue/backend:{name}-{app.namespace}"
    shared = app.folder / "shared" / name
    shared.mkdir(parents=True, exist_ok=True)
    for leftover in shared.iterdir():
        leftover.unlink()
    env = {
        "BAD": bad,
        "SHARED": str(shared),
        "SAMPLE_VERSION": reference.rpartition(":")[2],
        "PYTHONPATH": str(CHECKOUT),
    }
    with _REGISTERING:  # the list of images is read and written whole
        app.cluster.add_image(reference, [sys.executable, "-m", "tests.gate.app"], env)
    return reference


def _thresholds(case: Case, folder: Path) -> Mapping[str, str]:
    """LOAD_THRESHOLDS, where the case has some."""
    if not case.thresholds:
        return {}
    file = folder / f"{case.id}.yaml"
    file.write_text(case.thresholds)
    return {"LOAD_THRESHOLDS": str(file)}


def _manifests(case: Case, folder: Path) -> Mapping[str, str]:
    """MANIFESTS, where the case has some of its own."""
    if not case.edits and not case.files:
        return {}
    own = folder / "manifests" / case.id
    own.mkdir(parents=True, exist_ok=True)
    for name, edits in case.edits.items():
        text = (BUILT_IN / f"{name}.yaml").read_text()
        for old, new in edits:
            assert old in text, f"{case.id}: {name}.yaml has no {old!r}"
            text = text.replace(old, new)
        (own / f"{name}.yaml").write_text(text)
    for name, text in case.files.items():
        (own / f"{name}.yaml").write_text(text)
    return {"MANIFESTS": str(own)}


def _judged(case: Case, result: Result, app: App, seconds: float) -> Caught:
    stage = "start" if result.code == COULD_NOT_START else result.first_bad_stage if result.record else ""
    stage = "" if result.code == SWITCHED else stage
    where = RIGHT if stage == case.stage else MISSED if result.code == SWITCHED else ELSEWHERE
    said = _said(result)
    wrong = []
    if result.code != case.code:
        wrong.append(f"exit code {result.code} and not {case.code}")
    if case.says not in said:
        wrong.append(f"the report does not say {case.says!r}")
    if not case.fresh and app.live_colour() != "blue":
        wrong.append(f"{app.live_colour()} is live")
    if not case.fresh and case.code != ROLLED_BACK and result.record and result.record["probe"]["failed"]:
        wrong.append(f"{result.record['probe']['failed']} requests of users failed")
    if where != RIGHT:
        wrong.append(f"stage {stage or 'none'} and not {case.stage or 'none'}")
    told = f"{'; '.join(wrong)}; it said: {_first_failure(said)}" if wrong else ""
    return Caught(case, where, stage, seconds, told)


def _said(result: Result) -> str:
    """What a person reads: the summary of the report, and what the terminal showed."""
    summary = result.reports / "summary.md"
    return (summary.read_text() if summary.exists() else "") + result.output


def _first_failure(said: str) -> str:
    found = re.findall(r"^> (.*)$", said, re.MULTILINE)
    return " | ".join(found[:3]) or " ".join(said.split())[-300:]
