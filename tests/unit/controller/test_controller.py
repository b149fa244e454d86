"""The reconcile contract: what each outcome does to its key, limits, concurrency, shutdown."""

from __future__ import annotations

import asyncio
import threading
import uuid
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from eso_core.cache import CachedObject
from eso_core.controller import (
    Context,
    ControllerOptions,
    Func,
    Request,
    Result,
    StaleCache,
    TerminalError,
    Ticker,
    current_context,
)
from eso_core.controller.event import Event, EventKind
from eso_core.meta import ObjectKey, ObjectMeta
from eso_core.meta.errors import Conflict, SyncTimeout
from eso_core.queue import ItemExponential, MaxOf, TokenBucket
from eso_core.testing.clock import FakeClock

KEY = Request("ns", "a")


class Script:
    """A reconcile that follows a list of outcomes, then succeeds."""

    def __init__(self, clock: FakeClock, *outcomes: Any) -> None:
        self.clock = clock
        self.outcomes = list(outcomes)
        self.runs: list[tuple[float, Request]] = []
        self.contexts: list[Context] = []

    async def __call__(self, ctx: Context, request: Request) -> Result | None:
        self.runs.append((self.clock.elapsed, request))
        self.contexts.append(ctx)
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if isinstance(outcome, BaseException):
            raise outcome
        if callable(outcome):
            outcome = await outcome()
        return outcome

    @property
    def times(self) -> list[float]:
        return [round(time, 3) for time, _ in self.runs]


async def test_success_forgets_and_waits_for_the_next_event(kit: Any, clock: FakeClock) -> None:
    """4.4: None and an empty Result end the matter."""
    script = Script(clock, None, Result())
    controller = kit.controller(script)
    kit.start(controller)
    controller.add(KEY)
    await clock.advance(100)
    controller.add(KEY)
    await clock.advance(100)
    assert script.runs == [(0, KEY), (100, KEY)]
    assert kit.result("success") == 2
    assert kit.count("controller_runtime_reconcile_time_seconds_count") == 2


async def test_requeue_after_resets_the_failure_count(kit: Any, clock: FakeClock) -> None:
    """4.4, Q-11: run again after the delay; failures are forgotten."""
    script = Script(clock, RuntimeError("x"), Result.after(minutes=1), RuntimeError("x"))
    controller = kit.controller(script, rate_limiter=lambda clock: ItemExponential(1, 100, clock=clock))
    kit.start(controller)
    controller.add(KEY)
    await clock.advance(100)
    assert script.times == [0, 1, 61, 62]
    assert [ctx.attempt for ctx in script.contexts] == [1, 2, 1, 2]
    assert kit.result("requeue_after") == 1
    assert kit.result("error") == 2


async def test_requeue_goes_through_the_back_off_and_keeps_the_count(kit: Any, clock: FakeClock) -> None:
    """4.4: `requeue` counts like a failure, but is no error."""
    script = Script(clock, Result(requeue=True), Result(requeue=True), RuntimeError("x"))
    controller = kit.controller(script, rate_limiter=lambda clock: ItemExponential(1, 100, clock=clock))
    kit.start(controller)
    controller.add(KEY)
    await clock.advance(100)
    assert script.times == [0, 1, 3, 7]
    assert kit.result("requeue") == 2
    assert kit.count("controller_runtime_reconcile_errors_total") == 1


async def test_delays_of_zero_do_not_requeue(kit: Any, clock: FakeClock) -> None:
    """P-36: as in controller-runtime."""
    script = Script(clock, Result(requeue_after=0), Result.after(0))
    controller = kit.controller(script)
    kit.start(controller)
    controller.add(KEY)
    await clock.advance(10)
    controller.add(KEY)
    await clock.advance(10)
    assert len(script.runs) == 2
    assert kit.result("success") == 2


