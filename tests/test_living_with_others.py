"""Other managers that own the same objects: what they must leave alone, and what happens when they do not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from bluegreen import clock, localkube, manifests
from bluegreen.clock import Deadline
from bluegreen.colour import Colour
from bluegreen.errors import CannotStartError, HarnessError
from bluegreen.gate import CheckError, require, sidecars
from bluegreen.kube import Conflict, KubeError
from tests.apps import App

NAME, SERVICE = "gremlinsai-backend", "gremlinsai-service"
MANAGERS = ("argocd-controller", "kustomize-controller", "helm")


@pytest.fixture
def app(cluster: localkube.Cluster, tmp_path: Path) -> Iterator[App]:
    """An application of the test's own."""
    app = App(cluster, tmp_path)
    yield app
    app.remove()


def sync(app: App, manager: str, *, force: bool = True, **spec: Any) -> None:
    """Another manager brings the live Service to what its manifest says."""
    metadata = {"name": SERVICE, "labels": {"synced-by": manager}}
    app.kube.apply(
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}, manager=manager, force=force
    )


def test_without_the_selector_other_managers_sync_at_any_time_and_nothing_is_lost(app: App) -> None:
    app.released("v1.0.0")
    sync(app, "helm", externalTrafficPolicy="Cluster")
    release = app.release("v1.1.0")
    with app.watched() as selectors:
        release.begin()
        for manager in MANAGERS:
            sync(app, manager, externalTrafficPolicy="Cluster")
        release.promote()
        for manager in MANAGERS:
            sync(app, manager, externalTrafficPolicy="Cluster")
        release.watch_tick()
        release.finish()
    release.close()
    for manager in MANAGERS:
        sync(app, manager, externalTrafficPolicy="Cluster")
    assert [word for word in selectors if word != "blue"] == ["green"]
    assert app.live is Colour.GREEN
    assert app.endpoints() == set(app.pods(Colour.GREEN))


@pytest.mark.parametrize(
    "selector", [{"app": NAME}, {"app": NAME, "version": "green"}], ids=["without", "with version"]
)
def test_with_the_selector_the_server_names_who_owns_it(app: App, selector: dict[str, str]) -> None:
    """The selector is one value to server-side apply (an atomic map): leaving out ``version`` alone is not enough."""
    app.released("v1.0.0")
    with pytest.raises(Conflict, match="bluegreen-traffic"):
        sync(app, "kustomize-controller", force=False, selector=selector)
    assert app.live is Colour.BLUE
    sync(app, "kustomize-controller", selector={"app": NAME})
    release = app.release("v1.1.0")
    with pytest.raises(HarnessError, match=r"selects|selector"):
        release.begin()
    release.close()
    assert app.deployment(Colour.GREEN) is None


def evict(app: App, pod: str) -> None:
    """What draining a node does to each of its pods, again as long as a disruption budget refuses."""
    path = f"/api/v1/namespaces/{app.namespace}/pods/{pod}/eviction"
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    deadline = Deadline(60)
    while True:
        try:
            app.kube.post_answer(path, eviction, f"evict pod {pod}")
            return
        except KubeError as refusal:
            if refusal.status == 404:
                return
            if refusal.status != 429 or deadline.expired:
                raise


def test_a_drain_in_the_middle_of_a_release_loses_no_request(app: App) -> None:
    app.released("v1.0.0")
    release = app.release("v1.1.0")
    release.begin()
    before = set(app.pods(Colour.BLUE)) | set(app.pods(Colour.GREEN))
    for pod in sorted(before):
        evict(app, pod)
    release.promote()
    for pod in app.pods(Colour.GREEN):
        evict(app, pod)
    release.finish()
    record = release.record
    release.close()
    assert record["probe"]["requests"] > 0
    assert record["probe"]["failed"] == 0, record["probe"]["first_failures"]
    assert app.live is Colour.GREEN
    assert not before & set(app.pods(Colour.GREEN))


# --- autoscalers, meshes and readiness gates: what others put into the cluster --------------------------------------

DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: scaledobjects.keda.sh}
spec:
  group: keda.sh
  scope: Namespaced
  names: {kind: ScaledObject, plural: scaledobjects, singular: scaledobject}
  versions:
    - name: v1alpha1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""


