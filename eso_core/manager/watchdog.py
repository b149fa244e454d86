"""Finds what stalls the event loop, while it does: a thread that looks over the loop's shoulder.

For finding a bug, not for every day: it wakes up twenty times a second. It measures real time, whatever clock the manager has.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable

import structlog

__all__ = ["LoopWatchdog"]

_log = structlog.get_logger("eso_core.manager")


class LoopWatchdog:
    """Logs each stall of the running loop once, with the stack of what it is doing, and observes its length at its end.

    Args:
        limit: seconds without a turn of the loop that are called a stall.
        observe: gets the length of each stall in seconds, on the loop.
    """

    def __init__(self, limit: float, observe: Callable[[float], None]) -> None:
        self._limit = limit
        self._observe = observe
        self._beat = time.monotonic()
        self._thread_id = threading.get_ident()
        self._ended = threading.Event()

    async def run(self) -> None:
        """Watches until cancelled."""
        thread = threading.Thread(target=self._watch, name="event loop watchdog", daemon=True)
        self._thread_id = threading.get_ident()
        self._beat = time.monotonic()
        thread.start()
        try:
            while True:
                await asyncio.sleep(self._limit / 4)
                now = time.monotonic()
                stall = now - self._beat - self._limit / 4
                self._beat = now
                if stall > self._limit:
                    self._observe(stall)
        finally:
            self._ended.set()
            thread.join()  # it was woken up, and has nothing left to do

    def _watch(self) -> None:
        told = 0.0
        while not self._ended.wait(self._limit / 2):
            beat = self._beat
            if beat == told or time.monotonic() - beat <= self._limit + self._limit / 4:
                continue
            told = beat
            frame = sys._current_frames().get(self._thread_id)
            stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
            _log.warning("the event loop stands still", seconds=round(time.monotonic() - beat, 3), stack=stack.rstrip())
