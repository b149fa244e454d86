"""The hot-loop guard: notices keys that run over and over although nothing outside changed.

The usual cause is a reconciler that writes a status that differs each time, sees its own change, and runs again. Nothing
fails, so no back-off ever slows it down.
"""

from __future__ import annotations

from collections.abc import Hashable

__all__ = ["HotLoopGuard"]

_WINDOW = 60.0
#: A capped key stays capped until a window has fewer runs than this share of the limit.
_CALM = 0.5
_MIN_INTERVAL = 1.0


class _Runs:
    __slots__ = ("capped", "count", "last", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.count = 0
        self.last = since
        self.capped = False


class HotLoopGuard:
    """Counts successful runs per key in windows of 60 s.

    Args:
        limit: runs per window above which a key is capped to one run per second; 0 switches the guard off.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._runs: dict[Hashable, _Runs] = {}
        self._next_sweep = 0.0

    def __len__(self) -> int:
        return len(self._runs)

    def ran(self, key: Hashable, now: float) -> bool:
        """Counts a run without error; True when the key is found to be looping just now."""
        if not self._limit:
            return False
        if now >= self._next_sweep:
            self._sweep(now)
        runs = self._runs.get(key)
        if runs is None:
            runs = self._runs[key] = _Runs(now)
        elif now - runs.since >= _WINDOW:
            if runs.capped and runs.count < self._limit * _CALM:
                runs.capped = False
            runs.since = now
            runs.count = 0
        runs.count += 1
        runs.last = now
        if runs.count > self._limit and not runs.capped:
            runs.capped = True
            return True
        return False

    def changed(self, key: Hashable) -> None:
        """Somebody else changed the object: its runs are called for."""
        if self._runs:
            self._runs.pop(key, None)

    def delay(self, key: Hashable, now: float) -> float:
        """Seconds that a capped key has to wait before its next run; 0 for all others."""
        runs = self._runs.get(key)
        if runs is None or not runs.capped:
            return 0.0
        return max(0.0, runs.last + _MIN_INTERVAL - now)

    def _sweep(self, now: float) -> None:
        self._next_sweep = now + _WINDOW
        self._runs = {key: runs for key, runs in self._runs.items() if now - runs.last < 2 * _WINDOW}
