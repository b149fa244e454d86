"""What one render may use: bytes of output, steps, and time.

Functions that allocate in proportion to a number that the template chose ask first: `allocate(n)`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from controllers.templating.gotemplate.errors import LimitExceeded

__all__ = ["Budget", "Meter", "allocate", "metered", "spend"]


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of one render, far above anything sensible.

    Attributes:
        output_bytes: the most that the result, and each intermediate value, may hold.
        steps: evaluated nodes and loop turns.
        seconds: of wall time.
    """

    output_bytes: int = 16 * 1024 * 1024
    steps: int = 10_000_000
    seconds: float = 10.0


class Meter:
    """What is left of a `Budget` in one render."""

    __slots__ = ("_budget", "_deadline", "_next_look", "steps")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._deadline = time.monotonic() + budget.seconds
        self.steps = 0
        self._next_look = 1024

    def spend(self, steps: int = 1) -> None:
        """Counts work; looks at the clock every thousand steps.

        Raises:
            LimitExceeded: too many steps, or too late.
        """
        self.steps += steps
        if self.steps < self._next_look:
            return
        self._next_look = self.steps + 1024
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


def allocate(size: int) -> None:
    """`Meter.allocate` of the render that runs; does nothing outside of one."""
    meter = _current.get()
    if meter is not None:
        meter.allocate(size)


def spend(steps: int = 1) -> None:
    """`Meter.spend` of the render that runs; does nothing outside of one."""
    meter = _current.get()
    if meter is not None:
        meter.spend(steps)
