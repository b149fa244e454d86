"""Finds what a test leaves behind: tasks, threads, file descriptors, timers.

Use ``check_leaks`` around a block, or make every test of a folder check itself with a ``conftest.py`` of::

    from eso_core.testing.leaks import leak_check
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

__all__ = ["check_leaks", "leak_check", "leaks_since", "open_files"]

_SETTLE_ROUNDS = 50  # closed transports give their descriptor back a few rounds of the loop later

# Worker threads of the loop's default executor stay for the next call; the loop ends them.
_EXPECTED_THREADS = ("asyncio_", "ThreadPoolExecutor")


@dataclass(frozen=True, slots=True)
class _Snapshot:
    tasks: frozenset[asyncio.Task[object]]
    threads: frozenset[threading.Thread]
    files: dict[int, str]
    timers: frozenset[asyncio.TimerHandle]

    @classmethod
    def take(cls) -> _Snapshot:
        # A fixture's start and end run in tasks of their own.
        tasks = frozenset(asyncio.all_tasks()) - {asyncio.current_task()}
        return cls(
            frozenset(t for t in tasks if t is not None), frozenset(threading.enumerate()), open_files(), _timers()
        )

    def missing_since(self, before: _Snapshot, files: bool, timers: bool) -> list[str]:
        found = [f"task {task.get_name()!r}" for task in self.tasks - before.tasks if not task.done()]
        found += _new_threads(self.threads, before.threads)
        if files:
            found += _new_files(self.files, before.files)
        if timers:
            found += [f"timer {timer!r}" for timer in self.timers - before.timers]
        return sorted(found)


def leaks_since(threads: frozenset[threading.Thread], files: dict[int, str], *, within: float = 0.0) -> list[str]:
    """Threads and descriptors that were not there before, for tests without an event loop.

    Args:
        threads: `threading.enumerate` at the beginning.
        files: `open_files` at the beginning.
        within: Seconds of real time that what is about to end gets for it. Blocks the thread.
    """
    end = time.monotonic() + within
    while True:
        found = _new_threads(frozenset(threading.enumerate()), threads) + _new_files(open_files(), files)
        if not found or time.monotonic() >= end:
            return sorted(found)
        time.sleep(0.01)


def _new_threads(now: frozenset[threading.Thread], before: frozenset[threading.Thread]) -> list[str]:
    return [f"thread {thread.name!r}" for thread in now - before if not thread.name.startswith(_EXPECTED_THREADS)]


def _new_files(now: dict[int, str], before: dict[int, str]) -> list[str]:
    return [f"file {target}" for fd, target in now.items() if before.get(fd) != target]


def _timers() -> frozenset[asyncio.TimerHandle]:
    """What the running loop has still to call at some time; empty on loops that do not tell."""
    scheduled = getattr(asyncio.get_running_loop(), "_scheduled", ())
    return frozenset(timer for timer in scheduled if not timer.cancelled())


@asynccontextmanager
async def check_leaks(*, files: bool = True, timers: bool = False) -> AsyncIterator[None]:
    """Fails when the block ends normally and left tasks, threads or (``files``) descriptors behind.

    Args:
        timers: Whether calls that the loop still has to make later count too. Libraries leave some that do no harm, so
            ask for it where the code under test has timers of its own.

    Raises:
        AssertionError: Names each of them.
    """
    before = _Snapshot.take()
    yield
    left: list[str] = []
    for _ in range(_SETTLE_ROUNDS):
        left = _Snapshot.take().missing_since(before, files, timers)
        if not left:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"left behind: {', '.join(left)}: close or await them")


@pytest.fixture(autouse=True)
async def leak_check() -> AsyncIterator[None]:
    """Checks every test of the module or folder that imports it."""
    async with check_leaks():
        yield


def open_files() -> dict[int, str]:
    """The sockets and files that this process has open, by descriptor; empty where the system does not tell."""
    directory = "/proc/self/fd"
    if not os.path.isdir(directory):
        return {}
    found = {}
    for name in os.listdir(directory):
        try:
            target = os.readlink(f"{directory}/{name}")
        except OSError:
            continue  # the descriptor of the listing itself
        # The loop's own pipes and pollers come and go with executors; sockets and real files are what leaks.
        if target.startswith(("socket:", "/")) and not target.startswith(("/dev/", "/proc/")):
            found[int(name)] = target
    return found
