"""kubectl in a namespace of each test's own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegreen.localkube import Cluster
from tests.localkube.kubectl import Kubectl, workload


@pytest.fixture(scope="session")
def images(cluster: Cluster) -> None:
    """Light programs as images."""
    workload.add_images(cluster)


@pytest.fixture
def kubectl(cluster: Cluster, images: None, tmp_path: Path) -> Iterator[Kubectl]:
    """kubectl in a new namespace, which goes at the end."""
    namespace = f"kubectl-{uuid.uuid4().hex[:6]}"
    run = Kubectl(cluster.kubeconfig, namespace, tmp_path)
    run("create", "namespace", namespace)
    yield run
    run("delete", "namespace", namespace, "--wait=false")
