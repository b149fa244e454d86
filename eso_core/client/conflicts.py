"""Trying again after a write conflict."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from eso_core.aio import Backoff, Clock, SystemClock
from eso_core.meta.errors import Conflict

__all__ = ["retry_on_conflict"]

T = TypeVar("T")


async def retry_on_conflict(fn: Callable[[], Awaitable[T]], *, clock: Clock | None = None, tries: int = 5) -> T:
    """Calls ``fn`` until it does not raise ``Conflict``, about 10 ms apart.

    ``fn`` must read the object again each time. A patch without a resource version needs none of this.

    Args:
        tries: Calls in all, >= 1.

    Raises:
        Conflict: The last one, when all tries ended so.
        ValueError: ``tries`` is less than 1.
    """
    if tries < 1:
        raise ValueError(f"tries must be at least 1, not {tries}")
    used = clock if clock is not None else SystemClock()
    backoff = Backoff(0.01, 0.01, factor=1.0, jitter=0.1, clock=used)
    for _ in range(tries - 1):
        try:
            return await fn()
        except Conflict:
            await used.sleep(backoff.next())
    return await fn()
