"""Task scopes own their tasks."""

from __future__ import annotations

import asyncio

import pytest

from eso_core.aio import SystemClock, TaskScope, shielded
from eso_core.testing.clock import FakeClock


async def test_leaving_the_block_waits_for_the_children() -> None:
    """Normal exit awaits what still runs."""
    clock = FakeClock(auto=True)
    done: list[str] = []

    async def child(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        done.append(name)

    async with TaskScope("t") as scope:
        scope.spawn(child("slow", 5), name="slow")
        scope.spawn(child("fast", 1), name="fast")
    assert done == ["fast", "slow"]
    assert clock.elapsed == 5


async def test_the_first_failure_cancels_siblings_and_the_body_and_is_raised() -> None:
    """A failing child interrupts everything else in the scope, and its own exception comes out."""
    cancelled: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append("sibling")
            raise

    async def fails() -> None:
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        async with TaskScope("t") as scope:
            scope.spawn(forever(), name="a")
            scope.spawn(fails(), name="b")
            await asyncio.Event().wait()
    assert cancelled == ["sibling"]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_an_outside_cancellation_is_not_mistaken_for_our_own() -> None:
    """A timeout around the scope still ends as a timeout when a child fails at the same time."""

    async def fails_when_cancelled() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ValueError("late") from None

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            async with TaskScope("t") as scope:
                scope.spawn(fails_when_cancelled(), name="a")
                await asyncio.Event().wait()


async def test_a_body_exception_cancels_the_children() -> None:
    """The body's exception wins and no child is left behind."""
    with pytest.raises(KeyError):
        async with TaskScope("t") as scope:
            task = scope.spawn(asyncio.Event().wait(), name="a")
            raise KeyError("x")
    assert task.cancelled()
    assert scope.tasks == frozenset()


async def test_an_error_handler_keeps_the_scope_alive() -> None:
    """With on_error the failure is handed over and siblings go on."""
    seen: list[BaseException] = []

    async def fails() -> None:
        raise ValueError("boom")

    async def works() -> int:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return 7

    async with TaskScope("t") as scope:
        scope.spawn(fails(), name="a", on_error=seen.append)
        task = scope.spawn(works(), name="b")
    assert task.result() == 7
    assert [str(e) for e in seen] == ["boom"]


async def test_an_error_handler_takes_what_is_no_exception_too() -> None:
    """Else the task is gone and nobody hears of it until the scope ends."""
    seen: list[BaseException] = []

    class Odd(BaseException):
        """Derives from neither Exception nor what ends a program."""

    async def fails(error: BaseException) -> None:
        raise error

    async with TaskScope("t") as scope:
        scope.spawn(fails(Odd()), name="a", on_error=seen.append)
        scope.spawn(fails(GeneratorExit()), name="b", on_error=seen.append)
    assert [type(error) for error in seen] == [Odd, GeneratorExit]


async def test_cancel_ends_the_children_and_keeps_the_scope() -> None:
    """cancel() awaits the children and the scope takes new ones."""
    async with TaskScope("t") as scope:
        task = scope.spawn(asyncio.Event().wait(), name="a")
        await scope.cancel()
        assert task.cancelled()
        scope.spawn(asyncio.sleep(0), name="b")


async def test_a_closed_scope_takes_no_task() -> None:
    """Spawning after the end is an error that names scope and task."""
    async with TaskScope("t") as scope:
        await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match=r"starting task 'late': task scope 't' is ended"):
        scope.spawn(asyncio.sleep(0), name="late")


async def test_shielded_cleanup_ends_before_the_cancellation_goes_on() -> None:
    """The caller is cancelled, the cleanup still completes, then the cancellation is raised."""
    steps: list[str] = []
    gate = asyncio.Event()

    async def cleanup() -> None:
        steps.append("start")
        await gate.wait()
        steps.append("end")

    async with TaskScope("t") as scope:
        task = scope.spawn(shielded(cleanup(), seconds=5, clock=SystemClock()), name="c")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        gate.set()
    assert task.cancelled()
    assert steps == ["start", "end"]


async def test_shielded_cleanup_is_bounded() -> None:
    """A cleanup that hangs is cancelled after its limit."""
    clock = FakeClock(auto=True)
    with pytest.raises(TimeoutError, match="not finished after 3 s"):
        await shielded(asyncio.Event().wait(), seconds=3, clock=clock)
    assert clock.elapsed == 3
