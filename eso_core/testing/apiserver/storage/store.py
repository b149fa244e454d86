"""All objects of the server: tables of entries under one revision counter."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from eso_core.testing.apiserver.storage.entry import Entry, make_entry, restamp
from eso_core.testing.apiserver.storage.window import Change, TooOld, Window

JsonObject = dict[str, Any]
Listener = Callable[["Table", Change], None]

MAX_OBJECT: Final = 1536 * 1024
"""Bytes that one stored object may have."""


class TooLarge(Exception):
    """The object is larger than the store takes; the text is the original's."""

    def __init__(self) -> None:
        super().__init__("etcdserver: request is too large")


__all__ = ["Change", "Entry", "Listener", "Store", "Table", "TooLarge", "TooOld", "Watcher", "WindowLimits"]


class WindowLimits:
    """Bounds of the watch windows (see `Window`)."""

    def __init__(self, max_changes: int = 102_400, max_age: float = 75.0, max_bytes: int = 32 * 1024 * 1024) -> None:
        self.max_changes = max_changes
        self.max_age = max_age
        self.max_bytes = max_bytes


class Watcher(Protocol):
    """Sees the changes of a table."""

    def on_change(self, change: Change) -> None: ...
    def end(self) -> None: ...


class Table:
    """The objects of one resource, in key order, with their window of changes.

    Watchers are told of each change, in order, within the write. Keys are ``namespace/name`` or
    ``name``; listing order is that of these texts, as in the original.
    """

    def __init__(self, store: Store, path: str) -> None:
        limits = store.limits
        self.path = path
        self._store = store
        self._entries: dict[str, Entry] = {}
        self._keys: list[str] = []
        self.window = Window(
            store.revision, max_changes=limits.max_changes, max_age=limits.max_age, max_bytes=limits.max_bytes
        )
        self.watchers: dict[Watcher, None] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, key: str) -> Entry | None:
        return self._entries.get(key)

    def entries(self) -> Iterator[Entry]:
        """Every entry of the present, unordered; the table must not change meanwhile."""
        return iter(self._entries.values())

    def create(self, obj: JsonObject, tag: str | None = None) -> Entry:
        """Store a new object; its key must be free. Raises `TooLarge`."""
        entry = self._make(obj, tag)
        self._entries[entry.key] = entry
        insort(self._keys, entry.key)
        self._record(entry, None, deleted=False)
        return entry

    def update(self, previous: Entry, obj: JsonObject, tag: str | None = None) -> Entry:
        """Replace a stored object. Raises `TooLarge`."""
        entry = self._make(obj, tag)
        self._entries[entry.key] = entry
        self._record(entry, previous, deleted=False)
        return entry

    def delete(self, previous: Entry) -> Entry:
        """Remove an object; gives its last state at the revision of the deletion."""
        entry = restamp(previous, self._store.next_revision())
        del self._entries[entry.key]
        del self._keys[bisect_left(self._keys, entry.key)]
        self._record(entry, previous, deleted=True)
        return entry

    def _make(self, obj: JsonObject, tag: str | None) -> Entry:
        entry = make_entry(obj, self._store.revision + 1, tag)
        if len(entry.body) > MAX_OBJECT:
            raise TooLarge
        self._store.next_revision()
        return entry

    def restore(self, entry: Entry) -> None:
        """Put back an entry read from a state file: no revision, no event."""
        entry.written = self._store.monotonic()
        if entry.key not in self._entries:
            insort(self._keys, entry.key)
        self._entries[entry.key] = entry

    def _record(self, entry: Entry, previous: Entry | None, *, deleted: bool) -> None:
        entry.written = self._store.monotonic()
        change = Change(entry.revision, entry, previous, deleted, entry.written)
        self.window.append(change)
        for watcher in list(self.watchers):
            watcher.on_change(change)
        self._store.notify(self, change)

    def end_watches(self) -> None:
        """End all watches: what is served here has changed."""
        for watcher in list(self.watchers):
            watcher.end()

    def snapshot(self, revision: int, prefix: str = "", after: str = "") -> Snapshot:
        """The table as it was at ``revision``. Raises `TooOld`."""
        overlay = self.window.undo(revision)
        keys = self._keys
        start = bisect_left(keys, max(prefix, after))
        stop = bisect_left(keys, prefix[:-1] + chr(ord(prefix[-1]) + 1)) if prefix else len(keys)
        selected = keys[start:stop] if start or stop < len(keys) else keys
        if overlay:
            changed = {key for key in overlay if key.startswith(prefix) and key >= after}
            if changed:
                then = {key for key in changed if overlay[key] is not None}
                selected = sorted((set(selected) - changed) | then)
        return Snapshot(self._entries, overlay, selected)


class Snapshot:
    """Entries of a past or present state in key order; valid until the next write."""

    __slots__ = ("_entries", "_keys", "_overlay")

    def __init__(self, entries: dict[str, Entry], overlay: dict[str, Entry | None], keys: list[str]) -> None:
        self._entries = entries
        self._overlay = overlay
        self._keys = keys

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Entry]:
        entries = self._entries
        if not self._overlay:
            for key in self._keys:
                yield entries[key]
            return
        overlay = self._overlay
        for key in self._keys:
            entry = overlay[key] if key in overlay else entries[key]
            if entry is not None:
                yield entry


class Store:
    """Tables by path (``group/plural``, or ``plural`` in the core group) and the revision counter they share.

    ``monotonic`` gives seconds for the age of changes. Listeners see every change of every table, after watchers.
    """

    def __init__(self, monotonic: Callable[[], float], limits: WindowLimits | None = None) -> None:
        self.monotonic = monotonic
        self.limits = limits or WindowLimits()
        self.revision = 1
        self.tables: dict[str, Table] = {}
        self._listeners: list[Listener] = []

    def table(self, path: str) -> Table:
        """The table of this path, made when first asked for."""
        table = self.tables.get(path)
        if table is None:
            table = self.tables[path] = Table(self, path)
        return table

    def drop(self, path: str) -> None:
        """Forget a table that is empty and no longer served."""
        self.tables.pop(path, None)

    def next_revision(self) -> int:
        self.revision += 1
        return self.revision

    def subscribe(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def notify(self, table: Table, change: Change) -> None:
        for listener in self._listeners:
            listener(table, change)

    def compact(self) -> None:
        """Forget all history: versions before the present answer 410 from now on."""
        for table in self.tables.values():
            table.window.compact(self.revision)

    def trim(self) -> None:
        """Drop aged changes of tables that are no longer written to."""
        now = self.monotonic()
        for table in self.tables.values():
            table.window.trim(now)
