"""The stores that a PushSecret pushes to, found in the cache."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from controllers.pushsecret.errors import InvalidField, StoreFailed
from controllers.pushsecret.expand import StoreFacts, selects
from controllers.pushsecret.plan import DataTo, PushPlan, StoreChoice
from controllers.pushsecret.records import store_name
from controllers.secretstore.access import StoreAccess, StoreRef, StoreUnusable
from controllers.secretstore.objects import CLUSTER_STORE_KIND
from eso_core.cache import Cache, CachedObject
from providers.interface import Store

__all__ = ["FoundStore", "PushStores"]


class FoundStore(Struct, frozen=True):
    """A store of the cluster that a PushSecret means.

    Attributes:
        ref: The store.
        facts: What references are matched against.
        identity: Changes when its spec does.
        going: It is being deleted.
        foreign: It belongs to another operator.
    """

    ref: StoreRef
    facts: StoreFacts
    identity: str
    going: bool
    foreign: bool

    @property
    def name(self) -> str:
        """How the status calls it."""
        return store_name(self.ref.kind, self.ref.name)


class PushStores:
    """Looks up stores.

    Args:
        cache: Has the stores.
        access: The rules of who may use which; stores need not be ready.
        cluster_stores: Whether ClusterSecretStores are in the cache.
    """

    def __init__(self, cache: Cache, access: StoreAccess, *, cluster_stores: bool) -> None:
        self._cache = cache
        self._access = access
        self._cluster_stores = cluster_stores

    def find(self, choices: Iterable[StoreChoice], namespace: str) -> list[FoundStore]:
        """What the references mean, each store once, in the order of the references; those that mean nothing give nothing."""
        found: dict[str, FoundStore] = {}
        for choice in choices:
            for store in self._of(choice, namespace):
                found.setdefault(store.name, store)
        return list(found.values())

    def resolve(self, plan: PushPlan) -> list[FoundStore]:
        """The stores to push to.

        Raises:
            StoreFailed: one that is named is not there.
            InvalidField: a `dataTo` means none of them.
        """
        for index, choice in enumerate(plan.stores):
            if choice.kind == CLUSTER_STORE_KIND and not self._cluster_stores:
                raise StoreFailed(
                    f'spec.secretStoreRefs[{index}]: ClusterSecretStore "{choice.name}" cannot be used: '
                    "the operator runs without its ClusterSecretStore controller"
                )
            if choice.selector is None and next(self._of(choice, plan.key.namespace), None) is None:
                try:
                    self._access.open(StoreRef(choice.kind, choice.name), plan.key.namespace)
                except StoreUnusable as error:
                    raise StoreFailed(str(error)) from error
        stores = self.find(plan.stores, plan.key.namespace)
        usable = [store for store in stores if not store.going]
        for entry in plan.data_to:
            _check_matched(entry, usable)
        return stores

    def open(self, store: StoreRef, namespace: str, *, called: str = "") -> Store:
        """A store for pushing or deleting.

        Args:
            store: Which one.
            namespace: Of the PushSecret.
            called: How the text of an error calls it, if not by its name.

        Raises:
            StoreFailed: it may not be used.
        """
        try:
            return self._access.open(store, namespace)
        except StoreUnusable as error:
            raise StoreFailed(f"could not get secrets client for store {called or store.name}: {error}") from error

    def exists(self, store: StoreRef, namespace: str) -> bool:
        """Whether there is such a store; of what this operator cannot see it is not known that it is gone."""
        if store.kind == CLUSTER_STORE_KIND and not self._cluster_stores:
            return True
        return next(self._of(StoreChoice(store.kind, store.name), namespace), None) is not None

    def is_foreign(self, store: StoreRef, namespace: str) -> bool:
        """Whether there is such a store and it belongs to another operator."""
        return self._access.foreign([store], namespace)

    def _of(self, choice: StoreChoice, namespace: str) -> Iterator[FoundStore]:
        if choice.kind == CLUSTER_STORE_KIND and not self._cluster_stores:
            return
        ref = StoreRef(choice.kind, choice.name)
        if choice.selector is None:
            entry = self._cache.peek(ref.gvk, ref.key(namespace))
            if entry is not None:
                yield self._found(choice.kind, entry, namespace)
            return
        within = None if choice.kind == CLUSTER_STORE_KIND else namespace
        entries = self._cache.informer(ref.gvk).select(within)
        for entry in sorted(entries, key=lambda entry: entry.key.name):
            if choice.selector.matches(entry.meta.labels):
                yield self._found(choice.kind, entry, namespace)

    def _found(self, kind: str, entry: CachedObject, namespace: str) -> FoundStore:
        ref = StoreRef(kind, entry.key.name)
        going = entry.meta.deletion_timestamp is not None
        # The mark of deletion counts as a generation, and is none: what was pushed there stays until it is taken back.
        generation = (entry.meta.generation or 0) - (1 if going else 0)
        return FoundStore(
            ref=ref,
            facts=StoreFacts(kind, entry.key.name, entry.meta.labels),
            identity=f"{kind}/{entry.key.name}@{entry.uid}.{generation}",
            going=going,
            foreign=self._access.foreign([ref], namespace),
        )


def _check_matched(entry: DataTo, stores: list[FoundStore]) -> None:
    if entry.store.selector is None or any(selects(entry.store, store.facts) for store in stores):
        return
    raise InvalidField(f"dataTo[{entry.index}]: labelSelector does not match any store in secretStoreRefs")
