"""The process around a command: event loop, signals, exit status.

The first SIGTERM or SIGINT asks the command to stop; a second one ends the process at once with status 1, since whoever sends it
no longer wants to wait.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
from collections.abc import Awaitable, Callable

from controllers.cli.manifests import ManifestError
from eso_core.meta.errors import EsoCoreError

__all__ = ["run_command"]

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run_command(prog: str, command: Callable[[asyncio.Event], Awaitable[int]]) -> int:
    """Run `command(stop)` on a fresh event loop and return its exit status.

    `stop` is set by the first signal. An error that the user can act on becomes one line on stderr and status 1.
    """
    factory = _loop_factory()
    with asyncio.Runner(loop_factory=factory) as runner:
        try:
            return runner.run(_with_signals(command))
        except (EsoCoreError, ManifestError, OSError) as error:
            sys.stderr.write(f"{prog}: {_one_line(error)}\n")
            return 1
        except KeyboardInterrupt:
            return 130


async def _with_signals(command: Callable[[asyncio.Event], Awaitable[int]]) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(1)
        stop.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal)
    try:
        return await command(stop)
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE:
            return f"{text}: another process listens there: stop it, or choose another address or port by flag"
        cause = cause.__cause__
    return text
