"""May an object in a namespace use a store now? The rules are pure; `StoreAccess` looks the objects up in the cache."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

import re2

from controllers.failures import FailureClass
from controllers.secretstore.objects import CLUSTER_STORE, CLUSTER_STORE_KIND, STORE, STORE_KIND
from eso_core.meta import GVK, JsonObject, LabelSelector, ObjectKey, find_condition, is_condition_true
from eso_core.meta.errors import NotCached, SelectorError
from eso_core.meta.wellknown import NAMESPACE
from providers.interface import Store

__all__ = ["StoreAccess", "StoreRef", "StoreUnusable", "namespace_allowed"]

_REMEMBERED: Final = 256
"""Decoded stores kept; the oldest goes first."""

_NAME_LABEL: Final = "kubernetes.io/metadata.name"


class StoreUnusable(Exception):
    """The store is missing, of another controller class, denied to the namespace, or not ready.

    Attributes:
        pending: The store exists and has not been checked yet.
        failure_class: Kind of failure.
    """

    def __init__(
        self, message: str, *, pending: bool = False, failure_class: FailureClass = FailureClass.INVALID_REFERENCE
    ) -> None:
        super().__init__(message)
        self.pending = pending
        self.failure_class = failure_class


class StoreRef(NamedTuple):
    """A reference to a store, seen from the namespace of the object that holds it."""

    kind: str
    name: str

    def key(self, namespace: str) -> ObjectKey:
        """Where the store is."""
        return ObjectKey("" if self.kind == CLUSTER_STORE_KIND else namespace, self.name)

    @property
    def gvk(self) -> GVK:
        """The kind to read.

        Raises:
            StoreUnusable: the kind is none of the two.
        """
        if self.kind == STORE_KIND:
            return STORE
        if self.kind == CLUSTER_STORE_KIND:
            return CLUSTER_STORE
        raise StoreUnusable(f"unsupported secret store kind: {self.kind}")


class Entry(Protocol):
    """An object as a cache holds it; the same entry as long as the object does not change."""

    def decode(self) -> JsonObject: ...


class Reader(Protocol):
    """Reads that cost no request: the cache of a manager."""

    def peek(self, kind: Any, key: ObjectKey) -> Entry | None: ...


class _Known(NamedTuple):
    """A store as it was read last; shared, so read-only."""

    entry: Entry
    obj: JsonObject
    store: Store


class StoreAccess:
    """Looks stores up and applies the rules.

    Args:
        reader: Where stores and namespaces are read.
        controller_class: Stores with another `spec.controller` belong to another operator.
        flood_gate: Whether a store must be Ready to be used.
        cluster_stores: Whether ClusterSecretStores are in the cache; they do not exist otherwise.
    """

    def __init__(self, reader: Reader, *, controller_class: str, flood_gate: bool, cluster_stores: bool = True) -> None:
        self._reader = reader
        self._class = controller_class
        self._flood_gate = flood_gate
        self._cluster_stores = cluster_stores
        # Stores are read at every reconcile of every user and rarely change; the fake backend's hold all its values.
        self._decoded: OrderedDict[tuple[str, ObjectKey], _Known] = OrderedDict()

    def foreign(self, refs: Sequence[StoreRef], namespace: str) -> bool:
        """Whether any of these stores that exists belongs to another operator.

        Raises:
            StoreUnusable: a reference of unknown kind.
        """
        for ref in refs:
            store = self._find(ref, namespace)
            if store is not None and not self._ours(store.obj):
                return True
        return False

    def open(self, ref: StoreRef, namespace: str) -> Store:
        """The store, if an object in `namespace` may use it now.

        Raises:
            StoreUnusable: says why not.
        """
        known = self._find(ref, namespace)
        if known is None:
            raise StoreUnusable(
                f'could not get {ref.kind} "{ref.name}", {ref.kind}.external-secrets.io "{ref.name}" not found'
            )
        store = known.obj
        if not self._ours(store):
            raise StoreUnusable("can not reference unmanaged store")
        if ref.kind == CLUSTER_STORE_KIND and (admitted := store.get("spec", {}).get("conditions")):
            self._check_namespace(ref, admitted, namespace)
        conditions = (store.get("status") or {}).get("conditions")
        if self._flood_gate and not is_condition_true(conditions, "Ready"):
            unchecked = find_condition(conditions, "Ready") is None
            raise StoreUnusable(
                f'{ref.kind} "{ref.name}" is not ready', pending=unchecked, failure_class=FailureClass.STORE_NOT_READY
            )
        return known.store

    def _check_namespace(self, ref: StoreRef, conditions: Sequence[JsonObject], namespace: str) -> None:
        try:
            entry = self._reader.peek(NAMESPACE, ObjectKey("", namespace))
        except NotCached:
            # An operator of a single namespace may have no right to read any: its name is all that is known of it.
            labels = {_NAME_LABEL: namespace}
        else:
            found = {} if entry is None else entry.decode()
            labels = (found.get("metadata") or {}).get("labels") or {}
        try:
            allowed = namespace_allowed(conditions, namespace, labels)
        except SelectorError as error:
            raise StoreUnusable(
                f'using cluster store "{ref.name}" from namespace "{namespace}": spec.conditions: {error}'
            ) from error
        if not allowed:
            raise StoreUnusable(
                f'using cluster store "{ref.name}" is not allowed from namespace "{namespace}": denied by spec.condition',
                failure_class=FailureClass.DENIED,
            )

    def _find(self, ref: StoreRef, namespace: str) -> _Known | None:
        if ref.kind == CLUSTER_STORE_KIND and not self._cluster_stores:
            return None
        key = ref.key(namespace)
        entry = self._reader.peek(ref.gvk, key)
        if entry is None:
            return None
        known = self._decoded.get((ref.kind, key))
        if known is None or known.entry is not entry:
            obj = entry.decode()
            known = self._decoded[ref.kind, key] = _Known(entry, obj, Store.from_object(obj))
            if len(self._decoded) > _REMEMBERED:
                self._decoded.popitem(last=False)
        return known

    def _ours(self, store: JsonObject) -> bool:
        named = store.get("spec", {}).get("controller") or ""
        return named in ("", self._class)


def namespace_allowed(conditions: Sequence[JsonObject], namespace: str, labels: Mapping[str, str]) -> bool:
    """Whether any condition admits the namespace, by selector, by name (as its label has it) or by regular expression.

    A pattern that does not compile admits nothing.

    Raises:
        SelectorError: a selector that comes before the first that admits the namespace cannot be read.
    """
    for condition in conditions:
        selector = condition.get("namespaceSelector")
        if selector is not None and LabelSelector.from_object(selector).matches(labels):
            return True
        if labels.get(_NAME_LABEL) in (condition.get("namespaces") or ()):
            return True
        if any(_found(pattern, namespace) for pattern in condition.get("namespaceRegexes") or ()):
            return True
    return False


def _found(pattern: str, text: str) -> bool:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options).search(text) is not None
    except re2.error:
        return False
