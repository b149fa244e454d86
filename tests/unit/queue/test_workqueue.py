"""The work queue: states, order, fairness, delays, shutdown."""

from __future__ import annotations

import asyncio
import threading

import pytest

from eso_core.aio import TaskScope
from eso_core.metrics import RuntimeMetrics
from eso_core.queue import LOW_PRIORITY, ItemExponential, QueueOptions, WorkQueue
from eso_core.testing.clock import FakeClock


def make(clock: FakeClock | None = None, **options: object) -> WorkQueue[str]:
    return WorkQueue(clock or FakeClock(), options=QueueOptions(**options) if options else None)  # type: ignore[arg-type]


def drain_keys(queue: WorkQueue[str]) -> list[str]:
    keys = []
    while (taken := queue.get_nowait()) is not None:
        keys.append(taken.key)
        queue.done(taken.key)
    return keys


async def test_adds_of_a_ready_key_collapse() -> None:
    """Q-01: N adds while ready are one hand-out."""
    queue = make()
    for _ in range(5):
        queue.add("a")
    assert len(queue) == 1
    assert drain_keys(queue) == ["a"]


async def test_a_thousand_adds_during_a_run_give_one_more_run() -> None:
    """P-30: adds while processing are remembered once."""
    queue = make()
    queue.add("a")
    taken = queue.get_nowait()
    assert taken is not None
    for _ in range(1000):
        queue.add("a")
    assert queue.get_nowait() is None
    queue.done("a")
    assert drain_keys(queue) == ["a"]


async def test_higher_priority_first_and_fifo_within_one() -> None:
    """Q-20, Q-21: levels from high to low, in the order in which keys became ready."""
    queue = make()
    queue.add("low", priority=LOW_PRIORITY)
    queue.add("a")
    queue.add("high", priority=5)
    queue.add("b")
    assert drain_keys(queue) == ["high", "a", "b", "low"]


async def test_raising_a_ready_key_puts_it_at_the_end_of_the_new_level() -> None:
    """Q-02, Q-21: the highest priority of all adds counts; a lower one later changes nothing."""
    queue = make()
    queue.add("a", priority=LOW_PRIORITY)
    queue.add("b")
    queue.add("a", priority=0)
    queue.add("c")
    queue.add("a", priority=LOW_PRIORITY)
    assert drain_keys(queue) == ["b", "a", "c"]


async def test_add_overtakes_a_delay() -> None:
    """P-32: `add_after(60)` then `add` runs now, once."""
    clock = FakeClock()
    queue = make(clock)
    queue.add_after("a", 60)
    queue.add("a")
    assert drain_keys(queue) == ["a"]
    await clock.advance(61)
    assert drain_keys(queue) == []


async def test_a_delay_does_not_hold_back_a_ready_key() -> None:
    """P-32: `add` then `add_after(60)` runs once, now."""
    clock = FakeClock()
    queue = make(clock)
    queue.add("a")
    queue.add_after("a", 60)
    assert drain_keys(queue) == ["a"]
    await clock.advance(61)
    assert drain_keys(queue) == []


async def test_the_earliest_of_several_delays_wins_with_the_highest_priority() -> None:
    """Q-02: ready time is the minimum, priority the maximum of all adds."""
    clock = FakeClock()
    queue = make(clock)
    queue.add_after("a", 10, priority=0)
    queue.add_after("a", 60, priority=7)
    queue.add_after("a", 30)
    await clock.advance(9.9)
    assert queue.get_nowait() is None
    await clock.advance(0.2)
    taken = queue.get_nowait()
    assert taken is not None
    assert taken.priority == 7


async def test_a_delay_given_while_processing_starts_when_it_was_given() -> None:
    """A remembered delayed add becomes ready at its own time, not later."""
    clock = FakeClock()
    queue = make(clock)
    queue.add("a")
    assert queue.get_nowait() is not None
    queue.add_after("a", 5)
    await clock.advance(3)
    queue.done("a")
    assert queue.get_nowait() is None
    await clock.advance(2.1)
    assert drain_keys(queue) == ["a"]


async def test_delayed_keys_get_their_place_when_due() -> None:
    """Q-21: a delayed key queues behind what became ready before it."""
    clock = FakeClock()
    queue = make(clock)
    queue.add_after("late", 1)
    queue.add("early")
    await clock.advance(1.5)
    queue.add("after")
    assert drain_keys(queue) == ["early", "late", "after"]


async def test_one_timer_serves_all_delays() -> None:
    """Q-06, P-38: waiting keys share one timer, and an earlier key moves it."""
    clock = FakeClock()
    queue = make(clock)
    for number in range(1000):
        queue.add_after(f"k{number}", 100 + number)
    queue.add_after("soon", 1)
    assert queue.statistics().timers == 1
    assert queue.statistics().waiting == 1001
    await clock.advance(2)
    assert drain_keys(queue) == ["soon"]
    await clock.advance(2000)
    assert len(drain_keys(queue)) == 1000
    assert queue.statistics().timers == 0


