"""Signals: how a process tells its manager to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from eso_core.manager.manager import Manager

__all__ = ["stop_on_signals"]

_log = structlog.get_logger("eso_core.manager")

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stop_on_signals(manager: Manager) -> Iterator[None]:
    """Inside the block SIGTERM and SIGINT stop the manager; a second one ends the process at once with status 1.

    For the entry point of a process; outside of the main thread, where signals cannot be handled, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    seen = 0

    def handle(number: signal.Signals) -> None:
        nonlocal seen
        seen += 1
        if seen > 1:
            _log.error("second signal: exiting at once", signal=number.name)
            os._exit(1)
        _log.info("stopping", signal=number.name)
        manager.stop()

    for number in _SIGNALS:
        loop.add_signal_handler(number, handle, number)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
