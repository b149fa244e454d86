"""The shell around the reflector's state machine: carries out its effects and tells it what happened."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Protocol, assert_never

import structlog

from eso_core.aio import Clock
from eso_core.cache.failures import classify
from eso_core.cache.pacer import Pacer
from eso_core.cache.reflection import (
    Advance,
    Clear,
    Closed,
    CloseStream,
    Command,
    Commit,
    DropStage,
    Effect,
    ErrorEvent,
    Event,
    EventType,
    Failed,
    Failure,
    FailureKind,
    Input,
    Item,
    ListObjects,
    Opened,
    OpenWatch,
    Page,
    ReflectorState,
    Remove,
    Report,
    Restarted,
    Settings,
    Sleep,
    Stage,
    Unstage,
    Upsert,
    Wake,
)
from eso_core.cache.reflector import initial_state, step
from eso_core.meta.errors import ApiError, EsoCoreError

__all__ = ["Bookmark", "RawEvent", "RawPage", "ReflectorDriver", "Sink", "Source"]

_log = structlog.get_logger("eso_core.cache")

_EVENT_TYPES = {event_type.value: event_type for event_type in EventType}


class RawPage(Protocol):
    """A page of a list as bytes."""

    @property
    def items(self) -> list[bytes]: ...
    @property
    def resource_version(self) -> str: ...
    @property
    def continue_(self) -> str: ...


class RawEvent(Protocol):
    """A watch event with the object as bytes."""

    @property
    def type(self) -> str: ...
    @property
    def body(self) -> bytes: ...


class Source(Protocol):
    """Where the objects come from: one kind in one scope, as bytes. Errors are those of the client."""

    def pages(self, *, resource_version: str, limit: int, exact: bool = False) -> AsyncIterator[RawPage]:
        """Reads everything, page by page; `exact` asks for the state at that very version."""
        ...

    def watch(
        self, *, resource_version: str, initial_events: bool, timeout_seconds: int
    ) -> AbstractAsyncContextManager[AsyncIterator[RawEvent]]:
        """Opens a watch with bookmarks; entering it waits for the response's headers."""
        ...


class Bookmark(Protocol):
    """A decoded bookmark."""

    @property
    def resource_version(self) -> str: ...
    @property
    def initial_end(self) -> bool: ...


class Sink(Protocol):
    """Where the objects go. All methods but `commit` return at once."""

    def decode(self, body: bytes) -> Item | None:
        """An object ready to be stored; None (and counted) when it cannot be read."""
        ...

    def decode_bookmark(self, body: bytes) -> Bookmark: ...
    def decode_failure(self, body: bytes) -> Failure: ...
    def stage(self, item: Item) -> None: ...
    def unstage(self, item: Item) -> None: ...
    def drop_stage(self) -> None: ...
    async def commit(self, resource_version: str) -> None: ...
    def upsert(self, item: Item) -> None: ...
    def remove(self, item: Item) -> None: ...
    def advance(self, resource_version: str) -> None: ...
    async def clear(self) -> None: ...
    def report(self, failure: Failure) -> None: ...
    def restarted(self, reason: str, relist: bool) -> None: ...
    def received(self, event_type: str) -> None: ...
    def listed(self, seconds: float) -> None: ...
    def compare(self, listed: list[Item]) -> None: ...


class _Silence(Exception):
    """Nothing arrived on the stream for too long, or it outlived its limit."""