async def test_moving_delays_does_not_grow_the_heap() -> None:
    """Q-06: dead heap entries are compacted away."""
    queue = make()
    for number in range(10_000):
        queue.add_after("a", 20_000 - number)
    assert len(queue._heap) < 200


async def test_zero_and_negative_delays_mean_now_and_tiny_ones_do_not_spin() -> None:
    """P-36: 0 and below are immediate; 1 ns is raised to 1 ms."""
    clock = FakeClock()
    queue = make(clock)
    queue.add_after("now", 0)
    queue.add_after("past", -5)
    queue.add_after("tiny", 1e-9)
    assert drain_keys(queue) == ["now", "past"]
    await clock.advance(0.002)
    assert drain_keys(queue) == ["tiny"]


async def test_rate_limited_adds_follow_the_limiter() -> None:
    """`add_rate_limited` waits as the limiter says; `forget` resets it."""
    clock = FakeClock()
    queue: WorkQueue[str] = WorkQueue(clock, limiter=ItemExponential(1.0, 60.0, clock=clock))
    for expected in (1, 2, 4):
        queue.add_rate_limited("a")
        await clock.advance(expected - 0.01)
        assert queue.get_nowait() is None
        await clock.advance(0.02)
        assert drain_keys(queue) == ["a"]
    assert queue.failures("a") == 3
    queue.forget("a")
    assert queue.failures("a") == 0


async def test_low_keys_run_under_a_constant_stream_of_high_ones() -> None:
    """Q-23, P-33: at least one in 17 hand-outs comes from the lowest level."""
    queue = make()
    for number in range(10):
        queue.add(f"low-{number}", priority=LOW_PRIORITY)
    order = []
    for number in range(170):
        queue.add(f"high-{number}")
        queue.add(f"more-{number}")
        taken = queue.get_nowait()
        assert taken is not None
        order.append(taken.key)
        queue.done(taken.key)
    assert [index for index, key in enumerate(order) if key.startswith("low")] == list(range(16, 170, 17))


async def test_the_fair_share_can_be_switched_off() -> None:
    """Q-23: without it the low level waits until the high one is empty."""
    queue = make(fair_share=0)
    queue.add("low", priority=LOW_PRIORITY)
    for number in range(50):
        queue.add(f"high-{number}")
    assert drain_keys(queue)[-1] == "low"


async def test_a_key_that_waits_long_is_raised() -> None:
    """Q-23: after five minutes a ready key moves up one level."""
    clock = FakeClock()
    queue = make(clock, fair_share=0)
    queue.add("old", priority=-1)
    queue.add("new-1")
    await clock.advance(301)
    queue.add("new-2")
    assert drain_keys(queue) == ["new-1", "new-2", "old"]
    queue.add("old", priority=-1)
    queue.add("kept")
    await clock.advance(301)
    assert queue.get_nowait() is not None
    queue.add("newest")
    taken = queue.get_nowait()
    assert taken is not None
    assert (taken.key, taken.priority) == ("old", 0)


async def test_getters_wait_and_are_served_in_turn() -> None:
    """`get` waits for a key; each key goes to one worker."""
    clock = FakeClock()
    queue = make(clock)
    got: list[str] = []

    async def worker() -> None:
        taken = await queue.get()
        assert taken is not None
        got.append(taken.key)

    async with TaskScope("test") as scope:
        for number in range(3):
            scope.spawn(worker(), name=f"w{number}")
        await clock.settle()
        for key in "abc":
            queue.add(key)
    assert sorted(got) == ["a", "b", "c"]


async def test_a_worker_cancelled_after_its_wake_up_loses_no_key() -> None:
    """Q-04, P-37: the key goes to the next worker when the first is cancelled between wake-up and return."""
    clock = FakeClock()
    queue = make(clock)
    async with TaskScope("test") as scope:
        first = scope.spawn(queue.get(), name="first")
        second = scope.spawn(queue.get(), name="second")
        await clock.settle()
        queue.add("a")
        first.cancel()
        await clock.settle()
        assert first.cancelled()
        taken = second.result()
        assert taken is not None
        assert taken.key == "a"


async def test_a_cancelled_waiter_does_not_swallow_a_wake_up() -> None:
    """Q-04: a waiter that was cancelled before any key came is skipped."""
    clock = FakeClock()
    queue = make(clock)
    async with TaskScope("test") as scope:
        first = scope.spawn(queue.get(), name="first")
        second = scope.spawn(queue.get(), name="second")
        await clock.settle()
        first.cancel()
        await clock.settle()
        queue.add("a")
        await clock.settle()
        assert second.done()


