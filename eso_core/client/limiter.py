"""A client-side rate limit: a token bucket with a first-come, first-served queue."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import ClassVar

from eso_core.aio import Clock

__all__ = ["RateLimit", "TokenBucket"]

_log = logging.getLogger("eso_core.client")


@dataclass(frozen=True, slots=True)
class RateLimit:
    """``qps`` requests per second on average, ``burst`` at once.

    Raises:
        ValueError: A number is out of its range.
    """

    qps: float
    burst: int

    LEGACY: ClassVar[RateLimit]
    """What Kubernetes clients in Go used by default for years."""
    CONTROLLER: ClassVar[RateLimit]
    """Ten times that, for controllers."""

    def __post_init__(self) -> None:
        if self.qps <= 0:
            raise ValueError(f"qps must be greater than 0, not {self.qps}")
        if self.burst < 1:
            raise ValueError(f"burst must be at least 1, not {self.burst}")


RateLimit.LEGACY = RateLimit(qps=5, burst=10)
RateLimit.CONTROLLER = RateLimit(qps=50, burst=100)


class TokenBucket:
    """Hands out the right to send. Each caller reserves its instant at once, so the order is that of the calls."""

    __slots__ = ("_burst", "_clock", "_next", "_period")

    def __init__(self, limit: RateLimit, clock: Clock) -> None:
        self._period = 1.0 / limit.qps
        self._burst = limit.burst
        self._clock = clock
        # The instant at which the bucket was or will be full of debt zero, minus the burst that may be used ahead of it.
        self._next = clock.monotonic() - limit.burst * self._period

    async def acquire(self) -> float:
        """Waits for a token; how many seconds that took.

        A caller that is cancelled while it waits gives its token back.
        """
        now = self._clock.monotonic()
        self._next = max(self._next, now - self._burst * self._period) + self._period
        wait = self._next - now
        if wait <= 1e-9:
            return 0.0
        if wait > 1.0:
            _log.info("waiting for the client-side rate limit: %.1f s", wait)
        elif wait > 0.05:
            _log.debug("waiting for the client-side rate limit: %.3f s", wait)
        try:
            await self._clock.sleep(wait)
        except BaseException:
            self._next -= self._period
            raise
        return wait
