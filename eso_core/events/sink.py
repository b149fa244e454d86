"""The sink: writes events to the API server in the background."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from dataclasses import dataclass
from typing import Protocol

import structlog

from eso_core.aio import Clock, TaskScope
from eso_core.meta import GVK, JsonObject, ObjectKey
from eso_core.meta.errors import (
    AlreadyExists,
    ApiError,
    Forbidden,
    NotFound,
    TooManyRequests,
    TransportError,
)
from eso_core.metrics.families import Counter

__all__ = ["EventSink", "EventWriter", "SeriesWrite", "SinkOptions"]

_log = structlog.get_logger("eso_core.events")


class EventWriter(Protocol):
    """The writes the sink needs; a small adapter of the client."""

    async def create(self, obj: JsonObject, /) -> object: ...
    async def patch(self, kind: GVK, key: ObjectKey, body: JsonObject, /) -> object: ...


class SeriesWrite(Protocol):
    """One series of events that has something to write."""

    gvk: GVK
    key: ObjectKey
    queued: bool
    created: bool

    def create_body(self) -> JsonObject:
        """The whole event; what it holds counts as written."""
        ...

    def patch_body(self) -> JsonObject | None:
        """What changed since the last write, or None."""
        ...

    def written(self) -> None:
        """The last body reached the server."""
        ...

    def lost(self) -> None:
        """The server does not have the event any more."""
        ...


@dataclass(frozen=True, slots=True)
class SinkOptions:
    """Limits of the sink.

    Attributes:
        queue_size: series that wait to be written; more are dropped and counted. A burst of one event for each of a few
            thousand objects, as at a first start, fits.
        writers: writes at a time.
        tries: of one write.
        retry_delay: seconds between tries, spread by a quarter.
        flush_timeout: seconds for what is left when the manager stops.
    """

    queue_size: int = 4096
    writers: int = 4
    tries: int = 12
    retry_delay: float = 10.0
    flush_timeout: float = 5.0

    def __post_init__(self) -> None:
        if self.queue_size < 1 or self.writers < 1 or self.tries < 1 or self.retry_delay <= 0:
            raise ValueError("SinkOptions: queue_size, writers and tries must be at least 1, retry_delay above 0")


class EventSink:
    """Writes series in the order they came, several at a time. Nothing it does raises or waits in `submit`."""

    def __init__(
        self, writer: EventWriter, clock: Clock, *, dropped: Counter, options: SinkOptions | None = None
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._dropped = dropped
        self._options = options or SinkOptions()
        self._queue: deque[SeriesWrite] = deque()
        self._wakers: deque[asyncio.Future[None]] = deque()
        self._busy = 0
        self._idle: asyncio.Event | None = None

    def __len__(self) -> int:
        """Series that wait to be written."""
        return len(self._queue)

    def submit(self, series: SeriesWrite) -> None:
        """Queues a series unless it is queued already."""
        if series.queued:
            return
        if len(self._queue) >= self._options.queue_size:
            self._dropped.labels("queue-full").inc()
            return
        series.queued = True
        self._queue.append(series)
        while self._wakers:
            waker = self._wakers.popleft()
            if not waker.done():
                waker.set_result(None)
                return

    async def run(self) -> None:
        """Writes until cancelled."""
        async with TaskScope("event sink") as scope:
            for number in range(self._options.writers):
                scope.spawn(self._write_all(), name=f"event writer {number}")

    async def flush(self) -> bool:
        """Waits until everything is written; False when the flush time was not enough. `run` must be running."""
        if not self._queue and not self._busy:
            return True
        self._idle = asyncio.Event()
        try:
            async with self._clock.timeout(self._options.flush_timeout):
                await self._idle.wait()
        except TimeoutError:
            return False
        finally:
            self._idle = None
        return True

    async def _write_all(self) -> None:
        while True:
            while self._queue:
                series = self._queue.popleft()
                series.queued = False
                self._busy += 1
                try:
                    await self._write(series)
                finally:
                    self._busy -= 1
            if self._idle is not None and not self._busy:
                self._idle.set()
            waker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._wakers.append(waker)
            await waker

    async def _write(self, series: SeriesWrite) -> None:
        delay = self._options.retry_delay
        error: Exception | None = None
        for attempt in range(self._options.tries):
            if attempt:
                await self._clock.sleep(delay * random.uniform(0.75, 1.25))
            try:
                await self._once(series)
                return
            except TransportError as failed:
                error = failed
            except TooManyRequests as failed:
                error = failed
            except ApiError as failed:
                if failed.code < 500:
                    self._refused(series, failed)
                    return
                error = failed
            except Exception as failed:
                self._dropped.labels("error").inc()
                _log.error("event not recorded", name=str(series.key), exc_info=failed)
                return
        self._dropped.labels("unavailable").inc()
        _log.warning("event not recorded", name=str(series.key), tries=self._options.tries, error=str(error))

    async def _once(self, series: SeriesWrite) -> None:
        if series.created:
            patch = series.patch_body()
            if patch is None:
                return
            try:
                await self._writer.patch(series.gvk, series.key, patch)
            except NotFound:
                # Events expire, an hour after their last write by default.
                series.lost()
                await self._writer.create(series.create_body())
        else:
            try:
                await self._writer.create(series.create_body())
            except AlreadyExists:
                # An earlier try arrived although its answer did not.
                _log.debug("event exists already", name=str(series.key))
        series.created = True
        series.written()

    def _refused(self, series: SeriesWrite, error: ApiError) -> None:
        terminating = isinstance(error, Forbidden) and error.namespace_terminating
        reason = "namespace-terminating" if terminating or isinstance(error, NotFound) else "refused"
        self._dropped.labels(reason).inc()
        if reason == "refused":
            _log.warning("event refused by the server", name=str(series.key), error=str(error))


def clipped(text: str, limit: int) -> str:
    """The text, cut to `limit` characters with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def event_name(object_name: str, ticks: int) -> str:
    """`<object>.<hex>`, within the length of a name."""
    suffix = f".{ticks:x}"
    return object_name[: 253 - len(suffix)] + suffix
