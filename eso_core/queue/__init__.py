"""Work queue: which key a controller handles next, and when.

A *key* is any small hashable value (a `Request`). A key is *waiting* (due later), *ready*, or *processing*; adds that meet
a key in one of these states collapse into it. A *limiter* turns failures into delays. Priorities order the ready keys.
"""

from eso_core.queue.limiters import (
    ItemExponential,
    ItemFastSlow,
    Jittered,
    MaxOf,
    RateLimiter,
    TokenBucket,
    WithMaxWait,
)
from eso_core.queue.workqueue import LOW_PRIORITY, QueueOptions, QueueStatistics, Taken, WorkQueue

__all__ = [
    "LOW_PRIORITY",
    "ItemExponential",
    "ItemFastSlow",
    "Jittered",
    "MaxOf",
    "QueueOptions",
    "QueueStatistics",
    "RateLimiter",
    "Taken",
    "TokenBucket",
    "WithMaxWait",
    "WorkQueue",
]
