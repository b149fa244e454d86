"""The store of one reflector: objects by key, by namespace, and by index value.

An entry is immutable: identity, metadata as a struct, and the object's JSON bytes. Readers decode the bytes, so that each
gets an object of its own, at a quarter of the price of copying a decoded one and a third of its memory. A full read builds
a second snapshot beside the current one and swaps them in one assignment, so readers never see half a list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Any, TypeAlias

import msgspec
import orjson

from eso_core.meta import ObjectKey, ObjectMeta

__all__ = ["CachedObject", "Change", "ChangeType", "IndexFunction", "JsonObject", "Store"]

JsonObject: TypeAlias = dict[str, Any]
IndexFunction: TypeAlias = Callable[[ObjectMeta, JsonObject], Iterable[str]]
IndexErrorReport: TypeAlias = Callable[[str, ObjectKey, Exception], None]


class CachedObject(msgspec.Struct, frozen=True, gc=False, eq=False):
    """One stored object. `body` is empty for metadata-only informers."""

    key: ObjectKey
    meta: ObjectMeta
    body: bytes

    @property
    def uid(self) -> str:
        return self.meta.uid

    @property
    def resource_version(self) -> str:
        return self.meta.resource_version

    def decode(self) -> JsonObject:
        """The object as a fresh dict that the caller owns; empty when only metadata is kept."""
        return orjson.loads(self.body) if self.body else {}

    def __repr__(self) -> str:
        # Bodies may hold secret values.
        return f"CachedObject({self.key}, resourceVersion={self.meta.resource_version}, {len(self.body)} bytes)"


class ChangeType(Enum):
    """What happened to an object."""

    ADDED = "added"
    UPDATED = "updated"
    DELETED = "deleted"
    UNCHANGED = "unchanged"


class Change(msgspec.Struct, frozen=True, gc=False):
    """One change of the store.

    Attributes:
        type: what happened.
        old: the state before; None for ADDED.
        new: the state after; None for DELETED.
        initial: part of the first complete read.
        tombstone: the deletion was inferred; `old` may not be the very last state.
        relisted: the update was found by reading everything anew, so it may be several changes in one.
    """

    type: ChangeType
    old: CachedObject | None
    new: CachedObject | None
    initial: bool = False
    tombstone: bool = False
    relisted: bool = False

    @property
    def object(self) -> CachedObject:
        """The newest state there is."""
        found = self.new if self.new is not None else self.old
        assert found is not None
        return found


class _Index:
    """Keys by value, and values by key so that an update can take back what it added."""

    __slots__ = ("fn", "keys", "values")

    def __init__(self, fn: IndexFunction) -> None:
        self.fn = fn
        self.keys: dict[str, dict[ObjectKey, None]] = {}
        self.values: dict[ObjectKey, tuple[str, ...]] = {}

    def put(self, key: ObjectKey, values: tuple[str, ...]) -> None:
        before = self.values.get(key, ())
        if before == values:
            return
        self.remove(key)
        if values:
            self.values[key] = values
            for value in values:
                self.keys.setdefault(value, {})[key] = None

    def remove(self, key: ObjectKey) -> None:
        for value in self.values.pop(key, ()):
            keys = self.keys.get(value)
            if keys is not None:
                keys.pop(key, None)
                if not keys:
                    del self.keys[value]


class _Snapshot:
    """A complete state with its lookups."""

    __slots__ = ("by_namespace", "bytes", "indexes", "objects")

    def __init__(self, functions: dict[str, IndexFunction]) -> None:
        self.objects: dict[ObjectKey, CachedObject] = {}
        self.by_namespace: dict[str, dict[ObjectKey, None]] = {}
        self.indexes = {name: _Index(fn) for name, fn in functions.items()}
        self.bytes = 0

    def put(self, entry: CachedObject, decoded: JsonObject | None, report: IndexErrorReport) -> None:
        key = entry.key
        old = self.objects.get(key)
        self.objects[key] = entry
        self.bytes += len(entry.body)
        if old is None:
            self.by_namespace.setdefault(key.namespace, {})[key] = None
        else:
            self.bytes -= len(old.body)
        if self.indexes:
            if decoded is None:
                decoded = entry.decode()
            for name, index in self.indexes.items():
                index.put(key, _index_values(name, index.fn, entry, decoded, report))

    def remove(self, key: ObjectKey) -> CachedObject | None:
        entry = self.objects.pop(key, None)
        if entry is None:
            return None
        self.bytes -= len(entry.body)
        names = self.by_namespace[key.namespace]
        del names[key]
        if not names:
            del self.by_namespace[key.namespace]
        for index in self.indexes.values():
            index.remove(key)
        return entry


class Store:
    """The objects of one reflector. Synchronous; all methods are called on the event loop.

    Args:
        on_index_error: told about an index function that raised: index name, object, error; the object is stored without its values.
    """

    def __init__(self, on_index_error: IndexErrorReport) -> None:
        self._functions: dict[str, IndexFunction] = {}
        self._current = _Snapshot({})
        self._staged: _Snapshot | None = None
        self._on_index_error = on_index_error
        #: Version up to which the store is complete; "" before the first read.
        self.resource_version = ""
        #: Events that were older than what is stored.
        self.stale_events = 0

    def __len__(self) -> int:
        return len(self._current.objects)

    @property
    def bytes(self) -> int:
        """Sum of the stored bodies' sizes."""
        return self._current.bytes

    # -- reading -------------------------------------------------------------------------------------------------

    def get(self, key: tuple[str, str]) -> CachedObject | None:
        """The entry at (namespace, name); any pair is equal to its `ObjectKey`."""
        return self._current.objects.get(key)  # type: ignore[call-overload, no-any-return]

    def entries(self, namespace: str | None = None) -> list[CachedObject]:
        """All entries, or those of one namespace, as a list of its own."""
        objects = self._current.objects
        if namespace is None:
            return list(objects.values())
        return [objects[key] for key in self._current.by_namespace.get(namespace, ())]

    def by_index(self, name: str, value: str) -> list[CachedObject]:
        """The entries with `value` in index `name`.

        Raises:
            KeyError: no such index.
        """
        objects = self._current.objects
        return [objects[key] for key in self._current.indexes[name].keys.get(value, ())]

    def index_names(self) -> Iterator[str]:
        return iter(self._functions)

    # -- writing -------------------------------------------------------------------------------------------------

    def add_index(self, name: str, fn: IndexFunction) -> None:
        """Adds an index over everything stored; it is visible only when complete."""
        self._functions[name] = fn
        for snapshot in (self._current, self._staged):
            if snapshot is not None:
                index = _Index(fn)
                for key, entry in snapshot.objects.items():
                    index.put(key, _index_values(name, fn, entry, entry.decode(), self._on_index_error))
                snapshot.indexes[name] = index

    def upsert(self, entry: CachedObject, decoded: JsonObject | None = None) -> list[Change]:
        """Stores a state. A stale one changes nothing; a new uid under the same key is a deletion and an addition."""
        old = self._current.objects.get(entry.key)
        if old is not None:
            if old.uid == entry.uid:
                if old.resource_version == entry.resource_version:
                    return []
                if is_older(entry.resource_version, old.resource_version):
                    self.stale_events += 1
                    return []
            else:
                if is_older(entry.resource_version, old.resource_version):
                    self.stale_events += 1
                    return []
                self._current.put(entry, decoded, self._on_index_error)
                return [
                    Change(ChangeType.DELETED, old, None, tombstone=True),
                    Change(ChangeType.ADDED, None, entry),
                ]
        self._current.put(entry, decoded, self._on_index_error)
        if old is None:
            return [Change(ChangeType.ADDED, None, entry)]
        return [Change(ChangeType.UPDATED, old, entry)]

    def remove(self, last: CachedObject) -> list[Change]:
        """Deletes the object that `last` is the final state of; a newer incarnation stays."""
        old = self._current.objects.get(last.key)
        if old is None:
            return []
        if old.uid != last.uid and is_older(last.resource_version, old.resource_version):
            self.stale_events += 1
            return []
        self._current.remove(last.key)
        return [Change(ChangeType.DELETED, last, None)]

    def clear(self) -> list[Change]:
        """Deletes everything."""
        gone = list(self._current.objects.values())
        self._current = _Snapshot(self._functions)
        self._staged = None
        self.resource_version = ""
        return [Change(ChangeType.DELETED, entry, None, tombstone=True) for entry in gone]

    # -- full reads ----------------------------------------------------------------------------------------------

    def stage(self, entry: CachedObject, decoded: JsonObject | None = None) -> None:
        """Puts a state aside for `commit`. An unchanged object keeps its present entry, which saves a copy."""
        if self._staged is None:
            self._staged = _Snapshot(self._functions)
        present = self._current.objects.get(entry.key)
        if present is not None and present.uid == entry.uid and present.resource_version == entry.resource_version:
            entry = present
        self._staged.put(entry, decoded, self._on_index_error)

    def unstage(self, key: ObjectKey) -> None:
        if self._staged is not None:
            self._staged.remove(key)

    def drop_stage(self) -> None:
        self._staged = None

    def commit(self, resource_version: str) -> Iterator[Change]:
        """Makes the stage the state, at once for readers; the changes are computed as the iterator is consumed."""
        before = self._current
        after = self._staged if self._staged is not None else _Snapshot(self._functions)
        initial = self.resource_version == "" and not before.objects
        self._current = after
        self._staged = None
        self.resource_version = resource_version
        return _differences(before.objects, dict(after.objects), initial)


