"""What becomes true and what stays true, on the real clock and on the fake one."""

from __future__ import annotations

import time

import pytest

from eso_core.aio import TaskScope
from eso_core.meta.errors import NotFound
from eso_core.testing.clock import FakeClock
from eso_core.testing.eventually import consistently, eventually, eventually_sync


async def test_the_first_good_value_is_given() -> None:
    """Values that are false are tried again; the first true one is the result."""
    tries = iter([0, "", "yes"])
    assert await eventually(lambda: next(tries), poll=0) == "yes"


async def test_failed_assertions_and_missing_things_are_tried_again() -> None:
    """An assertion, a missing key, and a field of nothing mean "not yet"."""
    problems = iter([AssertionError("a"), KeyError("b"), TypeError("c"), AttributeError("d"), IndexError("e")])

    async def check() -> None:
        for problem in problems:
            raise problem

    assert await eventually(check, poll=0) is None


async def test_other_errors_come_through_unless_named() -> None:
    """A bug of the check ends the wait; an error that is to be waited out is named."""
    problems = iter([NotFound("not there"), ValueError("bug")])

    def check() -> None:
        for problem in problems:
            raise problem

    with pytest.raises(ValueError, match="bug"):
        await eventually(check, poll=0, retry_on=(NotFound,))


async def test_the_last_outcome_is_told() -> None:
    """The message names the time and what was seen last."""
    with pytest.raises(AssertionError, match=r"^not so within 0 s: the check gave \[\]$"):
        await eventually(list, timeout=0)

    def check() -> None:
        raise KeyError("status")

    with pytest.raises(AssertionError, match="^not so within 0 s: KeyError: 'status'$") as caught:
        await eventually(check, timeout=0)
    assert isinstance(caught.value.__cause__, KeyError)


async def test_the_fake_clock_is_moved_while_waiting() -> None:
    """Ten minutes pass on the clock, none in the room; what waits on the clock runs in between."""
    clock = FakeClock()
    done: list[float] = []

    async def work() -> None:
        await clock.sleep(600)
        done.append(clock.elapsed)

    began = time.monotonic()
    async with TaskScope("test") as scope:
        scope.spawn(work(), name="work")
        await eventually(lambda: done, timeout=1000, poll=1, clock=clock)
    assert done == [600.0]
    assert clock.elapsed == 600.0
    assert time.monotonic() - began < 5


async def test_a_clock_that_moves_by_itself_is_waited_on() -> None:
    """An automatic fake clock jumps on its own."""
    clock = FakeClock(auto=True)
    with pytest.raises(AssertionError, match="^not so within 3600 s"):
        await eventually(lambda: False, timeout=3600, poll=60, clock=clock)
    assert clock.elapsed == 3600.0
    await consistently(lambda: True, 2, poll=0.5, clock=clock)
    assert clock.elapsed == 3602.0


async def test_what_stays_true_is_checked_to_the_end() -> None:
    """Checks at the beginning, between, and at the end of the duration."""
    clock = FakeClock()
    seen: list[float] = []
    await consistently(lambda: seen.append(clock.elapsed), 1.0, poll=0.4, clock=clock)
    assert seen == pytest.approx([0.0, 0.4, 0.8, 1.0])


async def test_what_ceases_to_be_true_is_told_with_its_time() -> None:
    """The first failing check ends it."""
    clock = FakeClock()
    with pytest.raises(AssertionError, match="^no longer so after 2 s: the check gave False$"):
        await consistently(lambda: clock.elapsed < 2, 10, poll=0.5, clock=clock)

    async def check() -> None:
        assert clock.elapsed < 3, "three seconds are over"

    with pytest.raises(AssertionError, match="no longer so after 1 s: three seconds are over"):
        await consistently(check, 10, poll=0.5, clock=clock)


def test_blocking_tests_wait_too() -> None:
    """The same without an event loop."""
    tries = iter([0, 0, 3])
    assert eventually_sync(lambda: next(tries), poll=0) == 3
    with pytest.raises(AssertionError, match="^not so within 0 s: the check gave False$"):
        eventually_sync(lambda: False, timeout=0)
