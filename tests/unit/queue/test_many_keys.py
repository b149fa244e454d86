"""Queues with a hundred thousand ready keys, and with a million that wait."""

from __future__ import annotations

import asyncio
import time
import tracemalloc

from eso_core.aio import SystemClock, TaskScope
from eso_core.queue import LOW_PRIORITY, WorkQueue
from eso_core.testing.clock import FakeClock
from eso_core.testing.eventually import eventually
from tests.nightly import whole_or


async def test_changes_are_served_within_100_ms_beside_a_hundred_thousand_low_keys() -> None:
    """P-33: in real time: a relist has filled the queue; of the changes that trickle in, 99 in 100 start within 100 ms."""
    queue: WorkQueue[tuple[str, int]] = WorkQueue(SystemClock())
    for number in range(100_000):
        queue.add(("low", number), priority=LOW_PRIORITY)
    sent: dict[tuple[str, int], float] = {}
    latencies: list[float] = []
    served = 0

    async def worker() -> None:
        nonlocal served
        while (taken := await queue.get()) is not None:
            if taken.key in sent:
                latencies.append(time.perf_counter() - sent[taken.key])
            served += 1
            await asyncio.sleep(0.0005)
            queue.done(taken.key)

    async with TaskScope("test") as scope:
        for number in range(16):
            scope.spawn(worker(), name=f"worker {number}")
        for number in range(200):
            sent[("change", number)] = time.perf_counter()
            queue.add(("change", number))
            await asyncio.sleep(0.003)
        await eventually(lambda: len(latencies) == 200, 10.0, 0.005)
        queue.shutdown()
    assert served > 1_000  # the low ones went on meanwhile
    assert sorted(latencies)[198] < 0.1


async def test_a_million_waiting_keys_share_a_timer_and_are_cheap() -> None:
    """P-38, Q-06: one timer, at most 200 MiB for a million keys, and each comes in its turn; a twentieth of that by day."""
    count = whole_or(1_000_000, 50_000)
    clock = FakeClock()
    keys = [("namespace", f"name-{number}") for number in range(count)]
    queue: WorkQueue[tuple[str, str]] = WorkQueue(clock)
    tracemalloc.start()
    for number, key in enumerate(keys):
        queue.add_after(key, 100.0 + (number * 7919) % count)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used / count * 1_000_000 <= 200 * 2**20
    assert queue.statistics().timers == 1
    assert queue.statistics().waiting == count
    await clock.advance(99)
    assert queue.get_nowait() is None
    await clock.advance(101)  # due at 100, 101, ... 200
    found = 0
    while (taken := queue.get_nowait()) is not None:
        queue.done(taken.key)
        found += 1
    assert found == 101
    assert queue.statistics().timers == 1


def _seconds_per_delay(count: int) -> float:
    queue: WorkQueue[int] = WorkQueue(FakeClock())
    started = time.process_time()
    for key in range(count):
        queue.add_after(key, 1_000.0 - key * 1e-3)  # each is due before all others: the worst for a heap
    return (time.process_time() - started) / count


def test_a_delay_costs_as_good_as_the_same_among_many_as_among_few() -> None:
    """P-38: O(log n): sixteen times the keys make a delay at most three times as dear (linear would be sixteen)."""
    few = min(_seconds_per_delay(2_000) for _ in range(5))
    many = min(_seconds_per_delay(32_000) for _ in range(3))
    assert many < 3 * few