def is_older(version: str, other: str) -> bool:
    """Whether `version` is older than `other`; False when one of them is no number."""
    try:
        return int(version) < int(other)
    except ValueError:
        return False


def _differences(
    before: dict[ObjectKey, CachedObject], after: dict[ObjectKey, CachedObject], initial: bool
) -> Iterator[Change]:
    for key, old in before.items():
        if key not in after:
            yield Change(ChangeType.DELETED, old, None, tombstone=True)
    for key, new in after.items():
        known = before.get(key)
        if known is None:
            yield Change(ChangeType.ADDED, None, new, initial=initial)
        elif known is new or (known.uid == new.uid and known.resource_version == new.resource_version):
            yield Change(ChangeType.UNCHANGED, known, new)
        elif known.uid != new.uid:
            yield Change(ChangeType.DELETED, known, None, tombstone=True)
            yield Change(ChangeType.ADDED, None, new)
        else:
            yield Change(ChangeType.UPDATED, known, new, relisted=True)


def _index_values(
    name: str,
    fn: IndexFunction,
    entry: CachedObject,
    decoded: JsonObject,
    report: IndexErrorReport,
) -> tuple[str, ...]:
    try:
        values = fn(entry.meta, decoded)
        # A string is one value: taken apart into letters it would never be found, without a word.
        return (values,) if isinstance(values, str) else tuple(dict.fromkeys(values))
    except Exception as error:
        report(name, entry.key, error)
        return ()
