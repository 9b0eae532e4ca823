"""Work queues: each key once, in time, with back-off and rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from bluegreen.localkube.controllers.workqueue import COST_FACTOR, FIRST_RETRY_S, WorkQueue
from tests.localkube.controllers.cluster import Cluster

A, B = ("ns", "a"), ("ns", "b")


@pytest.fixture
def run(cluster: Cluster) -> Callable[..., None]:
    """Runs a coroutine in the cluster's own time."""

    def runner(test: Callable[[WorkQueue], object]) -> None:
        cluster.do(lambda: test(WorkQueue(lambda: None)))

    return runner


def test_a_key_is_there_once_and_keys_keep_their_order(run: Callable[..., None]) -> None:
    def test(queue: WorkQueue) -> None:
        for key in (A, B, A):
            queue.add(key)
        assert [queue.pop(), queue.pop(), queue.pop()] == [A, B, None]

    run(test)


def test_a_delayed_key_comes_when_it_is_due_and_the_earlier_time_stands(run: Callable[..., None]) -> None:
    async def test(queue: WorkQueue) -> None:
        queue.add_after(A, 100)
        queue.add_after(A, 10)
        queue.add_after(A, 50)
        await asyncio.sleep(9)
        assert queue.pop() is None
        await asyncio.sleep(1.5)
        assert queue.pop() == A
        await asyncio.sleep(200)
        assert queue.pop() is None

    run(test)


def test_adding_a_delayed_key_runs_it_now(run: Callable[..., None]) -> None:
    async def test(queue: WorkQueue) -> None:
        queue.add_after(A, 100)
        queue.add(A)
        assert queue.pop() == A
        await asyncio.sleep(200)
        assert queue.pop() is None

    run(test)


def test_failures_back_off_and_success_forgets_them(run: Callable[..., None]) -> None:
    async def test(queue: WorkQueue) -> None:
        for pause_s in (FIRST_RETRY_S, 2 * FIRST_RETRY_S, 4 * FIRST_RETRY_S):
            queue.failed(A)
            await asyncio.sleep(pause_s * 0.9)
            assert queue.pop() is None
            await asyncio.sleep(pause_s * 0.2)
            assert queue.pop() == A
        queue.done(A, 0.0, None)
        queue.failed(A)
        await asyncio.sleep(FIRST_RETRY_S * 1.1)
        assert queue.pop() == A

    run(test)


def test_an_expensive_key_rests_so_that_changes_are_taken_together(run: Callable[..., None]) -> None:
    async def test(queue: WorkQueue) -> None:
        queue.done(A, 1.0, None)
        for _ in range(5):
            queue.add(A)
        queue.add(B)
        assert [queue.pop(), queue.pop()] == [B, None]
        await asyncio.sleep(COST_FACTOR * 1.0 + 0.01)
        assert [queue.pop(), queue.pop()] == [A, None]

    run(test)


def test_changes_during_an_expensive_pass_wait_too(run: Callable[..., None]) -> None:
    async def test(queue: WorkQueue) -> None:
        queue.add(A)
        queue.done(A, 1.0, None)
        assert queue.pop() is None
        await asyncio.sleep(COST_FACTOR * 1.0 + 0.01)
        assert queue.pop() == A

    run(test)


def test_closed_it_does_nothing_more(run: Callable[..., None]) -> None:
    async def test(queue: WorkQueue) -> None:
        queue.add(A)
        queue.add_after(B, 1)
        queue.close()
        await asyncio.sleep(2)
        assert queue.pop() is None

    run(test)
