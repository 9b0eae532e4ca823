"""The catalogue holds together, and a seeded sample is caught where it must be; `python -m tests.gate` runs it all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bluegreen.localkube import Cluster
from bluegreen.manifests import BUILT_IN
from bluegreen.verdict import STAGES
from tests.gate.__main__ import sample
from tests.gate.app import BADS, WAYS
from tests.gate.catalogue import CASES, Case
from tests.gate.runner import Serving, run

SEED, COUNT = 7, 8


def test_there_are_enough_of_every_stage() -> None:
    assert len(CASES) >= 60
    assert len({case.id for case in CASES}) == len(CASES)
    assert {case.stage for case in CASES} == {*STAGES, "start", ""}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_each_case_is_what_it_says(case: Case) -> None:
    name, *numbers = case.bad.split()
    assert name in BADS
    assert name != "metrics" or numbers[0].partition("=")[0] in WAYS
    assert all(float(number.partition("=")[2]) > 0 for number in numbers)
    for manifest, edits in case.edits.items():
        text = (BUILT_IN / f"{manifest}.yaml").read_text()
        assert all(old in text for old, _ in edits)


@pytest.fixture(scope="module")
def serving(release_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    serving = Serving(release_cluster, tmp_path_factory.mktemp("gate") / "app")
    yield serving
    serving.remove()


@pytest.mark.parametrize("case", [one for one in sample(SEED, COUNT) if not one.fresh], ids=lambda case: case.id)
def test_a_sample_is_caught_where_it_must_be(case: Case, serving: Serving) -> None:
    caught = run(case, serving)
    assert not caught.wrong, caught.wrong
