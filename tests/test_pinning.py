"""The image of a release, as its registry knows it: what counts against a release, and what is deployed."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen import localkube, manifests, pinning
from bluegreen.colour import Colour
from bluegreen.errors import CannotStartError
from bluegreen.pinning import State
from bluegreen.registry import AccessRefusedError, Found, NotThereError, UnansweredError
from bluegreen.release import Release
from tests import oci
from tests.apps import CHECKOUT, App

SAMPLE = {"SAMPLE_VERSION": "v1.0.0", "PYTHONPATH": str(CHECKOUT)}
DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("error", "auto", "required"),
    [
        (NotThereError("gone"), State.MISSING, State.MISSING),
        (UnansweredError("no answer"), State.UNKNOWN, State.MISSING),
        (AccessRefusedError("who are you", ""), State.UNKNOWN, State.MISSING),
        (AccessRefusedError("wrong password", "", ["pull"]), State.MISSING, State.MISSING),
    ],
)
def test_what_is_not_known_stops_a_release_only_when_asked_for(error: Any, auto: State, required: State) -> None:
    """Nodes may have credentials of their own; those that the pods name are the pods' and no better there."""
    assert pinning.judged("app:v1", error, strict=False).state is auto
    assert pinning.judged("app:v1", error, strict=True).state is required


@pytest.mark.parametrize(
    ("offered", "nodes", "state", "said"),
    [
        (("linux/amd64",), {"linux/amd64"}, State.KNOWN, "is sha256"),
        (("linux/arm64/v8",), {"linux/arm64"}, State.KNOWN, "is sha256"),
        (("linux/amd64",), {"linux/arm64"}, State.MISSING, "there for linux/amd64, and the nodes are linux/arm64"),
        (("linux/amd64",), {"linux/amd64", "linux/arm64"}, State.KNOWN, "nodes that are linux/arm64 cannot run it"),
        ((), {"linux/arm64"}, State.KNOWN, "is sha256"),
        (("linux/amd64",), set(), State.KNOWN, "is sha256"),
    ],
)
def test_an_image_is_held_against_the_nodes(offered: Any, nodes: Any, state: State, said: str) -> None:
    image = pinning.fitting("app:v1", Found(DIGEST, offered), frozenset(nodes))
    assert image.state is state
    assert said in image.sentence


@pytest.fixture
def app(cluster: localkube.Cluster, tmp_path: Path) -> Iterator[App]:
    app = App(cluster, tmp_path)
    yield app
    app.remove()


def pull_secret(host: str, name: str = "pull", password: str = oci.PASSWORD) -> dict[str, Any]:
    auth = base64.b64encode(f"{oci.USER}:{password}".encode()).decode()
    content = base64.b64encode(json.dumps({"auths": {host: {"auth": auth}}}).encode()).decode()
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": content},
    }


def test_a_release_deploys_the_digest_that_the_registry_states(app: App, tmp_path: Path) -> None:
    """With the pull secret of the ServiceAccount; a node of the embedded cluster takes the digest for a name."""
    with oci.with_users(tmp_path) as registry:
        digest = registry.push("team/app", "v1.0.0")
        name, by_digest = f"{registry.host}/team/app:v1.0.0", f"{registry.host}/team/app@{digest}"
        app.cluster.add_image(by_digest, [sys.executable, "-m", "bluegreen.sample"], SAMPLE)
        app.released("v1.0.0")  # makes the namespace
        asked = app.settings("v1.0.0", DOCKER_IMAGE=name, PIN_IMAGE="require")
        with pytest.raises(CannotStartError, match=r"without credentials \(HTTP 401"):
            pinning.pinned(app.kube, asked)
        app.kube.create(pull_secret(registry.host))
        app.kube.merge_patch("ServiceAccount", "gremlinsai-backend", {"imagePullSecrets": [{"name": "pull"}]})
        chosen, said = pinning.pinned(app.kube, asked)
    assert chosen.docker_image == by_digest
    assert chosen.network_test_image == by_digest
    assert chosen.expected_version == "v1.0.0"
    assert f"{name} is {digest}" in said
    assert "pull secret pull" in said
    assert oci.PASSWORD not in said
    release = Release(chosen, app.kube, out_dir=tmp_path / "out", progress=lambda _: None)
    try:
        release.begin()
        release.promote()
        release.finish()
    finally:
        release.close()
    deployment = app.deployment(Colour.GREEN)
    assert deployment is not None
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == by_digest


def test_the_embedded_clusters_images_have_no_registry(app: App) -> None:
    for how in ({}, {"PIN_IMAGE": "off", "DOCKER_IMAGE": "127.0.0.1:1/team/app:v1"}):
        asked = app.settings("v1.0.0", **how)
        assert pinning.look(app.kube, asked).state is State.NOT_ASKED
        assert pinning.pinned(app.kube, asked)[0] is asked


def test_pull_secrets_of_no_use_are_named(app: App) -> None:
    app.kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": app.namespace}})
    app.kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "other"}, "stringData": {"a": "b"}})
    pod = {"imagePullSecrets": [{"name": "absent"}, {"name": "other"}]}
    assert pinning.pull_secrets(app.kube, pod) == (
        [],
        ["the pull secret absent is not there", "Secret other is of type Opaque, which is no pull secret"],
    )


def test_an_image_that_a_manifest_names_itself_is_not_pinned(app: App, tmp_path: Path) -> None:
    with oci.running(tmp_path / "registry") as registry:
        registry.push("team/app", "v1")
        name = f"{registry.host}/team/app:v1"
        built_in = manifests.source(app.settings("v1"), "deployment").read_text()
        (tmp_path / "own").mkdir()
        (tmp_path / "own" / "deployment.yaml").write_text(built_in.replace("${DOCKER_IMAGE}", name))
        own = {"MANIFESTS": str(tmp_path / "own"), "PIN_IMAGE": "require", "DOCKER_IMAGE": name}
        app.kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": app.namespace}})
        chosen, said = pinning.pinned(app.kube, app.settings("v1", **own))
    assert chosen.docker_image == name
    assert "the manifest names it itself" in said
