"""Backoff, single flight and the clocks."""

from __future__ import annotations

import asyncio
import gc
import random
import time

import pytest

from eso_core.aio import Backoff, Clock, SingleFlight, SystemClock, TaskScope
from eso_core.testing.clock import FakeClock


def test_backoff_grows_to_its_maximum_and_resets_after_calm() -> None:
    """Delays double up to the cap; a calm time starts over."""

    async def run() -> None:
        clock = FakeClock()
        backoff = Backoff(0.8, 30, reset_after=120, clock=clock)
        assert [round(backoff.next(), 3) for _ in range(7)] == [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30]
        await clock.advance(120)
        assert backoff.next() == 30
        await clock.advance(120.5)
        assert backoff.next() == 0.8
        backoff.reset()
        assert backoff.next() == 0.8

    asyncio.run(run())


def test_backoff_jitter_stays_in_its_range() -> None:
    """Jitter 1.0 spreads a delay over [d, 2d)."""
    backoff = Backoff(1, 1, jitter=1.0, rng=random.Random(7))
    delays = [backoff.next() for _ in range(200)]
    assert all(1 <= d < 2 for d in delays)
    assert len(set(delays)) > 100


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"initial": 0, "maximum": 1}, "initial"),
        ({"initial": 2, "maximum": 1}, "maximum"),
        ({"initial": 1, "maximum": 1, "factor": 0.5}, "factor"),
        ({"initial": 1, "maximum": 1, "jitter": -1}, "jitter"),
    ],
)
def test_backoff_refuses_bad_options(kwargs: dict[str, float], message: str) -> None:
    """G-08: options are checked when built."""
    with pytest.raises(ValueError, match=message):
        Backoff(**kwargs)


async def test_single_flight_shares_one_call() -> None:
    """Callers of the same key get one result; later callers start anew."""
    flight: SingleFlight[str, int] = SingleFlight()
    calls = 0
    gate = asyncio.Event()

    async def fetch() -> int:
        nonlocal calls
        calls += 1
        await gate.wait()
        return calls

    async with TaskScope("t") as scope:
        tasks = [scope.spawn(flight.do("k", fetch), name=str(i)) for i in range(5)]
        await asyncio.sleep(0)
        gate.set()
    assert [t.result() for t in tasks] == [1] * 5
    assert await flight.do("k", fetch) == 2
    assert len(flight) == 0


async def test_single_flight_survives_the_cancellation_of_one_caller() -> None:
    """The first caller's cancellation leaves the call to the others."""
    flight: SingleFlight[str, int] = SingleFlight()
    gate = asyncio.Event()

    async def fetch() -> int:
        await gate.wait()
        return 42

    async with TaskScope("t") as scope:
        first = scope.spawn(flight.do("k", fetch), name="first")
        second = scope.spawn(flight.do("k", fetch), name="second")
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        gate.set()
    assert first.cancelled()
    assert second.result() == 42


async def test_single_flight_cancels_the_call_with_its_last_caller() -> None:
    """When nobody waits any more the call is cancelled and awaited, and a newcomer starts anew."""
    flight: SingleFlight[str, int] = SingleFlight()
    ended: list[str] = []

    async def fetch() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")
        return 1

    async def other() -> int:
        return 2

    async with TaskScope("t") as scope:
        task = scope.spawn(flight.do("k", fetch), name="only")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
    assert ended == ["cancelled"]
    assert await flight.do("k", other) == 2


async def test_single_flight_drops_a_failure_that_nobody_waits_for() -> None:
    """A call that fails while it is being cancelled is no lost exception."""
    flight: SingleFlight[str, int] = SingleFlight()
    reports: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))

    async def fetch() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("while ending")

    async with TaskScope("t") as scope:
        task = scope.spawn(flight.do("k", fetch), name="only")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
    del task
    gc.collect()
    assert reports == []


async def test_single_flight_hands_the_same_failure_to_all() -> None:
    """An exception reaches every caller."""
    flight: SingleFlight[str, int] = SingleFlight()

    async def fetch() -> int:
        await asyncio.sleep(0)
        raise ValueError("no")

    results = await asyncio.gather(*(flight.do("k", fetch) for _ in range(3)), return_exceptions=True)
    assert [repr(r) for r in results] == ["ValueError('no')"] * 3


async def test_the_fake_clock_runs_what_is_due_in_order() -> None:
    """G-02: advance fires timers by instant and lets tasks react between two of them."""
    clock = FakeClock()
    seen: list[tuple[str, float]] = []

    async def ticker() -> None:
        for _ in range(3):
            await clock.sleep(2)
            seen.append(("tick", clock.elapsed))

    async with TaskScope("t") as scope:
        scope.spawn(ticker(), name="ticker")
        clock.call_later(3, lambda: seen.append(("once", clock.elapsed)))
        clock.call_later(1, lambda: seen.append(("never", clock.elapsed))).cancel()
        await clock.advance(5)
        assert seen == [("tick", 2), ("once", 3), ("tick", 4)]
        assert clock.elapsed == 5
        await clock.advance(1)
    assert seen[-1] == ("tick", 6)


async def test_the_fake_clock_times_out_blocks() -> None:
    """timeout() raises TimeoutError at its instant, and None never does."""
    clock = FakeClock(auto=True)
    with pytest.raises(TimeoutError):
        async with clock.timeout(10):
            await asyncio.Event().wait()
    assert clock.elapsed == 10
    async with clock.timeout(None):
        await clock.sleep(1000)
    async with clock.timeout(5):
        await clock.sleep(1)
    assert clock.elapsed == 1011


async def test_run_until_jumps_to_the_condition() -> None:
    """run_until stops at the first instant at which the condition holds, and fails when nothing waits."""
    clock = FakeClock()
    seen: list[float] = []

    async def ticker() -> None:
        while True:
            await clock.sleep(10)
            seen.append(clock.elapsed)

    async with TaskScope("t") as scope:
        scope.spawn(ticker(), name="ticker")
        await clock.run_until(lambda: len(seen) == 3)
        assert clock.elapsed == 30
        with pytest.raises(AssertionError, match="still false after 100 s"):
            await clock.run_until(lambda: False, limit=100)
        await scope.cancel()
        with pytest.raises(AssertionError, match="nothing waits"):
            await clock.run_until(lambda: False)


async def test_settle_and_auto_do_not_wait_for_each_other() -> None:
    """A test may settle while the clock jumps by itself."""
    clock = FakeClock(auto=True)
    async with TaskScope("t") as scope:
        scope.spawn(clock.sleep(3), name="s")
        await clock.settle()
    assert clock.elapsed == 3


async def test_the_fake_clock_waits_for_threads() -> None:
    """Work in the thread pool is no reason to jump, with auto and without."""
    clock = FakeClock(auto=True)
    async with clock.timeout(60):
        await asyncio.to_thread(time.sleep, 0.05)
    assert clock.elapsed == 0
    clock.auto = False
    done: list[str] = []

    async def work() -> None:
        await asyncio.to_thread(time.sleep, 0.02)
        done.append("work")

    async with TaskScope("t") as scope:
        scope.spawn(work(), name="work")
        await clock.settle()
        assert done == ["work"]


async def test_the_system_clock_is_a_clock() -> None:
    """Both clocks satisfy the protocol."""
    clock = SystemClock()
    assert isinstance(clock, Clock)
    assert isinstance(FakeClock(), Clock)
    assert clock.now().utcoffset() is not None
    fired = asyncio.Event()
    clock.call_later(0, fired.set)
    async with clock.timeout(5):
        await fired.wait()
        await clock.sleep(0)
