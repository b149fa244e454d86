"""Sources: where a controller's events come from."""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from eso_core.aio import TaskScope
from eso_core.cache import Cache, Change, ChangeType, InformerSpec, Registration
from eso_core.controller.event import Event, EventKind
from eso_core.controller.handlers import Enqueue, Handler
from eso_core.controller.predicates import Predicate
from eso_core.controller.result import Request
from eso_core.tracing import Attribute, Tracer

__all__ = ["Channel", "EventSource", "Func", "KindSource", "Ticker"]

_log = structlog.get_logger("eso_core.controller")

_CHANNEL_BOUND = 1024


class EventSource(Protocol):
    """Feeds a controller's queue."""

    @property
    def name(self) -> str: ...

    def start(self, enqueue: Enqueue, scope: TaskScope) -> None:
        """Begins to feed; long-running work goes into `scope`."""
        ...

    async def wait_synced(self) -> None:
        """Returns when the source has delivered its initial state."""
        ...

    def last_error(self) -> str:
        """Why it is not synced, for people; empty when nothing is known."""
        ...

    def stop(self) -> None:
        """Stops feeding."""
        ...


class KindSource:
    """The objects of one kind, from an informer of the cache.

    Args:
        cache: where the informer is registered, now.
        spec: what to watch.
        handler: which keys an event concerns.
        predicates: all must pass.
        primary: these are the objects that the controller reconciles.
    """

    def __init__(
        self,
        cache: Cache,
        spec: InformerSpec,
        handler: Handler,
        predicates: Sequence[Predicate] = (),
        *,
        primary: bool = False,
    ) -> None:
        self._cache = cache
        #: Leave out events that are exactly one write of this process; counts at the start.
        self.skip_echoes = False
        self.informer = cache.register(spec, shared=False)
        self._handler = handler
        self._predicates = tuple(predicates)
        self._primary = primary
        self._registration: Registration | None = None

    @property
    def name(self) -> str:
        return f"kind {self.informer.spec.name}"

    def start(self, enqueue: Enqueue, scope: TaskScope) -> None:
        changed: Callable[[Event], None] | None = getattr(enqueue, "primary_changed", None) if self._primary else None

        echoes, gvk = self._cache.echoes, self.informer.spec.gvk
        skipping = self.skip_echoes
        if skipping:
            echoes.follow(gvk)

        tracer: Tracer | None = getattr(enqueue, "tracer", None)

        def listen(change: Change) -> Awaitable[None] | None:
            if tracer is None:
                return handle(change)
            key = change.object.key
            about: dict[str, Attribute] = {
                "k8s.namespace.name": key.namespace,
                "k8s.object.name": key.name,
                "k8s.object.resource_version": change.object.resource_version,
                "eso_core.event": change.type.value,
            }
            with tracer.span(f"event {gvk.kind}", about):
                return handle(change)

        def handle(change: Change) -> Awaitable[None] | None:
            if skipping and echoes.is_echo(gvk, change):
                return None
            event = _event_of(change)
            if changed is not None:
                changed(event)
            for predicate in self._predicates:
                if not _passes(predicate, event):
                    return None
            return self._handler(event, enqueue)

        self._registration = self.informer.subscribe(listen, name="controller")

    async def wait_synced(self) -> None:
        assert self._registration is not None
        await self._registration.wait_synced()

    def last_error(self) -> str:
        return self.informer.trouble()

    def stop(self) -> None:
        if self._registration is not None:
            self._registration.remove()

    async def release(self) -> None:
        """Gives up the informer, when the controller is removed, unless others use it."""
        if self._registration is not None:
            await self._registration.aclose()
        await self._cache.release(self.informer)


class Channel:
    """Keys from an async iterator. The producer is held back when the controller does not keep up."""

    def __init__(self, events: AsyncIterator[Request], *, name: str = "channel") -> None:
        self._events = events
        self._name = name
        self._task: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self._name

    def start(self, enqueue: Enqueue, scope: TaskScope) -> None:
        async def pump() -> None:
            count = 0
            async for request in self._events:
                enqueue.add(request)
                count += 1
                if count % _CHANNEL_BOUND == 0:
                    await asyncio.sleep(0)

        self._task = scope.spawn(pump(), name=f"source {self._name}")

    async def wait_synced(self) -> None:
        """Channels have no initial state."""

    def last_error(self) -> str:
        return ""

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()


class Ticker:
    """One key at a fixed pace, with jitter so that replicas and controllers spread out.

    Raises:
        ValueError: when the period is not positive or the jitter is outside 0..1.
    """

    def __init__(self, period: float, request: Request, *, jitter: float = 0.1) -> None:
        if period <= 0 or not 0 <= jitter <= 1:
            raise ValueError(f"Ticker: period={period} must be above 0 seconds and jitter={jitter} in 0..1")
        self._period = period
        self._request = request
        self._jitter = jitter
        self._task: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return f"ticker {self._request}"

    def start(self, enqueue: Enqueue, scope: TaskScope) -> None:
        async def tick() -> None:
            while True:
                await enqueue.clock.sleep(self._period * (1 + self._jitter * random.uniform(-1, 1)))
                enqueue.add(self._request)

        self._task = scope.spawn(tick(), name=f"source {self.name}")

    async def wait_synced(self) -> None:
        """Tickers have no initial state."""

    def last_error(self) -> str:
        return ""

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()


class Func:
    """User code that gets the queue and returns soon; it may be a coroutine function."""

    def __init__(self, start: Callable[[Enqueue], Awaitable[None] | None], *, name: str = "func") -> None:
        self._start = start
        self._name = name
        self._started: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self._name

    def start(self, enqueue: Enqueue, scope: TaskScope) -> None:
        async def call() -> None:
            result = self._start(enqueue)
            if inspect.isawaitable(result):
                await result

        self._started = scope.spawn(call(), name=f"source {self._name}")

    async def wait_synced(self) -> None:
        assert self._started is not None
        await asyncio.shield(self._started)

    def last_error(self) -> str:
        return ""

    def stop(self) -> None:
        if self._started is not None:
            self._started.cancel()


def _event_of(change: Change) -> Event:
    old, new = change.old, change.new
    if new is None:
        assert old is not None
        return Event(EventKind.DELETE, old, tombstone=change.tombstone)
    if old is None:
        return Event(EventKind.CREATE, new, initial=change.initial)
    return Event(EventKind.UPDATE, new, old, resync=change.type is ChangeType.UNCHANGED)


def _passes(predicate: Predicate, event: Event) -> bool:
    try:
        return predicate(event)
    except Exception:
        # A needless reconcile is harmless, a missed one is not.
        _log.exception("predicate failed: taken as passed", predicate=predicate.name)
        return True
