"""What the queue costs: growth with the number of keys, not time on a clock."""

from __future__ import annotations

import sys
import time
import tracemalloc

from eso_core.queue import WorkQueue
from eso_core.testing.clock import FakeClock
from tests.nightly import whole_or


def _seconds_per_key(count: int) -> float:
    queue: WorkQueue[int] = WorkQueue(FakeClock())
    started = time.process_time()
    for key in range(count):
        queue.add(key, priority=key % 3)
    for _ in range(count):
        taken = queue.get_nowait()
        assert taken is not None
        queue.done(taken.key)
    return (time.process_time() - started) / count


def test_a_key_costs_as_good_as_the_same_among_many_as_among_few() -> None:
    """Q-05: O(log n): sixteen times the keys make a key at most three times as dear (linear would be sixteen)."""
    few = min(_seconds_per_key(2_000) for _ in range(5))
    many = min(_seconds_per_key(32_000) for _ in range(3))
    assert many < 3 * few


def test_a_million_keys_take_less_than_200_mib() -> None:
    """Q-05: memory per key; a million nightly, a twentieth of that otherwise."""
    count = whole_or(1_000_000, 50_000)
    keys = [("namespace", f"name-{number}") for number in range(count)]
    queue: WorkQueue[tuple[str, str]] = WorkQueue(FakeClock())
    tracemalloc.start()
    for key in keys:
        queue.add(key)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used / count * 1_000_000 <= 200 * 2**20
    assert len(queue) == count
    assert sys.getsizeof(queue) < 10_000
