"""Every bad cluster is refused before a change, in a message with the object, what was found and what to do."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bluegreen import clock, environment, preflight
from bluegreen.errors import CannotStartError, InputError
from bluegreen.kube import Kube, connect, connect_handle
from bluegreen.localkube import Cluster
from bluegreen.release import Release
from bluegreen.settings import load
from tests.bad_input.clusters import LOST, UNFIT, Lost, Site, Unfit
from tests.bad_input.kubeconfigs import Place, serving

REFUSALS = (InputError, CannotStartError)

QUIET = ("Service", "ConfigMap", "Secret", "ServiceAccount", "Role", "RoleBinding", "NetworkPolicy", "Ingress", "Lease")
"""Kinds that nobody writes but whoever uses them: their resourceVersion tells."""

KEPT = ("Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget", "ResourceQuota", "ReplicaSet", "Pod")
"""Kinds whose status controllers write at any time: their generation and annotations tell."""


def snapshot(kube: Kube) -> dict[tuple[str, str], Any]:
    """What must not move, by kind and name."""
    found: dict[tuple[str, str], Any] = {}
    for kind in QUIET:
        found |= {(kind, obj["metadata"]["name"]): obj["metadata"]["resourceVersion"] for obj in kube.list(kind)}
    for obj in (obj for kind in KEPT for obj in kube.list(kind)):
        metadata = obj["metadata"]
        annotations = {k: v for k, v in metadata.get("annotations", {}).items() if "kubernetes.io" not in k}
        found[obj["kind"], metadata["name"]] = (metadata.get("generation"), annotations, metadata.get("labels"))
    namespaces = [obj["metadata"]["name"] for obj in kube.list("Namespace")]
    return {**found, ("Namespaces", "of this test"): [name for name in namespaces if name.startswith(kube.namespace)]}


@pytest.fixture
def site(cluster: Cluster) -> Iterator[Site]:
    """A namespace that is set up, and nothing was released in it."""
    base = {
        "CLUSTER": cluster.context,
        "KUBECONFIG": str(cluster.kubeconfig),
        "NAMESPACE": f"unfit-{uuid.uuid4().hex[:8]}",
        "DOCKER_IMAGE": "gremlinsai/backend:v1.0.0",
    }
    settings = load(base)
    kube = connect(settings)
    environment.set_up(kube, settings)
    yield Site(kube, settings)
    if kube.get("ConfigMap", "held") is not None:
        kube.merge_patch("ConfigMap", "held", {"metadata": {"finalizers": None}})
    environment.reset(kube, settings)
    kube.close()


@pytest.mark.parametrize("case", UNFIT, ids=lambda case: case.id)
def test_what_no_release_can_work_on_is_refused_before_anything_is_changed(
    site: Site, tmp_path: Path, case: Unfit
) -> None:
    asked = case.arrange(site) or site
    before = snapshot(site.kube)
    release = Release(asked.settings, asked.own or asked.kube, out_dir=tmp_path / "run", progress=lambda _: None)
    with pytest.raises(REFUSALS) as caught:
        release.begin()
    release.close()
    said = str(caught.value)
    assert [part for part in case.shows if part not in said] == [], said
    assert snapshot(site.kube) == before
    assert not (tmp_path / "run").exists()
    if asked.own is not None:
        asked.own.close()


@pytest.mark.parametrize("case", LOST, ids=lambda case: case.id)
def test_what_leads_to_no_cluster_is_refused(cluster: Cluster, tmp_path: Path, case: Lost) -> None:
    good = yaml.safe_load(cluster.kubeconfig.read_text())
    with serving(Place(tmp_path, good, cluster.context)) as place:
        env = case.arrange(place)
        with pytest.raises(REFUSALS) as caught:
            connect(load({"DOCKER_IMAGE": "gremlinsai/backend:v1.0.0", **env}))
    said = str(caught.value)
    assert [part for part in case.shows if part not in said] == [], said


def test_a_cluster_without_these_faults_is_taken(site: Site) -> None:
    """What the table refuses is refused for its fault alone: the same place without it is fit for a release."""
    assert environment.check(site.kube, site.settings) == []
    own = site.as_release_account().own
    assert own is not None
    assert preflight.check(own, site.settings, "any") == []
    own.close()


def test_a_release_that_lives_is_named_and_nothing_else_changes(cluster: Cluster, site: Site, tmp_path: Path) -> None:
    """The lock is the one thing that is looked at by trying: what it refuses has changed nothing either."""
    now = clock.micro_timestamp()
    spec = {"holderIdentity": "ann@desk", "leaseDurationSeconds": 3600, "acquireTime": now, "renewTime": now}
    site.make("Lease", "gremlinsai-backend-release", labels={"app.kubernetes.io/managed-by": "bluegreen"}, spec=spec)
    kube = connect_handle(str(cluster.kubeconfig), cluster.context, site.kube.namespace)
    before = snapshot(kube)
    release = Release(site.settings, kube, out_dir=tmp_path / "run", progress=lambda _: None)
    with pytest.raises(CannotStartError, match=r"is being released by ann@desk since .* Wait until that release ends"):
        release.begin()
    release.close()
    assert snapshot(kube) == before
    kube.close()
