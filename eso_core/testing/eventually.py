"""Assertions about what becomes true, and about what stays true, on a real or a fake clock.

A check is a function, plain or ``async``, that asserts, or returns whether it is so::

    await eventually(lambda: store.synced)

    async def one_secret() -> None:
        assert len((await client.list(SECRET, "a")).items) == 1

    await consistently(one_secret, 0.5)

`eventually` gives what the check returned, so that the first good value can be used. With a ``FakeClock`` no real time
passes: the clock is moved from one try to the next, and everything that waits on it runs in between.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from eso_core.aio import Clock, SystemClock
from eso_core.testing.clock import FakeClock

__all__ = ["consistently", "eventually", "eventually_sync"]

T = TypeVar("T")

#: What a check may raise to say "not yet"; everything else is a bug of the check and comes through.
_NOT_YET: tuple[type[Exception], ...] = (AssertionError, LookupError, TypeError, AttributeError)


async def eventually(
    check: Callable[[], T | Awaitable[T]],
    timeout: float = 10.0,
    poll: float = 0.01,
    *,
    clock: Clock | None = None,
    retry_on: tuple[type[Exception], ...] = (),
) -> T:
    """Wait until ``check()`` holds: until it returns something true, or None without raising.

    Args:
        timeout: Seconds on the clock; at least one try is made.
        poll: Seconds between two tries.
        clock: Where the seconds pass; the system's when not given. A ``FakeClock`` is moved by this function.
        retry_on: Errors that mean "not yet" as failed assertions do, besides lookups in what is not there yet
            (`LookupError`, and `TypeError` and `AttributeError` of ``None``).

    Raises:
        AssertionError: It did not come to hold; names the last outcome.
    """
    clock = clock if clock is not None else SystemClock()
    not_yet = _NOT_YET + retry_on
    end = clock.monotonic() + timeout
    while True:
        try:
            result = await _result(check)
            if result or result is None:
                return result
            problem, cause = f"the check gave {result!r}", None
        except not_yet as error:
            problem, cause = _told(error), error
        left = end - clock.monotonic()
        if left <= 0:
            raise AssertionError(f"not so within {timeout:g} s: {problem}") from cause
        await _pass(clock, min(poll, left))


async def consistently(
    check: Callable[[], T | Awaitable[T]],
    duration: float = 0.5,
    poll: float = 0.01,
    *,
    clock: Clock | None = None,
) -> None:
    """Assert that ``check()`` holds now and all the time for ``duration`` seconds on the clock.

    Raises:
        AssertionError: It did not, or no longer; names when, and the outcome.
    """
    clock = clock if clock is not None else SystemClock()
    began = clock.monotonic()
    while True:
        passed = clock.monotonic() - began
        try:
            result = await _result(check)
        except AssertionError as error:
            raise AssertionError(f"no longer so after {passed:.3g} s: {_told(error)}") from error
        if not result and result is not None:
            raise AssertionError(f"no longer so after {passed:.3g} s: the check gave {result!r}")
        if passed >= duration:
            return
        await _pass(clock, min(poll, duration - passed))


def eventually_sync(
    check: Callable[[], T],
    timeout: float = 10.0,
    poll: float = 0.01,
    *,
    retry_on: tuple[type[Exception], ...] = (),
) -> T:
    """`eventually` for tests that are not asynchronous; real time only. Blocks the thread."""
    not_yet = _NOT_YET + retry_on
    end = time.monotonic() + timeout
    while True:
        try:
            result = check()
            if result or result is None:
                return result
            problem, cause = f"the check gave {result!r}", None
        except not_yet as error:
            problem, cause = _told(error), error
        if time.monotonic() >= end:
            raise AssertionError(f"not so within {timeout:g} s: {problem}") from cause
        time.sleep(poll)


async def _result(check: Callable[[], T | Awaitable[T]]) -> T:
    outcome = check()
    if inspect.isawaitable(outcome):
        awaited: T = await outcome
        return awaited
    return outcome


async def _pass(clock: Clock, seconds: float) -> None:
    if isinstance(clock, FakeClock) and not clock.auto:
        await clock.advance(seconds)
    elif isinstance(clock, FakeClock):
        await clock.sleep(seconds)
    else:
        await asyncio.sleep(seconds)


def _told(error: BaseException) -> str:
    text = str(error)
    return text if isinstance(error, AssertionError) and text else f"{type(error).__name__}: {text}"
