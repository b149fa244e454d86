"""Expected creations and deletions, for controllers that create with generated names.

Such a controller counts its children in the cache. Until the cache has seen the ones it just made, the count is too low and
it would make more. It therefore notes what it expects, and does nothing about the key until that was observed, or until
the expectation has expired because the event never came.
"""

from __future__ import annotations

from collections.abc import Hashable

from eso_core.aio import Clock

__all__ = ["Expectations"]

_EXPIRY = 300.0


class _Expected:
    __slots__ = ("creations", "deletions", "since")

    def __init__(self, since: float) -> None:
        self.creations = 0
        self.deletions: set[str] = set()
        self.since = since


class Expectations:
    """What each key's owner expects to see.

    Args:
        clock: measures the expiry.
        expiry: seconds after which an expectation is given up.
    """

    def __init__(self, clock: Clock, *, expiry: float = _EXPIRY) -> None:
        if expiry <= 0:
            raise ValueError(f"Expectations: expiry={expiry} must be above 0 seconds")
        self._clock = clock
        self._expiry = expiry
        self._expected: dict[Hashable, _Expected] = {}
        self._next_sweep = clock.monotonic() + expiry

    def __len__(self) -> int:
        return len(self._expected)

    def expect_creations(self, key: Hashable, count: int) -> None:
        """Before creating `count` children of `key`."""
        self._of(key).creations += count

    def expect_deletions(self, key: Hashable, uids: set[str]) -> None:
        """Before deleting the children with these uids."""
        self._of(key).deletions |= uids

    def created(self, key: Hashable) -> None:
        """A child was observed, or its creation failed."""
        expected = self._expected.get(key)
        if expected is not None and expected.creations > 0:
            expected.creations -= 1
            self._tidy(key, expected)

    def deleted(self, key: Hashable, uid: str) -> None:
        """A child's deletion was observed, or failed."""
        expected = self._expected.get(key)
        if expected is not None:
            expected.deletions.discard(uid)
            self._tidy(key, expected)

    def satisfied(self, key: Hashable) -> bool:
        """Whether nothing is expected for `key` any more; what was, is forgotten after its expiry."""
        expected = self._expected.get(key)
        if expected is None:
            return True
        if self._clock.monotonic() - expected.since <= self._expiry:
            return False
        del self._expected[key]
        return True

    def forget(self, key: Hashable) -> None:
        """The key's object is gone."""
        self._expected.pop(key, None)

    def _of(self, key: Hashable) -> _Expected:
        now = self._clock.monotonic()
        if now >= self._next_sweep:
            # Nobody asks again for keys whose objects are gone.
            self._next_sweep = now + self._expiry
            self._expected = {k: e for k, e in self._expected.items() if now - e.since <= self._expiry}
        expected = self._expected.get(key)
        if expected is None:
            expected = self._expected[key] = _Expected(now)
        expected.since = now
        return expected

    def _tidy(self, key: Hashable, expected: _Expected) -> None:
        if not expected.creations and not expected.deletions:
            del self._expected[key]
