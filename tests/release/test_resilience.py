"""A seeded sample of the matrices, one case of each kind; ``python -m tests.matrix`` runs them whole."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator

import pytest

from bluegreen import localkube
from bluegreen.journal import Step
from tests.apps import App
from tests.matrix import clocks, frozen, full_disk, interrupted, runs, together
from tests.matrix.engine import Ended, Engine, Subject
from tests.matrix.parts import PARTS
from tests.matrix.row import Row
from tests.matrix.table import Tried, page

RELEASE_S = 12.0
"""About as long as a whole release takes; a moment that comes too late finds it over, which must be as good."""


@pytest.fixture(scope="module")
def engine(release_cluster: localkube.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """What makes applications that serve a good version."""
    return Engine(release_cluster, tmp_path_factory.mktemp("resilience"), at_once=1)


@pytest.fixture(scope="module")
def subject(engine: Engine) -> Iterator[Subject]:
    """An application that serves a good version, which every case leaves so."""
    subject = engine.subject()
    yield subject
    subject.app.remove()


@pytest.mark.parametrize(
    "cut",
    [
        runs.Cut("release -n 2", Step.JUDGING, 0.1, runs.RECOVER),
        runs.Cut("release", Step.WATCHING, 0.02, runs.NEXT_DRIVEN),
    ],
    ids=str,
)
def test_a_whole_release_killed_with_9_is_mended(subject: Subject, cut: runs.Cut) -> None:
    assert "killed" in runs.Killing(RELEASE_S)(subject, cut).words


@pytest.mark.parametrize(
    "blow",
    [
        interrupted.Blow("rollback", Step.STANDING_UP, 0.01, signal.SIGTERM, 0.2),
        interrupted.Blow("release -n 2", Step.JUDGING, 0.15, signal.SIGKILL, 0.0, worker=1),
    ],
    ids=str,
)
def test_what_befalls_a_run_leaves_it_in_order(subject: Subject, blow: interrupted.Blow) -> None:
    interrupted.Striking(RELEASE_S)(subject, blow)


def test_a_disk_that_fills_up_under_the_reports_changes_no_verdict(subject: Subject) -> None:
    if why := full_disk.available():
        pytest.skip(f"no small file system can be mounted here: {why}")
    assert "switched" in full_disk.filled(subject, full_disk.Disk(8192, bad=False, workers=False)).words


def test_a_clock_that_jumps_in_a_release_and_between_two_holders(subject: Subject) -> None:
    clocks.Jumping(RELEASE_S)(subject, clocks.Jump(0.1, -5.0, back=False, killed=0.5, next_is_off=True))


def test_of_ten_releases_at_once_one_runs(engine: Engine, subject: Subject) -> None:
    others = App(engine.cluster, engine.folder)
    try:
        assert "nine stopped" in together.contend(subject, others).words
    finally:
        others.remove()


@pytest.mark.parametrize(
    "freeze",
    [frozen.Freeze("forward", "before", 1, woken_late=True), frozen.Freeze("forward", "before", 6, woken_late=False)],
    ids=str,
)
def test_a_release_that_was_frozen_and_taken_over_changes_nothing(subject: Subject, freeze: frozen.Freeze) -> None:
    frozen.frozen(subject, freeze)


def test_a_row_with_nothing_tried_or_anything_wrong_is_not_as_it_must_be(subject: Subject, engine: Engine) -> None:
    assert Row("tried", 2, 2, 1).ok
    assert not Row("nothing", 0, 0, 1).ok
    assert not Row("failed", 1, 1, 1, requests=9, failed=1).ok

    def act(_: Subject, case: int) -> Ended:
        assert case != 2, "it broke"
        return Ended("well", 10, 0)

    row = engine.row("some", [1, 2, 3], act, 1)
    assert (row.tried, row.right, row.requests, row.ok) == (3, 2, 20, False)
    assert "case 2, 2: it broke" in row.wrong[0]


@pytest.mark.parametrize("name", PARTS)
def test_every_part_can_be_run(name: str) -> None:
    assert callable(PARTS[name].load().run)


def test_a_seed_chooses_the_same_cases_again() -> None:
    assert runs.cuts(20, random.Random(3)) == runs.cuts(20, random.Random(3)) != runs.cuts(20, random.Random(4))


def test_a_page_keeps_the_lines_of_parts_that_were_not_run_again() -> None:
    first = page(
        [
            Tried("kills", 1, 5, [Row("killed", 5, 5, 1, figures={"longest": "7 s"})]),
            Tried("disk", 1, None, [Row("full", 2, 1, 1)]),
        ]
    )
    second = page([Tried("disk", 2, None, [Row("full", 3, 3, 2)])], first)
    assert "| killed | 5 | 5 | – | – | `python -m tests.matrix kills --seed 1 --count 5` |" in second
    assert "| full | 3 | 3 | – | – | `python -m tests.matrix disk --seed 2` |" in second
    assert "- killed: longest 7 s" in second
    assert "(!)** |" in first
    assert "(!)** |" not in second
