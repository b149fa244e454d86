"""Delivery of changes to one handler: in order, and at the handler's own pace."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol, TypeAlias, runtime_checkable

import structlog

from eso_core.cache.pacer import Pacer
from eso_core.cache.store import CachedObject, Change, ChangeType

__all__ = ["ChangeListener", "EventHandler", "Registration", "listener_for"]

#: Takes one change; may be a coroutine function.
ChangeListener: TypeAlias = Callable[[Change], "Awaitable[None] | None"]

_log = structlog.get_logger("eso_core.cache")

_DEPTH_WARNING = 10_000


@runtime_checkable
class EventHandler(Protocol):
    """Learns about the objects of an informer. Methods may be coroutine functions. Objects are read-only."""

    def on_add(self, obj: CachedObject, is_initial_list: bool) -> Awaitable[None] | None: ...
    def on_update(self, old: CachedObject, new: CachedObject) -> Awaitable[None] | None: ...
    def on_delete(self, obj: CachedObject, tombstone: bool) -> Awaitable[None] | None: ...


def listener_for(handler: EventHandler) -> ChangeListener:
    """The handler as a function of changes."""

    def listen(change: Change) -> Awaitable[None] | None:
        old, new = change.old, change.new
        if new is None:
            return handler.on_delete(change.object, change.tombstone)
        if old is None:
            return handler.on_add(new, change.initial)
        return handler.on_update(old, new)

    return listen


class Registration:
    """One handler of one informer.

    The queue is unbounded: dropping an event would lose an object for good, while a slow handler only delays itself.
    """

    def __init__(
        self,
        name: str,
        listener: ChangeListener,
        pacer: Pacer,
        on_error: Callable[[Exception], None],
        processed: Callable[[float], None],
    ) -> None:
        self.name = name
        self._listener = listener
        self._pacer = pacer
        self._on_error = on_error
        self._processed = processed
        self._queue: deque[Change | None] = deque()
        self._wake: asyncio.Future[None] | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._synced = asyncio.Event()
        self._removed = False
        self._warned = False

    @property
    def synced(self) -> bool:
        """Whether the handler has seen the whole initial list."""
        return self._synced.is_set()

    @property
    def depth(self) -> int:
        """Changes that wait for the handler."""
        return len(self._queue)

    @property
    def active(self) -> bool:
        return not self._removed

    async def wait_synced(self) -> None:
        await self._synced.wait()

    def deliver(self, change: Change) -> None:
        """Queues a change."""
        if not self._removed:
            self._push(change)

    def deliver_all(self, changes: Iterable[Change]) -> None:
        """Queues a replay of the store."""
        for change in changes:
            self.deliver(change)

    def mark_initial_end(self) -> None:
        """Says that everything queued so far completes the initial list."""
        if not self._synced.is_set():
            self._push(None)

    def remove(self) -> None:
        """Stops new changes at once; queued ones are still delivered."""
        self._removed = True
        self._wake_up()

    async def aclose(self) -> None:
        """Removes the handler and waits until it has seen what was queued."""
        self.remove()
        await self._idle.wait()

    async def run(self) -> None:
        """Delivers until cancelled, or until removed and empty."""
        queue, listener = self._queue, self._listener
        pace = self._pacer.pace()
        monotonic, processed = self._pacer.monotonic, self._processed
        while True:
            while queue:
                change = queue.popleft()
                if change is None:
                    self._synced.set()
                    continue
                started = monotonic()
                try:
                    result = listener(change)
                    if result is not None and inspect.isawaitable(result):
                        await result
                except Exception as error:
                    self._on_error(error)
                now = monotonic()
                processed(now - started)
                if pace.spent(now):
                    await asyncio.sleep(0)
            self._idle.set()
            if self._removed:
                return
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake

    def _push(self, change: Change | None) -> None:
        self._queue.append(change)
        self._idle.clear()
        self._wake_up()
        if len(self._queue) > _DEPTH_WARNING and not self._warned and not (change is None or change.initial):
            self._warned = True
            _log.warning("event handler falls behind", handler=self.name, queued=len(self._queue))

    def _wake_up(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


def resync_change(entry: CachedObject) -> Change:
    """A change that shows an object again although nothing happened."""
    return Change(ChangeType.UNCHANGED, entry, entry)
