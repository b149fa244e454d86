"""Handlers: which keys an event puts into the queue.

Real changes and deletions come with priority 0; the initial list and resyncs with `LOW_PRIORITY`, so that a restart does
not delay what people do meanwhile.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol, TypeAlias

import structlog

from eso_core.aio import Clock
from eso_core.cache import Cache, CachedObject, Kind, gvk_of_kind, is_namespaced
from eso_core.controller.event import Event, EventKind
from eso_core.controller.result import Request
from eso_core.meta import ObjectMeta
from eso_core.queue import LOW_PRIORITY

__all__ = [
    "Enqueue",
    "Handler",
    "MapFunction",
    "enqueue_indexed",
    "enqueue_mapped",
    "enqueue_object",
    "enqueue_owner",
    "event_priority",
]

_log = structlog.get_logger("eso_core.controller")

#: A fan-out above this goes in batches, at low priority.
_BATCH = 1000
_MAP_TRIES = 5
_MAP_DELAY = 0.5

#: A function from an object to the requests it concerns; may be a coroutine function. The object is empty for
#: metadata-only informers.
MapFunction: TypeAlias = Callable[[ObjectMeta, dict[str, Any]], "Iterable[Request] | Awaitable[Iterable[Request]]"]


class Enqueue(Protocol):
    """Where handlers put keys: the controller's queue, and what handlers may need of their surroundings."""

    cache: Cache
    clock: Clock

    def add(self, request: Request, *, priority: int = 0) -> None: ...


class Handler(Protocol):
    """Turns events into keys. An awaitable result is awaited before the next event of the source."""

    def __call__(self, event: Event, enqueue: Enqueue) -> Awaitable[None] | None: ...


def event_priority(event: Event) -> int:
    """The priority of keys that come from this event."""
    return LOW_PRIORITY if event.initial or event.resync else 0


def enqueue_object(event: Event, enqueue: Enqueue) -> None:
    """Enqueues the object itself."""
    key = event.object.key
    enqueue.add(Request(key.namespace, key.name), priority=LOW_PRIORITY if event.initial or event.resync else 0)


def enqueue_owner(kind: Kind, *, only_controller: bool = True) -> Handler:
    """Enqueues the owners of this kind; on updates the former owners too, so that they learn of their loss.

    Owners are matched by group and kind, whatever the version.
    """
    gvk = gvk_of_kind(kind)
    # Unknown scope counts as namespaced: owners of namespaced objects usually are.
    namespaced = is_namespaced(kind) is not False

    def owners(entry: CachedObject) -> Iterable[Request]:
        for ref in entry.meta.owner_references:
            if ref.kind != gvk.kind or (only_controller and not ref.controller):
                continue
            group = ref.api_version.rpartition("/")[0]
            if group == gvk.group:
                yield Request(entry.key.namespace if namespaced else "", ref.name)

    def handle(event: Event, enqueue: Enqueue) -> None:
        priority = event_priority(event)
        seen = set(owners(event.object))
        if event.old is not None and event.old is not event.object:
            seen.update(owners(event.old))
        for request in seen:
            enqueue.add(request, priority=priority)

    return handle


def enqueue_mapped(fn: MapFunction) -> Handler:
    """Enqueues what `fn(meta, obj)` returns, for the old and the new state of an update, each key once.

    A function that raises is tried again with growing delays, five times in all; then the event is dropped and logged.
    """

    async def call(entry: CachedObject) -> Iterable[Request]:
        found = fn(entry.meta, entry.decode())
        return await found if inspect.isawaitable(found) else found

    async def mapped(event: Event, enqueue: Enqueue, first: Exception) -> None:
        error = first
        for attempt in range(1, _MAP_TRIES):
            await enqueue.clock.sleep(_MAP_DELAY * 2.0 ** (attempt - 1))
            try:
                await _collect(event, enqueue, call)
            except Exception as again:
                error = again
            else:
                return
        _log.error("map function failed: event dropped", object=str(event.object.key), exc_info=error)
        raise error

    async def asynchronous(event: Event, enqueue: Enqueue) -> None:
        try:
            await _collect(event, enqueue, call)
        except Exception as error:
            await mapped(event, enqueue, error)

    def handle(event: Event, enqueue: Enqueue) -> Awaitable[None] | None:
        if inspect.iscoroutinefunction(fn):
            return asynchronous(event, enqueue)
        try:
            requests: dict[Request, None] = {}
            for entry in _states(event):
                found = fn(entry.meta, entry.decode())
                if inspect.isawaitable(found):
                    raise TypeError("a map function that returns an awaitable must be a coroutine function")
                requests.update(dict.fromkeys(found))
        except Exception as error:
            return mapped(event, enqueue, error)
        return _add_all(list(requests), event, enqueue)

    return handle


def enqueue_indexed(kind: Kind, index: str, *, view: str = "") -> Handler:
    """Enqueues the objects of `kind` whose index has the value "namespace/name" (or "name") of the event's object.

    The reverse lookup of a reference: index the referring objects by what they refer to, and let the watch of what is
    referred to use this handler.
    """

    def handle(event: Event, enqueue: Enqueue) -> Awaitable[None] | None:
        try:
            found = enqueue.cache.informer(kind, view).select(index=(index, str(event.object.key)))
        except KeyError as error:
            raise LookupError(
                f"finding each {gvk_of_kind(kind).kind} that refers to {event.object.key}: there is no index {index!r}: "
                "give the controller of that kind indexes={name: function}, or add it with manager.cache.index"
            ) from error
        return _add_all([Request(entry.key.namespace, entry.key.name) for entry in found], event, enqueue)

    return handle


def _states(event: Event) -> list[CachedObject]:
    if event.kind is EventKind.UPDATE and event.old is not None and event.old is not event.object:
        return [event.old, event.object]
    return [event.object]


async def _collect(
    event: Event, enqueue: Enqueue, call: Callable[[CachedObject], Awaitable[Iterable[Request]]]
) -> None:
    requests: dict[Request, None] = {}
    for entry in _states(event):
        requests.update(dict.fromkeys(await call(entry)))
    pending = _add_all(list(requests), event, enqueue)
    if pending is not None:
        await pending


def _add_all(requests: list[Request], event: Event, enqueue: Enqueue) -> Awaitable[None] | None:
    if len(requests) > _BATCH:
        return _add_in_batches(requests, enqueue)
    priority = event_priority(event)
    for request in requests:
        enqueue.add(request, priority=priority)
    return None


async def _add_in_batches(requests: list[Request], enqueue: Enqueue) -> None:
    for start in range(0, len(requests), _BATCH):
        for request in requests[start : start + _BATCH]:
            enqueue.add(request, priority=LOW_PRIORITY)
        await asyncio.sleep(0)
