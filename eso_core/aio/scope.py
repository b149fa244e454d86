"""Task scopes and shielded cleanup.

What is subtle here:

* A child that fails while the body of ``async with`` still runs has to interrupt the body. The scope does so by
  cancelling its own task, and must then take that cancellation back (``Task.uncancel``) unless someone outside asked
  for one too; otherwise an outer ``asyncio.timeout`` would mistake ours for its own.
* The exception that leaves the scope is the child's own, not a group: the first failure is the cause, what follows is
  the echo of the cancellation. Later failures are attached as notes so that they are not lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

from eso_core.aio.clock import Clock

__all__ = ["TaskScope", "shielded"]

T = TypeVar("T")


class TaskScope:
    """Owns tasks: none outlives the ``async with`` block.

    Leaving the block normally waits for the children. The first child that fails cancels its siblings and the body, and
    its exception is raised from the block. An exception in the body, or cancellation from outside, cancels the children
    and awaits them.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._tasks: set[asyncio.Task[Any]] = set()
        self._parent: asyncio.Task[Any] | None = None
        self._entered = False
        self._closed = False
        self._in_body = False
        self._interrupted = False
        self._failure: BaseException | None = None
        self._idle: asyncio.Event | None = None
        self._cancelling_before = 0

    async def __aenter__(self) -> TaskScope:
        if self._entered:
            raise RuntimeError(f"entering task scope {self.name!r}: it was used already; make a new one")
        self._entered = True
        self._in_body = True
        self._parent = asyncio.current_task()
        if self._parent is not None:
            self._cancelling_before = self._parent.cancelling()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> bool:
        self._in_body = False
        outside_cancel = isinstance(exc, asyncio.CancelledError)
        if self._interrupted:
            assert self._parent is not None
            # Nothing left above what was there on entry means that the only cancellation was our own.
            outside_cancel = self._parent.uncancel() > self._cancelling_before and outside_cancel
        if exc is not None:
            self._cancel_children()
        while self._tasks:
            try:
                await self._wait_idle()
            except asyncio.CancelledError:
                outside_cancel = True
                self._cancel_children()
        self._closed = True
        failure = self._failure
        self._failure = None
        if exc is not None and not isinstance(exc, asyncio.CancelledError):
            if failure is not None and failure is not exc:
                exc.add_note(f"also failed in task scope {self.name!r}: {failure!r}")
            return False
        if outside_cancel:
            cancellation = exc if isinstance(exc, asyncio.CancelledError) else asyncio.CancelledError()
            if failure is not None:
                cancellation.add_note(f"also failed in task scope {self.name!r}: {failure!r}")
            if cancellation is exc:
                return False
            raise cancellation
        if failure is not None:
            try:
                raise failure
            finally:
                # The traceback would otherwise keep this frame, and with it the exception, in a cycle.
                del failure, exc
        return False

    def spawn(
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: str,
        on_error: Callable[[BaseException], None] | None = None,
    ) -> asyncio.Task[T]:
        """Starts a child task.

        Args:
            coro: What it runs.
            name: The task's name, shown in dumps of running tasks.
            on_error: Takes the child's exception instead of the scope: siblings go on.

        Raises:
            RuntimeError: The scope is not open.
        """
        if not self._entered or self._closed:
            coro.close()
            state = "ended" if self._closed else "not entered"
            raise RuntimeError(f"starting task {name!r}: task scope {self.name!r} is {state}")
        task = asyncio.get_running_loop().create_task(coro, name=name)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._on_done(done, on_error))
        if self._failure is not None:
            task.cancel()
        return task

    async def cancel(self) -> None:
        """Cancels the children and awaits them; the scope stays usable. Called by a child, it spares that child."""
        me = asyncio.current_task()
        others = {t for t in self._tasks if t is not me}
        for task in others:
            task.cancel(f"task scope {self.name!r} cancelled")
        if others:
            await asyncio.wait(others)

    @property
    def tasks(self) -> frozenset[asyncio.Task[Any]]:
        """The children that are still running."""
        return frozenset(self._tasks)

    def _cancel_children(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _wait_idle(self) -> None:
        self._idle = asyncio.Event()
        await self._idle.wait()

    def _on_done(self, task: asyncio.Task[Any], on_error: Callable[[BaseException], None] | None) -> None:
        self._tasks.discard(task)
        if not self._tasks and self._idle is not None:
            self._idle.set()
        if task.cancelled():
            return
        exc = task.exception()
        if exc is None:
            return
        # Those two leave the event loop by themselves; whatever else there is would otherwise end in silence.
        if on_error is not None and not isinstance(exc, SystemExit | KeyboardInterrupt):
            try:
                on_error(exc)
                return
            except Exception as handler_error:
                handler_error.add_note(f"raised by the error handler of task {task.get_name()!r}")
                exc = handler_error
        if self._failure is not None:
            self._failure.add_note(f"task {task.get_name()!r} failed too: {exc!r}")
            return
        self._failure = exc
        self._cancel_children()
        if self._in_body and not self._interrupted and self._parent is not None and not self._parent.done():
            self._interrupted = True
            self._parent.cancel(f"task {task.get_name()!r} failed")

    def __repr__(self) -> str:
        return f"TaskScope({self.name!r}, running={len(self._tasks)})"


async def shielded(coro: Coroutine[Any, Any, object], *, seconds: float, clock: Clock) -> None:
    """Runs a cleanup to its end although the caller is cancelled, for at most ``seconds``.

    Raises:
        TimeoutError: The cleanup did not end in time; it was cancelled.
        asyncio.CancelledError: The caller was cancelled meanwhile; raised after the cleanup ended.
    """

    async def bounded() -> None:
        async with clock.timeout(seconds):
            await coro

    task = asyncio.get_running_loop().create_task(bounded(), name="shielded cleanup")
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as exc:
            cancelled = exc
    error = None if task.cancelled() else task.exception()
    if cancelled is not None:
        if error is not None:
            cancelled.add_note(f"the cleanup failed: {error!r}")
        raise cancelled
    if isinstance(error, TimeoutError):
        raise TimeoutError(f"cleaning up: not finished after {seconds:g} s: it was cancelled") from error
    if error is not None:
        raise error
