"""One HTTP session to a server, replaced when connecting fails again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from weakref import WeakSet

import aiohttp

__all__ = ["Session", "Sessions"]

#: Failed connects in a row after which nothing of the old connections is trusted any more.
_LIMIT = 3


class Session:
    """A session and who uses it.

    Attributes:
        http: the session.
        streams: responses that are read after the request's block; the session stays open until they are closed.
    """

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http = http
        self.requests = 0
        self.streams: WeakSet[aiohttp.ClientResponse] = WeakSet()

    @property
    def idle(self) -> bool:
        return not self.requests and all(stream.closed for stream in self.streams)


class Sessions:
    """The current session, and retired ones until their last request or stream has ended.

    A connector remembers connections, addresses and TLS sessions; after a failover all of that may belong to a server that
    is not there any more.

    Args:
        make: makes a session with a connector of its own.
    """

    def __init__(self, make: Callable[[], aiohttp.ClientSession]) -> None:
        self._make = make
        self._current: Session | None = None
        self._retired: list[Session] = []
        self._failures = 0

    @contextmanager
    def use(self) -> Iterator[Session]:
        """The session for one request; it stays open for the block."""
        used = self._now()
        used.requests += 1
        try:
            yield used
        finally:
            used.requests -= 1

    def connected(self) -> None:
        """An answer came."""
        self._failures = 0

    async def failed(self) -> None:
        """A connection could not be made; the third time in a row the session is replaced."""
        self._failures += 1
        if self._failures >= _LIMIT and self._current is not None:
            self._failures = 0
            self._retired.append(self._current)
            self._current = None
        idle = [used for used in self._retired if used.idle]
        self._retired = [used for used in self._retired if used not in idle]
        for used in idle:
            await used.http.close()

    async def aclose(self) -> None:
        """Closes all sessions; open streams end with an error."""
        everything = [*self._retired, *([self._current] if self._current is not None else [])]
        self._retired, self._current = [], None
        for used in everything:
            await used.http.close()

    def _now(self) -> Session:
        if self._current is None:
            self._current = Session(self._make())
        return self._current
