"""Releases on an API that fails one request in five, cuts off, lags and ends watches: they end as on a good one.

Two kinds, seeded: the library's release in this process, whose every kind of fault is counted, and whole processes out
of ``python -m tests.matrix faults``, which runs fifty. The added latency is less than there, to spare time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegreen import localkube
from bluegreen.colour import Colour
from bluegreen.kube import connect_handle
from bluegreen.release import Release
from tests.apps import App
from tests.fault_matrix import FAULTS, SCENARIOS, failing, scenario_of, spare, try_case

SOONER = {**FAULTS, "latency": {"delay_s": 0.02}}


@pytest.fixture
def app(cluster: localkube.Cluster, tmp_path: Path) -> Iterator[App]:
    """An application of the test's own that serves v1.0.0; its own requests meet no fault."""
    app = App(cluster, tmp_path)
    spare(app)
    app.released("v1.0.0")
    yield app
    app.remove()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_release_on_a_failing_api_ends_as_on_a_good_one(app: App, seed: int) -> None:
    kube = connect_handle(str(app.cluster.kubeconfig), app.cluster.context, app.namespace)
    settings = app.settings("v1.1.0", LEASE_DURATION="15")
    release = Release(settings, kube, out_dir=app.folder / "release", progress=lambda _: None)
    refused = seed % 2 == 0
    with app.watched() as selectors, failing(app.cluster, seed, SOONER) as struck:
        try:
            _run(release, refuse=refused)
        finally:
            release.close()
            kube.close()
    assert min(struck[kind] for kind in SOONER) > 0, struck
    assert selectors == (["blue"] if refused else ["blue", "green"])
    assert app.live is (Colour.BLUE if refused else Colour.GREEN)
    app.at_rest()


def _run(release: Release, refuse: bool) -> None:
    assert release.begin().available
    if refuse:
        release.revert("refused as asked")
        return
    release.promote()
    release.watch_tick()
    release.finish()


@pytest.fixture(scope="module")
def release_cluster() -> Iterator[localkube.Cluster]:
    """The cluster that ``--cluster local`` finds, in a directory of its own."""
    with localkube.running(localkube.DEFAULT_NAME) as cluster:
        yield cluster


@pytest.mark.parametrize("seed", [1, 7], ids=scenario_of)
def test_a_whole_release_on_a_failing_api_ends_as_on_a_good_one(
    release_cluster: localkube.Cluster, tmp_path: Path, seed: int
) -> None:
    case = try_case(release_cluster, tmp_path, seed, SOONER)
    assert not case.problem, str(case)


def test_every_scenario_comes_in_turn() -> None:
    assert {scenario_of(seed) for seed in range(len(SCENARIOS))} == SCENARIOS.keys()
