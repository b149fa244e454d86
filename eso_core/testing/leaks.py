"""Finds what a test leaves behind: tasks, threads, file descriptors.

Use ``check_leaks`` around a block, or make every test of a folder check itself with a ``conftest.py`` of::

    from eso_core.testing.leaks import leak_check
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

__all__ = ["check_leaks", "leak_check"]

_SETTLE_ROUNDS = 50  # closed transports give their descriptor back a few rounds of the loop later

# Worker threads of the loop's default executor stay for the next call; the loop ends them.
_EXPECTED_THREADS = ("asyncio_", "ThreadPoolExecutor")


@dataclass(frozen=True, slots=True)
class _Snapshot:
    tasks: frozenset[asyncio.Task[object]]
    threads: frozenset[threading.Thread]
    files: dict[int, str]

    @classmethod
    def take(cls) -> _Snapshot:
        # A fixture's start and end run in tasks of their own.
        tasks = frozenset(asyncio.all_tasks()) - {asyncio.current_task()}
        return cls(frozenset(t for t in tasks if t is not None), frozenset(threading.enumerate()), _open_files())

    def missing_since(self, before: _Snapshot, files: bool) -> list[str]:
        found = [f"task {task.get_name()!r}" for task in self.tasks - before.tasks if not task.done()]
        found += [
            f"thread {thread.name!r}"
            for thread in self.threads - before.threads
            if not thread.name.startswith(_EXPECTED_THREADS)
        ]
        if files:
            found += [f"file {target}" for fd, target in self.files.items() if before.files.get(fd) != target]
        return sorted(found)


@asynccontextmanager
async def check_leaks(*, files: bool = True) -> AsyncIterator[None]:
    """Fails when the block ends normally and left tasks, threads or (``files``) descriptors behind.

    Raises:
        AssertionError: Names each of them.
    """
    before = _Snapshot.take()
    yield
    left: list[str] = []
    for _ in range(_SETTLE_ROUNDS):
        left = _Snapshot.take().missing_since(before, files)
        if not left:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"left behind: {', '.join(left)}: close or await them")


@pytest.fixture(autouse=True)
async def leak_check() -> AsyncIterator[None]:
    """Checks every test of the module or folder that imports it."""
    async with check_leaks():
        yield


def _open_files() -> dict[int, str]:
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
