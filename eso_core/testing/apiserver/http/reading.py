"""Get, list and watch."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from eso_core.aio import Clock
from eso_core.testing.apiserver import errors
from eso_core.testing.apiserver.conversion import Converter, NotConverted
from eso_core.testing.apiserver.http.asked import Asked
from eso_core.testing.apiserver.http.message import JSON, Response, Sink, Stream, warning_headers
from eso_core.testing.apiserver.http.suspend import in_task
from eso_core.testing.apiserver.http.table import TableView
from eso_core.testing.apiserver.rest.options import ListOptions, check_list_options, list_options, parse_version
from eso_core.testing.apiserver.rest.read import Reader, Selection, selection
from eso_core.testing.apiserver.rest.view import View
from eso_core.testing.apiserver.rest.watch import Watch, WatchLimits
from eso_core.testing.apiserver.storage.entry import Entry
from eso_core.testing.apiserver.storage.store import Change, Store

T = TypeVar("T")
Spawn = Callable[[Coroutine[Any, Any, None]], object]


class Reading:
    """Answers requests that change nothing."""

    def __init__(
        self, store: Store, clock: Clock, tables: TableView, limits: WatchLimits, converter: Converter, spawn: Spawn
    ) -> None:
        self._store = store
        self._clock = clock
        self._reader = Reader(store)
        self._tables = tables
        self._limits = limits
        self._converter = converter
        self._spawn = spawn

    async def get(self, asked: Asked) -> Response:
        """One object. Raises `StatusError`."""
        view = asked.view(self._tables)
        self._check_version(parse_version(asked.request.query.get("resourceVersion")))
        entry = self.entry(asked)
        return asked.answer(view, await self.converted(asked, [entry], lambda: view.one(entry)))

    def entry(self, asked: Asked) -> Entry:
        """The stored object that the request names. Raises `StatusError` 404."""
        return self._reader.get(asked.resource, asked.target.namespace, asked.target.name)

    async def list(self, asked: Asked) -> Response:
        """Objects by selectors, perhaps in pages. Raises `StatusError`."""
        view = asked.view(self._tables, listing=True)
        options = list_options(asked.request.query)
        chosen = selection(asked.resource, asked.version, asked.target.namespace, options)

        def read() -> bytes:
            page = self._reader.list(chosen, options)
            return view.many(page.entries, page.metadata)

        return asked.answer(view, await self.converted(asked, None, read))

    async def watch(self, asked: Asked) -> Stream:
        """Changes as they happen. Raises `StatusError`."""
        view = asked.view(self._tables, listing=True)
        options = list_options(asked.request.query)
        check_list_options(options, watching=True)
        if asked.target.name:
            options = _of_one(options, asked.target.name)
        chosen = selection(asked.resource, asked.version, asked.target.namespace, options)
        wanted = parse_version(options.resource_version)
        revision: int | None = wanted or None
        if options.send_initial_events:
            self._check_version(wanted)
            revision = None
        elif options.send_initial_events is False and not wanted:
            revision = self._store.revision
        watch = await self._make_watch(asked, chosen, options, view)

        def start(sink: Sink) -> Callable[[], None]:
            return watch.start(sink, revision)

        return Stream(JSON, start, headers=warning_headers(asked.deprecation()))

    async def _make_watch(self, asked: Asked, chosen: Selection, options: ListOptions, view: View) -> Watch:
        parts = (self._store, self._clock, self._limits, chosen, options, view)
        if asked.resource.conversion is None or asked.version.name == asked.resource.storage_version:
            return Watch(*parts)
        table = self._store.table(asked.resource.path)
        await self._converter.prepare(asked.resource, asked.version.name, [*table.entries(), *table.window.entries()])
        return _ConvertingWatch(*parts, converter=self._converter, spawn=self._spawn)

    def _check_version(self, wanted: int) -> None:
        if wanted > self._store.revision:
            raise errors.version_too_large(wanted, self._store.revision)

    async def converted(self, asked: Asked, entries: Sequence[Entry] | None, read: Callable[[], T]) -> T:
        """What ``read`` gives, after the conversions it misses. Without ``entries`` all of the table may be read."""
        while True:
            try:
                return read()
            except NotConverted:
                table = self._store.table(asked.resource.path)
                needed = [*table.entries(), *table.window.entries()] if entries is None else entries
                await self._converter.prepare(asked.resource, asked.version.name, needed)


def _of_one(options: ListOptions, name: str) -> ListOptions:
    single = f"metadata.name={name}"
    return ListOptions(
        label_selector=options.label_selector,
        field_selector=f"{options.field_selector},{single}" if options.field_selector else single,
        resource_version=options.resource_version,
        bookmarks=options.bookmarks,
        timeout=options.timeout,
    )


class _ConvertingWatch(Watch):
    """Holds changes back, in order, until their objects are converted."""

    def __init__(self, *parts: Any, converter: Converter, spawn: Spawn) -> None:
        super().__init__(*parts)
        self._converter = converter
        self._spawn = spawn
        self._pending: list[Change] = []
        self._busy = False

    def on_change(self, change: Change) -> None:
        self._pending.append(change)
        if not self._busy:
            self._busy = True
            self._spawn(in_task(self._drain()))

    async def _drain(self) -> None:
        try:
            while self._pending:
                change = self._pending[0]
                states = [change.current] if change.previous is None else [change.current, change.previous]
                await self._converter.prepare(self._chosen.resource, self._chosen.version.name, states)
                super().on_change(self._pending.pop(0))
        except errors.StatusError as error:
            self.fail(error)
        finally:
            self._busy = False
