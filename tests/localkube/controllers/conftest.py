"""A control plane in memory for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.localkube.controllers.cluster import Cluster


@pytest.fixture
def make_cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Cluster]]:
    """Makes clusters with options; closes them."""
    with ExitStack() as stack:

        def make(**options: Any) -> Cluster:
            made = Cluster(monkeypatch, **options)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def cluster(make_cluster: Callable[..., Cluster]) -> Cluster:
    """A cluster with one large node."""
    return make_cluster()
