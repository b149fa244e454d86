"""Sharing of reads: within a session a document is fetched once, between sessions while the request is under way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from eso_core.aio import Clock, SingleFlight
from providers.errors import NoSecret, Throttled
from providers.interface import DocumentClient, Find, PushData, RemoteRef, SecretsClient, Validation

__all__ = ["Circuit", "SessionClient", "SharedReads"]

R = TypeVar("R")


class SharedReads:
    """The requests under way of one client."""

    __slots__ = ("documents", "finds", "maps", "values")

    def __init__(self) -> None:
        self.documents: SingleFlight[RemoteRef, Any] = SingleFlight()
        self.values: SingleFlight[RemoteRef, bytes] = SingleFlight()
        self.maps: SingleFlight[RemoteRef, dict[str, bytes]] = SingleFlight()
        self.finds: SingleFlight[tuple[object, ...], dict[str, bytes]] = SingleFlight()


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

    def __init__(self, client: SecretsClient, shared: SharedReads, circuit: Circuit) -> None:
        self._client = client
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
        answer: bytes = await self._once(self._values, self._shared.values, ref, lambda: client.get_secret(ref))
        return answer

    async def get_secret_map(self, ref: RemoteRef) -> dict[str, bytes]:
        client = self._client
        if isinstance(client, DocumentClient):
            return client.select_map(await self._document(client, ref.document), ref)
        return dict(await self._once(self._maps, self._shared.maps, ref, lambda: client.get_secret_map(ref)))

    async def get_all_secrets(self, find: Find) -> dict[str, bytes]:
        key = (find.path, find.name_regexp, tuple(sorted(find.tags.items())), find.conversion_strategy)
        self._circuit.check()
        return dict(await self._shared.finds.do(key, lambda: self._circuit.guard(self._client.get_all_secrets(find))))

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

    async def validate(self) -> Validation:
        self._circuit.check()
        return await self._circuit.guard(self._client.validate())

    async def aclose(self) -> None:
        """Does nothing: the pool closes clients."""

    async def _document(self, client: DocumentClient[Any], ref: RemoteRef) -> Any:
        return await self._once(self._documents, self._shared.documents, ref, lambda: client.read(ref))

    async def _once(
        self,
        known: dict[RemoteRef, Any],
        flight: SingleFlight[RemoteRef, Any],
        ref: RemoteRef,
        fetch: Callable[[], Awaitable[Any]],
    ) -> Any:
        if ref in known:
            return known[ref]
        if ref in self._missing:
            raise self._missing[ref].with_traceback(None)
        try:
            self._circuit.check()
            value = await flight.do(ref, lambda: self._circuit.guard(fetch()))
        except NoSecret as exc:
            self._missing[ref] = exc
            raise
        known[ref] = value
        return value

    def _forget(self, key: str) -> None:
        kept: tuple[dict[RemoteRef, Any], ...] = (self._documents, self._values, self._maps, self._missing)
        for answers in kept:
            for ref in [ref for ref in answers if ref.key == key]:
                del answers[ref]

    def __repr__(self) -> str:
        return f"SessionClient({self._client!r})"
