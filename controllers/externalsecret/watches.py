"""What wakes an ExternalSecret: itself, its target, its stores, the Secrets those read, and its namespace.

Keys enter the queue with one of three priorities. Deletions come first, so that a namespace with failing stores empties
quickly; then what people and other controllers changed; refreshes by the clock last, so a new object does not wait behind
a wave of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from controllers.externalsecret.names import FINALIZER
from controllers.externalsecret.plan import store_refs, target_name
from controllers.externalsecret.render import is_managed
from controllers.externalsecret.report import EXTERNAL_SECRET
from controllers.externalsecret.target import OwnWrites
from controllers.secretstore.objects import CLUSTER_STORE_KIND, STORE_KIND
from eso_core.cache import CachedObject
from eso_core.controller import Enqueue, Event, EventKind, Request, event_priority
from eso_core.meta import JsonObject, ObjectKey, find_condition, is_condition_true
from eso_core.queue import LOW_PRIORITY
from providers.interface import StoreKey

__all__ = [
    "CLUSTER_STORE_INDEX",
    "DELETION_PRIORITY",
    "REFRESH_PRIORITY",
    "STORE_INDEX",
    "TARGET_INDEX",
    "Test",
    "by_cluster_store",
    "by_store",
    "by_target",
    "enqueue_by_store",
    "enqueue_by_target",
    "enqueue_in_namespace",
    "enqueue_self",
    "enqueue_users_of",
    "foreign_secret_matters",
    "managed_secret_matters",
    "namespace_matters",
    "object_matters",
    "secret_matters",
    "source_matters",
    "store_matters",
]

Test = Callable[[Event], bool]

DELETION_PRIORITY: Final = 100
REFRESH_PRIORITY: Final = LOW_PRIORITY // 2

TARGET_INDEX: Final = "target"
STORE_INDEX: Final = "secretstore"
CLUSTER_STORE_INDEX: Final = "clustersecretstore"


def by_target(meta: Any, obj: JsonObject) -> Iterable[str]:
    """Index function: ExternalSecrets by the key of their target Secret."""
    target = (obj.get("spec") or {}).get("target") or {}
    if not target.get("manifest"):
        yield f"{obj['metadata'].get('namespace', '')}/{target_name(obj)}"


def by_store(meta: Any, obj: JsonObject) -> Iterable[str]:
    """Index function: ExternalSecrets by the keys of the SecretStores they name."""
    namespace = obj["metadata"].get("namespace", "")
    return {f"{namespace}/{ref.name}" for ref in store_refs(obj) if ref.kind == STORE_KIND}


def by_cluster_store(meta: Any, obj: JsonObject) -> Iterable[str]:
    """Index function: ExternalSecrets by the ClusterSecretStores they name."""
    return {ref.name for ref in store_refs(obj) if ref.kind == CLUSTER_STORE_KIND}


def enqueue_self(event: Event, enqueue: Enqueue) -> None:
    """Enqueue the object of the event, deletions first."""
    key = event.object.key
    going = event.object.meta.deletion_timestamp is not None
    enqueue.add(Request(key.namespace, key.name), priority=DELETION_PRIORITY if going else event_priority(event))


def enqueue_by_target(event: Event, enqueue: Enqueue) -> None:
    """Enqueue the ExternalSecrets whose target the Secret of the event is."""
    index = (TARGET_INDEX, str(event.object.key))
    for entry in enqueue.cache.informer(EXTERNAL_SECRET).select(index=index):
        enqueue.add(Request(entry.key.namespace, entry.key.name), priority=event_priority(event))


def enqueue_by_store(event: Event, enqueue: Enqueue) -> None:
    """Enqueue the ExternalSecrets that name the store of the event."""
    key = event.object.key
    enqueue_users_of(StoreKey(STORE_KIND if key.namespace else CLUSTER_STORE_KIND, key.namespace, key.name), enqueue)


def enqueue_users_of(store: StoreKey, enqueue: Enqueue) -> None:
    """Enqueue the ExternalSecrets that name a store."""
    index = CLUSTER_STORE_INDEX if store.kind == CLUSTER_STORE_KIND else STORE_INDEX
    value = str(ObjectKey(store.namespace, store.name))
    for entry in enqueue.cache.informer(EXTERNAL_SECRET).select(index=(index, value)):
        enqueue.add(Request(entry.key.namespace, entry.key.name), priority=LOW_PRIORITY)


def enqueue_in_namespace(event: Event, enqueue: Enqueue) -> None:
    """Enqueue the ExternalSecrets in the namespace of the event."""
    for entry in enqueue.cache.informer(EXTERNAL_SECRET).select(event.object.key.name):
        enqueue.add(Request(entry.key.namespace, entry.key.name), priority=event_priority(event))


def object_matters(event: Event) -> bool:
    """Spec, labels, annotations or deletion changed, or our finalizer is gone; status and our own finalizer do not count."""
    if event.resync:
        return False
    if event.kind is not EventKind.UPDATE or event.old is None:
        return True
    old, new = event.old.meta, event.object.meta
    return (
        old.generation != new.generation
        or old.uid != new.uid
        or old.labels != new.labels
        or old.annotations != new.annotations
        or old.deletion_timestamp != new.deletion_timestamp
        or (FINALIZER in old.finalizers and FINALIZER not in new.finalizers)
    )


def managed_secret_matters(writes: OwnWrites) -> Test:
    """Any change of a managed Secret but the echo of our own write; the first list is covered by the ExternalSecrets'."""

    def matters(event: Event) -> bool:
        if event.initial or event.resync:
            return False
        return event.kind is EventKind.DELETE or not writes.is_echo(event.object.key, event.object.resource_version)

    return matters


def foreign_secret_matters(event: Event) -> bool:
    """A Secret without the managed label came, changed or went; managed ones are seen whole by their own informer."""
    if event.initial or event.resync:
        return False
    return event.kind is EventKind.DELETE or not is_managed({"labels": event.object.meta.labels})


def secret_matters(event: Event) -> bool:
    """Any change of any Secret after the first list: a store may have been opened with it."""
    return not (event.initial or event.resync)


def source_matters(event: Event) -> bool:
    """Any state of any Secret, the first list included: it may differ from what a template has read before."""
    return not event.resync


def store_matters(flood_gate: bool) -> Test:
    """What users of a store wait for: it became ready, its spec changed, or its first check is over, whatever it found.

    Args:
        flood_gate: Whether stores that are not ready may not be used anyway.
    """

    def matters(event: Event) -> bool:
        if event.initial or event.resync or event.kind is EventKind.DELETE:
            return False
        usable = not flood_gate or _ready(event.object)
        if event.kind is not EventKind.UPDATE or event.old is None or event.old.uid != event.object.uid:
            return usable
        changed = event.old.meta.generation != event.object.meta.generation
        if usable:
            return changed or not _ready(event.old)
        return _checked(event.object) and not _checked(event.old)

    return matters


def namespace_matters(event: Event) -> bool:
    """The labels of a namespace changed: a ClusterSecretStore may admit it now."""
    if event.kind is not EventKind.UPDATE or event.old is None:
        return False
    return event.old.meta.labels != event.object.meta.labels


def _ready(entry: CachedObject) -> bool:
    return is_condition_true((entry.decode().get("status") or {}).get("conditions"), "Ready")


def _checked(entry: CachedObject) -> bool:
    return find_condition((entry.decode().get("status") or {}).get("conditions"), "Ready") is not None
