"""Keeps one repeating message from filling the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

__all__ = ["Sampler"]

_REMEMBERED = 10_000


class Sampler(logging.Filter):
    """Lets the first lines of a message through in each period, then one of every few.

    Messages are told apart by controller, level and text. Errors of different objects with the same text count as one.

    Args:
        first: Lines per period that are always written.
        then: After those, every so many.
        period: Seconds.
    """

    def __init__(
        self, first: int = 100, then: int = 100, period: float = 10.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._first = first
        self._then = then
        self._period = period
        self._monotonic = monotonic
        self._counts: dict[tuple[str, int, str], list[float]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.msg
        if isinstance(message, dict):
            key = (str(message.get("controller", "")), record.levelno, str(message.get("event", "")))
        else:
            key = ("", record.levelno, str(message))
        now = self._monotonic()
        entry = self._counts.get(key)
        if entry is None or now - entry[0] >= self._period:
            if len(self._counts) >= _REMEMBERED:
                self._counts.clear()
            self._counts[key] = [now, 1]
            return True
        entry[1] += 1
        over = entry[1] - self._first
        return over <= 0 or over % self._then == 0
