"""Defaults and limits of controllers: what a rule says in numbers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from eso_core.aio import TaskScope
from eso_core.controller import Context, ControllerOptions, Func, Request, Result
from eso_core.controller.event import Event, EventKind
from eso_core.controller.handlers import enqueue_mapped
from eso_core.controller.result import ReconcileAborted
from eso_core.manager import ManagerOptions
from eso_core.queue import LOW_PRIORITY
from eso_core.testing.clock import FakeClock

KEY = Request("ns", "a")


def test_a_controller_that_says_nothing_is_as_the_original_library_has_it() -> None:
    """K-01, K-30, K-32, K-36, K-38: 120 s to sync, one reconcile at a time, no limit, loops from 60 runs, leaders only."""
    options = ControllerOptions()
    assert options.cache_sync_timeout is None
    assert ManagerOptions().cache_sync_timeout == 120.0
    assert options.max_concurrent == 1
    assert options.reconcile_timeout is None
    assert options.recover_panic
    assert options.hot_loop_runs == 60
    assert options.need_leader_election
    assert not options.warmup
    assert not options.skip_own_echoes


async def test_workers_begin_when_every_source_is_there(kit: Any, clock: FakeClock) -> None:
    """K-01: a key that one source delivers waits for the slowest source."""
    ran: list[float] = []

    async def reconcile(ctx: Context, request: Request) -> None:
        ran.append(clock.elapsed)

    controller = kit.controller(reconcile)
    controller.add_source(Func(lambda enqueue: enqueue.add(KEY)))
    controller.add_source(Func(lambda enqueue: clock.sleep(119)))
    kit.start(controller)
    await clock.advance(118)
    assert ran == []
    assert len(controller.queue) == 1
    await clock.advance(2)
    assert ran == [119]


@pytest.mark.parametrize(
    "error",
    [TypeError, AttributeError, NameError, KeyError, IndexError, AssertionError, RecursionError],
)
async def test_each_programming_error_is_counted_and_survived(
    kit: Any, clock: FakeClock, error: type[Exception]
) -> None:
    """K-31: the kinds that a Go program would panic for."""

    async def reconcile(ctx: Context, request: Request) -> None:
        if ctx.attempt == 1:
            raise error("x")

    controller = kit.controller(reconcile)
    kit.start(controller)
    controller.add(KEY)
    await clock.advance(1)
    assert kit.count("controller_runtime_reconcile_panics_total") == 1
    assert kit.result("success") == 1


@pytest.mark.parametrize("error", [ValueError, OSError, MemoryError, ConnectionError, TimeoutError])
async def test_other_errors_are_survived_and_are_no_panics(kit: Any, clock: FakeClock, error: type[Exception]) -> None:
    """K-31: any exception is; these say nothing about the program."""

    async def reconcile(ctx: Context, request: Request) -> None:
        if ctx.attempt == 1:
            raise error("x")

    controller = kit.controller(reconcile)
    kit.start(controller)
    controller.add(KEY)
    await clock.advance(1)
    assert kit.count("controller_runtime_reconcile_panics_total") == 0
    assert kit.count("controller_runtime_reconcile_errors_total") == 1
    assert kit.result("success") == 1


async def test_a_program_that_wants_to_end_ends(kit: Any, clock: FakeClock) -> None:
    """K-31: what is no Exception is nobody's to survive: the controller fails, and the manager with it."""

    class Enough(BaseException):
        pass

    async def reconcile(ctx: Context, request: Request) -> None:
        raise Enough

    controller = kit.controller(reconcile)
    controller.add(KEY)
    with pytest.raises(ReconcileAborted, match=r"reconciling ns/a: it raised Enough\(\)") as aborted:
        async with TaskScope("program") as scope:
            scope.spawn(controller.start(), name="controller")
            await clock.sleep(1)
    assert isinstance(aborted.value.__cause__, Enough)
    assert kit.count("controller_runtime_active_workers") == 0


@pytest.mark.parametrize(("count", "priority"), [(1_000, 0), (1_001, LOW_PRIORITY)])
async def test_a_fan_out_is_large_from_a_thousand_keys_on(kit: Any, count: int, priority: int) -> None:
    """K-11: up to 1,000 keys come at once with the event's priority, more in batches at a low one, with turns between."""
    from eso_core.cache.codec import Codec
    from eso_core.meta.wellknown import CONFIG_MAP

    entry = Codec(CONFIG_MAP).decode(b'{"kind":"ConfigMap","metadata":{"name":"a","namespace":"ns","uid":"u"}}').entry
    controller = kit.controller(lambda ctx, request: None)
    handler = enqueue_mapped(lambda meta, obj: [Request("ns", str(number)) for number in range(count)])
    pending = handler(Event(EventKind.CREATE, entry), controller)
    assert (pending is None) == (count == 1_000)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    beside = kit.scope.spawn(others(), name="others")
    if pending is not None:
        await pending
        assert turns >= 1
    beside.cancel()
    assert len(controller.queue) == count
    taken = controller.queue.get_nowait()
    assert taken.priority == priority
    controller.queue.done(taken.key)


async def test_a_timed_out_reconcile_has_ten_seconds_to_clean_up(kit: Any, clock: FakeClock) -> None:
    """K-32: at 9.9 s nothing is said, at 10.1 s its name and stack are."""
    from structlog.testing import capture_logs

    async def stubborn(ctx: Context, request: Request) -> Result | None:
        try:
            await clock.sleep(100)
        except asyncio.CancelledError:
            await clock.sleep(11)
        return None

    controller = kit.controller(stubborn, reconcile_timeout=5.0)
    kit.start(controller)
    controller.add(KEY)
    with capture_logs() as logs:
        await clock.advance(14.9)
        assert not [line for line in logs if "ignores" in line["event"]]
        await clock.advance(0.2)
        assert len([line for line in logs if "ignores" in line["event"]]) == 1


async def test_a_warm_controller_starts_in_no_time_and_holds_each_key_once(kit: Any, clock: FakeClock) -> None:
    """K-39: a follower's queue is bounded by the number of keys; when it leads, all are handed out at that instant."""
    ran: list[float] = []

    async def reconcile(ctx: Context, request: Request) -> None:
        ran.append(clock.elapsed)

    controller = kit.controller(reconcile, warmup=True, max_concurrent=4)

    async def events(enqueue: Any) -> None:
        for _ in range(50):
            for number in range(100):
                enqueue.add(Request("ns", str(number)))
            await asyncio.sleep(0)

    controller.add_source(Func(events))
    kit.scope.spawn(controller.warmup(), name="warm-up")
    await clock.advance(60)
    assert len(controller.queue) == 100
    led = clock.elapsed
    kit.start(controller)
    await clock.settle()
    assert ran == [led] * 100


async def test_a_key_that_waits_for_its_retry_is_not_a_failure_of_others(kit: Any, clock: FakeClock) -> None:
    """4.4: each key has a back-off of its own: 5, 10, 20 ms and so on, whatever the others do."""
    times: dict[str, list[float]] = {"a": [], "b": []}

    async def reconcile(ctx: Context, request: Request) -> None:
        times[request.name].append(round(clock.elapsed, 3))
        if request.name == "a":
            raise RuntimeError("x")

    controller = kit.controller(reconcile)
    kit.start(controller)
    for name in times:
        controller.add(Request("ns", name))
    await clock.advance(0.08)
    assert times == {"a": [0, 0.005, 0.015, 0.035, 0.075], "b": [0]}
