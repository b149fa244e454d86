"""Options of a controller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from eso_core.aio import Clock
from eso_core.queue import QueueOptions, RateLimiter

__all__ = ["ControllerOptions"]


@dataclass(frozen=True, slots=True)
class ControllerOptions:
    """How a controller runs.

    Attributes:
        max_concurrent: reconciles at a time, each of another key.
        rate_limiter: makes the limiter of retries from a clock; None means exponential from 5 ms to 1000 s per key.
        reconcile_timeout: seconds after which a reconcile is cancelled; None means never.
        cache_sync_timeout: seconds that each kind and each other source gets to deliver its initial state; None means what the
            manager's options say (120 s).
        need_leader_election: run only while leader.
        warmup: fill the queue while not leader.
        recover_panic: go on after programming errors; otherwise they stop the manager.
        wait_for_crd: wait for ever for a kind that is not served yet, instead of failing after `cache_sync_timeout`.
        forgive_new_generation: a changed spec resets the key's failure count.
        hot_loop_runs: successful runs of one key within 60 s, without an outside change, that are called a loop; 0 is off.
        log_errors_after: the first so many failures of a key in a row are logged at info instead of error.
        skip_own_echoes: no reconcile for an event that is exactly one own write which named the version it was based on.
        skip_name_validation: let several controllers have this name; their metrics are one then.
        queue: fairness of the queue.
    """

    max_concurrent: int = 1
    rate_limiter: Callable[[Clock], RateLimiter] | None = None
    reconcile_timeout: float | None = None
    cache_sync_timeout: float | None = None
    need_leader_election: bool = True
    warmup: bool = False
    recover_panic: bool = True
    wait_for_crd: bool = False
    forgive_new_generation: bool = True
    hot_loop_runs: int = 60
    log_errors_after: int = 0
    skip_own_echoes: bool = False
    skip_name_validation: bool = False
    queue: QueueOptions = field(default_factory=QueueOptions)

    def __post_init__(self) -> None:
        if self.max_concurrent < 1:
            raise ValueError(f"ControllerOptions: max_concurrent={self.max_concurrent} must be at least 1")
        if self.reconcile_timeout is not None and self.reconcile_timeout <= 0:
            raise ValueError(f"ControllerOptions: reconcile_timeout={self.reconcile_timeout} must be above 0 or None")
        if self.cache_sync_timeout is not None and self.cache_sync_timeout <= 0:
            raise ValueError(
                f"ControllerOptions: cache_sync_timeout={self.cache_sync_timeout} must be above 0 seconds, or None"
            )
        if self.hot_loop_runs < 0 or self.log_errors_after < 0:
            raise ValueError("ControllerOptions: hot_loop_runs and log_errors_after must be 0 or more")

    def limiter(self, clock: Clock) -> RateLimiter | None:
        """A limiter of the controller's own."""
        return None if self.rate_limiter is None else self.rate_limiter(clock)
