"""The cluster and the application that suites which prove nothing are released on."""

from tests.release.conftest import app, release_cluster

__all__ = ["app", "release_cluster"]
