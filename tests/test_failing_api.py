"""A release on an API that fails one request in five: refused, overloaded, cut off before or after the deed.

It ends as it would on a good one, whatever answer was lost. Seeded; more seeds make more releases.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen import localkube
from bluegreen.colour import Colour
from bluegreen.kube import Kube, Unreachable
from bluegreen.kube.transport import Failure
from bluegreen.release import Release
from tests.apps import App

SHARE, SEEDS = 0.2, (1, 2, 3)


@pytest.fixture
def app(cluster: localkube.Cluster, tmp_path: Path) -> Iterator[App]:
    """An application of the test's own that serves v1.0.0."""
    app = App(cluster, tmp_path)
    app.released("v1.0.0")
    yield app
    app.remove()


class Faults:
    """Makes requests of one connection fail by chance; counts what it did."""

    def __init__(self, kube: Kube, seed: int) -> None:
        self._chance, self.done = random.Random(seed), dict.fromkeys(("refused", "before", "after", "watch"), 0)
        self._attempt, self._stream = kube.transport._attempt, kube.transport.stream
        kube.transport._attempt = self.attempt  # type: ignore[method-assign]
        kube.transport.stream = self.stream  # type: ignore[method-assign]
        self._transport = kube.transport

    def end(self) -> None:
        """Let requests through again."""
        self._transport._attempt = self._attempt  # type: ignore[method-assign]
        self._transport.stream = self._stream  # type: ignore[method-assign]

    def attempt(self, *given: Any) -> Any:
        """One request: refused with 429, lost on its way, answered to nobody, or as it should be."""
        if self._chance.random() >= SHARE:
            return self._attempt(*given)
        how = self._chance.choice(["refused", "before", "after"])
        self.done[how] += 1
        error = Unreachable(f"Cannot {given[2]}: a fault of the test.", status=429 if how == "refused" else 0)
        if how == "after":
            result = self._attempt(*given)
            return result if isinstance(result, Failure) else Failure(error, not_done=False)
        return Failure(error, not_done=how == "refused")

    def stream(self, *given: Any) -> Any:
        """One watch: not opened, or as it should be."""
        if self._chance.random() < 2 * SHARE:  # a release opens only a few
            self.done["watch"] += 1
            raise Unreachable("Cannot watch: a fault of the test.")
        return self._stream(*given)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_release_on_a_failing_api_ends_as_on_a_good_one(app: App, seed: int) -> None:
    release = app.release("v1.1.0")
    with app.watched() as selectors:
        faults = Faults(app.kube, seed)
        try:
            _run(release, refuse=seed % 2 == 0)
        finally:
            faults.end()
            release.close()
    assert min(faults.done[how] for how in ("refused", "before", "after")) > 0, faults.done
    assert selectors == (["blue"] if seed % 2 == 0 else ["blue", "green"])
    assert app.live is (Colour.BLUE if seed % 2 == 0 else Colour.GREEN)
    app.at_rest()


def _run(release: Release, refuse: bool) -> None:
    assert release.begin().available
    if refuse:
        release.revert("refused as asked")
        return
    release.promote()
    release.watch_tick()
    release.finish()
