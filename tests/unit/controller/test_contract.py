"""The reconcile contract where it takes a queue, a cache and time together."""

from __future__ import annotations

import gc
import sys
from typing import Any

import pytest

from eso_core.aio import Clock
from eso_core.controller import Context, Request, Result, TerminalError
from eso_core.meta.errors import NotFound
from eso_core.queue import LOW_PRIORITY, ItemExponential, MaxOf, RateLimiter, TokenBucket, WorkQueue
from eso_core.testing.clock import FakeClock
from tests.nightly import whole_or


async def test_an_object_that_is_gone_is_success(kit: Any, clock: FakeClock) -> None:
    """K-33: NotFound of the request's object ends the matter, without an error and without a retry."""
    runs: list[Request] = []

    async def reconcile(ctx: Context, request: Request) -> None:
        runs.append(request)
        gone = {"name": "a", "group": "apps", "kind": "deployments"}
        raise NotFound('deployments.apps "a" not found', details=gone)

    controller = kit.controller(reconcile)
    kit.start(controller)
    controller.queue.add(Request("ns", "a"))
    await clock.advance(3_600)
    assert len(runs) == 1
    assert kit.result("success") == 1
    assert kit.result("error") == 0


@pytest.mark.parametrize(
    "details",
    [None, {"name": "b", "group": "apps", "kind": "deployments"}, {"name": "a", "kind": "secrets"}],
    ids=["a path", "another name", "another kind"],
)
async def test_another_object_that_is_missing_is_an_error(kit: Any, clock: FakeClock, details: Any) -> None:
    """K-33: only the request's own object counts."""

    async def reconcile(ctx: Context, request: Request) -> None:
        raise NotFound("something is missing", details=details)

    controller = kit.controller(reconcile)
    kit.start(controller)
    controller.queue.add(Request("ns", "a"))
    await clock.advance(0.1)
    assert kit.result("error") >= 1
    assert kit.result("success") == 0


def test_a_reconcile_gets_the_key_and_never_the_event() -> None:
    """K-34: two parameters, and the request has a namespace and a name, nothing else."""
    assert list(Request._fields) == ["namespace", "name"]
    assert not {"event", "object", "obj"} & set(Context.__struct_fields__)


async def test_failing_objects_slow_down_and_recover(kit: Any, clock: FakeClock, quiet: list[Any]) -> None:
    """P-51: all fail for an hour: after two minutes at most 10 tries a second, memory stays flat; then all are done.

    10,000 objects nightly, 500 otherwise.
    """
    objects = whole_or(10_000, 500)
    tries = 0
    broken = True
    done: set[str] = set()

    async def reconcile(ctx: Context, request: Request) -> Result | None:
        nonlocal tries
        tries += 1
        if broken:
            raise ConnectionError("the provider is down")
        done.add(request.name)
        return None

    def limiter(clock: Clock) -> RateLimiter:
        return MaxOf(ItemExponential(clock=clock), TokenBucket(10, 100, clock=clock))

    controller = kit.controller(reconcile, max_concurrent=16, rate_limiter=limiter)
    kit.start(controller)
    for number in range(objects):
        controller.queue.add(Request("ns", f"o{number}"))
    await clock.advance(120)
    quiet.clear()
    gc.collect()
    tried, blocks = tries, sys.getallocatedblocks()
    await clock.advance(3_480)
    quiet.clear()
    gc.collect()
    assert (tries - tried) / 3_480 <= 10
    assert sys.getallocatedblocks() - blocks < 5 * objects
    broken = False
    await clock.advance(2_000)
    assert len(done) == objects
    assert len(controller.queue) == 0


async def test_a_terminal_error_keeps_no_state(kit: Any, clock: FakeClock) -> None:
    """P-40: a key whose object went leaves nothing in the limiter."""

    async def reconcile(ctx: Context, request: Request) -> None:
        raise TerminalError("spec.host: is no host")

    controller = kit.controller(reconcile)
    kit.start(controller)
    controller.queue.add(Request("ns", "a"))
    await clock.advance(3_700)
    assert controller.queue.failures(Request("ns", "a")) == 0


async def test_a_key_in_work_does_not_hold_up_those_behind_it() -> None:
    """Q-24: added again while it is processed, at the highest priority, it is not looked at until it is done."""
    queue: WorkQueue[str] = WorkQueue(FakeClock())
    queue.add("busy", priority=100)
    assert queue.get_nowait() is not None
    queue.add("busy", priority=100)
    queue.add("other", priority=LOW_PRIORITY)
    taken = queue.get_nowait()
    assert taken is not None
    assert taken.key == "other"
    assert len(queue) == 0
    queue.done("busy")
    again = queue.get_nowait()
    assert again is not None
    assert (again.key, again.priority) == ("busy", 100)


async def test_a_hundred_thousand_delayed_keys_wait_on_one_timer() -> None:
    """Q-06: and they come out in the order of their instants."""
    clock = FakeClock()
    queue: WorkQueue[int] = WorkQueue(clock)
    for number in reversed(range(100_000)):
        queue.add_after(number, 10.0 + number)
    assert "waiting=1)" in repr(clock)
    await clock.advance(12.5)
    taken = [queue.get_nowait() for _ in range(3)]
    assert [one.key for one in taken if one is not None] == [0, 1, 2]
    assert queue.get_nowait() is None
    assert "waiting=1)" in repr(clock)


async def test_broken_log_processors_do_not_break_a_reconcile(
    kit: Any, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-76: a processor that raises costs the line, not the run."""
    from eso_core.controller import controller as module

    class Broken:
        def __getattr__(self, name: str) -> Any:
            def fail(*args: Any, **options: Any) -> None:
                raise RuntimeError("the disk is full")

            return fail

    monkeypatch.setattr(module, "_log", Broken())
    runs: list[int] = []

    async def reconcile(ctx: Context, request: Request) -> None:
        runs.append(ctx.attempt)
        if len(runs) == 1:
            raise ConnectionError("logged as an error, if logging worked")

    controller = kit.controller(reconcile)
    kit.start(controller)
    controller.queue.add(Request("ns", "a"))
    await clock.advance(10)
    assert len(runs) == 2
