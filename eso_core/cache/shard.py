"""One reflector with its store: what an informer has per namespace, or once for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from eso_core.cache.checked import CheckedStore
from eso_core.cache.codec import Bookmark, Codec, Decoded
from eso_core.cache.driver import ReflectorDriver, Source
from eso_core.cache.reflection import Failure, FailureKind, Item
from eso_core.cache.registration import Registration
from eso_core.cache.store import Change, Store
from eso_core.meta import ObjectKey
from eso_core.meta.errors import DecodeError

if TYPE_CHECKING:
    from eso_core.cache.informer import Informer

__all__ = ["Shard"]

_SLICE_OBJECTS = 256


class Shard:
    """The sink of one reflector: decodes, stores, and passes changes on to the informer."""

    def __init__(self, informer: Informer, namespace: str, source: Source) -> None:
        self._informer = informer
        self.namespace = namespace
        self.store: Store
        if informer.settings is not None and informer.settings.check_shared:
            self.store = CheckedStore(informer.spec.name, informer.index_failed)
        else:
            self.store = Store(informer.index_failed)
        spec = informer.spec.within(namespace)
        self._codec = Codec(
            spec.gvk,
            partial=spec.partial,
            strip_managed_fields=spec.strip_managed_fields,
            strip_last_applied=spec.strip_last_applied,
            transform=spec.stored,
        )
        self.driver = ReflectorDriver(source, self, informer.clock, settings=informer.settings, pacer=informer.pacer)
        self.synced = asyncio.Event()
        self.running = False
        #: The last list or watch failure; None after a success.
        self.last_failure: Failure | None = None
        self._metrics = informer.metrics
        self._name = spec.name
        self._event_counters = {
            kind: self._metrics.events.labels(self._name, kind)
            for kind in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR")
        }
        self._stale = self._metrics.stale_events.labels(self._name)
        self._stale_seen = 0

    # -- the sink ------------------------------------------------------------------------------------------------

    def decode(self, body: bytes) -> Item | None:
        try:
            return self._codec.decode(body)
        except DecodeError as error:
            self._metrics.transform_errors.labels(self._name).inc()
            self._informer.degraded_by(error)
            return None

    def decode_bookmark(self, body: bytes) -> Bookmark:
        return self._codec.decode_bookmark(body)

    def decode_failure(self, body: bytes) -> Failure:
        return self._codec.decode_failure(body)

    def stage(self, item: Item) -> None:
        assert isinstance(item, Decoded)
        self.store.stage(item.entry, item.obj)

    def unstage(self, item: Item) -> None:
        assert isinstance(item, Decoded)
        self.store.unstage(item.entry.key)

    def drop_stage(self) -> None:
        self.store.drop_stage()

    async def commit(self, resource_version: str) -> None:
        # Handlers that register while the changes go out replay the new state themselves, so they are left out here.
        listeners = self._informer.listeners()
        changes = self.store.commit(resource_version)
        self.last_failure = None
        self._informer.progressed(None)
        first = not self.synced.is_set()
        await self._publish(changes, listeners)
        self.synced.set()
        self._informer.shard_synced(first)

    def upsert(self, item: Item) -> None:
        assert isinstance(item, Decoded)
        entry = item.entry
        changes = self.store.upsert(entry, item.obj)
        self._arrived(entry.meta.resource_version)
        for change in changes:
            self._informer.publish(change)
        if not changes:
            self._count_stale()
        self._informer.progressed(entry)

    def remove(self, item: Item) -> None:
        assert isinstance(item, Decoded)
        changes = self.store.remove(item.entry)
        self._arrived(item.entry.meta.resource_version)
        for change in changes:
            self._informer.publish(change)
        self._informer.progressed(item.entry)

    def advance(self, resource_version: str) -> None:
        self._arrived(resource_version)
        self._informer.progressed(None)

    async def clear(self) -> None:
        await self._publish(iter(self.store.clear()), self._informer.listeners())
        self._informer.kind_absent()

    def report(self, failure: Failure) -> None:
        self.last_failure = failure
        self._informer.failed(self, failure)

    def restarted(self, reason: str, relist: bool) -> None:
        if relist:
            self._metrics.relists.labels(self._name, reason).inc()
        else:
            self._metrics.restarts.labels(self._name, reason).inc()
        if reason == FailureKind.IDLE.value:
            self._metrics.idle_timeouts.labels(self._name).inc()

    def received(self, event_type: str) -> None:
        counter = self._event_counters.get(event_type)
        if counter is not None:
            counter.inc()

    def listed(self, seconds: float) -> None:
        self._metrics.list_duration.labels(self._name).observe(seconds)

    def compare(self, listed: list[Item]) -> None:
        wanted: dict[ObjectKey, str] = {}
        for item in listed:
            assert isinstance(item, Decoded)
            wanted[item.entry.key] = item.resource_version
        stored = {entry.key: entry.resource_version for entry in self.store.entries()}
        wrong = sorted(key for key in {**wanted, **stored} if wanted.get(key) != stored.get(key))
        if wrong:
            self._metrics.inconsistencies.labels(self._name).inc()
            self._informer.inconsistent(wrong)

    # -- inside --------------------------------------------------------------------------------------------------

    def _arrived(self, resource_version: str) -> None:
        # Before the first BOOKMARK of a synthetic stream the versions are in no order, and the machine does not use them;
        # what it remembers is what may be relied on.
        self.store.resource_version = self.driver.state.rv or resource_version
        self.last_failure = None

    def _count_stale(self) -> None:
        gone_by = self.store.stale_events
        if gone_by != self._stale_seen:
            self._stale.inc(gone_by - self._stale_seen)
            self._stale_seen = gone_by

    @staticmethod
    async def _publish(changes: Iterator[Change], listeners: list[Registration]) -> None:
        for count, change in enumerate(changes, 1):
            for listener in listeners:
                listener.deliver(change)
            if count % _SLICE_OBJECTS == 0:
                await asyncio.sleep(0)
