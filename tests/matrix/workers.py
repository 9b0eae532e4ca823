"""Releases under xdist that lose a worker: what it measured is no evidence, and the release ends in order."""

from __future__ import annotations

import random

from tests.matrix.interrupted import WORKERS, lost_workers, struck
from tests.matrix.row import Row


def run(seed: int, count: int | None = None) -> list[Row]:
    """Crash a worker of ``count`` releases, ``WORKERS`` by default."""
    blows = lost_workers(WORKERS if count is None else count, random.Random(seed))
    return struck("releases that lost an xdist worker to -9 at a random moment", blows, seed)
