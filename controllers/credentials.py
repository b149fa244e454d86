"""Wakes what was opened with a Secret when that Secret changes."""

from __future__ import annotations

from collections.abc import Callable

from controllers.externalsecret.watches import enqueue_users_of
from eso_core.controller import Enqueue, Event, EventKind, Request
from providers.interface import StoreKey
from providers.pool import ClientPool

__all__ = ["SourceWaker"]


class SourceWaker:
    """Wakes stores, and what uses them, when a Secret that they were opened with changes.

    Args:
        pool: Knows which client read which Secret.
    """

    def __init__(self, pool: ClientPool) -> None:
        self._pool = pool
        self._queues: dict[str, Enqueue] = {}
        self._users: list[tuple[Enqueue, Callable[[StoreKey, Enqueue], None]]] = []

    def attach(self, kind: str) -> Callable[[Enqueue], None]:
        """The start function of a source: stores of `kind` are put into this queue."""

        def start(enqueue: Enqueue) -> None:
            self._queues[kind] = enqueue

        return start

    def attach_users(self, wake: Callable[[StoreKey, Enqueue], None]) -> Callable[[Enqueue], None]:
        """The start function of a source: `wake` puts the users of a store into this queue."""

        def start(enqueue: Enqueue) -> None:
            self._users.append((enqueue, wake))

        return start

    def secret_changed(self, event: Event, enqueue: Enqueue) -> None:
        """Handler of the ExternalSecret controller for events of all Secrets."""
        key = event.object.key
        version = "" if event.kind is EventKind.DELETE else event.object.resource_version
        for store in self._pool.source_changed("Secret", key.namespace, key.name, version):
            queue = self._queues.get(store.kind)
            if queue is not None:
                queue.add(Request(store.namespace, store.name))
            enqueue_users_of(store, enqueue)
            for users, wake in self._users:
                wake(store, users)
