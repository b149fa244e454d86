"""Groups of runnables that are started and stopped together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from eso_core.aio import Clock, TaskScope
from eso_core.controller.stacks import task_stack
from eso_core.manager.runnable import Runnable, drains

__all__ = ["Group"]

_log = structlog.get_logger("eso_core.manager")


class Group:
    """Runnables with a common start and stop.

    A runnable that raises is reported to `on_error` at once; the others go on until the manager stops them. Runnables added
    while the group runs start at once.
    """

    def __init__(self, name: str, clock: Clock, on_error: Callable[[str, BaseException], None]) -> None:
        self.name = name
        self._clock = clock
        self._on_error = on_error
        self._scope: TaskScope | None = None
        self._runnables: list[Runnable] = []
        self._tasks: dict[asyncio.Task[None], Runnable] = {}

    @property
    def running(self) -> bool:
        return self._scope is not None

    @property
    def runnables(self) -> list[Runnable]:
        return list(self._runnables)

    def add(self, runnable: Runnable) -> None:
        self._runnables.append(runnable)
        if self._scope is not None:
            self._spawn(runnable)

    async def remove(self, runnable: Runnable, timeout: float) -> None:
        """Stops one runnable and forgets it."""
        if runnable in self._runnables:
            self._runnables.remove(runnable)
        for task in [task for task, owner in self._tasks.items() if owner is runnable]:
            draining = drains(runnable)
            if draining is not None:
                await draining.drain(timeout)
            task.cancel()
            await asyncio.wait([task])

    async def start(self) -> None:
        """Starts what was added so far."""
        self._scope = await TaskScope(f"{self.name} group").__aenter__()
        for runnable in self._runnables:
            self._spawn(runnable)

    def spawn(self, coro: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Starts a coroutine beside the runnables."""
        assert self._scope is not None
        return self._scope.spawn(coro, name=name, on_error=lambda error: self._on_error(name, error))

    async def stop(self, *, drain: float | None, grace: float) -> list[str]:
        """Drains, cancels and awaits the group.

        Args:
            drain: seconds for work in progress; 0 skips draining, None is no limit.
            grace: seconds for tasks to end after their cancellation.

        Returns:
            Names of the tasks that ignored their cancellation. They are abandoned; their stacks are logged.
        """
        scope = self._scope
        if scope is None:
            return []
        if drain is None or drain > 0:
            await self._drain(scope, drain)
        for task in scope.tasks:
            task.cancel()
        if scope.tasks:
            try:
                async with self._clock.timeout(grace):
                    await asyncio.wait(scope.tasks)
            except TimeoutError:
                left = sorted(scope.tasks, key=lambda task: task.get_name())
                for task in left:
                    _log.error(
                        "task ignores its cancellation: left behind", task=task.get_name(), stack=task_stack(task)
                    )
                self._scope = None
                return [task.get_name() for task in left]
        self._scope = None
        await scope.__aexit__(None, None, None)
        return []

    async def _drain(self, scope: TaskScope, timeout: float | None) -> None:
        waits = []
        for task, runnable in self._tasks.items():
            draining = drains(runnable)
            if draining is not None and not task.done():
                waits.append(scope.spawn(draining.drain(timeout), name=f"drain of {_name(runnable)}"))
        for wait in waits:
            if not await wait:
                _log.warning("work in progress did not end in time: cancelling it", group=self.name)

    def _spawn(self, runnable: Runnable) -> None:
        task = self.spawn(runnable.start(), name=_name(runnable))
        self._tasks[task] = runnable
        task.add_done_callback(lambda done: self._tasks.pop(done, None))


def _name(runnable: object) -> str:
    name = getattr(runnable, "name", "")
    return f"{type(runnable).__name__} {name}".strip() if isinstance(name, str) else type(runnable).__name__
