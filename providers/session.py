"""Sharing of reads: within a session a document is fetched once; between sessions by when they need it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from eso_core.aio import Clock, SingleFlight, Timer
from providers.errors import NoSecret, Throttled
from providers.interface import DocumentClient, Find, PushData, RemoteRef, SecretsClient, Validation

__all__ = ["Circuit", "SessionClient", "SharedReads"]

R = TypeVar("R")


class _Read:
    """A request under way, or its answer while it is kept."""

    __slots__ = ("answer", "began", "number")

    def __init__(self, began: datetime, number: int) -> None:
        self.began = began
        self.number = number
        self.answer: Any = None


class SharedReads:
    """The reads of one client, shared by those who may share them.

    Who needs a value as of an instant may have the answer of any request that began after it; an object that is due at noon does
    not care who asked at one second past. What began earlier is of no use to it, under way or not.

    Args:
        clock: Time.
        keep: For how long after it began an answer is kept, seconds.
    """

    __slots__ = ("_clock", "_count", "_flights", "_keep", "_kept", "_timer", "_under_way")

    def __init__(self, clock: Clock, keep: float) -> None:
        self._clock = clock
        self._keep = keep
        self._count = 0
        self._flights: SingleFlight[tuple[object, int], Any] = SingleFlight()
        self._under_way: dict[object, _Read] = {}
        self._kept: dict[object, _Read] = {}
        self._timer: Timer | None = None

    async def do(self, key: object, fetch: Callable[[], Awaitable[R]], since: datetime | None) -> R:
        """The answer of `fetch`, or of somebody else's request.

        Args:
            key: What is asked for.
            fetch: Asks.
            since: The answer must be of a request that began then or later; None takes any that is under way.
        """
        kept = self._kept.get(key)
        if kept is not None and since is not None and kept.began >= since:
            answer: R = kept.answer
            return answer
        read = self._under_way.get(key)
        if read is None or (since is not None and read.began < since):
            self._count += 1
            read = self._under_way[key] = _Read(self._clock.now(), self._count)
        mine = read

        async def ask() -> R:
            try:
                mine.answer = await fetch()
            finally:
                if self._under_way.get(key) is mine:
                    del self._under_way[key]
            self._remember(key, mine)
            found: R = mine.answer
            return found

        shared: R = await self._flights.do((key, read.number), ask)
        return shared

    def forget(self, remote_key: str) -> None:
        """Something was written under this remote key."""
        for key in [key for key in self._kept if isinstance(key, tuple) and getattr(key[1], "key", None) == remote_key]:
            del self._kept[key]

    def clear(self) -> None:
        """Drop all answers."""
        self._kept.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _remember(self, key: object, read: _Read) -> None:
        if self._keep <= 0:
            return
        known = self._kept.get(key)
        if known is None or known.began <= read.began:
            self._kept[key] = read
        if self._timer is None:
            self._timer = self._clock.call_later(self._keep, self._expire)

    def _expire(self) -> None:
        """Values do not stay in memory: what is old goes, also when nobody asks any more."""
        self._timer = None
        limit = self._clock.now() - timedelta(seconds=self._keep)
        for key in [key for key, read in self._kept.items() if read.began <= limit]:
            del self._kept[key]
        if self._kept:
            self._timer = self._clock.call_later(self._keep, self._expire)


class Circuit:
    """Keeps requests from a store that has asked for fewer of them, until the time it named is over.

    Args:
        clock: Time.
    """

    __slots__ = ("_clock", "_error", "_until")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = 0.0
        self._error = ""

    def check(self) -> None:
        """Do nothing while requests may be made.

        Raises:
            Throttled: With the rest of the time to wait.
        """
        rest = self._until - self._clock.monotonic()
        if rest > 0:
            raise Throttled(self._error, retry_after=rest)

    async def guard(self, work: Awaitable[R]) -> R:
        """The result of a request; a refusal for being one too many opens the circuit."""
        try:
            return await work
        except Throttled as exc:
            if exc.retry_after > 0:
                self._until = max(self._until, self._clock.monotonic() + exc.retry_after)
                self._error = str(exc)
            raise


class SessionClient(SecretsClient):
    """A client as one reconcile sees it.

    Failures are not kept, except "there is no such secret", which is an answer. A write forgets what was read under its
    key.
    """

    def __init__(
        self, client: SecretsClient, shared: SharedReads, circuit: Circuit, since: datetime | None = None
    ) -> None:
        self._client = client
        self._since = since
        self._circuit = circuit
        self._shared = shared
        self._documents: dict[RemoteRef, Any] = {}
        self._values: dict[RemoteRef, bytes] = {}
        self._maps: dict[RemoteRef, dict[str, bytes]] = {}
        self._missing: dict[RemoteRef, NoSecret] = {}

    async def get_secret(self, ref: RemoteRef) -> bytes:
        client = self._client
        if isinstance(client, DocumentClient):
            value: bytes = client.select(await self._document(client, ref.document), ref)
            return value
        answer: bytes = await self._once(self._values, "value", ref, lambda: client.get_secret(ref))
        return answer

    async def get_secret_map(self, ref: RemoteRef) -> dict[str, bytes]:
        client = self._client
        if isinstance(client, DocumentClient):
            return client.select_map(await self._document(client, ref.document), ref)
        return dict(await self._once(self._maps, "map", ref, lambda: client.get_secret_map(ref)))

    async def get_all_secrets(self, find: Find) -> dict[str, bytes]:
        tags = None if find.tags is None else tuple(sorted(find.tags.items()))
        key = ("find", find.path, find.name_regexp, tags, find.conversion_strategy)
        self._circuit.check()
        ask = lambda: self._circuit.guard(self._client.get_all_secrets(find))  # noqa: E731
        return dict(await self._shared.do(key, ask, self._since))

    async def push_secret(self, values: Mapping[str, bytes], data: PushData) -> None:
        self._circuit.check()
        try:
            await self._circuit.guard(self._client.push_secret(values, data))
        finally:
            self._forget(data.remote_key)

    async def delete_secret(self, ref: RemoteRef) -> None:
        self._circuit.check()
        try:
            await self._circuit.guard(self._client.delete_secret(ref))
        finally:
            self._forget(ref.key)

    async def secret_exists(self, ref: RemoteRef) -> bool:
        self._circuit.check()
        return await self._circuit.guard(self._client.secret_exists(ref))

    async def is_object(self, ref: RemoteRef, uid: str) -> bool:
        self._circuit.check()
        return await self._circuit.guard(self._client.is_object(ref, uid))

    async def validate(self) -> Validation:
        self._circuit.check()
        return await self._circuit.guard(self._client.validate())

    async def aclose(self) -> None:
        """Does nothing: the pool closes clients."""

    async def _document(self, client: DocumentClient[Any], ref: RemoteRef) -> Any:
        return await self._once(self._documents, "document", ref, lambda: client.read(ref))

    async def _once(
        self,
        known: dict[RemoteRef, Any],
        what: str,
        ref: RemoteRef,
        fetch: Callable[[], Awaitable[Any]],
    ) -> Any:
        if ref in known:
            return known[ref]
        if ref in self._missing:
            raise self._missing[ref].with_traceback(None)
        try:
            self._circuit.check()
            value = await self._shared.do((what, ref), lambda: self._circuit.guard(fetch()), self._since)
        except NoSecret as exc:
            self._missing[ref] = exc
            raise
        known[ref] = value
        return value

    def _forget(self, key: str) -> None:
        self._shared.forget(key)
        kept: tuple[dict[RemoteRef, Any], ...] = (self._documents, self._values, self._maps, self._missing)
        for answers in kept:
            for ref in [ref for ref in answers if ref.key == key]:
                del answers[ref]

    def __repr__(self) -> str:
        return f"SessionClient({self._client!r})"
