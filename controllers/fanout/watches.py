"""What wakes an object that puts copies into namespaces: itself, its copies, and namespaces."""

from __future__ import annotations

from controllers.externalsecret.watches import DELETION_PRIORITY
from controllers.fanout.children import by_parent
from controllers.fanout.kinds import FanOut
from controllers.fanout.selection import BadSelector, Selection
from eso_core.controller import Enqueue, Event, EventKind, Handler, Request, event_priority

__all__ = [
    "child_matters",
    "enqueue_parent",
    "enqueue_selecting",
    "enqueue_self",
    "namespace_matters",
    "object_matters",
]


def enqueue_self(event: Event, enqueue: Enqueue) -> None:
    """Enqueue the object of the event, deletions first."""
    going = event.object.meta.deletion_timestamp is not None
    enqueue.add(Request("", event.object.key.name), priority=DELETION_PRIORITY if going else event_priority(event))


def object_matters(event: Event) -> bool:
    """Anything but the status changed."""
    if event.kind is not EventKind.UPDATE or event.old is None:
        return True
    old, new = event.old.meta, event.object.meta
    return (
        event.resync
        or old.generation != new.generation
        or old.uid != new.uid
        or old.labels != new.labels
        or old.annotations != new.annotations
        or old.deletion_timestamp != new.deletion_timestamp
        or len(old.finalizers) > len(new.finalizers)
    )


def enqueue_parent(fan: FanOut) -> Handler:
    """Enqueue the object that controls the copy of the event."""
    prefix = f"{fan.kind.kind}/"

    def handle(event: Event, enqueue: Enqueue) -> None:
        for entry in (event.old, event.object):
            if entry is None:
                continue
            for parent in by_parent(entry.meta, {}):
                if parent.startswith(prefix):
                    enqueue.add(Request("", parent.removeprefix(prefix)), priority=event_priority(event))

    return handle


def child_matters(event: Event) -> bool:
    """A copy came, went, or is not what it was; its status is its own affair, and the first list is the parents'."""
    if event.initial or event.resync:
        return False
    if event.kind is not EventKind.UPDATE or event.old is None:
        return True
    old, new = event.old.meta, event.object.meta
    return (
        old.generation != new.generation
        or old.labels != new.labels
        or old.annotations != new.annotations
        or old.owner_references != new.owner_references
        or old.deletion_timestamp != new.deletion_timestamp
    )


def namespace_matters(event: Event) -> bool:
    """A namespace came, went, is going, or has other labels."""
    if event.initial or event.resync:
        return False
    if event.kind is not EventKind.UPDATE or event.old is None:
        return True
    old, new = event.old.meta, event.object.meta
    return old.labels != new.labels or old.deletion_timestamp != new.deletion_timestamp


def enqueue_selecting(fan: FanOut) -> Handler:
    """Enqueue the objects that select the namespace of the event, or did so before."""

    def handle(event: Event, enqueue: Enqueue) -> None:
        states = [entry.meta.labels for entry in (event.old, event.object) if entry is not None]
        for entry in enqueue.cache.informer(fan.kind).select():
            try:
                selection = Selection(entry.decode().get("spec") or {})
            except BadSelector:
                continue  # its condition says so
            if any(selection.has(labels) for labels in states):
                enqueue.add(Request("", entry.key.name), priority=event_priority(event))

    return handle
