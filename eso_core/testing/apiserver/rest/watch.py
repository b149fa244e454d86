"""Watches: changes of a selection as they are stored, encoded once per representation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson

from eso_core.aio import Clock, Timer
from eso_core.testing.apiserver import errors
from eso_core.testing.apiserver.errors import StatusError
from eso_core.testing.apiserver.http.accept import PARTIAL, PLAIN, TABLE
from eso_core.testing.apiserver.http.message import Sink
from eso_core.testing.apiserver.rest.options import ListOptions
from eso_core.testing.apiserver.rest.read import Selection
from eso_core.testing.apiserver.rest.view import View, encode_object
from eso_core.testing.apiserver.storage.entry import Entry, restamp
from eso_core.testing.apiserver.storage.store import Change, Store, TooOld

JsonObject = dict[str, Any]

INITIAL_END: Final = "k8s.io/initial-events-end"
_BEFORE_END: Final = 2.0
_FIRST_BOOKMARK: Final = 0.1
_MIN_TIMEOUT: Final = 1800.0


class WatchLimits:
    """Seconds between bookmarks, and how many unsent bytes a slow client may pile up."""

    def __init__(self, bookmark_interval: float = 60.0, max_buffer: int = 32 * 1024 * 1024) -> None:
        self.bookmark_interval = bookmark_interval
        self.max_buffer = max_buffer


class Watch:
    """One open watch. `start` begins it; everything after happens in calls from the store and the clock."""

    def __init__(
        self, store: Store, clock: Clock, limits: WatchLimits, chosen: Selection, options: ListOptions, view: View
    ) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._chosen = chosen
        self._options = options
        self._view = view
        self._sink: Sink | None = None
        self._timers: list[Timer] = []
        self._periodic: Timer | None = None
        self._table = store.table(chosen.resource.path)
        self._columns_sent = False
        self._since = 0
        self._plain = view.representation.form == PLAIN

    def start(self, sink: Sink, revision: int | None) -> Callable[[], None]:
        """Send what is due since ``revision`` (None: the present state first) and go on. Returns the stop function."""
        self._sink = sink
        self._since = revision or 0
        try:
            self._catch_up(revision)
        except TooOld as error:
            self._write_error(errors.gone(f"too old resource version: {revision} ({error.oldest})"))
            sink.end()
            return self._stop
        self._table.watchers[self] = None
        self._schedule()
        return self._stop

    def _catch_up(self, revision: int | None) -> None:
        if revision is None:
            for entry in self._table.snapshot(self._store.revision, self._chosen.prefix):
                if self._chosen.matches(entry):
                    self._send("ADDED", entry)
            if self._options.send_initial_events and self._options.bookmarks:
                self._bookmark(initial_end=True)
            return
        for change in self._table.window.since(revision):
            self.on_change(change)

    def _schedule(self) -> None:
        timeout = float(self._options.timeout) if self._options.timeout else _MIN_TIMEOUT
        self._timers.append(self._clock.call_later(timeout, self.end))
        if self._options.bookmarks:
            if timeout > _BEFORE_END:
                self._timers.append(self._clock.call_later(timeout - _BEFORE_END, self._bookmark))
            self._next_bookmark(min(self._first_bookmark(), self._limits.bookmark_interval))

    def _first_bookmark(self) -> float:
        # kubectl waits for one object by a watch without initial events, and complains when its own deadline ends a
        # watch that lasted less than a second and brought nothing.
        single = self._chosen.fields.exact("metadata.name") is not None and not self._options.send_initial_events
        return _FIRST_BOOKMARK if single else self._limits.bookmark_interval

    def _next_bookmark(self, seconds: float) -> None:
        def due() -> None:
            self._bookmark()
            self._next_bookmark(self._limits.bookmark_interval)

        self._periodic = self._clock.call_later(seconds, due)

    def _stop(self) -> None:
        self._sink = None
        self._table.watchers.pop(self, None)
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if self._periodic is not None:
            self._periodic.cancel()
            self._periodic = None

    def end(self) -> None:
        """Close the stream."""
        if self._sink is not None:
            self._sink.end()

    # -- events

    def on_change(self, change: Change) -> None:
        """Send a change if it concerns the selection."""
        if change.revision <= self._since:
            return  # the client named a version that the server has yet to reach
        current, previous = change.current, change.previous
        if self._chosen.namespace and current.namespace != self._chosen.namespace:
            return
        if self._chosen.everything:
            kind = "DELETED" if change.deleted else "MODIFIED" if previous is not None else "ADDED"
            self._send_change(change, kind, current)
            return
        now = not change.deleted and self._chosen.matches(current)
        before = previous is not None and self._chosen.matches(previous)
        if now:
            self._send_change(change, "MODIFIED" if before else "ADDED", current)
        elif before and previous is not None:
            # The object as it was when it last matched, at the version of the change.
            last = current if change.deleted else restamp(previous, change.revision)
            self._send_change(change, "DELETED", last)

    def _send_change(self, change: Change, kind: str, entry: Entry) -> None:
        if not self._plain:
            self._send(kind, entry)
            return
        if change.lines is None:
            change.lines = {}
        key = (kind, entry is change.current, self._view.key)
        line = change.lines.get(key)
        if line is None:
            line = change.lines[key] = self._line(kind, entry)
        self._write(line)

    def _send(self, kind: str, entry: Entry) -> None:
        self._write(self._line(kind, entry))

    def _line(self, kind: str, entry: Entry) -> bytes:
        form = self._view.representation.form
        if form == PLAIN:
            body = self._view.one(entry)
        elif form == TABLE:
            body = encode_object(self._table_of(self._view.read(entry)))
        else:
            body = encode_object(self._view.partial(self._view.read(entry)))
        return b'{"type":"%b","object":%b}\n' % (kind.encode(), body)

    def _table_of(self, obj: JsonObject) -> JsonObject:
        metadata = {"resourceVersion": obj["metadata"]["resourceVersion"]}
        table = self._view.table([obj], metadata, columns=not self._columns_sent)
        self._columns_sent = True
        return table

    def _bookmark(self, *, initial_end: bool = False) -> None:
        metadata: JsonObject = {"resourceVersion": str(self._store.revision)}
        if initial_end:
            metadata["annotations"] = {INITIAL_END: "true"}
        resource = self._chosen.resource
        obj: JsonObject = {
            "kind": resource.kind,
            "apiVersion": resource.api_version(self._chosen.version.name),
            "metadata": metadata,
        }
        form = self._view.representation.form
        if form == TABLE:
            obj = self._table_of(obj)
        elif form == PARTIAL:
            obj = self._view.partial(obj)
        self._write(b'{"type":"BOOKMARK","object":%b}\n' % orjson.dumps(obj))

    def fail(self, error: StatusError) -> None:
        """End the watch with an error event."""
        self._write_error(error)
        self.end()

    def _write_error(self, error: StatusError) -> None:
        self._write(b'{"type":"ERROR","object":%b}\n' % orjson.dumps(error.to_status()))

    def _write(self, line: bytes) -> None:
        sink = self._sink
        if sink is None:
            return
        if sink.buffered() > self._limits.max_buffer:
            # The client does not read: it must come back and catch up from its last version.
            sink.end()
            return
        sink.write(line)
