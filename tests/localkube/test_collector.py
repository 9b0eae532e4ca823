"""When cycles are collected: in quiet moments, and not by Python itself meanwhile."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from bluegreen.localkube import collector
from bluegreen.localkube.collector import Collector, due


class Ring:
    """Refers to itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.mark.parametrize(
    ("used_s", "since_s", "wanted"), [(0.0, 5.0, True), (0.4, 5.0, True), (3.0, 5.0, False), (3.0, 300.0, True)]
)
def test_a_quiet_moment_is_waited_for_but_not_for_ever(used_s: float, since_s: float, wanted: bool) -> None:
    assert due(used_s, since_s) is wanted


def test_old_cycles_go_in_a_quiet_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "_EVERY_S", 0.01)
    monkeypatch.setattr(collector, "_QUIET", 1000.0)
    usual = gc.get_threshold()

    async def run() -> None:
        cycles = Collector()
        await cycles.start()
        try:
            assert gc.get_threshold()[2] > 1_000_000
            ring = Ring()
            went = asyncio.Event()
            gone = weakref.ref(ring, lambda _: went.set())
            gc.collect(1)  # it is old now
            del ring
            gc.collect(1)
            assert gone() is not None
            async with asyncio.timeout(30):
                await went.wait()
        finally:
            await cycles.stop()

    asyncio.run(run())
    assert gc.get_threshold() == usual
