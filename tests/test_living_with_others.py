"""Other managers that own the same objects: what they must leave alone, and what happens when they do not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen import localkube
from bluegreen.clock import Deadline
from bluegreen.colour import Colour
from bluegreen.errors import HarnessError
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
