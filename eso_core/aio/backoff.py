"""Growing delays between tries."""

from __future__ import annotations

import random

from eso_core.aio.clock import Clock, SystemClock

__all__ = ["Backoff"]


class Backoff:
    """A sequence of delays in seconds: ``initial``, times ``factor`` each time, up to ``maximum``.

    Args:
        initial: The first delay, > 0.
        maximum: The largest delay before jitter, >= ``initial``.
        factor: Growth per step, >= 1.
        jitter: A delay ``d`` becomes uniform in ``[d, d * (1 + jitter))``; 0 turns it off.
        reset_after: When this many seconds passed since the last ``next()``, the sequence starts over.
        clock: Measures the calm time.
        rng: Source of the jitter, for reproducible tests.

    Raises:
        ValueError: An argument is out of its range.
    """

    __slots__ = ("_clock", "_current", "_factor", "_initial", "_jitter", "_last", "_maximum", "_reset_after", "_rng")

    def __init__(
        self,
        initial: float,
        maximum: float,
        factor: float = 2.0,
        jitter: float = 0.0,
        reset_after: float | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        if initial <= 0:
            raise ValueError(f"initial must be greater than 0, not {initial}")
        if maximum < initial:
            raise ValueError(f"maximum must be at least initial ({initial}), not {maximum}")
        if factor < 1:
            raise ValueError(f"factor must be at least 1, not {factor}")
        if jitter < 0:
            raise ValueError(f"jitter must not be negative, not {jitter}")
        self._initial = initial
        self._maximum = maximum
        self._factor = factor
        self._jitter = jitter
        self._reset_after = reset_after
        self._clock = clock if clock is not None else SystemClock()
        self._rng = rng if rng is not None else random.Random()
        self._current = initial
        self._last: float | None = None

    def next(self) -> float:
        """The delay to wait now, in seconds; the following one is longer."""
        now = self._clock.monotonic()
        if self._reset_after is not None and self._last is not None and now - self._last > self._reset_after:
            self._current = self._initial
        self._last = now
        delay = self._current
        self._current = min(self._maximum, self._current * self._factor)
        if self._jitter:
            delay += delay * self._jitter * self._rng.random()
        return delay

    def reset(self) -> None:
        """Starts over at ``initial``."""
        self._current = self._initial
        self._last = None

    def __repr__(self) -> str:
        return f"Backoff(next={self._current:g}s, maximum={self._maximum:g}s)"
