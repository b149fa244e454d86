"""Health checks: what `/healthz` and `/readyz` answer."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Collection
from typing import Protocol, TypeAlias

import structlog
from msgspec import Struct

from eso_core.aio import Clock, TaskScope
from eso_core.cache import Cache

__all__ = ["CheckResult", "HealthCheck", "HealthChecks", "HealthState"]

_log = structlog.get_logger("eso_core.manager")

#: Returns when all is well, raises when it is not; may be a coroutine function.
HealthCheck: TypeAlias = Callable[[], "Awaitable[None] | None"]

_CHECK_LIMIT = 5.0
#: Silence after which a watch counts as stuck: two idle limits and some.
_PROGRESS_LIMIT = 180.0
_STALL_LIMIT = 30.0
_TICK = 1.0


class HealthState(Protocol):
    """What the built-in checks look at."""

    cache: Cache
    clock: Clock

    @property
    def ready(self) -> bool: ...
    @property
    def lease_overdue(self) -> float: ...


class CheckResult(Struct, frozen=True):
    """One check's outcome; `error` is for the log, not for the answer."""

    name: str
    ok: bool
    error: str = ""


class HealthChecks:
    """Named checks for two endpoints, each run with a limit of 5 s and all at the same time.

    Built in, for `/healthz`: `ping`, `reflectors` (every informer's loop runs), `leader-election` (a leader that cannot
    renew), `event-loop` (stalled); for `/readyz`: `ping`, `informer-sync`, `watch-progress`.
    """

    def __init__(self, state: HealthState) -> None:
        self._state = state
        self._clock = state.clock
        self._last_tick: float | None = None
        self.health: dict[str, HealthCheck] = {
            "ping": _pass,
            "reflectors": self._reflectors,
            "leader-election": self._leader_election,
            "event-loop": self._event_loop,
        }
        self.readiness: dict[str, HealthCheck] = {
            "ping": _pass,
            "informer-sync": self._informer_sync,
            "watch-progress": self._watch_progress,
        }

    async def run(
        self, checks: dict[str, HealthCheck], *, only: str = "", exclude: Collection[str] = ()
    ) -> list[CheckResult]:
        """Runs checks by name.

        Raises:
            KeyError: there is no check `only`.
        """
        chosen = {only: checks[only]} if only else {n: c for n, c in checks.items() if n not in exclude}
        async with TaskScope("health checks") as scope:
            tasks = [scope.spawn(self._one(name, check), name=f"check {name}") for name, check in chosen.items()]
        return [task.result() for task in tasks]

    async def watch_loop(self, observe: Callable[[float], None]) -> None:
        """Notices stalls of the event loop until cancelled; `observe` gets each one's length in seconds."""
        self._last_tick = self._clock.monotonic()
        while True:
            await self._clock.sleep(_TICK)
            now = self._clock.monotonic()
            stall = now - self._last_tick - _TICK
            self._last_tick = now
            if stall > 0.1:
                observe(stall)

    async def _one(self, name: str, check: HealthCheck) -> CheckResult:
        try:
            async with self._clock.timeout(_CHECK_LIMIT):
                result = check()
                if inspect.isawaitable(result):
                    await result
        except Exception as error:
            text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            _log.info("health check failed", check=name, error=text)
            return CheckResult(name, False, text)
        return CheckResult(name, True)

    def _reflectors(self) -> None:
        dead = [informer.spec.name for informer in self._state.cache.informers() if not informer.healthy]
        if dead:
            raise RuntimeError(f"not running: {', '.join(dead)}")

    def _informer_sync(self) -> None:
        if not self._state.ready:
            raise RuntimeError(self._state.cache.describe_unsynced())

    def _watch_progress(self) -> None:
        stuck = [
            f"{informer.spec.name} ({informer.progress_age:.0f} s)"
            for informer in self._state.cache.informers()
            if informer.synced and informer.silent_beyond(_PROGRESS_LIMIT)
        ]
        if stuck:
            raise RuntimeError(f"no sign of life from the server: {', '.join(stuck)}")

    def _leader_election(self) -> None:
        overdue = self._state.lease_overdue
        if overdue > 0:
            raise RuntimeError(f"the lease is ours but could not be renewed, {overdue:.0f} s beyond its limit")

    def _event_loop(self) -> None:
        if self._last_tick is not None and self._clock.monotonic() - self._last_tick > _STALL_LIMIT:
            raise RuntimeError("the event loop was stalled")


def _pass() -> None:
    """The check that only needs somebody to answer."""
