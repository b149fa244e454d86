"""The clock seam: where time and waiting come from."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import partial
from typing import Protocol, runtime_checkable

__all__ = ["Clock", "SystemClock", "Timer"]


class Timer(Protocol):
    """A scheduled call that has not run yet."""

    def cancel(self) -> None:
        """Keeps the call from running; does nothing when it ran already."""


@runtime_checkable
class Clock(Protocol):
    """Wall time for what goes on the wire, monotonic time and waits for everything else."""

    def now(self) -> datetime:
        """The current instant, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean something."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Waits; a value of zero or less lets other tasks run once."""

    def call_later(self, seconds: float, fn: Callable[[], object]) -> Timer:
        """Runs ``fn`` in the event loop after ``seconds``."""
        ...

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        """A block that raises ``TimeoutError`` when it takes longer; ``None`` means no limit."""
        ...


#: Linux has a monotonic clock that goes on while the machine is suspended.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """The machine's clock and the running event loop's timers."""

    __slots__ = ()

    def now(self) -> datetime:
        return datetime.now(UTC)

    # Time in which the machine slept counts: a leader that was suspended must know how long. No function of Python's own
    # around it: a reconcile asks some twenty times.
    monotonic = staticmethod(partial(time.clock_gettime, _CLOCK))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, fn: Callable[[], object]) -> Timer:
        return asyncio.get_running_loop().call_later(max(0.0, seconds), fn)

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        return asyncio.timeout(seconds)
