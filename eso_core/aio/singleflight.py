"""Concurrent callers with the same key share one call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["SingleFlight"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Call(Generic[V]):
    __slots__ = ("task", "waiters")

    def __init__(self, task: asyncio.Task[V]) -> None:
        self.task = task
        self.waiters = 0


class SingleFlight(Generic[K, V]):
    """Runs at most one call per key at a time; who asks meanwhile gets the same result or the same exception.

    Nothing is remembered after the call ended. The call runs in its own task, so a caller that is cancelled does not
    take it away from the others; when the last caller is cancelled, the call is cancelled and awaited.
    """

    def __init__(self) -> None:
        self._calls: dict[K, _Call[V]] = {}

    async def do(self, key: K, fn: Callable[[], Awaitable[V]]) -> V:
        """The result of ``fn()``, or of the call for ``key`` that is under way."""
        call = self._calls.get(key)
        if call is None:
            task = asyncio.get_running_loop().create_task(_run(fn), name=f"single flight {key!r}")
            call = _Call(task)
            self._calls[key] = call
            task.add_done_callback(lambda _: self._forget(key, call))
        call.waiters += 1
        try:
            return await asyncio.shield(call.task)
        finally:
            call.waiters -= 1
            if call.waiters == 0 and not call.task.done():
                # A newcomer must not join a call that is being cancelled.
                self._forget(key, call)
                call.task.cancel()
                await asyncio.wait({call.task})
                if not call.task.cancelled():
                    # Nobody is left to take a failure; asking for it keeps asyncio from reporting it as lost.
                    call.task.exception()

    def _forget(self, key: K, call: _Call[V]) -> None:
        if self._calls.get(key) is call:
            del self._calls[key]

    def __len__(self) -> int:
        """How many calls are under way."""
        return len(self._calls)

    def __repr__(self) -> str:
        return f"SingleFlight(calls={len(self._calls)})"


async def _run(fn: Callable[[], Awaitable[V]]) -> V:
    return await fn()
