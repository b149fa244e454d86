"""Bringing an object to a wanted state without server-side apply.

``Client.apply`` is the better way where it fits: it needs no read and owns exactly the fields it names. These functions are
for objects whose lists cannot be merged by the server, and for changes that depend on the current state.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol, TypeVar

from eso_core.client.kinds import Kind
from eso_core.client.patch import merge_from
from eso_core.meta.equality import semantic_equal
from eso_core.meta.errors import AlreadyExists, NotFound
from eso_core.meta.gvk import JsonObject, gvk_of
from eso_core.meta.keys import ObjectKey

__all__ = ["ObjectClient", "Outcome", "create_or_patch", "create_or_update"]

T = TypeVar("T")

Outcome = Literal["unchanged", "created", "updated", "updated_status", "updated_status_only"]


class ObjectClient(Protocol):
    """What these functions use: ``Client`` has it, and so has a client that reads from a cache."""

    async def get(self, kind: Any, key: ObjectKey, /) -> Any: ...
    async def create(self, obj: Any, /) -> Any: ...
    async def update(self, obj: Any, /) -> Any: ...
    async def update_status(self, obj: Any, /) -> Any: ...
    async def patch(self, kind: Any, key: ObjectKey, patch: Any, /, *, subresource: str = "") -> Any: ...


Mutate = Callable[[T], Awaitable[None] | None]


async def create_or_update(client: ObjectClient, obj: T, mutate: Mutate[T]) -> tuple[T, Outcome]:
    """Reads the object, lets ``mutate`` change it, and writes it when that made a difference.

    Args:
        client: Reads may come from a cache; if it is behind, the object is read once more from ``client.api``.
        obj: Names the object and its kind; what is created when there is none, after ``mutate``.
        mutate: Changes the object in place, not its name or namespace. May be asynchronous. It may run twice.

    Returns:
        The object as the server has it, and what was done.

    Raises:
        Conflict: It changed between the read and the write.
        ValueError: ``mutate`` changed the name or the namespace.
    """
    kind, wanted = _document(obj)
    key = ObjectKey.of(wanted)
    try:
        current = await client.get(kind, key)
    except NotFound:
        made = copy.deepcopy(obj)
        await _run(mutate, made, key)
        try:
            return await client.create(made), "created"
        except AlreadyExists:
            # The cache has not seen it yet.
            current = await getattr(client, "api", client).get(kind, key)
    changed = copy.deepcopy(current)
    await _run(mutate, changed, key)
    before, after = _document(current)[1], _document(changed)[1]
    result, wrote = current, False
    if not _same(before, after, status=False):
        result, wrote = await client.update(changed), True
    if not semantic_equal(before.get("status"), after.get("status")):
        version = (_document(result)[1].get("metadata") or {}).get("resourceVersion")
        result = await client.update_status(_at_version(changed, version))
        return result, "updated_status" if wrote else "updated_status_only"
    return result, "updated" if wrote else "unchanged"


async def create_or_patch(client: ObjectClient, obj: T, mutate: Mutate[T]) -> tuple[T, Outcome]:
    """As ``create_or_update``, but writes the differences as merge patches: changes by others in between are kept.

    Raises:
        ValueError: ``mutate`` changed the name or the namespace.
    """
    kind, wanted = _document(obj)
    key = ObjectKey.of(wanted)
    try:
        current = await client.get(kind, key)
    except NotFound:
        made = copy.deepcopy(obj)
        await _run(mutate, made, key)
        try:
            return await client.create(made), "created"
        except AlreadyExists:
            current = await getattr(client, "api", client).get(kind, key)
    changed = copy.deepcopy(current)
    await _run(mutate, changed, key)
    before, after = _document(current)[1], _document(changed)[1]
    result, wrote = current, False
    if not _same(before, after, status=False):
        patch = merge_from(_without_status(before), _without_status(after))
        result, wrote = await client.patch(kind, key, patch), True
    if not semantic_equal(before.get("status"), after.get("status")):
        patch = merge_from({"status": before.get("status") or {}}, {"status": after.get("status") or {}})
        result = await client.patch(kind, key, patch, subresource="status")
        return result, "updated_status" if wrote else "updated_status_only"
    return result, "updated" if wrote else "unchanged"


async def _run(mutate: Mutate[T], obj: T, key: ObjectKey) -> None:
    pending = mutate(obj)
    if inspect.isawaitable(pending):
        await pending
    found = ObjectKey.of(_document(obj)[1])
    if found != key:
        raise ValueError(f"changing {key}: the change renamed it to {found}: names and namespaces are fixed")


def _document(obj: Any) -> tuple[Kind, JsonObject]:
    if isinstance(obj, dict):
        return gvk_of(obj), obj
    return type(obj), obj.encode()


def _without_status(document: JsonObject) -> JsonObject:
    return {key: value for key, value in document.items() if key != "status"}


def _same(before: JsonObject, after: JsonObject, *, status: bool) -> bool:
    return semantic_equal(before if status else _without_status(before), after if status else _without_status(after))


def _at_version(obj: Any, version: str | None) -> Any:
    """The object with another resource version: its main part was just written."""
    if isinstance(obj, dict):
        return {**obj, "metadata": {**obj["metadata"], "resourceVersion": version}}
    return type(obj).decode(_at_version(obj.encode(), version))
