"""No secret shows up anywhere but in the Secret: after a good, a refused and a killed release, in whatever form.

Every secret setting has a canary for its value, so a new setting is looked for without being named here.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from bluegreen import localkube
from bluegreen.clock import Deadline
from bluegreen.kube import NotFound
from bluegreen.kube.kinds import RESOURCES
from bluegreen.settings import SETTINGS

from .conftest import App

V1, V2 = "gremlinsai/backend:v1.0.0", "gremlinsai/backend:v1.1.0"

THE_HARNESS_S_OWN = ("PROMETHEUS_TOKEN", "NOTIFY_URL")
"""Secrets that no application gets: they are in no Secret either."""

CANARIES = {setting.name: f'7Qx-{setting.name.lower()}+/"&é-5f2e' for setting in SETTINGS if setting.secret}
"""With characters that URLs, JSON, HTML and shells write otherwise."""

GIVEN = CANARIES | {"NOTIFY_URL": f"http://127.0.0.1:9/{CANARIES['NOTIFY_URL']}"}
"""The settings' values: of a URL the canary is the path."""


def forms(value: str) -> set[str]:
    """A value as it may be written: plain, in a URL, in JSON, in HTML, in hexadecimal, and anywhere within base64."""
    data = value.encode()
    found = {value, quote(value), quote_plus(value), data.hex(), json.dumps(value)[1:-1]}
    found |= {json.dumps(value, ensure_ascii=False)[1:-1], value.replace("&", "&amp;").replace('"', "&quot;")}
    for offset in range(3):  # what stands before it in the encoded text shifts it by so many bytes
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            coded = encode(b"\0" * offset + data).decode().rstrip("=")
            found.add(coded[4 if offset else 0 : -1])  # without what its neighbours have a share in
    return found


FORMS = {form: name for name, value in CANARIES.items() for form in forms(value)}


def shown(text: str) -> set[str]:
    """The settings whose values a text holds."""
    return {name for form, name in FORMS.items() if form in text}


@dataclass
class Left:
    """What the releases left, and what was to be seen of their processes meanwhile."""

    app: App
    outputs: dict[str, str] = field(default_factory=dict)
    arguments: set[str] = field(default_factory=set)  # command lines that held a canary
    environments: set[str] = field(default_factory=set)  # command lines of processes whose environment held one
    looked_at: set[str] = field(default_factory=set)  # all command lines of ours that were seen