async def test_errors_back_off_with_the_operators_limiter(kit: Any, clock: FakeClock) -> None:
    """The longer of 1 s doubling to 420 s per key, and a bucket of 10/s with burst 100 for all."""
    script = Script(clock, *[RuntimeError("x")] * 11)
    controller = kit.controller(
        script,
        rate_limiter=lambda clock: MaxOf(ItemExponential(1, 420, clock=clock), TokenBucket(10, 100, clock=clock)),
    )
    kit.start(controller)
    controller.add(KEY)
    await clock.advance(2000)
    gaps = [round(b - a, 3) for a, b in zip(script.times, script.times[1:], strict=False)]
    assert gaps == [1, 2, 4, 8, 16, 32, 64, 128, 256, 420, 420]


async def test_terminal_errors_are_not_retried(kit: Any, clock: FakeClock) -> None:
    """4.4: counted as error and as terminal error; the next event runs the key again, from a fresh count."""
    cause = ValueError("bad spec")
    script = Script(clock, TerminalError(cause))
    controller = kit.controller(script)
    kit.start(controller)
    controller.add(KEY)
    with capture_logs() as logs:
        await clock.advance(5000)
    assert len(script.runs) == 1
    assert kit.result("error") == 1
    assert kit.count("controller_runtime_terminal_reconcile_errors_total") == 1
    assert logs[0]["exc_info"].__cause__ is cause
    controller.add(KEY)
    await clock.settle()
    assert script.contexts[1].attempt == 1


async def test_a_terminal_error_shows_its_stack_once(kit: Any, clock: FakeClock, quiet: list[Any]) -> None:
    """4.4: the write of the condition runs the key again, with the same error: a line is enough. A new error is new."""
    other = Request("ns", "b")
    same, new = TerminalError("bad spec"), TerminalError("worse spec")
    script = Script(clock, same, same, same, new, None, same)
    controller = kit.controller(script)
    kit.start(controller)
    for request in (KEY, KEY, other, KEY, KEY, KEY):
        controller.add(request)
        await clock.settle()
    told = [line for line in quiet if line["event"] == "Reconciler error"]
    assert ["exc_info" in line for line in told] == [True, False, True, True, True]
    assert told[1]["error"] == "TerminalError: bad spec"
    assert all(line["terminal"] and line["log_level"] == "error" for line in told)
    assert kit.count("controller_runtime_terminal_reconcile_errors_total") == 5


