"""Read your own writes: which finished writes the informers have not seen yet.

The watch event of a write comes before or after the write's response. A write is therefore recorded before it is sent, and
judged by versions, not by the order of arrival: it is observed when the informer's own version, or that of the stored
object, has reached the version that the server answered. Versions that are no numbers are only compared for equality, for
which the versions that arrived while the write was in flight are remembered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from eso_core.aio import Clock
from eso_core.cache.store import CachedObject, is_older
from eso_core.meta import GVK, ObjectKey

if TYPE_CHECKING:
    from eso_core.cache.informer import Informer

__all__ = ["PendingWrite", "WriteTracker", "facts_of"]

#: Records older than this are dropped when met: their watch event must have come, or the watch has its own problems.
_MAX_AGE = 60.0
_MAX_RECORDS = 10_000


class _Record:
    __slots__ = ("deleted_uid", "in_flight", "labels", "seen", "since", "unknown", "version")

    def __init__(self, since: float) -> None:
        self.since = since
        self.in_flight = 0
        self.version = ""
        self.deleted_uid: str | None = None
        self.labels: dict[str, str] | None = None
        self.unknown = False
        self.seen: set[str] | None = None


class PendingWrite:
    """One write that is about to be sent. Exactly one of its methods is called when it ended."""

    __slots__ = ("_after_unknown", "_gvk", "_key", "_record", "_tracker")

    def __init__(self, tracker: WriteTracker, gvk: GVK, key: ObjectKey, record: _Record) -> None:
        self._after_unknown = record.unknown
        self._tracker = tracker
        self._gvk = gvk
        self._key = key
        self._record = record

    def finished(self, resource_version: str, labels: dict[str, str] | None = None) -> None:
        """The server answered with this version (and these labels) of the object."""
        record = self._record
        if not is_older(resource_version, record.version):
            record.version = resource_version
            record.labels = labels
            record.deleted_uid = None
        if self._after_unknown:
            record.unknown = False  # the answer shows what became of the earlier write
        self._end()

    def deleted(self, uid: str) -> None:
        """The server deleted the object with this uid; "" when the answer did not say which."""
        self._record.deleted_uid = uid
        self._record.labels = None
        self._end()

    def dropped(self) -> None:
        """The server refused: nothing changed."""
        self._end()

    def unknown(self) -> None:
        """The connection broke before the answer: the write may have happened."""
        self._record.unknown = True
        self._end()

    def _end(self) -> None:
        self._record.in_flight -= 1
        self._tracker._ended(self._gvk, self._key, self._record)


class WriteTracker:
    """Records of own writes by kind and key, and the readers that wait for them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: dict[GVK, dict[ObjectKey, _Record]] = {}
        self._count = 0
        self._informers: dict[GVK, list[Informer]] = {}
        self._waiters: dict[GVK, list[asyncio.Future[None]]] = {}
        #: Whether any record exists: the cheap test on the hot path of informers and readers.
        self.active = False

    def __len__(self) -> int:
        return self._count

    def attach(self, gvk: GVK, informers: list[Informer]) -> None:
        """Says which informers hold a kind. Writes of kinds without informers are not recorded."""
        if informers:
            self._informers[gvk] = informers
        else:
            self._informers.pop(gvk, None)
            self._count -= len(self._records.pop(gvk, {}))
            self.active = self._count > 0

    def begin(self, gvk: GVK, key: ObjectKey) -> PendingWrite | None:
        """Records a write before it is sent; None when nobody caches the kind."""
        if gvk not in self._informers:
            return None
        if self._count >= _MAX_RECORDS:
            self._sweep()
        records = self._records.setdefault(gvk, {})
        record = records.get(key)
        if record is None:
            record = records[key] = _Record(self._clock.monotonic())
            self._count += 1
            self.active = True
        record.in_flight += 1
        record.since = self._clock.monotonic()
        return PendingWrite(self, gvk, key, record)

    def unobserved(self, informer: Informer, key: ObjectKey) -> bool:
        """Whether a finished write on `key` has not reached `informer`, or may have happened without our knowing."""
        record = self._records.get(informer.spec.gvk, {}).get(key)
        return record is not None and not _observed(informer, key, record)

    def must_read_live(self, gvk: GVK, key: ObjectKey) -> bool:
        """Whether the outcome of a write on `key` is unknown."""
        record = self._records.get(gvk, {}).get(key)
        return record is not None and record.unknown

    def unknown_keys(self, gvk: GVK, namespace: str | None) -> list[ObjectKey]:
        """Keys with a write whose outcome is unknown, in a namespace or in all."""
        return [
            key
            for key, record in self._records.get(gvk, {}).items()
            if record.unknown and (namespace is None or key.namespace == namespace)
        ]

    def learned(self, gvk: GVK, key: ObjectKey, resource_version: str | None, labels: dict[str, str]) -> None:
        """A live read told how a write of unknown outcome ended: the version there is now, None for no object."""
        record = self._records.get(gvk, {}).get(key)
        if record is None or not record.unknown:
            return
        record.unknown = False
        if resource_version is None:
            record.deleted_uid = ""
        elif not is_older(resource_version, record.version):
            record.version, record.labels, record.deleted_uid = resource_version, labels, None
        self._ended(gvk, key, record)

    def unobserved_keys(self, informer: Informer, namespace: str | None) -> list[ObjectKey]:
        """Keys with finished writes that have not reached `informer`, in a namespace or in all."""
        return [
            key
            for key, record in self._records.get(informer.spec.gvk, {}).items()
            if (namespace is None or key.namespace == namespace)
            and informer.watches(key.namespace)
            and not _observed(informer, key, record)
        ]

    def give_up(self, gvk: GVK, keys: Iterable[ObjectKey]) -> None:
        """Forgets records that were waited for in vain."""
        for key in keys:
            self._drop(gvk, key)

    async def wait_for_arrival(self, gvk: GVK) -> None:
        """Returns when anything of the kind arrived."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiters = self._waiters.setdefault(gvk, [])
        waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in waiters:
                waiters.remove(waiter)

    def arrived(self, informer: Informer, entry: CachedObject | None) -> None:
        """Told by informers: an object, or (None) a new version of the whole, is in the store."""
        gvk = informer.spec.gvk
        records = self._records.get(gvk)
        if not records:
            return
        if entry is None:
            for key in list(records):
                self._check(gvk, key, records[key])
        else:
            record = records.get(entry.key)
            if record is not None:
                if record.in_flight and not entry.meta.resource_version.isdigit():
                    record.seen = record.seen or set()
                    record.seen.add(entry.meta.resource_version)
                self._check(gvk, entry.key, record)
        waiters = self._waiters.pop(gvk, None)
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(None)

    def _ended(self, gvk: GVK, key: ObjectKey, record: _Record) -> None:
        if self._records.get(gvk, {}).get(key) is record:
            self._check(gvk, key, record)

    def _check(self, gvk: GVK, key: ObjectKey, record: _Record) -> None:
        if record.in_flight or record.unknown:
            return
        if all(_observed(informer, key, record) for informer in self._informers.get(gvk, ())):
            self._drop(gvk, key)

    def _drop(self, gvk: GVK, key: ObjectKey) -> None:
        if self._records.get(gvk, {}).pop(key, None) is not None:
            self._count -= 1
            self.active = self._count > 0

    def _sweep(self) -> None:
        now = self._clock.monotonic()
        for gvk, records in self._records.items():
            old = [key for key, record in records.items() if not record.in_flight and now - record.since > _MAX_AGE]
            for key in old or list(records)[: len(records) // 2]:
                if not records[key].in_flight:
                    self._drop(gvk, key)


def _observed(informer: Informer, key: ObjectKey, record: _Record) -> bool:
    if not informer.watches(key.namespace):
        return True
    stored = informer.lookup(key)
    if record.deleted_uid is not None:
        return stored is None or (record.deleted_uid != "" and stored.uid != record.deleted_uid)
    version = record.version
    if not version:
        return True  # nothing finished yet
    if stored is not None and (stored.resource_version == version or is_older(version, stored.resource_version)):
        return True
    known = informer.version(key.namespace)
    if known == version or is_older(version, known):
        return True
    if record.seen is not None and version in record.seen:
        return True
    # An object whose labels do not match never reaches this informer, unless to leave it.
    return stored is None and record.labels is not None and not informer.selects(key.namespace, record.labels)


def facts_of(result: Any) -> tuple[str, dict[str, str], bool]:
    """Version, labels, and whether deletion has begun, of what the server answered."""
    if isinstance(result, Mapping):
        metadata = result.get("metadata") or {}
        return (
            str(metadata.get("resourceVersion") or ""),
            dict(metadata.get("labels") or {}),
            bool(metadata.get("deletionTimestamp")),
        )
    meta = getattr(result, "metadata", None) or getattr(result, "meta", None)
    if meta is None:
        return "", {}, False
    return meta.resource_version or "", dict(meta.labels or {}), meta.deletion_timestamp is not None
