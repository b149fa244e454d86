"""Run a coroutine to its end without a task if it never has to wait, and in a task from where it does.

Nearly all requests are answered without waiting, and a task would cost more than many of them do. A coroutine that is
about to wait calls ``await enter_task()`` first; whoever runs it with `step` gets it back as `Suspended` and goes on
inside a task.
"""

from __future__ import annotations

import types
from collections.abc import Coroutine, Generator
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")


class _Switch:
    pass


_SWITCH: Final = _Switch()


@types.coroutine
def enter_task() -> Generator[object, None, None]:
    """Make sure that what follows runs inside a task."""
    yield _SWITCH


class Suspended(Generic[T]):
    """The rest of a coroutine; to be awaited inside a task."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, T]:
        coroutine = self._coroutine
        value: Any = None
        error: BaseException | None = None
        while True:
            try:
                waited = coroutine.throw(error) if error is not None else coroutine.send(value)
            except StopIteration as stop:
                result: T = stop.value
                return result
            value = error = None
            if waited is _SWITCH:  # in a task already
                continue
            try:
                value = yield waited
            except BaseException as thrown:
                error = thrown


async def in_task(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that may ask for a task inside one."""
    return await Suspended(coroutine)


def step(coroutine: Coroutine[Any, Any, T]) -> T | Suspended[T]:
    """Run until the end or until the coroutine asks for a task."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    return Suspended(coroutine)
