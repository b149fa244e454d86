"""What one render may use: bytes of output, steps, and time.

Functions that allocate in proportion to a number that the template chose ask first: `allocate(n)`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Final

from msgspec import Struct

from controllers.templating.gotemplate.errors import LimitExceeded

__all__ = ["Budget", "Meter", "allocate", "bound", "current", "metered", "spend"]

# Steps between two looks at the clock: a step may be a regular expression over megabytes.
_LOOK_EVERY: Final = 64
_SMALL: Final = 64


class Budget(Struct, frozen=True):
    """Limits of one render, far above anything sensible.

    Attributes:
        output_bytes: the most that the result, and each intermediate value, may hold.
        allocated_bytes: the most that all values together may hold that functions make, kept or not.
        steps: evaluated nodes and loop turns.
        seconds: of wall time.
    """

    output_bytes: int = 16 * 1024 * 1024
    allocated_bytes: int = 256 * 1024 * 1024
    steps: int = 10_000_000
    seconds: float = 10.0


class Meter:
    """What is left of a `Budget` in one render."""

    __slots__ = ("_allocated", "_budget", "_deadline", "_stopped", "next_look", "output_bytes", "steps")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._deadline = time.monotonic() + budget.seconds
        self._allocated = 0
        self._stopped = False
        self.output_bytes = budget.output_bytes
        self.steps = 0
        self.next_look = _LOOK_EVERY

    def restart(self) -> None:
        """The time begins now: the render had to wait for its turn."""
        self._deadline = time.monotonic() + self._budget.seconds

    def stop(self) -> None:
        """Ends the render at its next step, from another thread: nobody waits for it any more."""
        self._stopped = True
        self.next_look = 0

    def spend(self, steps: int = 1) -> None:
        """Counts work; looks at the clock now and then.

        Raises:
            LimitExceeded: too many steps, or too late.
        """
        self.steps += steps
        if self.steps >= self.next_look:
            self.look()

    def look(self) -> None:
        """Compares what is spent with the budget; due whenever `steps` reaches `next_look`.

        Raises:
            LimitExceeded: too many steps, or too late, or stopped.
        """
        self.next_look = 0 if self._stopped else self.steps + _LOOK_EVERY
        if self._stopped:
            raise LimitExceeded("the render was stopped")
        if self.steps > self._budget.steps:
            raise LimitExceeded(f"the template takes more than {self._budget.steps} steps")
        if time.monotonic() > self._deadline:
            raise LimitExceeded(f"the template takes longer than {self._budget.seconds:g} s")

    def allocate(self, size: int) -> None:
        """Refuses a value of `size` bytes (or elements) that is larger than the output may be, before it is made.

        Raises:
            LimitExceeded: it is.
        """
        if size > self._budget.output_bytes:
            raise LimitExceeded(
                f"a value of {size} bytes exceeds the limit of {self._budget.output_bytes} bytes per template"
            )
        self.count(size)

    def count(self, size: int) -> None:
        """Counts a value of `size` bytes.

        Raises:
            LimitExceeded: all values together are too much.
        """
        self._allocated += size
        if self._allocated > self._budget.allocated_bytes:
            raise LimitExceeded(f"the values of the template exceed {self._budget.allocated_bytes} bytes together")
        self.spend(1 + (size >> 12))


_current: ContextVar[Meter | None] = ContextVar("template_meter", default=None)


@contextmanager
def metered(budget: Budget) -> Iterator[Meter]:
    """The budget that applies inside of the block."""
    meter = Meter(budget)
    token = _current.set(meter)
    try:
        yield meter
    finally:
        _current.reset(token)


def bound(meter: Meter | None) -> Token[Meter | None]:
    """Makes the meter that of this context (None: nothing is counted); give the token back to `token.var.reset`."""
    return _current.set(meter)


def current() -> Meter | None:
    """The meter of the render that runs, which tells it from other renders; None outside of one."""
    return _current.get()


def allocate(size: int) -> None:
    """`Meter.allocate` of the render that runs; does nothing outside of one, nor for a few bytes, which steps bound."""
    if size < _SMALL:
        return
    meter = _current.get()
    if meter is not None:
        meter.allocate(size)


def spend(steps: int = 1) -> None:
    """`Meter.spend` of the render that runs; does nothing outside of one."""
    meter = _current.get()
    if meter is not None:
        meter.spend(steps)
