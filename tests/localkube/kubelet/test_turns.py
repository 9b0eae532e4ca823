"""Work in turns: all of it is done, in order, and others come in between."""

from __future__ import annotations

import asyncio

import pytest

from bluegreen import clock
from bluegreen.localkube.kubelet.turns import SLICE_S, Turns


def busy() -> None:
    ends_s = clock.now_s() + SLICE_S
    while clock.now_s() < ends_s:
        pass


def test_calls_are_made_once_and_in_order_with_others_in_between() -> None:
    async def run() -> list[str]:
        turns, said = Turns(), list[str]()
        calls = [lambda n=n: (said.append(f"call {n}"), busy())[0] for n in range(3)]
        for call in [*calls, *calls]:
            turns.add(call)
        for _ in range(3):
            await asyncio.sleep(0)
            said.append("others")
        return said

    assert asyncio.run(run()) == ["call 0", "others", "call 1", "others", "call 2", "others"]


def test_what_is_added_by_a_call_is_done_too() -> None:
    async def run() -> list[str]:
        turns, said = Turns(), list[str]()
        turns.add(lambda: turns.add(lambda: said.append("later")))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return said

    assert asyncio.run(run()) == ["later"]


def test_as_many_take_their_turn_at_once_as_may() -> None:
    async def run() -> list[int]:
        turns, order = Turns(at_once=1), list[int]()

        async def one(number: int) -> None:
            await turns.take()
            order.append(number)

        tasks = [asyncio.create_task(one(number)) for number in range(5)]
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return order

    assert asyncio.run(run()) == [0, 2, 3, 4]


def test_a_call_that_fails_keeps_no_other_waiting() -> None:
    async def run() -> list[str]:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        turns, said = Turns(), list[str]()

        def fail() -> None:
            raise RuntimeError

        turns.add(fail)
        turns.add(lambda: said.append("done"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return said

    assert asyncio.run(run()) == ["done"]


@pytest.mark.parametrize("at_once", [1, 1000])
def test_an_empty_queue_starts_again(at_once: int) -> None:
    async def run() -> int:
        turns, count = Turns(at_once), [0]

        def add() -> None:
            count[0] += 1

        for _ in range(3):
            turns.add(add)
            await asyncio.sleep(0)
        return count[0]

    assert asyncio.run(run()) == 3
