"""The scheduler against workers that behave as xdist's do: a test starts once another one or a shutdown is held."""

from __future__ import annotations

import random
from typing import Any

import pytest

from bluegreen.plugin.scheduling import PhaseScheduling
from bluegreen.plugin.stages import PHASES, phase_of

STAGES = {
    **{f"gate-{i}": stage for i, stage in enumerate(["resources", "health", "api", "monitoring", "network"] * 3)},
    "load-0": "load",
    **{f"production-{i}": "production" for i in range(3)},
}


class Worker:
    """An xdist worker: runs the head of its queue when something is behind it."""

    def __init__(self, name: str) -> None:
        self.name, self.queue, self.shutting_down, self.dead = name, [], False, False

    def send_runtest_some(self, indices: list[int]) -> None:
        assert not self.shutting_down, "tests sent after the shutdown are never run"
        self.queue.extend(indices)

    def shutdown(self) -> None:
        self.shutting_down = True

    @property
    def ready(self) -> bool:
        return not self.dead and bool(self.queue) and (len(self.queue) > 1 or self.shutting_down)


class Phases:
    """An owner that notes when a phase was opened, and what had run by then."""

    def __init__(self, starts: bool = True) -> None:
        self.log: list[str] = []
        self.starts = starts

    def start(self) -> bool:
        self.log.append("start")
        return self.starts

    def enter(self, phase: str) -> None:
        self.log.append(f"enter {phase}")


def run(
    worker_count: int, phases: Phases, tests: dict[str, str], seed: int = 0, crash_at: int | None = None
) -> list[Worker]:
    """Play xdist's controller until every worker has ended; fail if all wait for ever."""
    workers: list[Any] = [Worker(f"gw{i}") for i in range(worker_count)]
    scheduler = PhaseScheduling(worker_count, phases, lambda ids: {name: tests[name] for name in ids})
    for worker in workers:
        scheduler.add_node(worker)
        scheduler.add_node_collection(worker, list(tests))
    assert scheduler.collection_is_completed
    scheduler.schedule()
    chance, done = random.Random(seed), 0
    while True:
        if scheduler.tests_finished:
            for worker in scheduler.nodes:
                worker.shutdown()
        ready = [worker for worker in workers if worker.ready]
        if not ready:
            break
        worker = chance.choice(ready)
        if done == crash_at:
            worker.dead = True
            phases.log.append(f"crash {scheduler.remove_node(worker)}")
        else:
            index = worker.queue.pop(0)
            phases.log.append(list(tests)[index])
            scheduler.mark_test_complete(worker, index)
        done += 1
    assert scheduler.tests_finished, "deadlock: " + str({w.name: w.queue for w in workers})
    return workers


@pytest.mark.parametrize("worker_count", [1, 2, 4, 8, 20])
@pytest.mark.parametrize("seed", range(5))
def test_phases_run_one_after_the_other(worker_count: int, seed: int) -> None:
    phases = Phases()
    run(worker_count, phases, STAGES, seed)
    ran = [entry for entry in phases.log if entry in STAGES]
    assert sorted(ran) == sorted(STAGES), "every test ran exactly once"
    order = [PHASES.index(phase_of(STAGES[name])) for name in ran]
    assert order == sorted(order), "no test of a later phase ran before an earlier phase had ended"
    assert phases.log[0] == "start"
    assert phases.log.index("enter load") == 1 + 15
    assert phases.log.index("enter production") == 1 + 15 + 1 + 1


@pytest.mark.parametrize(
    "missing", ["resources health api monitoring network", "load", "production", "load production"]
)
@pytest.mark.parametrize("worker_count", [1, 3])
def test_a_missing_phase_is_passed_over(missing: str, worker_count: int) -> None:
    phases = Phases()
    tests = {name: stage for name, stage in STAGES.items() if stage not in missing.split()}
    run(worker_count, phases, tests)
    assert sorted(entry for entry in phases.log if entry in tests) == sorted(tests)
    assert phases.log.count("enter production") == 1


@pytest.mark.parametrize("worker_count", [1, 2, 4])
@pytest.mark.parametrize("crash_at", range(0, 19, 2))
def test_a_crashed_worker_never_blocks_the_run_and_its_tests_are_not_run_again(
    worker_count: int, crash_at: int
) -> None:
    phases = Phases()
    run(worker_count, phases, STAGES, seed=crash_at, crash_at=crash_at)
    ran = [entry for entry in phases.log if entry in STAGES]
    assert len(ran) == len(set(ran))
    crashed = next(entry.removeprefix("crash ") for entry in phases.log if entry.startswith("crash"))
    assert crashed in STAGES
    assert crashed not in ran


def test_nothing_is_dealt_when_the_release_could_not_start() -> None:
    phases = Phases(starts=False)
    workers = run(2, phases, STAGES)
    assert phases.log == ["start"]
    assert all(not worker.queue for worker in workers)


def test_a_worker_that_replaces_a_crashed_one_gets_no_tests() -> None:
    phases = Phases()
    scheduler = PhaseScheduling(1, phases, lambda ids: {name: STAGES[name] for name in ids})
    first, second = Worker("gw0"), Worker("gw1")
    scheduler.add_node(first)  # type: ignore[arg-type]
    scheduler.add_node_collection(first, list(STAGES))  # type: ignore[arg-type]
    scheduler.schedule()
    scheduler.remove_node(first)  # type: ignore[arg-type]
    scheduler.add_node(second)  # type: ignore[arg-type]
    scheduler.add_node_collection(second, list(STAGES))  # type: ignore[arg-type]
    scheduler.schedule()
    assert second.shutting_down
    assert not second.queue


def test_different_collections_are_refused() -> None:
    scheduler = PhaseScheduling(2, Phases(), lambda ids: {name: STAGES[name] for name in ids})
    for worker, tests in ((Worker("gw0"), ["gate-0"]), (Worker("gw1"), ["gate-1"])):
        scheduler.add_node(worker)  # type: ignore[arg-type]
        scheduler.add_node_collection(worker, tests)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="different tests"):
        scheduler.schedule()
