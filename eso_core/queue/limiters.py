"""Rate limiters: how long a key has to wait before it may run again.

`when(key)` is asked once per retry and may take a reservation; it never waits itself. Limiters keep state per key only
while the key fails, and forget keys that nobody asked about for twice the longest delay, so deleted objects leave nothing
behind.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable
from typing import Protocol

from eso_core.aio import Clock

__all__ = ["ItemExponential", "ItemFastSlow", "Jittered", "MaxOf", "RateLimiter", "TokenBucket", "WithMaxWait"]


class RateLimiter(Protocol):
    """Decides the delay of the next retry of a key."""

    def when(self, key: Hashable) -> float:
        """Counts one more failure of `key` and returns the seconds to wait."""
        ...

    def forget(self, key: Hashable) -> None:
        """Resets the failure count of `key`; unknown keys are fine."""
        ...

    def failures(self, key: Hashable) -> int:
        """How often `when` was asked for `key` since the last `forget`."""
        ...


class _FailureCounts:
    """Failure counts by key that drop keys not seen for `ttl` seconds."""

    __slots__ = ("_clock", "_counts", "_next_sweep", "_ttl")

    def __init__(self, clock: Clock, ttl: float) -> None:
        self._clock = clock
        self._ttl = ttl
        self._counts: dict[Hashable, tuple[int, float]] = {}
        self._next_sweep = clock.monotonic() + ttl

    def increment(self, key: Hashable) -> int:
        """Adds one failure and returns the count before it."""
        now = self._clock.monotonic()
        self._sweep(now)
        before = self._counts[key][0] if key in self._counts else 0
        self._counts[key] = (before + 1, now)
        return before

    def forget(self, key: Hashable) -> None:
        if self._counts:
            self._counts.pop(key, None)
            self._sweep(self._clock.monotonic())

    def get(self, key: Hashable) -> int:
        entry = self._counts.get(key)
        return entry[0] if entry else 0

    def __len__(self) -> int:
        return len(self._counts)

    def _sweep(self, now: float) -> None:
        # A full scan, but at most once per ttl: amortised it costs less than an ordered structure on every call.
        if now < self._next_sweep:
            return
        self._next_sweep = now + self._ttl
        oldest = now - self._ttl
        self._counts = {key: entry for key, entry in self._counts.items() if entry[1] > oldest}


class ItemExponential:
    """`min(base * 2**failures, maximum)` seconds, counted per key.

    Raises:
        ValueError: when not 0 < base <= maximum.
    """

    def __init__(self, base: float = 0.005, maximum: float = 1000.0, *, clock: Clock) -> None:
        if not 0 < base <= maximum:
            raise ValueError(f"ItemExponential: base={base} and maximum={maximum} must satisfy 0 < base <= maximum")
        self._base = base
        self._maximum = maximum
        # Beyond this exponent the delay is the maximum anyway; a float power would overflow near 2**1024.
        self._cap = 0
        while base * 2.0**self._cap < maximum:
            self._cap += 1
        self._counts = _FailureCounts(clock, ttl=2 * maximum)

    def when(self, key: Hashable) -> float:
        failures = self._counts.increment(key)
        if failures >= self._cap:
            return self._maximum
        return self._base * 2.0**failures

    def forget(self, key: Hashable) -> None:
        self._counts.forget(key)

    def failures(self, key: Hashable) -> int:
        return self._counts.get(key)

    def __len__(self) -> int:
        """Number of keys with a failure count."""
        return len(self._counts)


class ItemFastSlow:
    """`fast` seconds for the first `attempts` failures of a key, then `slow` seconds.

    Raises:
        ValueError: when a delay is negative or `attempts` is below 0.
    """

    def __init__(self, fast: float, slow: float, attempts: int, *, clock: Clock) -> None:
        if fast < 0 or slow < 0 or attempts < 0:
            raise ValueError(f"ItemFastSlow: fast={fast}, slow={slow}, attempts={attempts} must not be negative")
        self._fast = fast
        self._slow = slow
        self._attempts = attempts
        self._counts = _FailureCounts(clock, ttl=2 * max(fast, slow, 60.0))

    def when(self, key: Hashable) -> float:
        return self._fast if self._counts.increment(key) < self._attempts else self._slow

    def forget(self, key: Hashable) -> None:
        self._counts.forget(key)

    def failures(self, key: Hashable) -> int:
        return self._counts.get(key)


class TokenBucket:
    """A bucket of `burst` tokens refilled at `qps` per second, shared by all keys.

    It works by reservation: a call takes its token now and returns how long until that token exists.

    Raises:
        ValueError: when qps <= 0 or burst < 1.
    """

    def __init__(self, qps: float = 10.0, burst: int = 100, *, clock: Clock) -> None:
        if qps <= 0 or burst < 1:
            raise ValueError(f"TokenBucket: qps={qps} must be above 0 and burst={burst} at least 1")
        self._qps = qps
        self._burst = float(burst)
        self._clock = clock
        self._tokens = float(burst)
        self._updated = clock.monotonic()

    def when(self, key: Hashable) -> float:
        now = self._clock.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._updated) * self._qps) - 1.0
        self._updated = now
        return 0.0 if self._tokens >= 0 else -self._tokens / self._qps

    def forget(self, key: Hashable) -> None:
        """Does nothing: tokens belong to no key."""

    def failures(self, key: Hashable) -> int:
        return 0


class MaxOf:
    """Asks all limiters and takes the longest delay.

    Raises:
        ValueError: when no limiter is given.
    """

    def __init__(self, *limiters: RateLimiter) -> None:
        if not limiters:
            raise ValueError("MaxOf: at least one limiter is needed")
        self._limiters = limiters

    def when(self, key: Hashable) -> float:
        return max([limiter.when(key) for limiter in self._limiters])

    def forget(self, key: Hashable) -> None:
        for limiter in self._limiters:
            limiter.forget(key)

    def failures(self, key: Hashable) -> int:
        return max([limiter.failures(key) for limiter in self._limiters])


class WithMaxWait:
    """Caps the delays of `inner` at `maximum` seconds.

    Raises:
        ValueError: when maximum is negative.
    """

    def __init__(self, inner: RateLimiter, maximum: float) -> None:
        if maximum < 0:
            raise ValueError(f"WithMaxWait: maximum={maximum} must not be negative")
        self._inner = inner
        self._maximum = maximum

    def when(self, key: Hashable) -> float:
        return min(self._inner.when(key), self._maximum)

    def forget(self, key: Hashable) -> None:
        self._inner.forget(key)

    def failures(self, key: Hashable) -> int:
        return self._inner.failures(key)


class Jittered:
    """Stretches the delays of `inner` by a random share of up to `jitter`, so that equal delays spread out.

    Raises:
        ValueError: when jitter is negative.
    """

    def __init__(self, inner: RateLimiter, jitter: float = 0.1, *, draw: Callable[[], float] = random.random) -> None:
        if jitter < 0:
            raise ValueError(f"Jittered: jitter={jitter} must not be negative")
        self._inner = inner
        self._jitter = jitter
        self._draw = draw

    def when(self, key: Hashable) -> float:
        return self._inner.when(key) * (1.0 + self._jitter * self._draw())

    def forget(self, key: Hashable) -> None:
        self._inner.forget(key)

    def failures(self, key: Hashable) -> int:
        return self._inner.failures(key)
