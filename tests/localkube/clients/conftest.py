"""Clients of one cluster, configured by its kubeconfig as any program would, each test in a namespace of its own."""

from __future__ import annotations

import gc
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from bluegreen.localkube import Cluster
from tests.localkube.clients import workload


@pytest.fixture(scope="session")
def images(cluster: Cluster) -> None:
    """Light programs as images."""
    workload.add_images(cluster)


@pytest.fixture(autouse=True)
def _swept() -> Iterator[None]:
    """What clients leave to the garbage collector (sockets, tasks of loops that ended) goes with the test that used
    them, where it is no error, and not in the middle of another."""
    yield
    for _ in range(3):  # what is collected may leave more
        gc.collect()


@pytest.fixture
def api(cluster: Cluster, images: None) -> Iterator[Any]:
    """The official client."""
    from kubernetes import config

    with config.new_client_from_config(config_file=str(cluster.kubeconfig), context=cluster.context) as client:
        yield client


@pytest.fixture
def namespace(api: Any) -> Iterator[str]:
    """A namespace that goes at the end."""
    from kubernetes import client

    name = f"clients-{uuid.uuid4().hex[:6]}"
    core = client.CoreV1Api(api)
    core.create_namespace({"metadata": {"name": name}})
    yield name
    core.delete_namespace(name)
