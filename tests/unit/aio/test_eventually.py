"""Assertions over time, on the fake clock."""

from __future__ import annotations

import pytest

from eso_core.testing.clock import FakeClock
from eso_core.testing.waiting import consistently, eventually


async def test_eventually_waits_for_the_condition() -> None:
    """Plain and asynchronous checks, with results and with assertions."""
    clock = FakeClock(auto=True)
    await eventually(lambda: clock.elapsed >= 3, timeout=5, poll=1, clock=clock)
    assert clock.elapsed == 3

    async def check() -> None:
        assert clock.elapsed >= 6, "too early"

    await eventually(check, timeout=5, poll=1, clock=clock)
    assert clock.elapsed == 6


async def test_eventually_says_what_was_not_so() -> None:
    """The last failed assertion is in the message."""
    clock = FakeClock(auto=True)

    def check() -> None:
        assert clock.elapsed < 0, "never"

    with pytest.raises(AssertionError, match="not so within 2 s: never"):
        await eventually(check, timeout=2, poll=0.5, clock=clock)
    with pytest.raises(AssertionError, match="the check gave 0"):
        await eventually(lambda: 0, timeout=1, clock=clock)


async def test_consistently_watches_for_the_whole_time() -> None:
    """A condition that breaks in between is found."""
    clock = FakeClock(auto=True)
    await consistently(lambda: True, duration=2, poll=0.5, clock=clock)
    assert clock.elapsed == 2
    with pytest.raises(AssertionError, match="not so any more after 1 s"):
        await consistently(lambda: clock.elapsed < 3, duration=2, poll=0.5, clock=clock)
