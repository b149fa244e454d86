"""Watch streams: bytes in, events out.

The stream ends in one of three ways: the server closed it (the iteration just ends), the connection broke
(``ConnectionLost``), or nothing arrived for too long (``ReadTimeout``). A line that the connection cut short is dropped:
what it held comes again after the next watch at the last resource version.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Generic, NamedTuple, TypeVar

import aiohttp
import msgspec
from msgspec import Struct

from eso_core.aio import Clock, Timer
from eso_core.client.failures import translate
from eso_core.client.lines import LineSplitter
from eso_core.client.request import ApiRequest
from eso_core.client.transport import Transport
from eso_core.meta.errors import ApiError, DecodeError, ReadTimeout
from eso_core.meta.object import ObjectMeta, decode_partial

__all__ = ["RawEvent", "RawWatch", "Watch", "WatchEvent"]

_log = logging.getLogger("eso_core.client")

T = TypeVar("T")

ENDS_AFTER = 5.0
"""Seconds after the asked-for timeout at which the client ends a watch that the server forgot."""


class RawEvent(NamedTuple):
    """An event with the object as bytes; the type is ADDED, MODIFIED, DELETED, BOOKMARK or ERROR."""

    type: str
    body: bytes


class WatchEvent(Struct, Generic[T], frozen=True):
    """A decoded event.

    Attributes:
        type: ADDED, MODIFIED, DELETED or BOOKMARK.
        object: The object; ``None`` for a bookmark, which has only ``meta``.
        meta: The object's metadata.
    """

    type: str
    object: T | None
    meta: ObjectMeta


class _Line(msgspec.Struct, gc=False):
    type: str
    object: msgspec.Raw


_decoder = msgspec.json.Decoder(_Line)


class RawWatch:
    """An open watch as an async context manager and an async iterator of ``RawEvent``.

    Entering it sends the request and waits for the answer's headers.

    Raises:
        ApiError: The server refused the watch; on entering.
        TransportError: No answer; on entering. The connection broke or fell silent; while iterating.
        DecodeError: A line is no event or too long; while iterating.
    """

    def __init__(
        self,
        transport: Transport,
        request: Callable[[], Awaitable[ApiRequest]],
        *,
        clock: Clock,
        idle_timeout: float | None,
        total_timeout: float | None,
    ) -> None:
        self._transport = transport
        self._make_request = request
        self._doing = "WATCH"
        self._clock = clock
        self._idle_timeout = idle_timeout
        self._total_timeout = total_timeout
        self._ends: float | None = None
        self._response: aiohttp.ClientResponse | None = None
        self._splitter = LineSplitter()
        self._events: deque[RawEvent] = deque()
        self._timer: Timer | None = None
        self._silent = ""
        self.last_byte = clock.monotonic()
        """Monotonic instant of the last sign of life."""

    async def __aenter__(self) -> RawWatch:
        request = await self._make_request()
        self._doing = f"WATCH {request.path}"
        self._response = await self._transport.open_stream(request)
        self.last_byte = self._clock.monotonic()
        if self._total_timeout is not None:
            self._ends = self.last_byte + self._total_timeout + ENDS_AFTER
        self._arm()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._response is not None:
            self._response.close()

    def __aiter__(self) -> AsyncIterator[RawEvent]:
        return self

    async def __anext__(self) -> RawEvent:
        while not self._events:
            await self._fill()
        return self._events.popleft()

    async def _fill(self) -> None:
        response = self._response
        if response is None:
            raise RuntimeError("reading a watch: it is not open: use it in 'async with'")
        try:
            chunk = await response.content.readany()
        except (aiohttp.ClientError, OSError) as exc:
            if self._silent:
                raise ReadTimeout(f"{self._doing}: {self._silent}") from exc
            verb, _, path = self._doing.partition(" ")
            raise translate(exc, verb, path, self._transport.config.server) from exc
        if not chunk:
            raise StopAsyncIteration
        self.last_byte = self._clock.monotonic()
        for line in self._splitter.feed(chunk):
            try:
                parsed = _decoder.decode(line)
            except msgspec.DecodeError as exc:
                raise DecodeError(f"{self._doing}: a line is no event: {exc}") from exc
            self._events.append(RawEvent(parsed.type, bytes(parsed.object)))

    def _arm(self) -> None:
        # The timer looks at the last byte when it fires; a timer per chunk would cost more than the chunk.
        now = self._clock.monotonic()
        ends = self._ends if self._ends is not None else float("inf")
        silent = self.last_byte + self._idle_timeout if self._idle_timeout is not None else float("inf")
        if silent <= now:
            self._end(f"nothing arrived for {self._idle_timeout:g} s")
        elif ends <= now:
            self._end("the server did not end the watch in time")
        elif min(silent, ends) < float("inf"):
            self._timer = self._clock.call_later(min(silent, ends) - now, self._arm)

    def _end(self, why: str) -> None:
        self._silent = why
        _log.debug("%s: ending the watch: %s", self._doing, why)
        if self._response is not None:
            self._response.close()


class Watch(Generic[T]):
    """A ``RawWatch`` with decoded objects; an ERROR event raises its ``ApiError``."""

    def __init__(self, raw: RawWatch, decoder: Callable[[], Awaitable[Callable[[bytes], T]]]) -> None:
        self._raw = raw
        self._make_decoder = decoder
        self._decode: Callable[[bytes], T] | None = None

    async def __aenter__(self) -> Watch[T]:
        self._decode = await self._make_decoder()
        await self._raw.__aenter__()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._raw.__aexit__(exc_type, exc, tb)

    def __aiter__(self) -> AsyncIterator[WatchEvent[T]]:
        return self

    async def __anext__(self) -> WatchEvent[T]:
        event = await self._raw.__anext__()
        if event.type == "ERROR":
            raise error_of(event.body)
        assert self._decode is not None
        meta = decode_partial(event.body).meta
        if event.type == "BOOKMARK":
            return WatchEvent(event.type, None, meta)
        return WatchEvent(event.type, self._decode(event.body), meta)


def error_of(body: bytes) -> ApiError:
    """The error in an ERROR event."""
    try:
        status: Any = msgspec.json.decode(body)
    except msgspec.DecodeError:
        status = None
    if not isinstance(status, dict):
        status = {"message": body[:2_048].decode("utf-8", "replace")}
    return ApiError.from_status(status)