class _StreamGuard:
    """Interrupts the current task when a stream falls silent, without a timer per event.

    The timer looks at the instant of the last event when it fires and arms itself for the rest; `touch` is one attribute
    write. The interruption is a cancellation that is taken back on exit, as in `asyncio.timeout`.
    """

    def __init__(self, clock: Clock, idle_limit: float | None, total_limit: float) -> None:
        self._clock = clock
        self.idle_limit = idle_limit
        self._ends = clock.monotonic() + total_limit
        self.last = clock.monotonic()
        self._fired = False
        self.total_reached = False

    async def __aenter__(self) -> _StreamGuard:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._arm()
        return self

    def _arm(self) -> None:
        now = self._clock.monotonic()
        due = self._ends if self.idle_limit is None else min(self._ends, self.last + self.idle_limit)
        if due <= now:
            self._fired = True
            self.total_reached = now >= self._ends
            self._task.cancel()
        else:
            self._timer = self._clock.call_later(due - now, self._arm)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._fired:
            self._timer.cancel()
            return
        if self._task.uncancel() <= self._cancelling and kind is not None:
            if issubclass(kind, asyncio.CancelledError):
                raise _Silence from error


class ReflectorDriver:
    """Runs one reflector until cancelled.

    Args:
        source: where to list and watch.
        sink: decodes and stores.
        clock: time and waiting.
        settings: numbers of the algorithm.
        pacer: shared with other tasks of the loop.
        rng: draws the jitter.
    """

    def __init__(
        self,
        source: Source,
        sink: Sink,
        clock: Clock,
        *,
        settings: Settings | None = None,
        pacer: Pacer | None = None,
        rng: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._source = source
        self._sink = sink
        self._clock = clock
        self._uniform = rng
        self._state = initial_state(settings)
        self._pace = (pacer or Pacer(clock)).pace()
        #: Monotonic instant of the last sign of life from the server.
        self.last_progress = clock.monotonic()

    @property
    def state(self) -> ReflectorState:
        return self._state

    def silent_beyond(self, limit: float) -> bool:
        """Whether the server owes a sign of life for more than `limit` seconds.

        A server that was found to send no bookmarks owes none while nothing changes.
        """
        return self._state.idle_cuts < 2 and self._clock.monotonic() - self.last_progress > limit

    async def run(self) -> None:
        """Lists and watches for ever.

        Raises:
            Exception: only for bugs; failures of the source are backed off inside.
        """
        # A restart after a bug must not trust a half-built stage, nor resume what the bug interrupted.
        self._sink.drop_stage()
        self._state = initial_state(self._state.settings)
        command = await self._feed(Wake(self._clock.monotonic()))
        while True:
            match command:
                case Sleep():
                    await self._clock.sleep(self._uniform(command.low, command.high))
                    command = await self._feed(Wake(self._clock.monotonic()))
                case ListObjects():
                    command = await self._list(command)
                case OpenWatch():
                    command = await self._watch(command)
                case None:
                    raise TypeError("the reflector asked for nothing: its state machine is broken")
                case _:
                    assert_never(command)

    # -- commands ------------------------------------------------------------------------------------------------

    async def _list(self, command: ListObjects) -> Command | None:
        started = self._clock.monotonic()
        done: Command | None = None
        try:
            async for page in self._source.pages(resource_version=command.resource_version, limit=command.limit):
                self.last_progress = self._clock.monotonic()
                for body in page.items:
                    item = self._sink.decode(body)
                    if item is not None:
                        self._sink.stage(item)
                    await self._pace.breathe()
                # The items are staged one by one, so that a page is never held decoded as a whole.
                done = await self._feed(Page(self.last_progress, (), page.resource_version, page.continue_))
                if done is not None:
                    break
        except Exception as error:
            return await self._feed(self._failed(error))
        self._sink.listed(self._clock.monotonic() - started)
        if done is None:
            broken = Failure(FailureKind.BROKEN, "the list ended before its last page")
            return await self._feed(Failed(self._clock.monotonic(), broken))
        return done

    async def _watch(self, command: OpenWatch) -> Command | None:
        clock = self._clock
        started = clock.monotonic()
        timeout = int(self._uniform(*command.timeout))
        guard = _StreamGuard(clock, command.idle_limit, timeout + 5.0)
        given: Input
        try:
            async with (
                guard,
                self._source.watch(
                    resource_version=command.resource_version,
                    initial_events=command.initial_events,
                    timeout_seconds=timeout,
                ) as events,
            ):
                guard.last = self.last_progress = clock.monotonic()
                next_command = await self._feed(Opened(guard.last))
                async for event in events:
                    guard.last = self.last_progress = now = clock.monotonic()
                    decoded = self._decode(event, now)
                    if decoded is not None:
                        next_command = await self._feed(decoded)
                        if next_command is not None:
                            return next_command
                        if type(decoded) is Event and decoded.initial_end:
                            self._sink.listed(now - started)
                            # From here on silence has the meaning it has in any watch.
                            guard.idle_limit = self._state.settings.idle_limit
                            if self._state.settings.check_streams:
                                await self._compare(self._state.rv)
                                guard.last = clock.monotonic()
                    if self._pace.spent(clock.monotonic()):
                        await asyncio.sleep(0)
            given = Closed(clock.monotonic())
        except _Silence:
            if guard.total_reached:
                given = Closed(clock.monotonic())
            else:
                given = Failed(clock.monotonic(), Failure(FailureKind.IDLE, "nothing arrived on the watch"))
        except Exception as error:
            given = self._failed(error)
        return await self._feed(given)

    async def _compare(self, version: str) -> None:
        """Reads the state at `version` by a list and compares it with what was streamed."""
        listed: list[Item] = []
        try:
            async for page in self._source.pages(
                resource_version=version, limit=self._state.settings.page_size, exact=True
            ):
                for body in page.items:
                    item = self._sink.decode(body)
                    if item is not None:
                        listed.append(item)
                    await self._pace.breathe()
        except (EsoCoreError, OSError) as error:
            _log.info("a streamed list could not be compared", error=str(error))
            return
        self._sink.compare(listed)

    def _failed(self, error: Exception) -> Failed:
        now = self._clock.monotonic()
        if isinstance(error, ApiError):
            self.last_progress = now  # a refusal is a sign of life, too
        elif not isinstance(error, EsoCoreError | OSError):
            _log.error("unexpected failure of a list or watch", exc_info=error)
        return Failed(now, classify(error))

    def _decode(self, event: RawEvent, now: float) -> Input | None:
        kind = event.type
        self._sink.received(kind)
        if kind == "ERROR":
            return ErrorEvent(now, self._sink.decode_failure(event.body))
        if kind == "BOOKMARK":
            bookmark = self._sink.decode_bookmark(event.body)
            return Event(now, EventType.BOOKMARK, None, bookmark.resource_version, bookmark.initial_end)
        event_type = _EVENT_TYPES.get(kind)
        if event_type is None:
            self._sink.report(Failure(FailureKind.UNREADABLE, f"unknown watch event type {kind!r}: skipped"))
            return None
        item = self._sink.decode(event.body)
        return None if item is None else Event(now, event_type, item, item.resource_version)

    # -- effects -------------------------------------------------------------------------------------------------

    async def _feed(self, given: Input) -> Command | None:
        self._state, effects = step(self._state, given)
        command: Command | None = None
        for effect in effects:
            command = await self._carry_out(effect)
        return command

    async def _carry_out(self, effect: Effect) -> Command | None:
        sink = self._sink
        match effect:
            case Upsert(item=item):
                sink.upsert(item)
            case Remove(item=item):
                sink.remove(item)
            case Stage(items=items):
                for item in items:
                    sink.stage(item)
            case Unstage(item=item):
                sink.unstage(item)
            case Advance(resource_version=version):
                sink.advance(version)
            case Commit(resource_version=version):
                await sink.commit(version)
            case DropStage():
                sink.drop_stage()
            case Clear():
                await sink.clear()
            case Report(failure=failure):
                sink.report(failure)
            case Restarted(reason=reason, relist=relist):
                sink.restarted(reason, relist)
            case CloseStream():
                # Returning from the stream's block closes it: a step that says so always ends with a command.
                return None
            case ListObjects() | OpenWatch() | Sleep():
                return effect
            case _:
                assert_never(effect)
        return None
