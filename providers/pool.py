"""Open clients of stores, shared by all reconciles.

What is subtle here:

* A client belongs to (store, uid, generation, namespace); the namespace counts only for a ClusterSecretStore whose
  credentials come from its consumers. Nothing is ever shared between two stores, or between two sets of credentials.
* A client that is replaced is *retired*: nobody gets it any more, and it is closed when its last user is done. State
  changes happen before the first await or after the last, so no lock is needed.
* A failed open is not cached, but for a short while it is answered without asking the backend again: a hundred
  ExternalSecrets on a dead server make one attempt, not a hundred. A change of the store or of anything the attempt
  read ends that while at once, and so does who comes back edited after having been told of the failure.
* Nothing runs in the background by itself. ``start`` closes what is retired or idle; without it (tests, one-shot commands) the sessions
  do that on their way out.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

import structlog
from msgspec import Struct

from eso_core.aio import Clock, SingleFlight, TaskScope, shielded
from providers.errors import ProviderError
from providers.interface import (
    NoCalls,
    Provider,
    ProviderCalls,
    ProviderOptions,
    SecretsClient,
    Store,
    StoreContext,
    StoreKey,
)
from providers.registry import Registry
from providers.resolve import KubeReader, Resolver, Source
from providers.session import Circuit, SessionClient, SharedReads

if TYPE_CHECKING:
    from providers.spec import ProviderSpec

__all__ = ["Asker", "ClientPool", "PoolOptions", "PoolStatistics", "Session"]

log = structlog.get_logger(__name__)

_PARALLEL_CLOSES = 16


class PoolOptions(Struct, frozen=True):
    """Limits of the pool; seconds where nothing else is said."""

    max_clients: int = 1024  # idle clients above this are closed, the least recently used first
    idle_close: float = 900.0  # longer than the usual store check interval (300), so a checked store stays open
    close_timeout: float = 10.0  # for revoking a token at close
    first_hold: float = 1.0  # how long a failed open is answered from memory, doubling up to ...
    keep_reads: float = 10.0  # how long an answer may serve others who were due before it was asked for
    longest_hold: float = 8.0  # ... this, which bounds how late a recovered backend is noticed


class PoolStatistics(NamedTuple):
    """What the pool did so far, and what it holds."""

    open: int
    in_use: int
    retired: int
    opened: int
    failed: int
    closed: int


class _Key(NamedTuple):
    store: StoreKey
    uid: str
    generation: int
    namespace: str


class _Parsed(NamedTuple):
    """What a generation of a store says."""

    uid: str
    generation: int
    provider: Provider
    spec: ProviderSpec
    per_namespace: bool


class _Entry:
    """One open client and who uses it."""

    __slots__ = ("client", "idle_since", "key", "reads", "resolver", "retired", "users")

    def __init__(self, key: _Key, client: SecretsClient, resolver: Resolver, reads: SharedReads, now: float) -> None:
        self.key = key
        self.client = client
        self.resolver = resolver
        self.reads = reads
        self.users = 0
        self.retired = False
        self.idle_since = now


class Asker(NamedTuple):
    """Who asks for a client: an object, and what tells that somebody has edited it since it last asked."""

    name: str
    version: str


class _Failure:
    """A failed open that is still answered from memory; `told` has the versions of those who know of it."""

    __slots__ = ("annotations", "error", "hold", "sources", "told", "until")

    def __init__(
        self,
        error: Exception,
        sources: Mapping[Source, str],
        annotations: Mapping[str, str],
        hold: float,
        until: float,
        told: dict[str, str],
    ) -> None:
        self.error = error
        self.told = told
        self.annotations = annotations
        self.sources = sources
        self.hold = hold
        self.until = until


def _is_news(seen: str | None, told: str) -> bool:
    """Whether a version that is told of differs from the one that was read, and is not one the watch lags behind with."""
    if seen is None or seen == told:
        return False
    return not (seen.isdecimal() and told.isdecimal() and int(told) < int(seen))


class ClientPool:
    """Gives out clients of stores.

    Args:
        registry: Which backends there are.
        kube: Reads of the operator's cluster, for credentials.
        clock: Time.
        calls: Counts backend requests.
        options: Settings that providers see.
        pool: Limits.
    """

    def __init__(
        self,
        registry: Registry,
        kube: KubeReader,
        clock: Clock,
        *,
        calls: ProviderCalls | None = None,
        options: ProviderOptions | None = None,
        pool: PoolOptions | None = None,
    ) -> None:
        self.registry = registry
        self._kube = kube
        self._clock = clock
        self._calls = calls if calls is not None else NoCalls()
        self._provider_options = options if options is not None else ProviderOptions()
        self._options = pool if pool is not None else PoolOptions()
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()  # least recently used first
        self._retired: set[_Entry] = set()
        self._failures: dict[_Key, _Failure] = {}
        self._newest: dict[StoreKey, tuple[str, int]] = {}
        #: Of stores that are in use, by their newest generation: an edited store may be another server.
        self._circuits: dict[StoreKey, tuple[tuple[str, int], Circuit]] = {}
        self._specs: dict[StoreKey, _Parsed] = {}
        self._opening: SingleFlight[_Key, _Entry] = SingleFlight()
        self._resolvers: dict[_Key, Resolver] = {}  # of the opens under way
        self._outdated: set[_Key] = set()  # what such an open has read is not current any more
        self._waiting: Counter[_Key] = Counter()  # who is between asking for an open and counting as user
        self._work = asyncio.Event()
        self._running = False
        self._closed = False
        self._counts = {"opened": 0, "failed": 0, "closed": 0}

    # -- use -----------------------------------------------------------------------------------------------------

    def session(self, namespace: str, *, since: datetime | None = None, asker: Asker | None = None) -> Session:
        """What one reconcile reads with: ``async with pool.session(namespace) as session``.

        Args:
            namespace: The consumer's; empty to validate a ClusterSecretStore.
            since: Values must be as of this instant or newer, and any request that began then or later will do; None
                asks anew, or joins a request that is under way.
            asker: For whom; None is nobody who could have been edited.
        """
        return Session(self, namespace, since, asker)

    @asynccontextmanager
    async def client(self, store: Store, namespace: str) -> AsyncIterator[SecretsClient]:
        """One client for one use; see ``Session.client``."""
        async with self.session(namespace) as session:
            yield await session.client(store)

    # -- what happens outside ------------------------------------------------------------------------------------

    def source_changed(self, kind: str, namespace: str, name: str, resource_version: str) -> list[StoreKey]:
        """Tells that a Secret, ConfigMap or ServiceAccount has changed or gone (empty ``resource_version``).

        Clients that were opened with another version of it are retired, failed opens get another chance. Returns the
        stores concerned, so that they can be checked again.
        """
        source = Source(kind, namespace, name)
        concerned: dict[StoreKey, None] = {}
        for entry in list(self._entries.values()):
            if _is_news(entry.resolver.sources.get(source), resource_version):
                concerned[entry.key.store] = None
                self._retire(entry)
        for key, resolver in self._resolvers.items():
            if _is_news(resolver.sources.get(source), resource_version):
                concerned[key.store] = None
                self._outdated.add(key)
        for key, failure in list(self._failures.items()):
            if _is_news(failure.sources.get(source), resource_version):
                concerned[key.store] = None
                del self._failures[key]
        return list(concerned)

    def store_gone(self, key: StoreKey) -> None:
        """Tells that a store was deleted: its clients are retired."""
        self._newest.pop(key, None)
        self._circuits.pop(key, None)
        self._specs.pop(key, None)
        self._forget(key, keep=None)

    def statistics(self) -> PoolStatistics:
        return PoolStatistics(
            open=len(self._entries),
            in_use=sum(1 for entry in [*self._entries.values(), *self._retired] if entry.users),
            retired=len(self._retired),
            **self._counts,
        )

    # -- life ----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Closes what is retired or idle, until cancelled."""
        self._running = True
        try:
            while True:
                self._work.clear()
                self._retire_idle()
                await self._drain()
                try:
                    async with self._clock.timeout(self._next_idle()):
                        await self._work.wait()
                except TimeoutError:
                    continue
        finally:
            self._running = False

    async def aclose(self) -> None:
        """Closes every client, in use or not, and revokes their tokens. When cancelled, what is left stays open."""
        self._closed = True
        for entry in list(self._entries.values()):
            self._retire(entry)
        self._failures.clear()
        for entry in list(self._retired):
            entry.users = 0
        await self._drain()

    async def __aenter__(self) -> ClientPool:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()

    # -- inside --------------------------------------------------------------------------------------------------

    async def _acquire(self, store: Store, namespace: str, asker: Asker | None = None) -> _Entry:
        parsed = self._known(store)
        if parsed is None:
            await self.registry.preload(store)
            parsed = self._known(store) or self._parse(store)
        if self._closed:
            raise ProviderError("using a store: the client pool is closed", retryable=True)
        provider, spec = parsed.provider, parsed.spec
        scope = (namespace if parsed.per_namespace else "") if store.is_cluster else store.namespace
        key = _Key(store.identity, store.uid, store.generation, scope)
        self._note_generation(store)
        entry = self._entries.get(key)
        if entry is None:
            self._raise_held(key, store, asker)
            circuit = self._circuit(store)
            circuit.check()

            async def open_client() -> _Entry:
                # A client that all namespaces share must not read in the one that happens to come first.
                resolver = Resolver(self._kube, store, scope)
                context = StoreContext(store, scope, resolver, self._clock, self._calls, self._provider_options)
                self._resolvers[key] = resolver
                self._outdated.discard(key)
                try:
                    client = await circuit.guard(provider.open(spec, context))
                except Exception as exc:
                    if key not in self._outdated:
                        self._hold(key, exc, resolver.sources, store)
                    self._outdated.discard(key)
                    raise
                finally:
                    del self._resolvers[key]
                reads = SharedReads(self._clock, self._options.keep_reads)
                return self._adopt(_Entry(key, client, resolver, reads, self._clock.monotonic()))

            self._waiting[key] += 1
            try:
                entry = await self._opening.do(key, open_client)
                entry.users += 1
            except Exception:
                self._tell(key, asker)
                raise
            finally:
                self._waiting[key] -= 1
                if not self._waiting[key]:
                    del self._waiting[key]
        else:
            entry.users += 1
        if not entry.retired:
            self._entries.move_to_end(key)
        return entry

    def _known(self, store: Store) -> _Parsed | None:
        """The store's spec, if this generation was parsed before: stores of the fake backend can be large."""
        known = self._specs.get(store.identity)
        same = known is not None and store.uid and (known.uid, known.generation) == (store.uid, store.generation)
        return known if same else None

    def _parse(self, store: Store) -> _Parsed:
        provider, spec = self.registry.for_store(store)
        parsed = _Parsed(store.uid, store.generation, provider, spec, provider.per_namespace(spec, store))
        self._specs[store.identity] = parsed
        return parsed

    def _adopt(self, entry: _Entry) -> _Entry:
        self._counts["opened"] += 1
        self._failures.pop(entry.key, None)
        newest = self._newest.get(entry.key.store)
        outdated = entry.key in self._outdated
        self._outdated.discard(entry.key)
        if self._closed or outdated or newest != (entry.key.uid, entry.key.generation):
            # Replaced while it was being opened: it serves those who wait for it and nobody else.
            entry.retired = True
            self._retired.add(entry)
        else:
            self._entries[entry.key] = entry
            self._trim()
        return entry

    def _circuit(self, store: Store) -> Circuit:
        """The circuit of a store, shared by all namespaces that use it."""
        state = (store.uid, store.generation)
        known = self._circuits.get(store.identity)
        if known is None or known[0] != state:
            known = self._circuits[store.identity] = (state, Circuit(self._clock))
        return known[1]

    def _release(self, entry: _Entry) -> None:
        entry.users -= 1
        entry.idle_since = self._clock.monotonic()
        if entry.users <= 0:
            self._work.set()

    def _note_generation(self, store: Store) -> None:
        newest = self._newest.get(store.identity)
        if newest is None or newest[0] != store.uid or newest[1] < store.generation:
            self._newest[store.identity] = (store.uid, store.generation)
            self._forget(store.identity, keep=(store.uid, store.generation))

    def _forget(self, store: StoreKey, keep: tuple[str, int] | None) -> None:
        for key, entry in list(self._entries.items()):
            if key.store == store and (key.uid, key.generation) != keep:
                self._retire(entry)
        for key in list(self._failures):
            if key.store == store and (key.uid, key.generation) != keep:
                del self._failures[key]

    def _retire(self, entry: _Entry) -> None:
        if self._entries.get(entry.key) is entry:
            del self._entries[entry.key]
        entry.retired = True
        entry.reads.clear()
        self._retired.add(entry)
        self._work.set()

    def _trim(self) -> None:
        surplus = len(self._entries) - self._options.max_clients
        if surplus > 0:
            idle = [entry for entry in self._entries.values() if not entry.users]
            for entry in idle[:surplus]:
                self._retire(entry)

    def _retire_idle(self) -> None:
        deadline = self._clock.monotonic() - self._options.idle_close
        for entry in list(self._entries.values()):
            if not entry.users and entry.idle_since <= deadline:
                self._retire(entry)

    def _next_idle(self) -> float | None:
        waiting = [entry.idle_since for entry in self._entries.values() if not entry.users]
        if not waiting:
            return None
        return max(0.0, min(waiting) + self._options.idle_close - self._clock.monotonic())

    def _hold(self, key: _Key, error: Exception, sources: Mapping[Source, str], store: Store) -> None:
        self._counts["failed"] += 1
        before = self._failures.get(key)
        hold = self._options.first_hold if before is None else min(before.hold * 2, self._options.longest_hold)
        until = self._clock.monotonic() + hold
        told = {} if before is None else before.told
        self._failures[key] = _Failure(error, dict(sources), dict(store.annotations), hold, until, told)

    def _raise_held(self, key: _Key, store: Store, asker: Asker | None) -> None:
        failure = self._failures.get(key)
        # Who annotates a store, or what uses it, wants it tried again now.
        if failure is None or self._clock.monotonic() >= failure.until or failure.annotations != store.annotations:
            return
        if asker is not None and failure.told.get(asker.name, asker.version) != asker.version:
            return
        self._tell(key, asker)
        raise failure.error.with_traceback(None)

    def _tell(self, key: _Key, asker: Asker | None) -> None:
        failure = self._failures.get(key)
        if failure is not None and asker is not None:
            failure.told[asker.name] = asker.version

    async def _drain(self) -> None:
        """Closes the retired clients that nobody uses, some at a time: each may wait for a server that is gone."""
        while True:
            ready = [entry for entry in self._retired if entry.users <= 0 and entry.key not in self._waiting]
            if not ready:
                return
            batch = ready[:_PARALLEL_CLOSES]
            self._retired.difference_update(batch)
            self._counts["closed"] += len(batch)
            async with TaskScope("closing store clients") as scope:
                for entry in batch:
                    scope.spawn(self._close(entry), name=f"close {entry.key.store}")

    async def _close(self, entry: _Entry) -> None:
        """A failing close is logged and forgotten; one that has begun is finished although we are cancelled."""
        try:
            await shielded(entry.client.aclose(), seconds=self._options.close_timeout, clock=self._clock)
        except Exception as exc:
            log.warning("error while closing client", store=str(entry.key.store), error=str(exc))


class Session:
    """The reads of one reconcile.

    Within a session a document is fetched once; it lives as long as the session. Clients obtained here must not be used
    after its end.
    """

    def __init__(
        self, pool: ClientPool, namespace: str, since: datetime | None = None, asker: Asker | None = None
    ) -> None:
        self._pool = pool
        self._since = since
        self._asker = asker
        self.namespace = namespace
        self._held: dict[_Entry, SessionClient] = {}

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        for entry in self._held:
            self._pool._release(entry)
        self._held.clear()
        if not self._pool._running:
            await self._pool._drain()

    async def client(self, store: Store) -> SecretsClient:
        """The client of a store, opened if need be. It stays open until the session ends, also when it is replaced.

        Raises:
            ProviderError: It cannot be opened; ``InvalidSpec`` when the store is wrong as it is written.
        """
        entry = await self._pool._acquire(store, self.namespace, self._asker)
        client = self._held.get(entry)
        if client is not None:
            self._pool._release(entry)
            return client
        client = self._held[entry] = SessionClient(entry.client, entry.reads, self._pool._circuit(store), self._since)
        return client
