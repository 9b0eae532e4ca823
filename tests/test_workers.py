"""Workers that must not run twice go with the live colour: old ones end before new ones begin, whatever happens."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegreen import localkube, recovery, rollback
from bluegreen.clock import Deadline
from bluegreen.colour import Colour
from bluegreen.errors import CannotStartError, WorkersError
from tests.workers import BAD, WithWorker


@pytest.fixture
def app(cluster: localkube.Cluster, tmp_path: Path) -> Iterator[WithWorker]:
    """An application that serves v1.0.0 from blue, with one worker."""
    app = WithWorker(cluster, tmp_path)
    app.released("v1.0.0")
    yield app
    app.remove()


def test_a_worker_moves_with_the_switch_and_back(app: WithWorker) -> None:
    app.assert_one_works()
    app.write("v2")
    release = app.release("v1.1.0")
    release.begin()
    assert app.sizes() == {"blue": 1, "green": 0}
    assert app.said() == ["began v1"]
    release.promote()
    assert app.said() == ["began v1", "ended v1", "began v2"]
    release.watch_tick()
    release.roll_back("seen")
    release.close()
    app.at_rest()
    app.assert_one_works()
    assert app.said()[-1] == "began v1"
    app.released("v1.1.0")
    assert app.said()[-1] == "began v2"
    rollback.roll_back(app.settings("v1.1.0"), app.kube, lambda _: None)
    assert app.live is Colour.BLUE
    app.at_rest()
    app.assert_one_works()
    assert app.said()[-1] == "began v1"


def test_a_candidate_that_is_refused_starts_no_worker(app: WithWorker) -> None:
    release = app.release("v1.1.0")
    release.begin()
    release.revert("refused")
    release.close()
    app.at_rest()
    assert app.said() == ["began v1"]
    assert app.sizes() == {"blue": 1}


def test_a_worker_that_does_not_start_moves_no_traffic(app: WithWorker) -> None:
    app.write("", worker=BAD)
    release = app.release("v1.1.0", HEALTH_CHECK_TIMEOUT="20")
    release.begin()
    with app.watched() as selectors, pytest.raises(WorkersError, match="worker-green"):
        release.promote()
    release.abort("the worker does not start")
    release.close()
    assert selectors == ["blue"]
    app.at_rest()
    app.assert_one_works()
    assert app.said() == ["began v1", "ended v1", "began v1"]


def test_a_worker_that_is_left_out_of_a_release_ends_and_comes_back_with_it(app: WithWorker) -> None:
    text = (app.manifests / "app.yaml").read_text()
    parts = [part for part in text.split("---\n") if "name: worker" not in part]
    (app.manifests / "app.yaml").write_text("---\n".join(parts))
    release = app.release("v1.1.0")
    release.begin()
    release.promote()
    assert app.said() == ["began v1", "ended v1"]
    release.roll_back("seen")
    release.close()
    app.at_rest()
    app.assert_one_works()


@pytest.fixture(scope="module")
def writes(cluster: localkube.Cluster, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The writes of a whole release, in order."""
    app = WithWorker(cluster, tmp_path_factory.mktemp("reference"))
    app.released("v1.0.0")
    app.write("v2")
    done = app.driven("v1.1.0")
    assert done.code == 0, done.log
    app.remove()
    return [str(write).rpartition("/")[2] for write in done.said["writes"]]


@pytest.mark.parametrize(
    ("when", "name"), [("after", "worker-blue"), ("before", "worker-green"), ("after", "worker-green")]
)
def test_a_release_killed_while_workers_are_handed_over_is_mended(
    app: WithWorker, writes: list[str], when: str, name: str
) -> None:
    app.write("v2")
    number = len(writes) - writes[::-1].index(name)  # the last of it: the one before stands it up, or claims it
    killed = app.driven("v1.1.0", "--kill", when, "--write", str(number))
    assert killed.code == -signal.SIGKILL, killed.log
    recovered(app)
    assert app.live is Colour.BLUE
    app.at_rest()
    app.assert_one_works()
    assert app.said()[-1] == "began v1"


def test_a_way_back_that_is_killed_is_gone_again(app: WithWorker, writes: list[str]) -> None:
    app.write("v2")
    journal = [place for place, name in enumerate(writes, 1) if name.endswith("release-journal")]
    back = writes.index("gremlinsai-service", journal[4]) + 1  # the switch; then the journal, then the way back
    killed = app.driven("v1.1.0", "--roll-back", "--kill", "after", "--write", str(back + 4))
    assert killed.code == -signal.SIGKILL, killed.log
    recovered(app)
    assert app.live is Colour.BLUE
    app.at_rest()
    app.assert_one_works()


def recovered(app: WithWorker) -> None:
    """Mend what a killed release left, once its lock has run out."""
    deadline = Deadline(20)
    while True:
        try:
            recovery.recover(app.settings("v1.1.0"), app.kube, lambda _: None)
            return
        except CannotStartError:
            assert not deadline.expired
