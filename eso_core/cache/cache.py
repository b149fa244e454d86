"""The cache: informers by kind, and reads from them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeAlias, TypeVar, overload

import orjson
import structlog

from eso_core.aio import Clock, TaskScope
from eso_core.cache.codec import private_meta
from eso_core.cache.echoes import OwnEchoes
from eso_core.cache.fields import field_index, field_terms, field_values
from eso_core.cache.frozen import FrozenDict, FrozenObjects
from eso_core.cache.informer import Informer, SourceFactory
from eso_core.cache.pacer import Pacer
from eso_core.cache.reflection import Settings
from eso_core.cache.scopes import OTHERS, CacheScopes, Scope
from eso_core.cache.spec import InformerSpec, Kind, gvk_of_kind, is_namespaced
from eso_core.cache.store import CachedObject, IndexFunction, JsonObject
from eso_core.cache.writes import WriteTracker, facts_of
from eso_core.meta import GVK, LabelSelector, ObjectKey, Partial, PartialObject
from eso_core.meta.errors import NotCached, NotFound, NotIndexed, SyncTimeout
from eso_core.meta.keys import object_key
from eso_core.metrics import CacheMetrics, RuntimeMetrics

__all__ = ["Cache", "LiveReader"]

_log = structlog.get_logger("eso_core.cache")

R = TypeVar("R")

# Inside the class `list` is the method.
_Entries: TypeAlias = list[CachedObject]
_Keys: TypeAlias = list[ObjectKey]
_Informers: TypeAlias = list[Informer]

#: How long a read waits for an own write to arrive before it asks the server, seconds.
_WRITE_WAIT = 10.0
SYNC_TIMEOUT = 120.0


class LiveReader(Protocol):
    """Reads from the server; `eso_core.client.Client` is one."""

    async def get(self, kind: Any, key: ObjectKey, /) -> Any: ...


class Cache:
    """Informers and reads from them. Every read hands out an object of the caller's own.

    Informers are registered explicitly: a read of a kind without informer raises `NotCached`. Reads wait until the
    informer is synced, and (unless `stale_ok`) until it has seen the writes that this process finished.
    """

    def __init__(
        self,
        sources: SourceFactory,
        clock: Clock,
        *,
        metrics: CacheMetrics | None = None,
        live: LiveReader | None = None,
        namespaces: Sequence[str] = (),
        scopes: CacheScopes | None = None,
        settings: Settings | None = None,
    ) -> None:
        self._sources = sources
        self.clock = clock
        self._metrics = metrics if metrics is not None else RuntimeMetrics().cache
        self._live = live
        self._namespaces = tuple(namespaces)
        self._scopes = scopes if scopes is not None else CacheScopes()
        self._settings = settings
        self._informers: dict[tuple[GVK, bool, str], Informer] = {}
        self._scope: TaskScope | None = None
        self._frozen = FrozenObjects()
        #: Shared by everything that works through long queues on this loop.
        self.pacer = Pacer(clock)
        self.writes = WriteTracker(clock)
        self.echoes = OwnEchoes()

    # -- informers -----------------------------------------------------------------------------------------------

    def register(self, spec: InformerSpec, *, shared: bool = True) -> Informer:
        """The informer of this spec, made (and, when the cache runs, started) unless it exists.

        A namespaced kind without namespaces of its own is watched in the cache's namespaces.

        Args:
            shared: it is there for everybody; otherwise it may be given up with its last handler, see `release`.

        Raises:
            ValueError: the view exists with other settings, or all values of all Secrets would be kept.
        """
        spec = self._scoped(spec)
        if spec.values and not (spec.label_selector or spec.field_selector or spec.namespaces):
            raise ValueError(
                f"registering informer {spec.name}: values=True needs a selector or namespaces: say whose values are needed"
            )
        slot = (spec.gvk, spec.partial, spec.view)
        informer = self._informers.get(slot)
        if informer is not None:
            if _settings_of(informer.spec) != _settings_of(spec):
                raise ValueError(
                    f"registering informer {spec.name}: it exists with other settings: give one of them its own view"
                )
            informer.shared = informer.shared or shared
            return informer
        informer = Informer(
            spec,
            self._sources,
            self.clock,
            metrics=self._metrics,
            writes=self.writes,
            settings=self._settings,
            pacer=self.pacer,
        )
        informer.shared = shared
        self._informers[slot] = informer
        self._attach(spec.gvk)
        if self._scope is not None:
            informer.start(self._scope)
        return informer

    def _scoped(self, spec: InformerSpec) -> InformerSpec:
        """The spec with what the cache's own options say about its kind and namespaces."""
        own = Scope(spec.label_selector or None, spec.field_selector or None, spec.transform)
        named = spec.namespaces or self._namespaces
        namespaced = is_namespaced(spec.kind) is not False
        scopes = self._scopes.of(spec.gvk, own, named, namespaced=namespaced)
        scopes = {namespace: spec.scopes.get(namespace, Scope()).over(scope) for namespace, scope in scopes.items()}
        first = next(iter(scopes.values()))
        if all(scope == first for scope in scopes.values()):
            options, apart = first, {}
        else:
            options, apart = own, scopes
        return replace(
            spec,
            namespaces=() if tuple(scopes) == (OTHERS,) else tuple(scopes),
            scopes=apart,
            label_selector=options.label_selector or "",
            field_selector=options.field_selector or "",
            transform=options.transform,
        )

    async def unregister(self, informer: Informer) -> None:
        """Stops an informer and frees its store."""
        slot = (informer.spec.gvk, informer.spec.partial, informer.spec.view)
        if self._informers.get(slot) is informer:
            del self._informers[slot]
            self._attach(informer.spec.gvk)
            await informer.stop()

    async def release(self, informer: Informer) -> None:
        """Unregisters an informer that nobody asked for on its own account and that has no handler any more."""
        if not informer.shared and not any(handler.active for handler in informer.listeners()):
            await self.unregister(informer)

    def informer(self, kind: Kind, view: str = "") -> Informer:
        """The informer that serves reads of `kind`; metadata reads are served by a full one when there is no other.

        Raises:
            NotCached: there is none.
        """
        found = self.find(kind, view)
        if found is None:
            name = gvk_of_kind(kind).kind
            what = f"{name} (view {view!r})" if view else name
            raise NotCached(
                f"reading {what} from the cache: no informer holds it: "
                f"let a controller watch it (owns=, watches=; or cache.register), or ask the server with ctx.api"
            )
        return found

    def find(self, kind: Kind, view: str = "") -> Informer | None:
        """`informer`, or None when there is none."""
        if type(kind) is GVK:  # what nearly all ask with; each read of a reconcile comes by here
            return self._informers.get((kind, False, view))
        gvk = gvk_of_kind(kind)
        whole = self._informers.get((gvk, False, view))
        if isinstance(kind, Partial):
            partial = self._informers.get((gvk, True, view))
            return whole if partial is None else partial  # not "or": an informer without objects has length 0
        return whole

    def informers(self) -> _Informers:
        return list(self._informers.values())

    def index(self, kind: Kind, name: str, fn: IndexFunction, *, view: str = "") -> None:
        """Adds an index to the informer of `kind`; may be called at any time.

        Raises:
            NotCached: no informer holds the kind.
        """
        informer = self.find(kind, view)
        if informer is None:
            raise NotCached(
                f"adding index {name!r}: no informer holds {gvk_of_kind(kind).kind} yet: "
                "do it after the controller that watches the kind is declared, or by its indexes={name: function}"
            )
        informer.add_index(name, fn)

    def index_field(self, kind: Kind, path: str, *, view: str = "") -> None:
        """Makes `field_selector` terms on this dotted path work, such as `spec.secretStoreRef.name`.

        Raises:
            NotCached: no informer holds the kind.
        """
        informer = self.informer(kind, view)
        if not informer.has_index(field_index(path)):
            informer.add_index(field_index(path), field_values(path))

    # -- running -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Runs all informers until cancelled."""
        async with TaskScope("cache") as scope:
            self.start(scope)
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self._scope = None

    def start(self, scope: TaskScope) -> None:
        """Starts all informers, and those registered later, as children of `scope`."""
        self._scope = scope
        for informer in self.informers():
            informer.start(scope)

    async def wait_for_sync(self, timeout: float | None = SYNC_TIMEOUT) -> None:
        """Waits until every informer that is required holds a complete state.

        Args:
            timeout: seconds for informers without a limit of their own.

        Raises:
            SyncTimeout: one did not in its time; the text names each informer, its last error and what to do.
        """
        started = self.clock.monotonic()
        waited = [
            (informer, timeout if informer.sync_timeout is None else informer.sync_timeout)
            for informer in self.informers()
            if informer.required
        ]
        # The nearest limit first: the one that is waited for is always the next that can run out.
        for informer, limit in sorted(waited, key=lambda pair: math.inf if pair[1] is None else pair[1]):
            if informer.synced:
                continue
            try:
                left = None if limit is None else max(0.0, started + limit - self.clock.monotonic())
                async with self.clock.timeout(left):
                    await informer.wait_synced()
            except TimeoutError:
                raise SyncTimeout(self.describe_unsynced(f"within {limit:g} s")) from None

    def describe_unsynced(self, when: str = "yet") -> str:
        """Which informers are not synced, and why, for people."""
        lines = []
        for informer in self.informers():
            if informer.synced:
                continue
            lines.append(f"{informer.spec.name}: {informer.trouble() or 'no answer so far'}")
        return f"waiting for caches: not synced {when}: " + ("\n".join(lines) or "all are synced")

    # -- reading -------------------------------------------------------------------------------------------------

    @overload
    async def get(self, kind: GVK, key: tuple[str, str], *, view: str = "", stale_ok: bool = False) -> JsonObject: ...
    @overload
    async def get(
        self, kind: Partial, key: tuple[str, str], *, view: str = "", stale_ok: bool = False
    ) -> PartialObject: ...
    @overload
    async def get(self, kind: type[R], key: tuple[str, str], *, view: str = "", stale_ok: bool = False) -> R: ...
    async def get(self, kind: Kind, key: tuple[str, str], *, view: str = "", stale_ok: bool = False) -> Any:
        """One object, by (namespace, name).

        Args:
            stale_ok: do not wait for own writes.

        Raises:
            NotFound: the object does not exist (or is not selected by the informer).
            NotCached: no informer holds the kind or the namespace.
            TypeError: the key is a text, or no pair.
        """
        informer = self.informer(kind, view)
        asked = key
        try:
            if key[0] and is_namespaced(informer.spec.kind) is False:
                key = ("", key[1])
            if not informer.synced:
                await informer.wait_synced()
            if self.writes.active and not stale_ok:
                live = await self._own_writes_seen(informer, kind, ObjectKey(*key))
                if live is not None:
                    return live
            entry = informer.lookup(key)
            if entry is None or (not entry.body and not informer.spec.partial):
                raise _not_found(informer, key)
        except (NotFound, NotCached, IndexError, TypeError):
            # No text is in a store, so it is enough to look at the key when there was nothing.
            object_key(informer.spec.gvk.kind, asked)
            raise
        return _read(kind, entry)

    async def get_frozen(
        self, kind: GVK, key: tuple[str, str], *, view: str = "", stale_ok: bool = False
    ) -> FrozenDict:
        """One object that all readers share; changing it raises TypeError. For objects that are read over and over.

        Raises:
            NotFound, NotCached, TypeError: as `get`.
        """
        informer = self.informer(kind, view)
        if not informer.synced or (self.writes.active and not stale_ok):
            # The rare case pays for a decoded object that it throws away.
            await self.get(kind, key, view=view, stale_ok=stale_ok)
        asked = key
        try:
            if key[0] and is_namespaced(informer.spec.kind) is False:
                key = ("", key[1])
            if self.writes.active and not stale_ok and self.writes.unobserved(informer, ObjectKey(*key)):
                # The first one asked the server; this one waits until the cache knows it.
                await self.get(kind, key, view=view)
            entry = informer.lookup(key)
            if entry is None or not entry.body:
                raise _not_found(informer, key)
        except (NotFound, NotCached, IndexError, TypeError):
            object_key(informer.spec.gvk.kind, asked)
            raise
        return self._frozen.of(entry)

    @overload
    async def list(
        self,
        kind: GVK,
        namespace: str | None = None,
        *,
        label_selector: LabelSelector | Mapping[str, str] | str | None = None,
        field_selector: str = "",
        index: tuple[str, str] | None = None,
        view: str = "",
        stale_ok: bool = False,
        limit: int = 0,
    ) -> list[JsonObject]: ...
    @overload
    async def list(
        self,
        kind: Partial,
        namespace: str | None = None,
        *,
        label_selector: LabelSelector | Mapping[str, str] | str | None = None,
        field_selector: str = "",
        index: tuple[str, str] | None = None,
        view: str = "",
        stale_ok: bool = False,
        limit: int = 0,
    ) -> list[PartialObject]: ...
    @overload
    async def list(
        self,
        kind: type[R],
        namespace: str | None = None,
        *,
        label_selector: LabelSelector | Mapping[str, str] | str | None = None,
        field_selector: str = "",
        index: tuple[str, str] | None = None,
        view: str = "",
        stale_ok: bool = False,
        limit: int = 0,
    ) -> list[R]: ...
    async def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        label_selector: LabelSelector | Mapping[str, str] | str | None = None,
        field_selector: str = "",
        index: tuple[str, str] | None = None,
        view: str = "",
        stale_ok: bool = False,
        limit: int = 0,
    ) -> Any:
        """Objects of a namespace, or of all.

        Args:
            label_selector: text, a parsed selector, or labels that must all be equal.
            field_selector: equalities such as `spec.color=red`, each through `index_field`.
            index: (name, value) of an index.
            stale_ok: do not wait for own writes.
            limit: at most so many objects; 0 means all.

        Raises:
            NotIndexed: there is no such index.
            NotCached: no informer holds the kind or the namespace.
            ValueError: the field selector has a term that is no equality.

        All conditions must hold.
        """
        informer = self.informer(kind, view)
        entries = await self._select(informer, namespace, index, stale_ok)
        for term in field_terms(field_selector, namespace):
            found = {entry.key for entry in await self._select(informer, namespace, term, stale_ok)}
            entries = [entry for entry in entries if entry.key in found]
        if label_selector:
            selector = _selector(label_selector)
            entries = [entry for entry in entries if selector.matches(entry.meta.labels)]
        if not informer.spec.partial and informer.spec.transform is not None:
            entries = [entry for entry in entries if entry.body]
        if limit > 0:
            entries = entries[:limit]
        objects = []
        pace = self.pacer.pace()
        for entry in entries:
            objects.append(_read(kind, entry))
            await pace.breathe()
        return objects

    async def keys(self, kind: Kind, *, index: tuple[str, str] | None = None, view: str = "") -> _Keys:
        """Keys of the objects with this index value, or of all, without decoding them."""
        informer = self.informer(kind, view)
        return [entry.key for entry in await self._select(informer, None, index, stale_ok=True)]

    def peek(self, kind: Kind, key: tuple[str, str], *, view: str = "") -> CachedObject | None:
        """The stored entry, shared and read-only, without waiting for anything; None when there is none.

        The cheapest read: metadata without decoding the body.

        Raises:
            NotCached: no informer holds the kind or the namespace.
            TypeError: the key is a text, or no pair.
        """
        informer = self.informer(kind, view)
        try:
            entry = informer.lookup(key)
        except (NotCached, IndexError, TypeError):
            object_key(informer.spec.gvk.kind, key)
            raise
        if entry is None:
            object_key(informer.spec.gvk.kind, key)
        return entry

    def stale(self, kind: Kind, key: tuple[str, str], *, view: str = "") -> bool:
        """Whether the cache lacks an own write on this object: reason to raise `StaleCache` instead of waiting."""
        informer = self.informer(kind, view)
        return self.writes.active and self.writes.unobserved(informer, object_key(informer.spec.gvk.kind, key))

    # -- inside --------------------------------------------------------------------------------------------------

    def _attach(self, gvk: GVK) -> None:
        self.writes.attach(gvk, [informer for slot, informer in self._informers.items() if slot[0] == gvk])

    async def _select(
        self, informer: Informer, namespace: str | None, index: tuple[str, str] | None, stale_ok: bool
    ) -> _Entries:
        if index is not None and not informer.has_index(index[0]):
            raise NotIndexed(
                f"listing {informer.spec.name} by index {index[0]!r}: there is no such index: add it with indexes={{name: function}} of the "
                "controller that watches the kind, or with cache.index"
            )
        if not informer.synced:
            await informer.wait_synced()
        if namespace and is_namespaced(informer.spec.kind) is False:
            namespace = None
        if self.writes.active and not stale_ok:
            await self._all_writes_seen(informer, namespace)
        return informer.select(namespace, index)

    async def _own_writes_seen(self, informer: Informer, kind: Kind, key: ObjectKey) -> Any:
        """Waits for own writes on a key; returns the live object when waiting did not help or makes no sense."""
        gvk = informer.spec.gvk
        if self.writes.must_read_live(gvk, key) and self._live is not None:
            return await self._learn(kind, gvk, key)
        if not self.writes.unobserved(informer, key):
            return None
        started = self.clock.monotonic()
        try:
            async with self.clock.timeout(_WRITE_WAIT):
                while self.writes.unobserved(informer, key):
                    await self.writes.wait_for_arrival(gvk)
        except TimeoutError:
            self._metrics.write_timeouts.inc()
            _log.warning("own write did not arrive in the cache: reading live", kind=informer.spec.name, key=str(key))
            self.writes.give_up(gvk, [key])
            if self._live is not None:
                return await self._live.get(kind, key)
        self._metrics.write_wait.observe(self.clock.monotonic() - started)
        return None

    async def _all_writes_seen(self, informer: Informer, namespace: str | None) -> None:
        await self._learn_unknown(informer, namespace)
        pending = self.writes.unobserved_keys(informer, namespace)
        if not pending:
            return
        started = self.clock.monotonic()
        try:
            async with self.clock.timeout(_WRITE_WAIT):
                while pending := [key for key in pending if self.writes.unobserved(informer, key)]:
                    await self.writes.wait_for_arrival(informer.spec.gvk)
        except TimeoutError:
            self._metrics.write_timeouts.inc()
            _log.warning("own writes did not arrive in the cache: listing what there is", kind=informer.spec.name)
            self.writes.give_up(informer.spec.gvk, pending)
        self._metrics.write_wait.observe(self.clock.monotonic() - started)

    async def _learn_unknown(self, informer: Informer, namespace: str | None) -> None:
        """Asks the server how writes ended whose answer was lost, so that the list can wait for them."""
        gvk = informer.spec.gvk
        if self._live is None:
            return
        for key in self.writes.unknown_keys(gvk, namespace):
            try:
                await self._learn(Partial(gvk), gvk, key)
            except NotFound:
                continue

    async def _learn(self, kind: Kind, gvk: GVK, key: ObjectKey) -> Any:
        """Reads live how a write ended whose answer was lost; later reads wait until the cache is as new as that."""
        assert self._live is not None
        try:
            found = await self._live.get(kind, key)
        except NotFound:
            self.writes.learned(gvk, key, None, {})
            raise
        version, labels, _ = facts_of(found)
        self.writes.learned(gvk, key, version, labels)
        return found


def _settings_of(spec: InformerSpec) -> tuple[object, ...]:
    return (
        spec.namespaces,
        dict(spec.scopes),
        spec.label_selector,
        spec.field_selector,
        spec.transform,
        spec.strip_managed_fields,
        spec.strip_last_applied,
        spec.values,
    )


def _selector(given: LabelSelector | Mapping[str, str] | str) -> LabelSelector:
    if isinstance(given, LabelSelector):
        return given
    return LabelSelector.parse(given) if isinstance(given, str) else LabelSelector.from_labels(given)


def _not_found(informer: Informer, key: tuple[str, str]) -> NotFound:
    gvk = informer.spec.gvk
    return NotFound(
        f'{gvk.kind} "{key[1]}" not found in the cache',
        details={"name": key[1], "kind": gvk.kind, "group": gvk.group},
        method="CACHE",
        path=f"{informer.spec.name}/{key[0]}/{key[1]}" if key[0] else f"{informer.spec.name}/{key[1]}",
    )


def _read(kind: Kind, entry: CachedObject) -> Any:
    if isinstance(kind, GVK):
        return orjson.loads(entry.body)
    if isinstance(kind, Partial):
        return PartialObject(kind.gvk, private_meta(entry.meta))
    return kind.decode(entry.body)
