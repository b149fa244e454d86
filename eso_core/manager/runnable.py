"""Runnables: what a manager starts and stops."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

__all__ = ["Drains", "Runnable", "WarmsUp", "drains", "needs_leader", "warms_up"]


@runtime_checkable
class Runnable(Protocol):
    """A piece of work with the manager's life time.

    Optional: an attribute `need_leader_election` (without it the runnable runs on every replica), `warmup()` with
    `warms_up`, and `drain(timeout)`.
    """

    async def start(self) -> None:
        """Runs until cancelled. Returning early is fine; raising stops the manager with that error."""
        ...


@runtime_checkable
class WarmsUp(Protocol):
    """A runnable that can prepare itself before this process is the leader."""

    @property
    def warms_up(self) -> bool: ...
    async def warmup(self) -> None: ...


@runtime_checkable
class Drains(Protocol):
    """A runnable that can finish what it has begun before it is cancelled."""

    async def drain(self, timeout: float | None) -> bool: ...


def needs_leader(runnable: Runnable) -> bool:
    """Whether the runnable may only run on the leader."""
    return bool(getattr(runnable, "need_leader_election", False))


def warms_up(runnable: Runnable) -> WarmsUp | None:
    """The runnable, if it wants to prepare itself."""
    return runnable if isinstance(runnable, WarmsUp) and runnable.warms_up else None


def drains(runnable: Runnable) -> Drains | None:
    """The runnable, if it can drain."""
    return runnable if isinstance(runnable, Drains) else None
