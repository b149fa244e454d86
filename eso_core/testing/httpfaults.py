"""An HTTP proxy in front of an API server that answers wrongly on request.

``FaultProxy`` breaks connections; this one breaks what goes over them: failures with and without ``Retry-After``, streams that
end in the middle of a line, events that come twice, bookmarks that do not come.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from types import TracebackType
from typing import Any, TypeAlias, assert_never

import aiohttp
from aiohttp import web
from yarl import URL

from eso_core.aio import Clock, SystemClock
from eso_core.client import ClientConfig
from eso_core.client.tls import TlsContexts

__all__ = [
    "ClockOffset",
    "CloseAfter",
    "Cut",
    "Delay",
    "Edit",
    "Fault",
    "Hang",
    "HttpFaultProxy",
    "Reset",
    "Respond",
    "SlowHeaders",
    "expired",
    "failure",
    "is_initial",
    "is_list",
    "is_watch",
    "no_bookmarks",
    "reordered",
    "truncated",
    "twice",
]

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host", "content-encoding"})


@dataclass(frozen=True, slots=True)
class Respond:
    """Answers instead of the server."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cut:
    """Breaks the connection after so many bytes of the answer's body."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class Edit:
    """Replaces each line of the answer by the lines that ``fn`` gives."""

    fn: Callable[[bytes], list[bytes]]


@dataclass(frozen=True, slots=True)
class Hang:
    """Never answers."""


@dataclass(frozen=True, slots=True)
class Delay:
    """Hands the request on only after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class SlowHeaders:
    """Hands the request on at once and holds the answer back for so many seconds: the server has done what was asked."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reset:
    """Breaks the connection instead of an answer; the server does not see the request."""


@dataclass(frozen=True, slots=True)
class CloseAfter:
    """Closes the connection after the whole answer, without having said that it would not be kept alive."""


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """The ``Date`` of the answer is off by so many seconds, as of a server whose clock is wrong."""

    seconds: float


Shape: TypeAlias = Cut | Edit | SlowHeaders | CloseAfter | ClockOffset
Fault: TypeAlias = Shape | Respond | Hang | Delay | Reset
Matcher: TypeAlias = Callable[[web.Request], bool]


@dataclass(slots=True)
class _Rule:
    fault: Fault
    matches: Matcher
    left: int | None


class HttpFaultProxy:
    """Forwards requests to the server of a configuration; the first rule that matches a request spoils it.

    Use it in ``async with``, and give ``config`` to the client under test. It speaks plain HTTP.
    """

    def __init__(self, config: ClientConfig, clock: Clock | None = None) -> None:
        self._upstream = config
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._rules: list[_Rule] = []
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._url = ""
        self._clients: set[asyncio.Transport] = set()
        self.spoiled = 0
        """How many requests a rule matched."""

    async def __aenter__(self) -> HttpFaultProxy:
        tls = TlsContexts(ca=self._upstream.ca, insecure=self._upstream.insecure_skip_tls_verify, clock=SystemClock())
        context = await tls.get(None) if self._upstream.server.startswith("https://") else True
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept-Encoding", "User-Agent", "Accept", "Content-Type"),
        )
        app = web.Application(client_max_size=2**25)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    @property
    def config(self) -> ClientConfig:
        """The configuration of a client that goes through the proxy, with the same credentials."""
        return dataclasses.replace(self._upstream, server=self._url, ca=None, client_cert=None, client_key=None)

    def spoil(self, fault: Fault, when: Matcher, times: int | None = 1) -> None:
        """Adds a rule; it is used up after ``times`` requests, ``None`` is never."""
        self._rules.append(_Rule(fault, when, times))

    def clear(self) -> None:
        """Drops all rules."""
        self._rules.clear()

    def reset(self) -> None:
        """Breaks the connections of all answers that are under way, watches above all."""
        for transport in list(self._clients):
            transport.abort()

    def _fault(self, request: web.Request) -> Fault | None:
        for rule in self._rules:
            if rule.matches(request):
                self.spoiled += 1
                if rule.left is not None:
                    rule.left -= 1
                    if rule.left == 0:
                        self._rules.remove(rule)
                return rule.fault
        return None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        fault = self._fault(request)
        match fault:
            case Respond():
                headers = {"Content-Type": "application/json", **fault.headers}
                return web.Response(status=fault.status, body=fault.body, headers=headers)
            case Hang():
                await asyncio.Event().wait()
                raise AssertionError("an event that nobody sets was set")
            case Delay():
                await self._clock.sleep(fault.seconds)
                return await self._forward(request, None)
            case Reset():
                if request.transport is not None:
                    request.transport.abort()
                return web.Response(status=500)  # nobody is there to get it
            case Cut() | Edit() | SlowHeaders() | CloseAfter() | ClockOffset() | None:
                return await self._forward(request, fault)
        assert_never(fault)

    async def _forward(self, request: web.Request, fault: Shape | None) -> web.StreamResponse:
        assert self._session is not None
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}
        body = await request.read()
        url = URL(self._upstream.server + request.raw_path, encoded=True)
        async with self._session.request(request.method, url, headers=headers, data=body or None) as answer:
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in _HOP_BY_HOP}
            if isinstance(fault, SlowHeaders):
                await self._clock.sleep(fault.seconds)
            elif isinstance(fault, ClockOffset):
                shown = self._clock.now() + timedelta(seconds=fault.seconds)
                kept["Date"] = format_datetime(shown, usegmt=True)
            response = web.StreamResponse(status=answer.status, headers=kept)
            response.enable_chunked_encoding()
            await response.prepare(request)
            transport = request.transport
            if transport is None:
                return response  # the client is gone already
            self._clients.add(transport)
            try:
                if isinstance(fault, Edit):
                    await _edited(answer, response, fault)
                elif not await _copied(answer, response, fault if isinstance(fault, Cut) else None):
                    transport.abort()
                    return response
            finally:
                self._clients.discard(transport)
        await response.write_eof()
        if isinstance(fault, CloseAfter):
            transport.close()
        return response


async def _copied(answer: aiohttp.ClientResponse, response: web.StreamResponse, cut: Cut | None) -> bool:
    """Copies the body; whether it was copied whole."""
    left = cut.after if cut is not None else None
    async for chunk in answer.content.iter_any():
        if left is not None:
            if len(chunk) >= left:
                await response.write(chunk[:left])
                return False
            left -= len(chunk)
        await response.write(chunk)
    return left is None


async def _edited(answer: aiohttp.ClientResponse, response: web.StreamResponse, edit: Edit) -> None:
    rest = b""
    async for chunk in answer.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            for changed in edit.fn(line):
                await response.write(changed + b"\n")
    if rest:
        await response.write(rest)


def is_watch(request: web.Request) -> bool:
    """Matches watches."""
    return request.query.get("watch") in ("true", "1")


def is_list(request: web.Request) -> bool:
    """Matches lists of namespaced and cluster-scoped kinds."""
    return (
        request.method == "GET"
        and not is_watch(request)
        and ("limit" in request.query or "resourceVersion" in request.query)
    )


def is_initial(request: web.Request) -> bool:
    """Matches what starts an informer: a list, or a watch that begins with the current state."""
    return is_list(request) or request.query.get("sendInitialEvents") == "true"


def no_bookmarks(line: bytes) -> list[bytes]:
    """An ``Edit`` that swallows bookmarks."""
    return [] if _event(line).get("type") == "BOOKMARK" else [line]


def twice(line: bytes) -> list[bytes]:
    """An ``Edit`` that sends every event twice."""
    return [line, line]


def failure(code: int, reason: str, *, retry_after: int | None = None) -> Respond:
    """A failure as the API server sends it, like ``failure(429, "TooManyRequests", retry_after=1)``."""
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": reason,
    }
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Respond(code, json.dumps(body).encode(), headers)


def truncated(line: bytes) -> list[bytes]:
    """An ``Edit`` that breaks off every event in its middle."""
    return [line[: len(line) // 2]]


def reordered() -> Callable[[bytes], list[bytes]]:
    """An ``Edit`` that sends the initial events of one watch in reverse. Make one for each watch."""
    held: list[bytes] = []
    done = False

    def edit(line: bytes) -> list[bytes]:
        nonlocal done
        if done:
            return [line]
        if _event(line).get("type") == "ADDED":
            held.append(line)
            return []
        done = True
        return [*reversed(held), line]

    return edit


def expired(line: bytes) -> list[bytes]:
    """An ``Edit`` that sends an expiry instead of the first event."""
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": 410,
        "reason": "Expired",
        "message": "too old resource version: 1 (2)",
    }
    return [json.dumps({"type": "ERROR", "object": status}).encode()]


def _event(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