@pytest.fixture
def keda(app: App) -> Iterator[None]:
    """A cluster on which KEDA's kind is served."""
    definition = yaml.safe_load(DEFINITION)
    app.kube.create(definition)
    deadline = Deadline(10)
    while not any(group["name"] == "keda.sh" for group in app.kube.raw("/apis")["groups"]):
        assert not deadline.expired
        clock.sleep_s(0.02)
    yield
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{definition['metadata']['name']}"
    app.kube.transport.request("DELETE", path, "delete KEDA's kind", repeatable=True)


@pytest.mark.usefixtures("keda")
def test_a_colour_that_keda_scales_is_named_before_anything_is_changed(app: App) -> None:
    app.released("v1.0.0")
    spec = {"scaleTargetRef": {"name": f"{NAME}-green"}, "minReplicaCount": 1}
    app.kube.create({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "q"}, "spec": spec})
    release = app.release("v1.1.0")
    with pytest.raises(CannotStartError, match=f"ScaledObject q scales Deployment {NAME}-green: .* not support"):
        release.begin()
    release.close()
    assert app.deployment(Colour.GREEN) is None


def own_manifests(app: App, **pod: Any) -> dict[str, str]:
    """The built-in Deployment with more in its pods, as a team's own; the setting that names it."""
    folder = app.folder / "own"
    folder.mkdir()
    built_in = (manifests.BUILT_IN / "deployment.yaml").read_text()
    indented = "".join(f"      {line}\n" for line in yaml.safe_dump(pod).splitlines())
    (folder / "deployment.yaml").write_text(
        built_in.replace("      containers:\n", f"{indented}      containers:\n", 1)
    )
    return {"MANIFESTS": str(folder)}


def test_a_namespace_that_asks_for_a_mesh_is_told_whether_each_pod_has_its_sidecar(app: App) -> None:
    """Here nobody injects any: with none the check fails, and with one that stands in the manifest it is looked at."""
    app.released("v1.0.0")
    app.kube.merge_patch("Namespace", app.namespace, {"metadata": {"labels": {"istio-injection": "enabled"}}})
    namespace = app.kube.get("Namespace", app.namespace) or {}
    with pytest.raises(CheckError, match=r"istio-proxy.*not injected"):
        require(sidecars(namespace, app.kube.list("Pod", labels="version=blue")))
    idle = {
        "name": "istio-proxy",
        "image": "gremlinsai/backend:v1.0.0",
        "command": ["sleep", "600"],
        "restartPolicy": "Always",
    }
    app.released("v1.1.0", **own_manifests(app, initContainers=[idle]))
    require(sidecars(namespace, app.kube.list("Pod", labels="version=green")))


GATE = "example.com/registered"


def test_a_release_waits_for_readiness_gates(app: App) -> None:
    app.released("v1.0.0")
    gated = own_manifests(app, readinessGates=[{"conditionType": GATE}])
    refused = app.release("v1.1.0", HEALTH_CHECK_TIMEOUT="3", **gated)
    handle = refused.begin()
    assert not handle.available
    assert GATE in handle.unavailable_reason
    refused.revert("refused as asked")
    refused.close()

    opened, done = threading.Event(), threading.Event()

    def controller() -> None:
        while not done.wait(0.05):
            for pod in app.kube.list("Pod", labels="version=green"):
                _open_gate(app, pod["metadata"]["name"])
                opened.set()

    other = threading.Thread(target=controller, daemon=True)
    other.start()
    try:
        release = app.released("v1.1.0", **gated)
    finally:
        done.set()
        other.join(10)
    assert opened.is_set()
    assert app.live is Colour.GREEN
    assert release.record["probe"]["failed"] == 0


def _open_gate(app: App, pod: str) -> None:
    """What a load balancer's controller does when it has registered a pod."""
    path = f"/api/v1/namespaces/{app.namespace}/pods/{pod}/status"
    body = {"status": {"conditions": [{"type": GATE, "status": "True"}]}}
    with suppress(HarnessError):  # the pod is gone
        app.kube.transport.request(
            "PATCH", path, f"open the gate of {pod}", body=body, content_type=STRATEGIC, repeatable=True
        )


STRATEGIC = "application/strategic-merge-patch+json"
