"""What the project's own tests share: a running test cluster, one for each worker of xdist."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from bluegreen import localkube

# how long an example takes is the machine's doing: a test that means a time says so itself
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")


@pytest.fixture(scope="session")
def cluster() -> Iterator[localkube.Cluster]:
    """An embedded cluster of this test run's own, in a temporary directory; every test makes its own namespace."""
    with localkube.running() as running:
        yield running
