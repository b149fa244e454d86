"""A clock for tests: time moves when the test says so, or when everybody waits.

How it knows that "every task is blocked": the event loop keeps the callbacks that are due in a ready queue. When that
queue stays empty over several rounds (each round polls the sockets once), nothing can run before a timer fires. Loops
without such a queue (uvloop) get a fixed number of rounds instead. Work in the loop's thread pool (files, host names, TLS
contexts) counts as running: the clock waits for it in real time.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Any

__all__ = ["FakeClock"]

_QUIET_ROUNDS = 4  # a loopback round trip needs up to three polls of the sockets between two callbacks
_MAX_ROUNDS = 5_000
_SWEEP_AT = 200  # from so many timers on, cancelled ones are dropped now and then
_THREAD_POLL = 0.001  # real seconds between two looks at a busy thread pool


def _nothing() -> None:
    """What a cancelled timer calls."""


class FakeTimer:
    """A call that waits for its instant on a ``FakeClock``."""

    __slots__ = ("cancelled", "fn", "when")

    def __init__(self, when: float, fn: Callable[[], object]) -> None:
        self.when = when
        self.fn = fn
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True
        self.fn = _nothing  # what it holds is free at once, and not when its instant comes


class FakeClock:
    """A ``Clock`` whose time stands still until ``advance`` moves it.

    Args:
        start: The first instant, aware.
        auto: Jump to the next timer by itself whenever every task is blocked.
    """

    def __init__(self, start: datetime | None = None, *, auto: bool = False) -> None:
        self._start = start if start is not None else datetime(2026, 1, 1, tzinfo=UTC)
        if self._start.tzinfo is None:
            raise ValueError("start must be an aware datetime")
        self._elapsed = 0.0
        self._base = 1_000.0  # a monotonic clock starts anywhere but at zero
        self._timers: list[tuple[float, int, FakeTimer]] = []
        self._sweep_at = _SWEEP_AT
        self._order = itertools.count()
        self._auto = auto
        self._watching = False
        self._quiet = 0
        self._settling = 0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._base + self._elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self.call_later(seconds, partial(_wake, future))
        try:
            await future
        finally:
            timer.cancel()

    def call_later(self, seconds: float, fn: Callable[[], object]) -> FakeTimer:
        if len(self._timers) >= self._sweep_at:
            self._timers = [entry for entry in self._timers if not entry[2].cancelled]
            heapq.heapify(self._timers)
            self._sweep_at = max(_SWEEP_AT, 2 * len(self._timers))
        timer = FakeTimer(self._elapsed + max(0.0, seconds), fn)
        heapq.heappush(self._timers, (timer.when, next(self._order), timer))
        self._watch()
        return timer

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        return _FakeTimeout(self, seconds)

    async def advance(self, seconds: float) -> None:
        """Moves the time and runs what becomes due, in order; tasks settle between two instants."""
        target = self._elapsed + seconds
        await self.settle()
        while (due := self.next_timer()) is not None and due <= target:
            self._fire_next()
            await self.settle()
        self._elapsed = max(self._elapsed, target)

    async def run_until(self, condition: Callable[[], object], *, limit: float = 3_600.0) -> None:
        """Jumps from timer to timer until ``condition()`` is true.

        Raises:
            AssertionError: No timer is left, or ``limit`` seconds of fake time passed.
        """
        end = self._elapsed + limit
        await self.settle()
        while not condition():
            due = self.next_timer()
            if due is None:
                raise AssertionError("the condition is false and nothing waits on the clock any more")
            if due > end:
                raise AssertionError(f"the condition is still false after {limit:g} s on the clock")
            self._fire_next()
            await self.settle()

    async def settle(self) -> None:
        """Lets the other tasks run until all are blocked; the time stands still."""
        loop = asyncio.get_running_loop()
        quiet = 0
        self._settling += 1
        try:
            for _ in range(_MAX_ROUNDS):
                await asyncio.sleep(_THREAD_POLL if _pool_busy(loop) else 0)
                quiet = quiet + 1 if not _pool_busy(loop) and _due(loop) <= self._settling - 1 + self._watching else 0
                if quiet >= _QUIET_ROUNDS:
                    return
        finally:
            self._settling -= 1

    def next_timer(self) -> float | None:
        """When the next call is due, in seconds since the start; ``None`` when nothing waits."""
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._elapsed

    @property
    def auto(self) -> bool:
        """Whether the time jumps to the next timer when every task is blocked."""
        return self._auto

    @auto.setter
    def auto(self, value: bool) -> None:
        self._auto = value
        self._watch()

    def _fire_next(self) -> None:
        when, _, timer = heapq.heappop(self._timers)
        self._elapsed = max(self._elapsed, when)
        if not timer.cancelled:
            timer.cancelled = True
            timer.fn()

    def _watch(self) -> None:
        if not self._auto or self._watching or self.next_timer() is None:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # set before the loop runs; the first timer starts the watching
        self._watching = True
        self._quiet = 0
        loop.call_soon(self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._auto or self.next_timer() is None:
            self._watching = False
            return
        if _pool_busy(loop):
            self._quiet = 0
            loop.call_later(_THREAD_POLL, self._look, loop)
            return
        self._quiet = self._quiet + 1 if _due(loop) <= self._settling else 0
        if self._quiet > 2 * _QUIET_ROUNDS:
            self._quiet = 0
            self._fire_next()
        loop.call_soon(self._look, loop)

    def __repr__(self) -> str:
        waiting = sum(1 for *_, timer in self._timers if not timer.cancelled)
        return f"FakeClock(now={self.now().isoformat()}, waiting={waiting})"


class _FakeTimeout(AbstractAsyncContextManager[object]):
    def __init__(self, clock: FakeClock, seconds: float | None) -> None:
        self._clock = clock
        self._seconds = seconds
        self._inner = asyncio.timeout(None)
        self._timer: FakeTimer | None = None

    async def __aenter__(self) -> object:
        await self._inner.__aenter__()
        if self._seconds is not None:
            self._timer = self._clock.call_later(self._seconds, self._expire)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._inner.__aexit__(exc_type, exc, tb)

    def _expire(self) -> None:
        # A deadline in the past makes asyncio's own timeout fire in the next round.
        self._inner.reschedule(asyncio.get_running_loop().time() - 1.0)


def _due(loop: asyncio.AbstractEventLoop) -> int:
    """How many callbacks are due besides the one that runs now."""
    ready: Any = getattr(loop, "_ready", ())
    return len(ready)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _pool_busy(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether a thread of the loop's default pool works, or a job waits for one."""
    pool: Any = getattr(loop, "_default_executor", None)
    idle: Any = getattr(pool, "_idle_semaphore", None)
    if idle is None:
        return False
    return bool(pool._work_queue.qsize()) or idle._value < len(pool._threads)