async def test_what_is_remembered_of_terminal_errors_goes_with_the_object_and_has_a_limit(
    kit: Any, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-73: a controller may see any number of keys."""
    monkeypatch.setattr("eso_core.controller.controller._MAX_TERMINAL", 3)
    controller = kit.controller(Script(clock, *[TerminalError("no")] * 6))
    kit.start(controller)
    for number in range(5):
        controller.add(Request("ns", str(number)))
    await clock.settle()
    assert [request.name for request in controller._terminal] == ["2", "3", "4"]
    meta = ObjectMeta(name="3", namespace="ns")
    controller.primary_changed(Event(EventKind.DELETE, CachedObject(ObjectKey("ns", "3"), meta, b"{}")))
    assert [request.name for request in controller._terminal] == ["2", "4"]


async def test_a_stale_cache_runs_again_in_50_ms_without_being_a_failure(kit: Any, clock: FakeClock) -> None:
    """R-74."""
    script = Script(clock, StaleCache(), StaleCache())
    controller = kit.controller(script)
    kit.start(controller)
    controller.add(KEY)
    await clock.advance(1)
    assert script.times == [0, 0.05, 0.1]
    assert [ctx.attempt for ctx in script.contexts] == [1, 1, 1]
    assert kit.count("controller_runtime_reconcile_errors_total") == 0


async def test_conflicts_are_retried_quietly(kit: Any, clock: FakeClock) -> None:
    """4.4: counted apart, not logged as errors."""
    script = Script(clock, Conflict("the object has been modified"))
    controller = kit.controller(script)
    kit.start(controller)
    controller.add(KEY)
    with capture_logs() as logs:
        await clock.advance(1)
    assert script.times == [0, 0.005]
    assert [line["log_level"] for line in logs] == ["debug"]
    assert kit.count("eso_core_reconcile_conflicts_total") == 1


async def test_programming_errors_count_as_panics(kit: Any, clock: FakeClock) -> None:
    """K-31: TypeError and its like; other exceptions do not."""
    script = Script(clock, TypeError("x"), RecursionError(), RuntimeError("x"))
    controller = kit.controller(script)
    kit.start(controller)
    controller.add(KEY)
    await clock.advance(1)
    assert kit.count("controller_runtime_reconcile_panics_total") == 2
    assert kit.count("controller_runtime_reconcile_errors_total") == 3


async def test_without_recovery_a_programming_error_stops_the_controller(kit: Any, clock: FakeClock) -> None:
    """K-31: `recover_panic=False`."""
    controller = kit.controller(Script(clock, TypeError("boom")), recover_panic=False)
    task = kit.scope.spawn(controller.start(), name="controller", on_error=lambda error: None)
    controller.add(KEY)
    await clock.settle()
    assert isinstance(task.exception(), TypeError)


async def test_a_result_of_another_type_is_an_error(kit: Any, clock: FakeClock) -> None:
    """A reconcile that returns something else is told so."""
    controller = kit.controller(Script(clock, 42))
    kit.start(controller)
    controller.add(KEY)
    await clock.settle()
    assert kit.result("error") == 1


async def test_the_limit_cancels_awaits_and_retries(kit: Any, clock: FakeClock) -> None:
    """K-32: a timeout is an error with a counter of its own; cleanup of the reconcile runs."""
    cleaned: list[float] = []

    async def slow() -> None:
        try:
            await clock.sleep(100)
        finally:
            cleaned.append(clock.elapsed)

    script = Script(clock, slow)
    controller = kit.controller(script, reconcile_timeout=5.0)
    kit.start(controller)
    controller.add(KEY)
    await clock.advance(10)
    assert cleaned == [5]
    assert script.times == [0, 5.005]
    assert kit.count("controller_runtime_reconcile_timeouts_total") == 1
    assert kit.result("error") == 1
    assert script.contexts[0].deadline == clock.monotonic() - clock.elapsed + 5


async def test_a_timeout_inside_the_reconcile_is_its_own_error(kit: Any, clock: FakeClock) -> None:
    """7.1: only the wrapper's own limit counts as a reconcile timeout."""
    script = Script(clock, TimeoutError("of a request"))
    controller = kit.controller(script, reconcile_timeout=5.0)
    kit.start(controller)
    controller.add(KEY)
    await clock.advance(1)
    assert kit.count("controller_runtime_reconcile_timeouts_total") == 0
    assert kit.result("error") == 1


async def test_a_reconcile_that_ignores_its_cancellation_is_reported_and_keeps_its_key(
    kit: Any, clock: FakeClock
) -> None:
    """K-32: after 10 s of grace one log line with its stack; the key stays locked until it ends."""

    async def stubborn() -> None:
        try:
            await clock.sleep(100)
        except asyncio.CancelledError:
            await clock.sleep(30)

    script = Script(clock, stubborn)
    controller = kit.controller(script, reconcile_timeout=5.0)
    kit.start(controller)
    controller.add(KEY)
    with capture_logs() as logs:
        await clock.advance(20)
        controller.add(KEY)
        await clock.settle()
    (line,) = [line for line in logs if "ignores" in line["event"]]
    assert "stubborn" in line["stack"]
    assert len(script.runs) == 1
    await clock.advance(20)
    assert len(script.runs) == 2


async def test_cancellation_of_something_inside_is_an_error_not_an_end(kit: Any, clock: FakeClock) -> None:
    """4.4: only the worker's own cancellation is a shutdown."""
    script = Script(clock, asyncio.CancelledError())
    controller = kit.controller(script)
    kit.start(controller)
    controller.add(KEY)
    await clock.advance(1)
    assert len(script.runs) == 2
    assert kit.result("error") == 1


async def test_a_key_runs_serially_and_keys_run_in_parallel(kit: Any, clock: FakeClock) -> None:
    """K-30: at most `max_concurrent` at a time, each of another key."""
    running: set[Request] = set()
    peak = 0

    async def reconcile(ctx: Context, request: Request) -> None:
        nonlocal peak
        assert request not in running
        running.add(request)
        peak = max(peak, len(running))
        await clock.sleep(1)
        running.discard(request)

    controller = kit.controller(reconcile, max_concurrent=3)
    kit.start(controller)
    for number in range(9):
        controller.add(Request("ns", str(number)))
    await clock.advance(0.5)
    assert kit.count("controller_runtime_active_workers") == 3
    for number in range(9):
        controller.add(Request("ns", str(number)))
    await clock.advance(20)
    assert peak == 3
    assert kit.result("success") == 12
    assert kit.count("controller_runtime_active_workers") == 0
    assert kit.count("controller_runtime_max_concurrent_reconciles") == 3


async def test_drain_finishes_what_runs_and_starts_nothing(kit: Any, clock: FakeClock) -> None:
    """P-39: with many ready keys the end takes only as long as the running reconciles."""
    done: list[str] = []

    async def reconcile(ctx: Context, request: Request) -> None:
        await clock.sleep(3)
        done.append(request.name)

    controller = kit.controller(reconcile, max_concurrent=2)
    task = kit.start(controller)
    for number in range(1000):
        controller.add(Request("ns", str(number)))
    await clock.advance(1)
    draining = kit.scope.spawn(controller.drain(10), name="drain")
    await clock.advance(2.1)
    assert draining.result() is True
    assert done == ["0", "1"]
    assert task.done()


async def test_cancelling_a_controller_cancels_its_reconciles_without_an_error(kit: Any, clock: FakeClock) -> None:
    """4.4: shutdown drops the key and counts no error."""
    script = Script(clock, lambda: clock.sleep(100))
    controller = kit.controller(script)
    task = kit.start(controller)
    controller.add(KEY)
    await clock.advance(1)
    task.cancel()
    await clock.settle()
    assert task.cancelled()
    assert kit.result("error") == 0
    assert kit.count("controller_runtime_active_workers") == 0


async def test_plain_functions_run_in_a_thread_with_their_context(kit: Any, clock: FakeClock) -> None:
    """G-07, K-37: a sync reconcile does not block the loop and sees the same context variables."""
    seen: list[tuple[bool, bool]] = []

    def reconcile(ctx: Context, request: Request) -> None:
        seen.append((threading.current_thread() is threading.main_thread(), current_context.get() is ctx))

    controller = kit.controller(reconcile)
    kit.start(controller)
    controller.add(KEY)
    async with asyncio.timeout(10):
        while not kit.result("success"):  # noqa: ASYNC110 - the thread ends when it likes
            await asyncio.sleep(0)
    assert seen == [(False, True)]


async def test_log_lines_carry_who_and_what(kit: Any, clock: FakeClock) -> None:
    """M-61: controller, group, kind, the object, and an id that is the same for a run and differs between runs."""
    bound: list[dict[str, Any]] = []

    async def reconcile(ctx: Context, request: Request) -> None:
        bound.append({**structlog.contextvars.get_contextvars(), "id": ctx.reconcile_id})

    controller = kit.controller(reconcile)
    kit.start(controller)
    controller.add(KEY)
    controller.add(Request("ns", "b"))
    await clock.settle()
    first, second = bound
    assert first["controller"] == "demo"
    assert first["controllerGroup"] == "apps"
    assert first["controllerKind"] == "Deployment"
    assert first["Deployment"] == {"name": "a", "namespace": "ns"}
    assert (first["namespace"], first["name"]) == ("ns", "a")
    assert first["reconcileID"] == first["id"]
    assert uuid.UUID(first["id"]).version == 4
    assert str(uuid.UUID(first["id"])) == first["id"]
    assert second["reconcileID"] != first["reconcileID"]
    assert second["name"] == "b"
    assert "reconcileID" not in structlog.contextvars.get_contextvars()


async def test_the_first_errors_of_a_key_can_be_kept_quiet(kit: Any, clock: FakeClock) -> None:
    """M-62: `log_errors_after` demotes the first failures in a row."""
    controller = kit.controller(Script(clock, *[RuntimeError("x")] * 3), log_errors_after=2)
    kit.start(controller)
    controller.add(KEY)
    with capture_logs() as logs:
        await clock.advance(1)
    assert [line["log_level"] for line in logs] == ["info", "info", "error"]


async def test_a_result_sets_the_priority_of_the_next_run(kit: Any, clock: FakeClock) -> None:
    """Q-22: else the key keeps the one it was taken with."""
    script = Script(clock, Result.after(1), Result.after(1, priority=7), None)
    controller = kit.controller(script)
    kit.start(controller)
    controller.add(KEY, priority=-5)
    await clock.advance(5)
    assert [ctx.priority for ctx in script.contexts] == [-5, -5, 7]


async def test_a_source_that_does_not_sync_fails_the_start(kit: Any, clock: FakeClock) -> None:
    """K-01: the error names the controller and the source."""
    controller = kit.controller(Script(clock), cache_sync_timeout=3.0)
    controller.add_source(Func(lambda enqueue: clock.sleep(100), name="slow one"))
    task = kit.scope.spawn(controller.start(), name="controller", on_error=lambda error: None)
    await clock.advance(4)
    error = task.exception()
    assert isinstance(error, SyncTimeout)
    assert "demo" in str(error)
    assert "slow one" in str(error)


async def test_tickers_and_late_sources_feed_the_queue(kit: Any, clock: FakeClock) -> None:
    """K-03: a source added after the start begins at once."""
    script = Script(clock)
    controller = kit.controller(script)
    kit.start(controller)
    await clock.settle()
    controller.add_source(Ticker(10.0, Request("", "tick"), jitter=0.0))
    await clock.advance(35)
    assert script.times == [10, 20, 30]


async def test_warm_up_fills_the_queue_and_the_start_empties_it(kit: Any, clock: FakeClock) -> None:
    """K-39: sources run before leadership, workers only after it."""
    script = Script(clock)
    controller = kit.controller(script, warmup=True)
    controller.add_source(Func(lambda enqueue: enqueue.add(KEY)))
    kit.scope.spawn(controller.warmup(), name="warm-up")
    await clock.advance(60)
    assert script.runs == []
    assert len(controller.queue) == 1
    kit.start(controller)
    await clock.settle()
    assert len(script.runs) == 1


async def test_a_hot_loop_is_reported_once_and_slowed_down(kit: Any, clock: FakeClock) -> None:
    """K-36, P-35: more than 60 successful runs in a minute: one warning, one event, then one run per second."""
    runs = 0

    async def reconcile(ctx: Context, request: Request) -> None:
        nonlocal runs
        runs += 1
        await clock.sleep(0.1)
        controller.add(request)

    controller = kit.controller(reconcile)
    kit.start(controller)
    controller.add(KEY)
    with capture_logs() as logs:
        await clock.advance(10)
        assert 60 < runs < 70
        before = runs
        await clock.advance(20)
    assert 15 <= runs - before <= 20
    assert [line["event"] for line in logs] == ["hot loop"]
    assert kit.recorder.events == [("a", "Warning", "HotLoop")]
    assert kit.count("eso_core_hot_loop_total") == 1


@pytest.mark.parametrize(
    "options",
    [
        {"max_concurrent": 0},
        {"reconcile_timeout": 0.0},
        {"cache_sync_timeout": 0.0},
        {"hot_loop_runs": -1},
    ],
)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    """G-08."""
    with pytest.raises(ValueError, match=next(iter(options))):
        ControllerOptions(**options)
