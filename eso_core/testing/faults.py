"""What goes wrong between a client and a server: ``FaultProxy`` breaks connections, ``HttpFaultProxy`` answers.

``FaultProxy`` forwards bytes and knows nothing of what they mean, so it works below TLS. ``HttpFaultProxy``, with its faults,
matchers and edits, is in ``httpfaults``; its names are here too.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from urllib.parse import urlsplit

from eso_core.aio import TaskScope
from eso_core.testing.httpfaults import (
    ClockOffset,
    CloseAfter,
    Cut,
    Delay,
    Edit,
    Fault,
    Hang,
    HttpFaultProxy,
    Reset,
    Respond,
    SlowHeaders,
    expired,
    failure,
    is_initial,
    is_list,
    is_watch,
    no_bookmarks,
    reordered,
    truncated,
    twice,
)

__all__ = [
    "ClockOffset",
    "CloseAfter",
    "Cut",
    "Delay",
    "Edit",
    "Fault",
    "FaultProxy",
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

_CHUNK = 65_536


class _Link:
    """Both ends of one connection."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.ends = (client, server)
        self.robbed = False  # bytes of it were swallowed: it cannot go on

    def abort(self) -> None:
        for end in self.ends:
            end.transport.abort()


class FaultProxy:
    """Forwards bytes to a server until told otherwise.

    Use it in ``async with``; ``url`` then leads to the server through the proxy.

    Attributes:
        accepted: How many connections were accepted so far.
    """

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        if not parts.hostname or not parts.port:
            raise ValueError(f"target {target!r} must be a URL with host and port")
        self._scheme = parts.scheme
        self._target = (parts.hostname, parts.port)
        self._scope = TaskScope("fault proxy")
        self._server: asyncio.Server | None = None
        self._port = 0
        self._links: set[_Link] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._swallowing = False
        self.accepted = 0

    async def __aenter__(self) -> FaultProxy:
        await self._scope.__aenter__()
        await self.restore()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.refuse()
        self.reset()
        await self._scope.cancel()
        await self._scope.__aexit__(exc_type, exc, tb)

    @property
    def url(self) -> str:
        """The server's URL through the proxy."""
        return f"{self._scheme}://127.0.0.1:{self._port}"

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._links)

    def freeze(self) -> None:
        """Keeps the connections and stops forwarding in both directions, like a path that lost its route."""
        self._open.clear()

    def swallow(self) -> None:
        """Takes all bytes of both sides and delivers none, like a half-open connection: writes seem to succeed."""
        self._swallowing = True

    def thaw(self) -> None:
        """Forwards again, and what piled up first. Connections of which bytes were swallowed are broken."""
        self._open.set()
        self._swallowing = False
        for link in [link for link in self._links if link.robbed]:
            link.abort()

    def reset(self) -> None:
        """Breaks all connections at once."""
        for link in list(self._links):
            link.abort()

    async def refuse(self) -> None:
        """Refuses new connections; open ones stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def restore(self) -> None:
        """Accepts connections again, on the same port."""
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
            self._port = self._server.sockets[0].getsockname()[1]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._scope.spawn(self._serve(reader, writer), name=f"connection {self.accepted}")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._open.wait()
            upstream_reader, upstream = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(writer, upstream)
        self._links.add(link)
        try:
            async with TaskScope("link") as scope:
                scope.spawn(self._forward(link, reader, upstream), name="to the server")
                scope.spawn(self._forward(link, upstream_reader, writer), name="to the client")
        finally:
            self._links.discard(link)
            link.abort()

    async def _forward(self, link: _Link, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while chunk := await source.read(_CHUNK):
                await self._open.wait()
                if self._swallowing:
                    link.robbed = True
                    continue
                sink.write(chunk)
                await sink.drain()
            await self._open.wait()
            if sink.can_write_eof():
                sink.write_eof()
            else:
                sink.close()
        except OSError:
            # Broken by `reset`, or by one of the ends; the other end learns of it the same way.
            sink.transport.abort()

    def __repr__(self) -> str:
        return f"FaultProxy({self.url!r}, connections={len(self._links)})"
