"""Where a suspended task is."""

from __future__ import annotations

import asyncio
import traceback
from types import CoroutineType
from typing import Any

__all__ = ["task_stack"]


def task_stack(task: asyncio.Task[Any]) -> str:
    """The stack of a suspended task, outermost call first. `Task.get_stack` only shows the outermost."""
    lines: list[str] = []
    awaited: Any = task.get_coro()
    while isinstance(awaited, CoroutineType) and awaited.cr_frame is not None:
        frame = awaited.cr_frame
        lines += traceback.format_list(
            [traceback.FrameSummary(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)]
        )
        awaited = awaited.cr_await
    return "".join(lines)
