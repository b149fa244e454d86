"""Stores that may not go yet: a finalizer keeps them while a PushSecret with deletionPolicy Delete needs them.

Without its store, what such a PushSecret pushed could not be deleted any more. It holds the stores that it names or
selects, and those that its status lists. The finalizer is put on before something is pushed, and comes off with the last
PushSecret that holds the store; both is done by the PushSecret controller, so no store is checked again for that. The
store's own controller mends what was missed, at a start or by hand.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from controllers.pushsecret.plan import PUSH_SECRET, deletes, store_choices
from controllers.pushsecret.records import RETAINED, SYNCED, recorded, store_of
from controllers.secretstore.objects import CLUSTER_STORE, CLUSTER_STORE_KIND, STORE
from eso_core.aio import SingleFlight
from eso_core.cache import Cache
from eso_core.cache.store import is_older
from eso_core.client import Client, JsonPatch
from eso_core.meta import GVK, JsonObject, ObjectKey
from eso_core.meta.errors import Conflict, Invalid, NotFound
from eso_core.meta.finalizers import add_finalizer_ops, has_finalizer, remove_finalizer_ops
from providers.interface import StoreKey

__all__ = ["FINALIZER", "HOLD_INDEX", "StoreHolds", "by_held_store"]

FINALIZER: Final = "secretstore.externalsecrets.io/finalizer"
HOLD_INDEX: Final = "heldstore"


def by_held_store(meta: Any, obj: JsonObject) -> Iterable[str]:
    """Index function: PushSecrets with deletionPolicy Delete by the stores they hold; `*` for those selected by label."""
    if not deletes(obj):
        return ()
    namespace = obj["metadata"].get("namespace", "")
    found = {_value(choice.kind, namespace, "*" if choice.selector else choice.name) for choice in store_choices(obj)}
    status = obj.get("status") or {}
    for field in (SYNCED, RETAINED):
        for name in recorded(status, field):
            if (ref := store_of(name)) is not None:
                found.add(_value(ref.kind, namespace, ref.name))
    return found


def _value(kind: str, namespace: str, name: str) -> str:
    return f"{kind}/{'' if kind == CLUSTER_STORE_KIND else namespace}/{name}"


class StoreHolds:
    """Knows which stores are held, and keeps their finalizers.

    Args:
        cache: Has PushSecrets, with `by_held_store` as an index, and stores.
        api: The live client.
        controller_class: Stores of another class are left alone: nothing of ours is in them, and their finalizers are the other
            operator's.
    """

    def __init__(self, cache: Cache, api: Client, *, controller_class: str = "default") -> None:
        self._cache = cache
        self._api = api
        self._class = controller_class
        self._flights: SingleFlight[StoreKey, None] = SingleFlight()
        self._written: dict[StoreKey, JsonObject] = {}

    def is_held(self, store: StoreKey, labels: dict[str, str], *, besides: ObjectKey | None = None) -> bool:
        """Whether a PushSecret holds a store with these labels; `besides` is left out of account."""
        users = self._cache.informer(PUSH_SECRET)
        named = users.select(index=(HOLD_INDEX, _value(store.kind, store.namespace, store.name)))
        if any(entry.key != besides for entry in named):
            return True
        for entry in users.select(index=(HOLD_INDEX, _value(store.kind, store.namespace, "*"))):
            if entry.key == besides:
                continue
            for choice in store_choices(entry.decode()):
                if choice.selector is not None and choice.kind == store.kind and choice.selector.matches(labels):
                    return True
        return False

    def held_by(self, obj: JsonObject) -> set[StoreKey]:
        """The stores of the cluster that a PushSecret holds."""
        found: set[StoreKey] = set()
        for value in by_held_store(None, obj):
            kind, namespace, name = value.split("/", 2)
            if name != "*":
                found.add(StoreKey(kind, namespace, name))
        if deletes(obj):
            namespace = obj["metadata"].get("namespace", "")
            for choice in store_choices(obj):
                if choice.selector is None:
                    continue
                informer = self._cache.find(_kind(choice.kind))
                within = None if choice.kind == CLUSTER_STORE_KIND else namespace
                for entry in informer.select(within) if informer is not None else ():
                    if choice.selector.matches(entry.meta.labels):
                        found.add(StoreKey(choice.kind, entry.key.namespace, entry.key.name))
        return found

    async def hold(self, store: StoreKey) -> None:
        """Put the finalizer on a store, unless it has it, is going, or is not there."""
        obj = self._store(store)
        if obj is not None and not obj["metadata"].get("deletionTimestamp") and not has_finalizer(obj, FINALIZER):
            await self._flights.do(store, lambda: self._change(store, wanted=True))

    async def release(self, store: StoreKey, *, besides: ObjectKey) -> None:
        """Take the finalizer off a store that no PushSecret but `besides` holds."""
        obj = self._store(store)
        if obj is None or not has_finalizer(obj, FINALIZER):
            return
        if not self.is_held(store, obj["metadata"].get("labels") or {}, besides=besides):
            await self._flights.do(store, lambda: self._change(store, wanted=False))

    def _store(self, store: StoreKey) -> JsonObject | None:
        """The store as it is in the cache, or as it was written here if that is newer; None where it is another operator's."""
        kind = _kind(store.kind)
        entry = self._cache.peek(kind, _key(store)) if self._cache.find(kind) is not None else None
        if entry is None:
            self._written.pop(store, None)
            return None
        written = self._written.get(store)
        if written is None or not is_older(entry.resource_version, written["metadata"]["resourceVersion"]):
            self._written.pop(store, None)
            written = entry.decode()
        return written if (written.get("spec") or {}).get("controller") in (None, "", self._class) else None

    async def _change(self, store: StoreKey, *, wanted: bool) -> None:
        change = add_finalizer_ops if wanted else remove_finalizer_ops
        obj = self._store(store)
        try:
            if obj is not None and has_finalizer(obj, FINALIZER) != wanted:
                await self._patch(store, change(obj, FINALIZER))
        except (Conflict, Invalid):
            # It has changed since the cache saw it.
            live = await self._api.get(_kind(store.kind), _key(store))
            if has_finalizer(live, FINALIZER) != wanted:
                await self._patch(store, change(live, FINALIZER))

    async def _patch(self, store: StoreKey, ops: list[JsonObject]) -> None:
        try:
            self._written[store] = await self._api.patch(_kind(store.kind), _key(store), JsonPatch(ops))
        except NotFound:
            return


def _key(store: StoreKey) -> ObjectKey:
    return ObjectKey(store.namespace, store.name)


def _kind(kind: str) -> GVK:
    return CLUSTER_STORE if kind == CLUSTER_STORE_KIND else STORE