@contextmanager
def watched(left: Left) -> Iterator[None]:
    """Look at all processes of this machine until the block ends."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    if line in left.looked_at:
                        continue
                    environment = (process / "environ").read_bytes().decode(errors="replace")
                except OSError:  # ended, or somebody else's
                    continue
                left.looked_at.add(line)
                if shown(line):
                    left.arguments.add(line)
                if shown(environment):
                    left.environments.add(line)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Left]:
    """A good release, a refused one and a killed one that was recovered, on a cluster that writes an audit log."""
    with localkube.running("secrets", audit=True) as cluster:
        left = Left(App(cluster, tmp_path_factory.mktemp("secrets"), **GIVEN))
        with watched(left):
            _release(left)
        yield left


def _release(left: Left) -> None:
    app = left.app
    good = app.release(V1, "-n", "2", "-l")
    assert good.record.get("outcome") == "switched", good.output
    refused = app.release(f"{V2}-bad-http-500", "-l", "--full-trace")
    assert refused.record.get("outcome") == "gate-failed", refused.output
    killed = app.start(DOCKER_IMAGE=V2, LEASE_DURATION="1")
    app.kube.wait("Pod", lambda pods: pods or None, labels="version=green", deadline=Deadline(60), awaited="pods")
    killed.kill()
    left.outputs |= {"good": good.output, "refused": refused.output, "killed": killed.communicate()[0]}
    left.outputs["unreachable"] = app.release(V2, CLUSTER="far", KUBECONFIG=str(_far(app.folder)), **GIVEN).output
    left.outputs["mistaken"] = app.release(V2, REPLICAS="many", **GIVEN).output
    done = app.command("recover")
    assert done.returncode == 0, done.stdout + done.stderr
    commands = {name: app.command(*name.split()) for name in ("status", "setup")}
    left.outputs |= {name: done.stdout + done.stderr for name, done in {"recover": done, **commands}.items()}


def _far(folder: Path) -> Path:
    """A kubeconfig of a cluster that does not answer."""
    config = {
        "clusters": [{"name": "far", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "me", "user": {"token": "t"}}],
        "contexts": [{"name": "far", "context": {"cluster": "far", "user": "me"}}],
    }
    path = folder / "far"
    path.write_text(json.dumps(config))
    return path


@pytest.mark.parametrize("value", CANARIES.values(), ids=CANARIES)
def test_a_value_is_found_in_whatever_form(value: str) -> None:
    for around in ("", "a", "bc"):
        document = json.dumps({"k": around + value})
        texts = [value, document, base64.b64encode((around + value + "z").encode()).decode(), quote(value), f"?{value}"]
        assert all(shown(text) for text in texts), texts
    assert not shown(value[1:-1])


def test_the_secret_holds_them_all_and_nothing_else_does(left: Left) -> None:
    secret = left.app.kube.get("Secret", "gremlinsai-backend-secrets")
    assert secret is not None
    kept = {value for name, value in CANARIES.items() if name not in THE_HARNESS_S_OWN}
    assert {base64.b64decode(text).decode() for text in secret["data"].values()} >= kept
    for kind in RESOURCES:
        if kind not in ("Secret", "SelfSubjectAccessReview"):
            try:
                found = left.app.kube.list(kind, namespace="")
            except NotFound:  # not served by this cluster
                continue
            assert shown(json.dumps(found)) == set(), kind


def test_no_report_holds_one(left: Left) -> None:
    files = [path for path in (left.app.folder / "reports").rglob("*") if path.is_file()]
    assert {"report.html", "release.json", "junit.xml", "summary.md"} <= {path.name for path in files}
    assert any(path.name.startswith("evidence-") for path in files)
    assert {path.name: shown(path.read_text(errors="replace")) for path in files if _shows(path)} == {}


def test_nothing_printed_one(left: Left) -> None:
    assert all(output for name, output in left.outputs.items() if name != "killed"), left.outputs.keys()
    assert {name: shown(output) for name, output in left.outputs.items() if shown(output)} == {}


def test_no_log_holds_one(left: Left) -> None:
    pods = left.app.kube.list("Pod")
    assert pods
    assert {pod["metadata"]["name"] for pod in pods if shown(left.app.kube.logs(pod["metadata"]["name"]))} == set()
    cluster = left.app.cluster
    assert cluster.audit_log.stat().st_size > 0
    assert [path.name for path in (cluster.audit_log, cluster.state.log) if _shows(path)] == []


def test_the_cluster_keeps_them_as_a_secret_only(left: Left) -> None:
    state = left.app.cluster.state
    for path in state.path.rglob("*"):
        if path.is_file() and state.store not in path.parents:
            assert not _shows(path), path
    for path in state.store.rglob("*"):
        for line in path.read_text().splitlines() if path.is_file() else ():
            assert not shown(line) or '"kind":"Secret"' in line, (path, line[:200])


def test_no_process_shows_one_to_others(left: Left) -> None:
    assert left.arguments == set()


def test_only_whoever_needs_them_has_them_in_its_environment(left: Left) -> None:
    """The release itself and its workers, which were given them, and the application's containers."""
    assert any("bluegreen.probe" in line for line in left.looked_at)
    assert any("locust" in line for line in left.looked_at)
    assert any("localkube" in line for line in left.looked_at)
    # the last two: what xdist's workers are, and the preStop hook of the application's containers
    needing = ("pytest", "bluegreen.cli", "bluegreen.sample", "exec(eval(sys.stdin", "sleep 2")
    needing += ("uname -p",)  # by which Python itself asks for the processor's name, for a moment
    assert {line for line in left.environments if not any(word in line for word in needing)} == set()
    harness = ("bluegreen.probe", "locust", "bluegreen.localkube.daemon")
    assert {line for line in left.environments if any(word in line for word in harness)} == set()


def _shows(path: Path) -> bool:
    return bool(shown(path.read_text(errors="replace")))
