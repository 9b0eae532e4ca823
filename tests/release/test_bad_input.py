"""What cannot be released is refused in one clear message, with exit code 4, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import App

KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: far, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: me, user: {token: t}}]
contexts: [{name: far, context: {cluster: far, user: me}}]
"""

REFUSED: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "an unknown context": ({"CLUSTER": "nowhere", "DOCKER_IMAGE": "a/b:v1"}, ("nowhere", "far")),
    "an unreachable cluster": ({"CLUSTER": "far", "DOCKER_IMAGE": "a/b:v1"}, ("127.0.0.1:1",)),
    "no image on a named cluster": ({"CLUSTER": "far"}, ("DOCKER_IMAGE", "not set")),
    "a number that is none": ({"REPLICAS": "many"}, ("REPLICAS", "many")),
    "an image that is none": ({"DOCKER_IMAGE": "UPPER/case:::"}, ("DOCKER_IMAGE", "UPPER/case:::")),
    "a directory that is not there": ({"MANIFESTS": "no/such/dir"}, ("MANIFESTS", "no/such/dir")),
    "an unknown placeholder": ({"MANIFESTS": "unknown"}, ("deployment.yaml", "NO_SUCH_SETTING")),
    "a manifest the server refuses": ({"MANIFESTS": "refused"}, ("Deployment", "replicas")),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_bad_input_is_refused_before_anything_is_changed(app: App, case: str, workers: tuple[str, ...]) -> None:
    settings, parts = REFUSED[case]
    settings = {"KUBECONFIG": str(app.folder / "kubeconfig"), **settings}
    (app.folder / "kubeconfig").write_text(KUBECONFIG)
    for name, text in {"unknown": "name: ${NO_SUCH_SETTING}", "refused": "name: ${APP_NAME}-${COLOUR}"}.items():
        write_deployment(app.folder / name, text)
    result = app.result(app.start(*workers, **{"CLUSTER": "local", **settings}))
    assert result.code == 4, result.output
    for part in parts:
        assert part in result.output
    assert "Traceback" not in result.output
    assert not (app.folder / "reports").exists()
    assert not app.kube.list("Deployment")
    assert not app.kube.list("Lease")


TEMPLATE = """
apiVersion: apps/v1
kind: Deployment
metadata:
  NAME
  labels: {app: "${APP_NAME}", version: "${COLOUR}"}
spec:
  replicas: -1
  selector: {matchLabels: {app: "${APP_NAME}", version: "${COLOUR}"}}
  template:
    metadata: {labels: {app: "${APP_NAME}", version: "${COLOUR}"}}
    spec: {containers: [{name: app, image: "${DOCKER_IMAGE}", ports: [{name: http, containerPort: 8080}]}]}
"""


def write_deployment(folder: Path, name: str) -> None:
    """A team's own deployment.yaml whose replicas no server takes."""
    folder.mkdir()
    (folder / "deployment.yaml").write_text(TEMPLATE.replace("NAME", name, 1))
