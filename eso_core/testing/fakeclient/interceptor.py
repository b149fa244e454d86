"""Hooks between a test and the verbs of a ``FakeClient``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

__all__ = ["Hook", "Interceptor"]

Hook: TypeAlias = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Interceptor:
    """Async functions that stand in for verbs.

    Each gets the client without hooks, then what the verb was called with; it raises, waits, passes on, or answers
    itself, and what it returns is what the verb returns.

    Attributes:
        get: ``(client, kind, key, **options)``
        list: ``(client, kind, namespace, **options)``; also before each list of a cache, where only raising and waiting
            count.
        create: ``(client, obj, **options)``
        update: ``(client, obj, **options)``
        patch: ``(client, kind, key, patch, **options)``, without apply patches
        apply: ``(client, obj, owner, **options)``, where ``obj`` is a dictionary
        delete: ``(client, kind, key, **options)``
        delete_all_of: ``(client, kind, namespace, **options)``
        watch: ``(client, kind, namespace, **options)``, before a watch opens; only raising and waiting count
        subresource_get: ``(client, kind, name, key, **options)``
        subresource_create: ``(client, kind, name, key, body, **options)``
        subresource_update: ``(client, kind, name, key, body, **options)``, ``update_status`` as well
        subresource_patch: ``(client, kind, name, key, patch, **options)``
    """

    get: Hook | None = None
    list: Hook | None = None
    create: Hook | None = None
    update: Hook | None = None
    patch: Hook | None = None
    apply: Hook | None = None
    delete: Hook | None = None
    delete_all_of: Hook | None = None
    watch: Hook | None = None
    subresource_get: Hook | None = None
    subresource_create: Hook | None = None
    subresource_update: Hook | None = None
    subresource_patch: Hook | None = None