async def test_done_without_get_is_an_error() -> None:
    """Q-03: `done` belongs to exactly one `get`."""
    queue = make()
    queue.add("a")
    taken = queue.get_nowait()
    assert taken is not None
    queue.done("a")
    with pytest.raises(ValueError, match="not being processed"):
        queue.done("a")


async def test_shutdown_drops_everything_at_once() -> None:
    """Q-30, Q-32, Q-33, P-39: workers get None, ready and waiting keys and the timer are gone, later adds are ignored."""
    clock = FakeClock()
    queue = make(clock)
    async with TaskScope("test") as scope:
        waiter = scope.spawn(queue.get(), name="waiter")
        await clock.settle()
        queue.shutdown()
        queue.shutdown()
        await clock.settle()
        assert waiter.result() is None
    queue.add("a")
    queue.add_after("b", 1)
    queue.add_rate_limited("c")
    assert await queue.get() is None
    stats = queue.statistics()
    assert (stats.ready, stats.waiting, stats.timers) == (0, 0, 0)


async def test_drain_waits_for_running_keys_only() -> None:
    """Q-31: ready keys are not started; drain returns when the last running key is done."""
    clock = FakeClock()
    queue = make(clock)
    queue.add("a")
    queue.add("b")
    taken = queue.get_nowait()
    assert taken is not None
    async with TaskScope("test") as scope:
        draining = scope.spawn(queue.drain(10), name="drain")
        await clock.advance(5)
        assert not draining.done()
        assert queue.get_nowait() is None
        queue.done("a")
        await clock.settle()
        assert draining.result() is True


async def test_drain_gives_up_at_its_limit() -> None:
    """Q-31: a run that does not end makes drain return False."""
    clock = FakeClock()
    queue = make(clock)
    queue.add("a")
    assert queue.get_nowait() is not None
    async with TaskScope("test") as scope:
        draining = scope.spawn(queue.drain(10), name="drain")
        await clock.advance(11)
        assert draining.result() is False


async def test_discard_takes_back_a_key_that_no_worker_has() -> None:
    """K-39: keys of objects deleted during a warm-up are removed."""
    clock = FakeClock()
    queue = make(clock)
    queue.add("ready")
    queue.add_after("waiting", 5)
    queue.discard("ready")
    queue.discard("waiting")
    queue.discard("unknown")
    await clock.advance(6)
    assert drain_keys(queue) == []


async def test_other_threads_add_through_the_loop() -> None:
    """Q-07: `add_threadsafe` wakes a waiting worker; before any `get` it says what is wrong."""
    queue: WorkQueue[str] = WorkQueue(FakeClock())
    with pytest.raises(RuntimeError, match="start the workers"):
        queue.add_threadsafe("a")
    async with TaskScope("test") as scope:
        waiter = scope.spawn(queue.get(), name="waiter")
        await asyncio.sleep(0)
        thread = threading.Thread(target=queue.add_threadsafe, args=("a",))
        thread.start()
        taken = await waiter
        thread.join()
    assert taken is not None
    assert taken.key == "a"


async def test_metrics_count_adds_retries_and_durations() -> None:
    """7.2: adds when ready, retries for delays, time in the queue and time of work, depth of ready keys."""
    clock = FakeClock()
    metrics = RuntimeMetrics()
    queue: WorkQueue[str] = WorkQueue(clock, metrics=metrics.queue.queue("demo"))

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(name, {"name": "demo", "controller": "demo", **labels})

    queue.add("a")
    queue.add("a")
    queue.add_after("b", 5)
    assert value("workqueue_adds_total") == 1
    assert value("workqueue_retries_total") == 1
    assert value("workqueue_depth", priority="") == 1
    await clock.advance(3)
    taken = queue.get_nowait()
    assert taken is not None
    await clock.advance(1.5)
    assert value("workqueue_unfinished_work_seconds") == 1.5
    assert value("workqueue_longest_running_processor_seconds") == 1.5
    queue.done("a")
    assert value("workqueue_queue_duration_seconds_sum") == 3
    assert value("workqueue_work_duration_seconds_sum") == 1.5
    await clock.advance(1)
    assert value("workqueue_adds_total") == 2


async def test_depth_by_priority_has_at_most_25_labels() -> None:
    """Q-25: further priorities share one label value."""
    metrics = RuntimeMetrics()
    queue: WorkQueue[int] = WorkQueue(
        FakeClock(), metrics=metrics.queue.queue("demo"), options=QueueOptions(depth_by_priority=True)
    )
    for number in range(40):
        queue.add(number, priority=number)
    (depth,) = [metric for metric in metrics.registry.collect() if metric.name == "workqueue_depth"]
    shown = {sample.labels["priority"]: sample.value for sample in depth.samples}
    assert len(shown) == 26
    assert shown["exceeded_cardinality_limit"] == 15
