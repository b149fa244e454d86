"""Sharing turns of the event loop between tasks that always have something to do.

A task that never waits keeps the loop from its sockets and timers, so it has to pause now and then. When many such tasks
each work for a few milliseconds between their pauses, one turn of the loop still takes the sum of it. They therefore share
a budget per turn: once it is spent, everybody only gets a short slice of his own, so that nobody starves.
"""

from __future__ import annotations

import asyncio

from eso_core.aio import Clock

__all__ = ["Pace", "Pacer"]

_TURN_BUDGET = 0.002
_OWN_SLICE = 0.0005


class Pacer:
    """The budget of one event loop."""

    def __init__(self, clock: Clock) -> None:
        self.monotonic = clock.monotonic
        #: Counts turns in which somebody worked.
        self.turn = 0
        #: When the present turn's budget is spent.
        self.ends = 0.0
        self._begun = False

    def pace(self) -> Pace:
        """The pace of one task."""
        return Pace(self)

    def begin(self, now: float) -> None:
        """Starts the clock of this turn, unless it runs."""
        if not self._begun:
            self._begun = True
            self.ends = now + _TURN_BUDGET
            asyncio.get_running_loop().call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._begun = False
        self.turn += 1


class Pace:
    """One task's share; used by that task only."""

    __slots__ = ("_pacer", "_slice_ends", "_turn")

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._turn = -1
        self._slice_ends = 0.0

    def spent(self, now: float) -> bool:
        """Called between two small pieces of work: whether this turn is used up, and the task must sleep for nothing."""
        pacer = self._pacer
        if pacer.turn != self._turn:
            pacer.begin(now)
            self._turn = pacer.turn
            self._slice_ends = now + _OWN_SLICE
            return False
        return now >= pacer.ends and now >= self._slice_ends

    async def breathe(self) -> None:
        """Pauses when this turn is used up."""
        if self.spent(self._pacer.monotonic()):
            await asyncio.sleep(0)
