"""Sharing the event loop: busy tasks together use a bounded part of each turn."""

from __future__ import annotations

import asyncio

from eso_core.aio import TaskScope
from eso_core.cache.pacer import Pacer
from eso_core.testing.clock import FakeClock


class Work:
    """Time that passes only by working."""

    def __init__(self) -> None:
        self.time = 0.0

    def monotonic(self) -> float:
        return self.time


async def test_a_turn_is_bounded_and_nobody_starves() -> None:
    """G-06: one task uses the budget, the others get a short slice each, turn after turn."""
    work = Work()
    pacer = Pacer(work)  # type: ignore[arg-type]
    done = [0, 0, 0]
    turns: list[float] = []

    async def busy(number: int) -> None:
        pace = pacer.pace()
        for _ in range(200):
            work.time += 0.0001
            done[number] += 1
            await pace.breathe()

    async def watch() -> None:
        for _ in range(20):
            before = work.time
            await asyncio.sleep(0)
            turns.append(work.time - before)

    async with TaskScope("test") as scope:
        for number in range(3):
            scope.spawn(busy(number), name=str(number))
        await watch()
        assert min(done) > 50
        assert max(turns) < 0.005


async def test_work_with_pauses_of_its_own_is_not_held_up() -> None:
    """A task that hardly works never pauses for the others' sake."""
    clock = FakeClock()
    pace = Pacer(clock).pace()
    for _ in range(1000):
        await pace.breathe()
    assert clock.elapsed == 0
