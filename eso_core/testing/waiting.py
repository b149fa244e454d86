"""Assertions about what becomes true, and what stays true."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable

from eso_core.aio import Clock, SystemClock

__all__ = ["consistently", "eventually"]

Check = Callable[[], Awaitable[object] | object]


async def eventually(check: Check, *, timeout: float = 10.0, poll: float = 0.01, clock: Clock | None = None) -> None:
    """Waits until ``check`` returns something true, or returns ``None`` without an ``AssertionError``.

    Args:
        check: May be asynchronous. Write it with ``assert`` to learn what was not so.
        timeout, poll: Seconds on the clock.

    Raises:
        AssertionError: It did not become true in time; the last failed assertion is the cause.
    """
    used = clock if clock is not None else SystemClock()
    ends = used.monotonic() + timeout
    while True:
        failure = await _failure(check)
        if failure is None:
            return
        if used.monotonic() >= ends:
            raise AssertionError(f"not so within {timeout:g} s: {failure}") from failure
        await used.sleep(poll)


async def consistently(check: Check, *, duration: float = 0.1, poll: float = 0.01, clock: Clock | None = None) -> None:
    """Watches that ``check`` holds, as for ``eventually``, for ``duration`` seconds on the clock.

    Raises:
        AssertionError: It did not hold at some instant.
    """
    used = clock if clock is not None else SystemClock()
    started = used.monotonic()
    while True:
        failure = await _failure(check)
        elapsed = used.monotonic() - started
        if failure is not None:
            raise AssertionError(f"not so any more after {elapsed:g} s: {failure}") from failure
        if elapsed >= duration:
            return
        await used.sleep(poll)


async def _failure(check: Check) -> AssertionError | None:
    try:
        result = check()
        if inspect.isawaitable(result):
            result = await result
    except AssertionError as exc:
        return exc
    return None if result is None or result else AssertionError(f"the check gave {result!r}")
