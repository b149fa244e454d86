"""Several PushSecrets may write to one place. What one of them takes back is not deleted while another has it there.

Entries move from one object to another when people tidy up; the one that lost the entry must not delete the value of the one that has it
now. An object that only means to write there, and may be at it this very moment, is woken after a deletion and pushes again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from controllers.pushsecret.plan import PUSH_SECRET, store_choices
from controllers.pushsecret.records import Stale, recorded, remote_ref, store_name, store_of
from controllers.secretstore.access import StoreRef
from controllers.secretstore.objects import CLUSTER_STORE_KIND
from eso_core.cache import Cache, CachedObject
from eso_core.controller import Enqueue, Request
from eso_core.meta import JsonObject, ObjectKey

__all__ = ["CLAIM_INDEX", "Claims", "by_claim"]

CLAIM_INDEX: Final = "pushclaim"


def by_claim(meta: Any, obj: JsonObject) -> Iterable[str]:
    """Index function: PushSecrets by the places that they have written, or name in `data`."""
    namespace = obj["metadata"].get("namespace", "")
    found: set[str] = set()
    for name, entries in recorded(obj.get("status") or {}).items():
        if (ref := store_of(name)) is not None:
            found.update(_value(ref, namespace, remote_ref(entry).key) for entry in entries.values())
    refs = [StoreRef(choice.kind, choice.name) for choice in store_choices(obj) if choice.selector is None]
    for entry in (obj.get("spec") or {}).get("data") or ():
        key = remote_ref(entry).key
        found.update(_value(ref, namespace, key) for ref in refs)
    return found


def _value(store: StoreRef, namespace: str, remote_key: str) -> str:
    return f"{store.kind}/{'' if store.kind == CLUSTER_STORE_KIND else namespace}/{store.name}#{remote_key}"


class Claims:
    """Knows who else writes to a place.

    Args:
        cache: Has PushSecrets, with `by_claim` as an index.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._queue: Enqueue | None = None
        self._woken: set[ObjectKey] = set()

    def attach(self, enqueue: Enqueue) -> None:
        """The start function of a source of the PushSecret controller."""
        self._queue = enqueue

    def held_by_another(self, owner: ObjectKey, store: StoreRef, stale: Stale) -> bool:
        """Whether another PushSecret, which is not going, has written to the place, or to what deleting it would take along."""
        name = store_name(store.kind, store.name)
        for entry in self._others(owner, store, stale.ref.key):
            if entry.meta.deletion_timestamp is not None:
                continue
            for record in recorded(entry.decode().get("status") or {}).get(name, {}).values():
                ref = remote_ref(record)
                if ref.key == stale.ref.key and (
                    ref.property == stale.ref.property or not (ref.property and stale.ref.property)
                ):
                    return True
        return False

    def deleted(self, owner: ObjectKey, store: StoreRef, remote_key: str) -> None:
        """A value was deleted: whoever means to have one there pushes it again."""
        for entry in self._others(owner, store, remote_key):
            self._woken.add(entry.key)
            if self._queue is not None:
                self._queue.add(Request(entry.key.namespace, entry.key.name))

    def take_woken(self, key: ObjectKey) -> bool:
        """Whether an object is to push again whatever else says that it need not; asked once."""
        if key not in self._woken:
            return False
        self._woken.discard(key)
        return True

    def _others(self, owner: ObjectKey, store: StoreRef, remote_key: str) -> list[CachedObject]:
        index = (CLAIM_INDEX, _value(store, owner.namespace, remote_key))
        return [entry for entry in self._cache.informer(PUSH_SECRET).select(index=index) if entry.key != owner]
