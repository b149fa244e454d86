"""An informer: the live state of one kind, and the handlers that follow its changes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import structlog

from eso_core.aio import Clock, TaskScope
from eso_core.cache.driver import Source
from eso_core.cache.pacer import Pacer
from eso_core.cache.reflection import Failure, FailureKind, Settings
from eso_core.cache.registration import ChangeListener, EventHandler, Registration, listener_for, resync_change
from eso_core.cache.scopes import OTHERS
from eso_core.cache.shard import Shard
from eso_core.cache.spec import InformerSpec, resource_name
from eso_core.cache.store import CachedObject, Change, ChangeType, IndexFunction
from eso_core.cache.writes import WriteTracker
from eso_core.meta import ObjectKey
from eso_core.meta.errors import NotCached
from eso_core.metrics import CacheMetrics

__all__ = ["Informer", "SourceFactory"]

_log = structlog.get_logger("eso_core.cache")

#: A reflector that died of a bug is started again after this time, seconds.
_RESTART_DELAY = 1.0
#: A resync shows all objects over at most this time, seconds.
_RESYNC_SPREAD = 60.0
_RESYNC_JITTER = 0.1
_RESYNC_BATCH = 32


class SourceFactory(Protocol):
    """Makes the source of an informer for one namespace ("" means all)."""

    def __call__(self, spec: InformerSpec, namespace: str) -> Source: ...


class Informer:
    """Keeps one kind in memory and tells handlers about changes.

    It has one shard per namespace of its spec, or a single one for all namespaces. Made by `Cache.register`.
    """

    def __init__(
        self,
        spec: InformerSpec,
        sources: SourceFactory,
        clock: Clock,
        *,
        metrics: CacheMetrics,
        writes: WriteTracker,
        settings: Settings | None = None,
        pacer: Pacer | None = None,
    ) -> None:
        self.spec = spec
        self.pacer = pacer or Pacer(clock)
        self.clock = clock
        self.metrics = metrics
        self.settings = settings
        self._sources = sources
        self._writes = writes
        self._scope: TaskScope | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._indexes: dict[str, IndexFunction] = {}
        self._registrations: list[Registration] = []
        self._synced = asyncio.Event()
        #: Somebody registered it on its own account, so it stays although no handler is left.
        self.shared = True
        #: The start of a manager waits for it; not for kinds that may be absent.
        self.required = True
        #: Seconds that a start waits for it, where the controllers that use it say so; None is the start's own limit.
        self.sync_timeout: float | None = None
        #: What was wrong with the last object or line that could not be read; None while everything could be.
        self.degraded: str | None = None
        self._shards: dict[str, Shard] = {}
        for namespace in spec.namespaces or ("",):
            self._shards[namespace] = Shard(self, namespace, sources(spec.within(namespace), namespace))
        self._bind_metrics()

    # -- state ---------------------------------------------------------------------------------------------------

    @property
    def synced(self) -> bool:
        """Whether every shard has read its complete state once."""
        return self._synced.is_set()

    async def wait_synced(self) -> None:
        await self._synced.wait()

    @property
    def healthy(self) -> bool:
        """Whether all reflectors run; True before the start."""
        return all(shard.running for shard in self._shards.values()) if self._scope is not None else True

    @property
    def last_failures(self) -> dict[str, str]:
        """The last list or watch failure by namespace, for shards that have not recovered from it."""
        return {
            namespace: shard.last_failure.message
            for namespace, shard in self._shards.items()
            if shard.last_failure is not None
        }

    def trouble(self) -> str:
        """What keeps it from being synced, for people, and what to do about it; empty when nothing is known."""
        failures = self.last_failures
        text = "; ".join(f"in {namespace}: {why}" if namespace else why for namespace, why in failures.items())
        kinds = {shard.last_failure.kind for shard in self._shards.values() if shard.last_failure is not None}
        if FailureKind.FORBIDDEN in kinds:
            text += f"\nthe service account needs this rule:\n{self.rbac_rule()}"
        if FailureKind.ABSENT in kinds:
            mark = "" if text.endswith("?") else ":"
            text += (
                f"{mark} apply the CustomResourceDefinition of {self.spec.gvk.kind}, or wait for it: wait_for_crd=True"
            )
        return text

    def limit_sync(self, seconds: float) -> None:
        """Shortens or sets the time that a start waits for it; of several limits the shortest counts."""
        self.sync_timeout = seconds if self.sync_timeout is None else min(self.sync_timeout, seconds)

    @property
    def progress_age(self) -> float:
        """Seconds since the server last sent something, of the quietest shard."""
        now = self.clock.monotonic()
        return max((now - shard.driver.last_progress for shard in self._shards.values()), default=0.0)

    def silent_beyond(self, limit: float) -> bool:
        """Whether a watch that should have heard from the server has not for more than `limit` seconds."""
        return any(shard.driver.silent_beyond(limit) for shard in self._shards.values())

    def __bool__(self) -> bool:
        """True: an informer is there also while it holds nothing, so `found or other` means what it says."""
        return True

    def __len__(self) -> int:
        return sum(len(shard.store) for shard in self._shards.values())

    def __repr__(self) -> str:
        return f"Informer({self.spec.name}, objects={len(self)}, synced={self.synced})"

    # -- reading -------------------------------------------------------------------------------------------------

    def lookup(self, key: tuple[str, str]) -> CachedObject | None:
        """The stored entry, shared and read-only.

        Raises:
            NotCached: the informer does not watch the key's namespace.
        """
        return self._shard_of(key[0]).store.get(key)

    def select(self, namespace: str | None = None, index: tuple[str, str] | None = None) -> list[CachedObject]:
        """Entries of a namespace, or all, optionally by index value.

        Raises:
            NotCached: the informer does not watch that namespace.
            KeyError: no such index.
        """
        shards = [self._shard_of(namespace)] if namespace is not None else list(self._shards.values())
        if index is None:
            return [entry for shard in shards for entry in shard.store.entries(namespace)]
        found = [entry for shard in shards for entry in shard.store.by_index(*index)]
        return found if namespace is None else [entry for entry in found if entry.key.namespace == namespace]

    def version(self, namespace: str) -> str:
        """The version up to which the namespace is known; "" before the first read."""
        return self._shard_of(namespace).store.resource_version

    def watches(self, namespace: str) -> bool:
        return namespace in self._shards or OTHERS in self._shards

    def selects(self, namespace: str, labels: dict[str, str]) -> bool:
        """Whether an object of the namespace with these labels can be here, as far as labels tell."""
        return self.spec.within(self._shard_of(namespace).namespace).selects(labels)

    def _shard_of(self, namespace: str) -> Shard:
        shard = self._shards.get(namespace) or self._shards.get(OTHERS)
        if shard is None:
            raise NotCached(
                f"reading {self.spec.name} in namespace {namespace!r} from the cache: "
                f"only {', '.join(sorted(self._shards))} are watched: add the namespace to the informer"
            )
        return shard

    # -- indexes and handlers ------------------------------------------------------------------------------------

    def add_index(self, name: str, fn: IndexFunction) -> None:
        """Keeps what `fn(meta, obj)` returns (values, or one string) for lookups. `obj` is empty for metadata-only informers; do not change either.

        Raises:
            ValueError: the name is taken by another function.
        """
        if self._indexes.get(name, fn) is not fn:
            raise ValueError(f"adding index {name!r} to {self.spec.name}: another function has this name")
        self._indexes[name] = fn
        for shard in self._shards.values():
            shard.store.add_index(name, fn)

    def has_index(self, name: str) -> bool:
        return name in self._indexes

    def add_handler(self, handler: EventHandler, *, name: str = "") -> Registration:
        """Tells `handler` about all objects there are, then about every change."""
        return self.subscribe(listener_for(handler), name=name or type(handler).__name__)

    def subscribe(self, listener: ChangeListener, *, name: str = "") -> Registration:
        """`add_handler` for a function of changes."""
        label = f"{self.spec.name}: {name}" if name else self.spec.name
        registration = Registration(label, listener, self.pacer, self._handler_failed, self._processed.observe)
        for shard in self._shards.values():
            if shard.synced.is_set() or len(shard.store):
                registration.deliver_all(
                    Change(ChangeType.ADDED, None, entry, initial=True) for entry in shard.store.entries()
                )
        self._registrations.append(registration)
        if self.synced:
            registration.mark_initial_end()
        if self._scope is not None:
            self._scope.spawn(self._serve(registration), name=f"handler {label}")
        return registration

    # -- running -------------------------------------------------------------------------------------------------

    def start(self, scope: TaskScope) -> None:
        """Starts the reflectors and handlers as children of `scope`."""
        self._scope = scope
        for registration in self._registrations:
            scope.spawn(self._serve(registration), name=f"handler {registration.name}")
        for shard in self._shards.values():
            self._start_shard(shard)
        if self.spec.resync:
            self._spawn("resync", self._resync())

    async def add_namespace(self, namespace: str) -> None:
        """Watches one more namespace.

        Raises:
            ValueError: the informer watches all namespaces, or this one already.
        """
        if self.watches(namespace):
            raise ValueError(f"adding namespace {namespace!r} to {self.spec.name}: it is watched already")
        shard = Shard(self, namespace, self._sources(self.spec.within(namespace), namespace))
        for name, fn in self._indexes.items():
            shard.store.add_index(name, fn)
        self._shards[namespace] = shard
        if self._scope is not None:
            self._start_shard(shard)

    async def remove_namespace(self, namespace: str) -> None:
        """Stops watching a namespace; its objects are deleted for handlers and readers."""
        shard = self._shards.pop(namespace)
        await self._cancel(f"reflect {namespace}")
        for change in shard.store.clear():
            self.publish(change)

    async def stop(self) -> None:
        """Stops watching and frees the store; handlers see no more changes."""
        for name in list(self._tasks):
            await self._cancel(name)
        for registration in self._registrations:
            registration.remove()
        self._registrations.clear()
        for shard in self._shards.values():
            shard.store.clear()
        for family in (self.metrics.objects, self.metrics.bytes, self.metrics.synced, self.metrics.progress_age):
            family.remove(self.spec.name)
        self.metrics.handler_depth.remove(self.spec.name)
        self.metrics.queued_items.remove(*self._identity)
        self.metrics.store_version.remove(*self._identity)
        self.metrics.processing_latency.remove(*self._identity)

    def _start_shard(self, shard: Shard) -> None:
        self._spawn(f"reflect {shard.namespace}", self._supervise(shard))

    def _spawn(self, name: str, coro: Coroutine[Any, Any, None]) -> None:
        assert self._scope is not None
        self._tasks[name] = self._scope.spawn(coro, name=f"{name} {self.spec.name}")

    async def _cancel(self, name: str) -> None:
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _supervise(self, shard: Shard) -> None:
        shard.driver.last_progress = self.clock.monotonic()
        while True:
            shard.running = True
            try:
                await shard.driver.run()
            except Exception as error:
                _log.exception("reflector failed: starting it again", kind=self.spec.name, namespace=shard.namespace)
                shard.last_failure = Failure(FailureKind.OTHER, f"reflector failed: {type(error).__name__}")
            finally:
                shard.running = False
            await self.clock.sleep(_RESTART_DELAY)

    async def _serve(self, registration: Registration) -> None:
        try:
            await registration.run()
        finally:
            if not registration.active and registration in self._registrations:
                self._registrations.remove(registration)

    async def _resync(self) -> None:
        period = self.spec.resync
        while True:
            await self.clock.sleep(period * random.uniform(1 - _RESYNC_JITTER, 1 + _RESYNC_JITTER))
            entries = self.select()
            pause = _RESYNC_SPREAD * _RESYNC_BATCH / max(len(entries), 1)
            for start in range(0, len(entries), _RESYNC_BATCH):
                for known in entries[start : start + _RESYNC_BATCH]:
                    # Only what is still as it was: a changed or deleted object has told its handlers itself.
                    if self.watches(known.key.namespace) and self.lookup(known.key) is known:
                        self.publish(resync_change(known))
                await self.clock.sleep(min(pause, 1.0))

    # -- told by the shards --------------------------------------------------------------------------------------

    def listeners(self) -> list[Registration]:
        return list(self._registrations)

    def publish(self, change: Change) -> None:
        for registration in self._registrations:
            registration.deliver(change)

    def progressed(self, entry: CachedObject | None) -> None:
        """The store took in an object, or (None) a new version of the whole."""
        if self._writes.active:
            self._writes.arrived(self, entry)

    def shard_synced(self, first: bool) -> None:
        if first and all(shard.synced.is_set() for shard in self._shards.values()):
            self._synced.set()
            for registration in self._registrations:
                registration.mark_initial_end()

    def kind_absent(self) -> None:
        settings = self.settings or Settings()
        gvk = self.spec.gvk
        _log.info(
            f"kind is not served: looking again in {settings.absent_retry:g} s: is its CustomResourceDefinition applied?",
            kind=self.spec.name,
            version=f"{gvk.group}/{gvk.version}" if gvk.group else gvk.version,
        )

    def failed(self, shard: Shard, failure: Failure) -> None:
        fields: dict[str, object] = {"kind": self.spec.name, "reason": failure.kind.value, "error": failure.message}
        if shard.namespace:
            fields["watched_namespace"] = shard.namespace
        if failure.kind is FailureKind.FORBIDDEN:
            _log.warning("list or watch is forbidden", rule=self.rbac_rule(), **fields)
        elif failure.kind is FailureKind.ABSENT:
            _log.debug("kind is not served", **fields)
        else:
            if failure.kind is FailureKind.UNREADABLE:
                self.degraded = failure.message  # what the line said about an object is not known
            _log.info("list or watch failed: trying again", **fields)

    def rbac_rule(self) -> str:
        """The rule, as YAML, that listing and watching needs."""
        return (
            f'- apiGroups: ["{self.spec.gvk.group}"]\n'
            f'  resources: ["{resource_name(self.spec.kind)}"]\n'
            '  verbs: ["list", "watch"]'
        )

    def degraded_by(self, error: Exception) -> None:
        if self.degraded is None:
            _log.warning("object dropped: it could not be read", kind=self.spec.name, error=str(error))
        self.degraded = str(error)

    def inconsistent(self, keys: list[ObjectKey]) -> None:
        _log.error(
            "a streamed list differs from a list at the same version",
            kind=self.spec.name,
            objects=len(keys),
            examples=[str(key) for key in keys[:5]],
        )

    def index_failed(self, name: str, key: ObjectKey, error: Exception) -> None:
        self.metrics.transform_errors.labels(self.spec.name).inc()
        # The text of the error may hold values of the object; its class and place do not.
        raised = error.__traceback__.tb_next if error.__traceback__ is not None else None
        place = f" in {raised.tb_frame.f_code.co_qualname}, line {raised.tb_lineno}" if raised is not None else ""
        _log.warning(
            "index function failed: the object cannot be found by this index until it changes",
            kind=self.spec.name,
            index=name,
            object=str(key),
            error=type(error).__name__ + place,
        )

    def _handler_failed(self, error: Exception) -> None:
        self.metrics.handler_errors.labels(self.spec.name).inc()
        _log.error("event handler failed", kind=self.spec.name, exc_info=error)

    def _bind_metrics(self) -> None:
        name, metrics = self.spec.name, self.metrics
        functions: list[tuple[Any, Callable[[], float]]] = [
            (metrics.objects, lambda: len(self)),
            (metrics.bytes, lambda: sum(shard.store.bytes for shard in self._shards.values())),
            (metrics.synced, lambda: float(self.synced)),
            (metrics.progress_age, lambda: self.progress_age),
            (metrics.handler_depth, lambda: sum(registration.depth for registration in self._registrations)),
        ]
        for family, function in functions:
            family.labels(name).set_function(function)
        depth = functions[-1][1]
        metrics.queued_items.labels(*self._identity).set_function(depth)
        metrics.store_version.labels(*self._identity).set_function(self._version_digits)
        self._processed = metrics.processing_latency.labels(*self._identity)

    @property
    def _identity(self) -> tuple[str, str, str, str]:
        """The labels that client-go's informers have."""
        gvk = self.spec.gvk
        return self.spec.name, gvk.group, gvk.version, resource_name(self.spec.kind)

    def _version_digits(self) -> float:
        versions = [shard.store.resource_version for shard in self._shards.values()]
        return float(max((int(version[-15:]) for version in versions if version.isdecimal()), default=0))
