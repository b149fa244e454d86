"""Deep recursion on fresh stacks.

Templates may nest a thousand conditions, ten thousand parentheses, a hundred thousand calls. Python bounds the depth of
each thread's stack and raising that bound would take the protection from everything else in the process. So what recurses
counts its frames and goes on in a new thread when the stack is used up; the old one waits.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from controllers.templating.gotemplate.errors import LimitExceeded

__all__ = ["FIRST", "FRESH", "on_fresh_stack"]

T = TypeVar("T")

FIRST: Final = 260
"""Frames to use on the stack of a caller, who has used some already."""

FRESH: Final = 450
"""Frames to use on a stack of one's own; functions called at the deep end need some as well."""


def on_fresh_stack(call: Callable[[], T]) -> T:
    """What `call` returns or raises, computed in a thread of its own in the same context.

    Raises:
        LimitExceeded: the system gives no more threads.
    """
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as failure:  # carried over to the thread that waits, whatever it is
            failures.append(failure)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), name="template", daemon=True)
    try:
        thread.start()
    except RuntimeError as refused:
        raise LimitExceeded("the template nests deeper than this system has threads for") from refused
    thread.join()
    if failures:
        # Without the frames of the thread: a chain of a thousand of them would keep all of their values alive.
        failure = failures.pop()
        raise failure.with_traceback(None)
    return results[0]
