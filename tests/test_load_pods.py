"""The load test as pods: locust's master and workers in the embedded cluster, against a server of this machine."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegreen import load_pods
from bluegreen.clock import Deadline
from bluegreen.errors import HarnessError
from bluegreen.kube import Kube, connect_handle
from bluegreen.load import LoadTestError, Plan
from bluegreen.localkube import Cluster
from bluegreen.settings import Settings, load
from tests.backend import backend


@pytest.fixture
def kube(cluster: Cluster) -> Iterator[Kube]:
    """A namespace of the test's own, on a cluster that knows this Python's locust as an image."""
    cluster.add_image(load_pods.LOCAL_IMAGE, [sys.executable, "-m", "locust"])
    kube = connect_handle(str(cluster.kubeconfig), cluster.context, f"load-{uuid.uuid4().hex[:8]}")
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": kube.namespace}})
    yield kube
    kube.delete("Namespace", kube.namespace)
    kube.close()


def settings(kube: Kube, **env: str) -> Settings:
    given = {"LOAD_TEST_DURATION": "4", "LOAD_WARMUP": "1", "LOAD_USERS": "6", "LOAD_WORKERS": "2", **env}
    place = {"NAMESPACE": kube.namespace, "CLUSTER": kube.context, "LOAD_IMAGE": load_pods.LOCAL_IMAGE}
    return load({"DOCKER_IMAGE": "app:v1", **place, **given})


def test_workers_in_the_cluster_make_the_load_and_leave_nothing(kube: Kube, tmp_path: Path) -> None:
    with backend() as server:
        found = load_pods.run(kube, settings(kube, LOAD_RATE="60"), Plan(server.url), tmp_path, 2)
    assert found.failures == 0, found.errors
    assert found.workers == 2
    assert {one.path for one in found.endpoints} == {"/", "/api/v1/capabilities"}
    assert 0.3 * 60 <= found.rps <= 1.5 * 60
    assert "All users spawned" in (tmp_path / "locust.log").read_text()
    assert gone(kube)


@pytest.mark.parametrize(
    ("env", "via", "number"),
    [
        ({}, "port-forward", 0),
        ({"LOAD_USERS": "40"}, "port-forward", 1),
        ({"LOAD_RATE": "2500"}, "port-forward", 3),
        ({"LOAD_RATE": "100", "LOAD_USERS": "500"}, "port-forward", 1),
        ({"KEEP_ALIVE": "false", "LOAD_RATE": "40"}, "port-forward", 0),
        ({"KEEP_ALIVE": "false", "LOAD_RATE": "60"}, "port-forward", 1),
        ({"LOAD_RATE": "2500"}, "node-port", 0),
        ({"LOAD_RATE": "2500", "LOAD_WORKERS": "2"}, "port-forward", 2),
        ({"LOAD_WORKERS": "2"}, "cluster", 2),
    ],
)
def test_what_a_port_forward_does_not_carry_is_made_in_the_cluster(env: dict[str, str], via: str, number: int) -> None:
    assert load_pods.workers(load({"DOCKER_IMAGE": "app:v1", **env}), via) == number


def test_an_image_without_locust_is_told(kube: Kube, cluster: Cluster, tmp_path: Path) -> None:
    cluster.add_image("tools/no-locust:v1", ["echo", "no locust here"])
    with backend() as server, pytest.raises(LoadTestError, match="wrote no figures: no locust here") as caught:
        load_pods.run(kube, settings(kube, LOAD_IMAGE="tools/no-locust:v1"), Plan(server.url), tmp_path, 2)
    assert isinstance(caught.value, HarnessError)
    assert "LOAD_IMAGE" in caught.value.remedy
    assert gone(kube)


def test_an_image_that_cannot_be_pulled_ends_it_at_once(kube: Kube, tmp_path: Path) -> None:
    chosen, deadline = settings(kube, LOAD_IMAGE="registry.example.com/no/locust:v1"), Deadline(30)
    with pytest.raises(LoadTestError, match=r"cannot be made by pods: .*no/locust:v1") as caught:
        load_pods.run(kube, chosen, Plan("http://127.0.0.1:1"), tmp_path, 1)
    assert "LOAD_IMAGE" in caught.value.remedy
    assert not deadline.expired
    assert gone(kube)


def gone(kube: Kube) -> bool:
    """Wait until no pod and no ConfigMap of a load test is left."""
    for kind in ("Pod", "ConfigMap"):
        kube.wait(
            kind,
            lambda found: None if any("-load-" in obj["metadata"]["name"] for obj in found) else True,
            deadline=Deadline(60),
            awaited=f"no {kind} is left",
        )
    return True
