"""The state file: every object of a server, kept over restarts.

One file of JSON lines: a head with the server's own secrets, then one record per write (the object, or null for a
deletion). When it has grown well beyond what lives, it is rewritten. A second server on the same file is refused.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from eso_core.testing.apiserver.storage.appender import Appender, open_private
from eso_core.testing.apiserver.storage.entry import Entry, frozen_entry
from eso_core.testing.apiserver.storage.store import Change, Store, Table

JsonObject = dict[str, Any]

_FORMAT: Final = "eso api server state"
_VERSION: Final = 1
_BODY: Final = b',"object":'
_SLACK: Final = 8 * 1024 * 1024
_GROWTH: Final = 4


class StateError(Exception):
    """The state file cannot be used; the text says what to do."""


@dataclass(slots=True)
class Loaded:
    """What a state file held: the server's secrets, the revision reached, the objects by table path."""

    secrets: JsonObject
    revision: int
    objects: dict[str, dict[str, Entry]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a server at one moment, from which others can be started. Shared entries make it cheap."""

    secrets: JsonObject
    revision: int
    objects: Mapping[str, tuple[Entry, ...]]

    def __repr__(self) -> str:
        return f"Snapshot(revision={self.revision}, {sum(map(len, self.objects.values()))} objects)"

    def loaded(self) -> Loaded:
        """In the form that a state file is loaded into."""
        objects = {path: {entry.key: entry for entry in entries} for path, entries in self.objects.items()}
        return Loaded(self.secrets, self.revision, objects)


def take_snapshot(store: Store, secrets: JsonObject) -> Snapshot:
    """Everything that is in a store now."""
    objects = {path: tuple(table.entries()) for path, table in store.tables.items() if len(table)}
    return Snapshot(secrets, store.revision, objects)


class StateFile:
    """Keeps a `Store` in a file. `load` first, then `attach`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: BinaryIO | None = None
        self._appender: Appender | None = None
        self._store: Store | None = None
        self._secrets: JsonObject = {}
        self._live = 0

    def load(self) -> Loaded | None:
        """Lock the file and read it; None when there is none yet. Raises `StateError`."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = open_private(self.path.with_name(f"{self.path.name}.lock"), truncate=False)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise StateError(
                f"opening the state file {self.path}: another server uses it: stop that one or choose another file"
            ) from error
        self._lock = lock
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateError(f"opening the state file {self.path}: {error}: make it readable") from error
        return self._parse(text) if text else None

    def _parse(self, text: bytes) -> Loaded:
        lines = text.split(b"\n")
        if lines[-1]:
            lines.pop()  # the last write was cut off
        try:
            head = orjson.loads(lines[0])
            if head.get("format") != _FORMAT or head.get("version") != _VERSION:
                raise ValueError("it has another format")
            loaded = Loaded(head["secrets"], head["revision"], {})
            for number, line in enumerate(lines[1:], start=2):
                if line:
                    self._apply(loaded, line, number)
        except (ValueError, KeyError, IndexError, AttributeError) as error:
            raise StateError(f"reading the state file {self.path}: {error}: remove the file to start afresh") from error
        return loaded

    @staticmethod
    def _apply(loaded: Loaded, line: bytes, number: int) -> None:
        cut = line.find(_BODY)
        if cut < 0 or not line.endswith(b"}"):
            raise ValueError(f"line {number} is damaged")
        head = orjson.loads(line[:cut] + b"}")
        body = line[cut + len(_BODY) : -1]
        objects = loaded.objects.setdefault(head["table"], {})
        loaded.revision = max(loaded.revision, head["revision"])
        if body == b"null":
            objects.pop(head["key"], None)
        else:
            objects[head["key"]] = frozen_entry(body, head["revision"], head.get("tag"))

    def attach(self, store: Store, secrets: JsonObject) -> None:
        """Follow a store from now on; its present content is written first."""
        self._store = store
        self._secrets = secrets
        self._appender = Appender(self.path)
        self._rewrite()
        store.subscribe(self._on_change)

    def _on_change(self, table: Table, change: Change) -> None:
        appender = self._appender
        if appender is None:
            return
        record = _record(table.path, change.current, deleted=change.deleted)
        appender.append(record)
        if not change.deleted:
            self._live += len(record)
        if change.previous is not None:
            self._live -= len(change.previous.body)
        if appender.written > _SLACK + _GROWTH * self._live:
            self._rewrite()

    def _rewrite(self) -> None:
        if self._appender is None or self._store is None:
            return
        records = [_record(path, entry, deleted=False) for path, entry in _entries(self._store)]
        self._live = sum(map(len, records))
        self._appender.replace([self._head(self._store.revision), *records])

    def keep_secrets(self, secrets: JsonObject) -> None:
        """Replace the server's own secrets in the file."""
        self._secrets = secrets
        self._rewrite()

    def _head(self, revision: int) -> bytes:
        head = {"format": _FORMAT, "version": _VERSION, "revision": revision, "secrets": self._secrets}
        return orjson.dumps(head) + b"\n"

    async def aclose(self) -> None:
        """Finish the last writes and let another server use the file."""
        if self._appender is not None:
            await self._appender.aclose()
            self._appender = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _entries(store: Store) -> Iterator[tuple[str, Entry]]:
    for path, table in store.tables.items():
        for entry in table.entries():
            yield path, entry


def _record(path: str, entry: Entry, *, deleted: bool) -> bytes:
    head: JsonObject = {"table": path, "key": entry.key, "revision": entry.revision}
    if entry.tag:
        head["tag"] = entry.tag
    body = b"null" if deleted else entry.body
    return b"".join((orjson.dumps(head)[:-1], _BODY, body, b"}\n"))


def restore(store: Store, loaded: Loaded) -> None:
    """Put what was loaded into an empty store."""
    store.revision = max(store.revision, loaded.revision)
    for path, objects in loaded.objects.items():
        if objects:
            table = store.table(path)
            for entry in objects.values():
                table.restore(entry)
