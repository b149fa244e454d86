"""Request, result and the errors of the reconcile contract.

ControllerError (EsoCoreError)
├─ TerminalError   the cause will not go away by itself: no retry
├─ StaleCache      the cache lacks an own write: look again in a moment
├─ ReconcileTimeout
└─ ReconcileAborted   it raised what is meant to end the program
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import NamedTuple

from msgspec import Struct

from eso_core.meta import ObjectKey
from eso_core.meta.errors import EsoCoreError, StaleCache, TerminalError

__all__ = ["ReconcileAborted", "ReconcileTimeout", "Request", "Result", "StaleCache", "TerminalError"]


_NO_TIME = (
    "is no time to wait: give 0 (no run) or more seconds; for an instant that may have passed take max(1, seconds)"
)


class Request(NamedTuple):
    """The object to reconcile; `namespace` is empty for cluster-scoped kinds."""

    namespace: str
    name: str

    @property
    def key(self) -> ObjectKey:
        return ObjectKey(self.namespace, self.name)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Result(Struct, frozen=True):
    """When to run again.

    Attributes:
        requeue_after: seconds until the next run; None and 0 mean none, as in controller-runtime.
        requeue: run again through the same back-off as errors; the failure count is kept.
        priority: of the next run; None keeps the one of this run.

    Raises:
        ValueError: the time is negative, infinite or not a number: none of them ever comes, and nobody would hear of it.
        TypeError: it is no number.
    """

    requeue_after: float | None = None
    requeue: bool = False
    priority: int | None = None

    def __post_init__(self) -> None:
        after = self.requeue_after
        if after is None:
            return
        if not isinstance(after, int | float) or isinstance(after, bool):
            raise TypeError(
                f"Result: requeue_after is {type(after).__name__}, not seconds: "
                "Result.after(...) takes minutes, hours and timedeltas"
            )
        if not 0 <= after < math.inf:
            raise ValueError(f"Result: requeue_after={after:g} {_NO_TIME}")

    @classmethod
    def after(
        cls, seconds: float | timedelta = 0.0, *, minutes: float = 0.0, hours: float = 0.0, priority: int | None = None
    ) -> Result:
        """Run again after this time; a time of 0 asks for no run.

        Raises:
            ValueError: the time is negative, infinite or not a number.
            TypeError: it is a text.
        """
        if isinstance(seconds, timedelta):
            seconds = seconds.total_seconds()
        if isinstance(seconds, str):
            raise TypeError(
                f"Result.after: {seconds!r} is a text: write seconds=, minutes= or hours=, or take parse_duration(text) "
                "from eso_core.meta"
            )
        total = seconds + 60.0 * minutes + 3600.0 * hours
        if not 0 <= total < math.inf:
            raise ValueError(f"Result.after: seconds={seconds}, minutes={minutes}, hours={hours} {_NO_TIME}")
        return cls(requeue_after=total, priority=priority)


class ReconcileTimeout(EsoCoreError):
    """A reconcile took longer than its limit and was cancelled."""


class ReconcileAborted(EsoCoreError):
    """A reconcile called `sys.exit()`, or raised another exception that is no `Exception`: the manager stops, in order.

    Its cause is what was raised.
    """
