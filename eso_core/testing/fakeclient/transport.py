"""From the client's requests to the request handler in memory, and its answers back; streams without a socket."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import cast

import aiohttp
from multidict import CIMultiDict

from eso_core.aio import Clock
from eso_core.client import ClientConfig
from eso_core.client.request import ApiRequest, ApiResponse
from eso_core.client.server_warnings import WarningHandler, parse_warning
from eso_core.client.transport import Transport
from eso_core.meta.errors import ApiError, ConfigError
from eso_core.testing.apiserver.http.message import Answer, Request, Response, Stream
from eso_core.testing.fakeclient.memory import MemoryServer

__all__ = ["MemoryTransport"]


class _Chunks:
    """What a stream has written and nobody has read; both the server's sink and the client's content."""

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._ended = False
        self.closed = False

    def write(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._wake.set()

    def end(self) -> None:
        self._ended = True
        self._wake.set()

    def buffered(self) -> int:
        return sum(len(chunk) for chunk in self._chunks)

    def close(self) -> None:
        self.closed = True
        self._wake.set()

    async def readany(self) -> bytes:
        while not self._chunks:
            if self._ended:
                return b""
            if self.closed:
                raise aiohttp.ClientConnectionError("Connection closed")
            self._wake.clear()
            await self._wake.wait()
        data = b"".join(self._chunks)
        self._chunks.clear()
        return data


class _StreamResponse:
    """As much of an HTTP response as a watch reads."""

    def __init__(self, status: int, headers: CIMultiDict[str], content: _Chunks, stop: Callable[[], None]) -> None:
        self.status = status
        self.headers = headers
        self.content = content
        self._stop: Callable[[], None] | None = stop

    def close(self) -> None:
        self.content.close()
        if self._stop is not None:
            stop, self._stop = self._stop, None
            stop()


class MemoryTransport(Transport):
    """Sends to a server in memory, which is made at the first request. Nothing is retried: nothing gets lost."""

    def __init__(
        self,
        config: ClientConfig,
        *,
        clock: Clock,
        user_agent: str,
        on_warning: WarningHandler | None,
        start: Callable[[], Awaitable[MemoryServer]],
    ) -> None:
        super().__init__(config, clock=clock, user_agent=user_agent, on_warning=on_warning, environ={})
        self._start = start
        self._starting = asyncio.Lock()
        self._server: MemoryServer | None = None
        self._streams: set[_StreamResponse] = set()

    async def server(self) -> MemoryServer:
        """The server, started when it is not yet."""
        if self._server is None:
            async with self._starting:
                if self._closed:
                    raise ConfigError("using a fake client: it is closed: make a new one")
                if self._server is None:
                    self._server = await self._start()
        return self._server

    async def send(self, request: ApiRequest) -> ApiResponse:
        started = self.clock.monotonic()
        answer = await self._answer(request)
        if not isinstance(answer, Response):
            raise TypeError(f"{request.method} {request.path}: the answer is a stream: use a watch")
        headers = self._headers(request, answer)
        self._observe(request, answer.status, started, len(answer.body))
        if answer.status < 300 or answer.status in request.passed:
            return ApiResponse(answer.status, headers, answer.body)
        raise ApiError.from_response(request.method, request.path, answer.status, answer.body, headers)

    async def open_stream(self, request: ApiRequest) -> aiohttp.ClientResponse:
        answer = await self._answer(request)
        headers = self._headers(request, answer)
        if isinstance(answer, Response):
            raise ApiError.from_response(request.method, request.path, answer.status, answer.body, headers)
        chunks = _Chunks()
        end = answer.start(chunks)

        def stop() -> None:
            self._streams.discard(response)
            end()

        response = _StreamResponse(answer.status, headers, chunks, stop)
        self._streams.add(response)
        return cast(aiohttp.ClientResponse, response)

    async def _answer(self, request: ApiRequest) -> Answer:
        server = await self.server()
        if self._closed:
            raise ConfigError("using a fake client: it is closed: make a new one")
        headers = {"authorization": f"Bearer {server.token}", "accept": request.accept}
        if request.body is not None:
            headers["content-type"] = request.content_type
        headers["user-agent"] = self._base_headers["User-Agent"]
        headers.update({name.lower(): value for name, value in (request.headers or {}).items()})
        target = f"{request.path}?{request.query}" if request.query else request.path
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def respond(answer: Answer) -> None:
            if not answered.done():
                answered.set_result(answer)

        server.handle(Request(request.method, target, headers, request.body or b""), respond)
        return await answered

    def _headers(self, request: ApiRequest, answer: Response | Stream) -> CIMultiDict[str]:
        headers: CIMultiDict[str] = CIMultiDict(answer.headers)
        headers["Content-Type"] = answer.content_type
        for value in headers.getall("Warning", ()):
            text = parse_warning(value)
            if text is not None:
                self._on_warning(text, request.kind)
        return headers

    def drop_streams(self) -> None:
        """Breaks all open watches, as a lost connection does."""
        streams, self._streams = self._streams, set()
        for stream in streams:
            stream.close()  # which would change the set under the loop, were it not another one by now

    async def aclose(self) -> None:
        self.drop_streams()
        await super().aclose()
        server, self._server = self._server, None
        if server is not None:
            await server.aclose()
