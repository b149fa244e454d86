"""What wakes a PushSecret: itself, the Secrets it pushes, what its template reads, its stores, and its namespace.

Deletions come first, refreshes by the clock last, as for ExternalSecrets.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from controllers.externalsecret.watches import DELETION_PRIORITY
from controllers.pushsecret.plan import FINALIZER, PUSH_SECRET, StoreChoice, store_choices
from controllers.pushsecret.sources import SOURCE_INDEX, source_index_value
from controllers.pushsecret.templatesources import template_sources
from controllers.secretstore.objects import CLUSTER_STORE_KIND, STORE_KIND
from eso_core.cache import CachedObject
from eso_core.controller import Enqueue, Event, EventKind, Request, event_priority
from eso_core.meta import JsonObject, LabelSelector, is_condition_true
from eso_core.meta.errors import SelectorError
from eso_core.queue import LOW_PRIORITY
from providers.interface import StoreKey

__all__ = [
    "SELECTOR_INDEX",
    "STORE_INDEX",
    "by_selector",
    "by_source",
    "by_store",
    "enqueue_by_secret",
    "enqueue_by_store",
    "enqueue_in_namespace",
    "enqueue_self",
    "enqueue_users_of",
    "object_matters",
    "store_matters",
]

SELECTOR_INDEX: Final = "pushselector"
STORE_INDEX: Final = "pushstore"


def by_source(meta: Any, obj: JsonObject) -> Iterable[str]:
    """Index function: PushSecrets by the Secrets and ConfigMaps that they name."""
    spec = obj.get("spec") or {}
    namespace = obj["metadata"].get("namespace", "")
    found = {f"{kind}/{namespace}/{name}" for kind, name in template_sources(spec.get("template"))}
    name = ((spec.get("selector") or {}).get("secret") or {}).get("name")
    if name:
        found.add(source_index_value(namespace, name))
    return found


def by_selector(meta: Any, obj: JsonObject) -> Iterable[str]:
    """Index function: PushSecrets that select Secrets by label, by namespace."""
    if _secret_selector(obj) is not None:
        yield obj["metadata"].get("namespace", "")


def by_store(meta: Any, obj: JsonObject) -> Iterable[str]:
    """Index function: PushSecrets by the stores they name; `*` stands for those they select by label."""
    namespace = obj["metadata"].get("namespace", "")
    return {_store_value(choice, namespace) for choice in store_choices(obj)}


def _store_value(choice: StoreChoice, namespace: str) -> str:
    within = "" if choice.kind == CLUSTER_STORE_KIND else namespace
    return f"{choice.kind}/{within}/{'*' if choice.selector is not None else choice.name}"


def _secret_selector(obj: JsonObject) -> JsonObject | None:
    secret = ((obj.get("spec") or {}).get("selector") or {}).get("secret") or {}
    selector: JsonObject | None = None if secret.get("name") else secret.get("selector")
    return selector


def enqueue_self(event: Event, enqueue: Enqueue) -> None:
    """Enqueue the object of the event, deletions first."""
    key = event.object.key
    going = event.object.meta.deletion_timestamp is not None
    enqueue.add(Request(key.namespace, key.name), priority=DELETION_PRIORITY if going else event_priority(event))


def enqueue_by_secret(event: Event, enqueue: Enqueue) -> None:
    """Enqueue the PushSecrets that name the Secret of the event, or select it or did so until now."""
    key = event.object.key
    users = enqueue.cache.informer(PUSH_SECRET)
    found = {entry.key for entry in users.select(index=(SOURCE_INDEX, source_index_value(*key)))}
    labels = [event.object.meta.labels, *([event.old.meta.labels] if event.old is not None else ())]
    for entry in users.select(index=(SELECTOR_INDEX, key.namespace)):
        if _selects_any(_secret_selector(entry.decode()), labels):
            found.add(entry.key)
    for user in found:
        enqueue.add(Request(user.namespace, user.name), priority=event_priority(event))


def _selects_any(selector: JsonObject | None, labels: Iterable[dict[str, str]]) -> bool:
    try:
        parsed = LabelSelector.from_object(selector)
    except SelectorError:
        return False
    return any(parsed.matches(one) for one in labels)


def enqueue_by_store(event: Event, enqueue: Enqueue) -> None:
    """Enqueue the PushSecrets that may mean the store of the event."""
    key = event.object.key
    kind = STORE_KIND if key.namespace else CLUSTER_STORE_KIND
    enqueue_users_of(StoreKey(kind, key.namespace, key.name), enqueue)
    for entry in enqueue.cache.informer(PUSH_SECRET).select(index=(STORE_INDEX, f"{kind}/{key.namespace}/*")):
        enqueue.add(Request(entry.key.namespace, entry.key.name), priority=LOW_PRIORITY)


def enqueue_users_of(store: StoreKey, enqueue: Enqueue) -> None:
    """Enqueue the PushSecrets that name a store."""
    value = f"{store.kind}/{store.namespace}/{store.name}"
    for entry in enqueue.cache.informer(PUSH_SECRET).select(index=(STORE_INDEX, value)):
        enqueue.add(Request(entry.key.namespace, entry.key.name), priority=LOW_PRIORITY)


def enqueue_in_namespace(event: Event, enqueue: Enqueue) -> None:
    """Enqueue the PushSecrets in the namespace of the event."""
    for entry in enqueue.cache.informer(PUSH_SECRET).select(event.object.key.name):
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


def store_matters(event: Event) -> bool:
    """A store came, its spec or labels changed, or it works again; PushSecrets need no store to be ready."""
    if event.initial or event.resync or event.kind is EventKind.DELETE:
        return False
    if event.object.meta.deletion_timestamp is not None:
        return False
    if event.kind is not EventKind.UPDATE or event.old is None or event.old.uid != event.object.uid:
        return True
    old, new = event.old.meta, event.object.meta
    return (
        old.generation != new.generation or old.labels != new.labels or (_ready(event.object) and not _ready(event.old))
    )


def _ready(entry: CachedObject) -> bool:
    return is_condition_true((entry.decode().get("status") or {}).get("conditions"), "Ready")
