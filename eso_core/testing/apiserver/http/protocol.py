"""HTTP/1.1 connections: parses requests, keeps answers in order, writes bodies and chunked streams.

Written by hand because a request costs a tenth of what a general server framework takes. Understands
Content-Length and chunked bodies, keep-alive, pipelining and ``Expect: 100-continue``; refuses everything that is
not plainly HTTP/1.x.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, cast

from eso_core.testing.apiserver.http.message import REASONS, Answer, Request, Response, Stream

MAX_HEAD: Final = 1024 * 1024  # as in the original: selectors can be long
_MAX_DISCARD: Final = 256 * 1024 * 1024
_LINGER: Final = 0.5  # seconds that a refused client has for reading why, as in net/http
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_HEADS: Final = {code: f"HTTP/1.1 {code} {text}\r\n".encode() for code, text in REASONS.items()}


class Handler(Protocol):
    """Answers requests. ``respond`` must be called once per request, at once or later."""

    def __call__(self, request: Request, respond: Callable[[Answer], None]) -> None: ...


class BadRequest(Exception):
    """The bytes are no request we read; the connection ends with this status."""

    def __init__(self, status: int, text: str, length: int = 0) -> None:
        super().__init__(text)
        self.status = status
        self.length = length


class Connections:
    """The open connections of a server."""

    def __init__(self) -> None:
        self._open: set[Connection] = set()
        self._empty: asyncio.Event | None = None
        self._closed = False

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Connection) -> None:
        self._open.add(connection)
        if self._closed:
            # Accepted before the listener closed, made only now: its client would keep the server waiting.
            connection.close()

    def discard(self, connection: Connection) -> None:
        self._open.discard(connection)
        if not self._open and self._empty is not None:
            self._empty.set()

    def close(self) -> None:
        """End all connections, open streams too, and those that are still being accepted."""
        self._closed = True
        for connection in list(self._open):
            connection.close()

    async def wait_empty(self) -> None:
        """Wait until the last connection is gone."""
        if self._open:
            self._empty = asyncio.Event()
            await self._empty.wait()


class Connection(asyncio.Protocol):
    """One client connection. Requests are answered one at a time, in order."""

    def __init__(
        self, handler: Handler, connections: Connections, max_body: int, too_large: Callable[[], Response]
    ) -> None:
        self._handler = handler
        self._connections = connections
        self._max_body = max_body
        self._too_large = too_large
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._busy = False
        self._advancing = False
        self._head: tuple[str, str, dict[str, str], int] | None = None
        self._chunks: _ChunkedBody | None = None
        self._stop: Callable[[], None] | None = None
        self._closing = False
        self._discard = 0
        self._linger: asyncio.TimerHandle | None = None
        self._certificate: bytes | None = None

    # -- transport events

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)
        ssl_object = transport.get_extra_info("ssl_object")
        if ssl_object is not None:
            self._certificate = ssl_object.getpeercert(binary_form=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._connections.discard(self)
        self._stop_stream()
        if self._linger is not None:
            self._linger.cancel()

    def data_received(self, data: bytes) -> None:
        if self._discard:
            self._discard -= len(data)
            if self._discard <= 0 and self._transport is not None:
                self._transport.close()
            return
        self._buffer += data
        if not self._busy:
            self._advance()

    def eof_received(self) -> bool:
        # A client that has sent its last request may still wait for the answer.
        self._closing = True
        return self._busy and self._stop is None

    def close(self) -> None:
        """End the connection now, also in the middle of a stream."""
        self._stop_stream()
        if self._transport is not None:
            # An orderly end of TLS waits for the client's part of it, which an idle client never reads our wish for.
            if self._busy or not self._transport.get_write_buffer_size():
                self._transport.abort()
            else:
                self._transport.close()

    # -- requests

    def _advance(self) -> None:
        if self._advancing:  # an answer given within the handler: the loop below goes on by itself
            return
        self._advancing = True
        try:
            while not self._busy and self._transport is not None:
                try:
                    request = self._next_request()
                except BadRequest as error:
                    self._refuse(error)
                    return
                if request is None:
                    return
                self._busy = True
                self._handler(request, self._answerer(request))
        finally:
            self._advancing = False

    def _next_request(self) -> Request | None:
        if self._head is None:
            end = self._buffer.find(b"\r\n\r\n")
            if (end if end >= 0 else len(self._buffer)) > MAX_HEAD:
                raise BadRequest(431, "the head of the request is too large")
            if end < 0:
                return None
            head = bytes(self._buffer[:end])
            del self._buffer[: end + 4]
            self._head = self._read_head(head)
        method, target, headers, length = self._head
        if self._chunks is not None:
            body = self._chunks.feed(self._buffer)
            if body is None:
                return None
            self._chunks = None
        elif length:
            if len(self._buffer) < length:
                return None
            body = bytes(self._buffer[:length])
            del self._buffer[:length]
        else:
            body = b""
        self._head = None
        return Request(method, target, headers, body, self._certificate)

    def _read_head(self, head: bytes) -> tuple[str, str, dict[str, str], int]:
        lines = head.decode("latin-1").split("\r\n")
        parts = lines[0].split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1.") or not parts[1].startswith("/"):
            raise BadRequest(400, "malformed request line")
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise BadRequest(400, "malformed header")
            key = name.lower()
            value = value.strip()
            headers[key] = f"{headers[key]},{value}" if key in headers else value
        if "connection" in headers:
            self._closing = headers["connection"].lower() == "close"
        elif parts[2] == "HTTP/1.0":
            self._closing = True
        length = self._body_length(headers)
        if headers.get("expect", "").lower() == "100-continue" and self._transport is not None:
            self._transport.write(_CONTINUE)
        return parts[0], parts[1], headers, length

    def _body_length(self, headers: dict[str, str]) -> int:
        encoding = headers.get("transfer-encoding")
        if encoding is not None:
            if encoding.lower() != "chunked" or "content-length" in headers:
                raise BadRequest(501, "unsupported transfer encoding")
            self._chunks = _ChunkedBody(self._max_body)
            return 0
        text = headers.get("content-length")
        if text is None:
            return 0
        if not text.isdigit():
            raise BadRequest(400, "malformed Content-Length")
        length = int(text)
        if length > self._max_body:
            raise BadRequest(413, "the body is too large", length)
        return length

    def _refuse(self, error: BadRequest) -> None:
        self._closing = True
        self._busy = True
        unread = error.length - len(self._buffer)
        self._buffer.clear()
        if 0 < unread <= _MAX_DISCARD:
            # A client that is still sending reads the answer only after that.
            self._discard = unread
        if error.status == 413:
            self._write_response(self._too_large(), head_only=False)
        else:
            self._discard = _MAX_DISCARD
            self._write_response(Response(error.status, f"{error}\n".encode(), "text/plain"), head_only=False)
            self._part()

    def _part(self) -> None:
        """End a connection whose client may be sending still: closed with bytes unread, it would be reset, and the answer lost."""
        transport = self._transport
        if transport is None:
            return
        if transport.can_write_eof():
            transport.write_eof()
        self._linger = asyncio.get_running_loop().call_later(_LINGER, transport.close)

    # -- answers

    def _answerer(self, request: Request) -> Callable[[Answer], None]:
        head_only = request.method == "HEAD"

        def respond(answer: Answer) -> None:
            if self._transport is None:
                return
            if isinstance(answer, Response):
                self._write_response(answer, head_only)
                self._advance()
            else:
                self._start_stream(answer)

        return respond

    def _head_bytes(self, status: int, content_type: str, headers: list[tuple[str, str]]) -> bytearray:
        out = bytearray(_HEADS.get(status) or f"HTTP/1.1 {status} Status\r\n".encode())
        if content_type:
            out += b"Content-Type: " + content_type.encode("latin-1") + b"\r\n"
        for name, value in headers:
            out += f"{name}: {value}\r\n".encode("utf-8", "replace")
        return out

    def _write_response(self, response: Response, head_only: bool) -> None:
        transport = self._transport
        if transport is None:
            return
        out = self._head_bytes(response.status, response.content_type, response.headers)
        out += b"Content-Length: %d\r\n" % len(response.body)
        if self._closing:
            out += b"Connection: close\r\n"
        out += b"\r\n"
        if not head_only:
            if len(response.body) < 65536:
                out += response.body
                transport.write(bytes(out))
            else:
                transport.write(bytes(out))
                transport.write(response.body)
        else:
            transport.write(bytes(out))
        self._busy = False
        if self._closing and not self._discard:
            transport.close()

    def _start_stream(self, stream: Stream) -> None:
        transport = self._transport
        if transport is None:
            return
        out = self._head_bytes(stream.status, stream.content_type, stream.headers)
        out += b"Transfer-Encoding: chunked\r\n\r\n"
        transport.write(bytes(out))
        sink = _ChunkedSink(self)
        stop = stream.start(sink)
        if sink.closed:
            stop()
        else:
            self._stop = stop

    def _stop_stream(self) -> None:
        if self._stop is not None:
            stop, self._stop = self._stop, None
            stop()

    def _stream_ended(self) -> None:
        self._stop_stream()
        self._busy = False
        if self._closing and self._transport is not None:
            self._transport.close()
        else:
            self._advance()


class _ChunkedSink:
    """Writes one chunk per call; see `Sink`."""

    __slots__ = ("_connection", "_ended")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._ended = False

    @property
    def closed(self) -> bool:
        return self._ended or self._connection._transport is None

    def write(self, chunk: bytes) -> None:
        transport = self._connection._transport
        if transport is not None and not self._ended and chunk:
            transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))

    def end(self) -> None:
        transport = self._connection._transport
        if transport is None or self._ended:
            return
        self._ended = True
        transport.write(b"0\r\n\r\n")
        self._connection._stream_ended()

    def buffered(self) -> int:
        transport = self._connection._transport
        return 0 if transport is None else transport.get_write_buffer_size()


class _ChunkedBody:
    """Collects a chunked request body from the connection's buffer."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._body = bytearray()
        self._trailer = False

    def feed(self, buffer: bytearray) -> bytes | None:
        """Take what is complete out of ``buffer``; the body once it is whole."""
        while True:
            end = buffer.find(b"\r\n")
            if end < 0:
                if len(buffer) > MAX_HEAD:
                    raise BadRequest(400, "malformed chunk")
                return None
            if self._trailer:
                line = bytes(buffer[:end])
                del buffer[: end + 2]
                if not line:
                    return bytes(self._body)
                continue
            try:
                size = int(bytes(buffer[:end]).split(b";")[0].strip(), 16)
            except ValueError as error:
                raise BadRequest(400, "malformed chunk") from error
            if size < 0 or len(self._body) + size > self._limit:
                raise BadRequest(413, "the body is too large")
            if size == 0:
                del buffer[: end + 2]
                self._trailer = True
                continue
            if len(buffer) < end + 2 + size + 2:
                return None
            self._body += buffer[end + 2 : end + 2 + size]
            del buffer[: end + 2 + size + 2]
