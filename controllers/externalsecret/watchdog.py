"""Looks for objects whose refresh is overdue, whatever the reason: a lost event or timer must not leave a Secret stale for ever."""

from __future__ import annotations

from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry, Gauge

from controllers.externalsecret.decide import RefreshFacts, due_at
from controllers.externalsecret.errors import InvalidField
from controllers.externalsecret.plan import plan_of
from controllers.externalsecret.report import EXTERNAL_SECRET
from eso_core.aio import Clock
from eso_core.cache import Cache
from eso_core.controller import Enqueue, Request
from eso_core.meta import is_condition_true

__all__ = ["Watchdog"]

log: Any = structlog.get_logger("eso.watchdog")

_EVERY: Final = 300.0
_SLACK: Final = 60.0
_SHARE: Final = 0.1
_BATCH: Final = 100
_NAMED: Final = 5


class Watchdog:
    """Counts overdue ExternalSecrets, names some, and looks at them again.

    Only those that are Ready count: the others have their own time of the next attempt, which their condition tells.

    Args:
        cache: Has the ExternalSecrets.
        clock: Time.
        registry: Gets the gauge `eso_overdue_objects`.
    """

    name = "overdue objects"

    def __init__(self, cache: Cache, clock: Clock, registry: CollectorRegistry) -> None:
        self._cache = cache
        self._clock = clock
        self._queue: Enqueue | None = None
        self._overdue = Gauge(
            "eso_overdue_objects",
            "Objects whose refresh should have been more than a minute and a tenth of their interval ago",
            ("kind",),
            registry=registry,
        )
        self._overdue.labels(EXTERNAL_SECRET.kind).set(0)

    def attach(self, enqueue: Enqueue) -> None:
        """The start function of a source of the ExternalSecret controller."""
        self._queue = enqueue

    async def start(self) -> None:
        """Look every five minutes, until cancelled."""
        while True:
            await self._clock.sleep(_EVERY)
            await self.look()

    async def look(self) -> list[str]:
        """The overdue objects, which are looked at again."""
        found: list[str] = []
        for number, entry in enumerate(self._cache.informer(EXTERNAL_SECRET).select()):
            if number % _BATCH == _BATCH - 1:
                await self._clock.sleep(0)
            obj = entry.decode()
            if entry.meta.deletion_timestamp is not None or not is_condition_true(
                (obj.get("status") or {}).get("conditions"), "Ready"
            ):
                continue
            try:
                refresh = plan_of(obj).refresh
            except InvalidField:
                continue  # its condition says so
            if self._late(refresh) <= 0:
                continue
            found.append(str(entry.key))
            if self._queue is not None:
                self._queue.add(Request(entry.key.namespace, entry.key.name))
        self._overdue.labels(EXTERNAL_SECRET.kind).set(len(found))
        if found:
            log.warning("refreshes are overdue", count=len(found), objects=found[:_NAMED])
        return found

    def _late(self, refresh: RefreshFacts) -> float:
        """Seconds beyond what a busy operator may take; not positive for objects that are in time."""
        if refresh.policy in ("CreatedOnce", "OnChange") or refresh.interval <= 0 or refresh.refresh_time is None:
            return 0.0
        now = self._clock.now()
        if refresh.windows is not None and not refresh.windows.allow(now):
            return 0.0
        due = due_at(refresh.refresh_time, refresh.interval, refresh.uid)
        return (now - due).total_seconds() - _SLACK - refresh.interval * _SHARE
