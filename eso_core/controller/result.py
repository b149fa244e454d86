"""Request, result and the errors of the reconcile contract.

ControllerError (EsoCoreError)
├─ TerminalError   the cause will not go away by itself: no retry
├─ StaleCache      the cache lacks an own write: look again in a moment
└─ ReconcileTimeout
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import NamedTuple

from msgspec import Struct

from eso_core.meta import ObjectKey
from eso_core.meta.errors import EsoCoreError, StaleCache, TerminalError

__all__ = ["ReconcileTimeout", "Request", "Result", "StaleCache", "TerminalError"]


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
        requeue_after: seconds until the next run; None, zero or less means none.
        requeue: run again through the same back-off as errors; the failure count is kept.
        priority: of the next run; None keeps the one of this run.
    """

    requeue_after: float | None = None
    requeue: bool = False
    priority: int | None = None

    @classmethod
    def after(
        cls, seconds: float | timedelta = 0.0, *, minutes: float = 0.0, hours: float = 0.0, priority: int | None = None
    ) -> Result:
        """Run again after this time; at zero or less, as for a time that has passed, not by itself.

        Raises:
            ValueError: the time is not a number.
        """
        if isinstance(seconds, timedelta):
            seconds = seconds.total_seconds()
        total = seconds + 60.0 * minutes + 3600.0 * hours
        if math.isnan(total):
            # No comparison with it is true, so that the run would never come.
            raise ValueError(f"Result.after: seconds={seconds}, minutes={minutes}, hours={hours} is no time")
        return cls(requeue_after=total, priority=priority)


class ReconcileTimeout(EsoCoreError):
    """A reconcile took longer than its limit and was cancelled."""
