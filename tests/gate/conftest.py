"""The cluster on which the catalogue's sample is released."""

from tests.release.conftest import release_cluster

__all__ = ["release_cluster"]
