"""Cleaning up before an object goes away."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from eso_core.client.kinds import Kind
from eso_core.client.patch import JsonPatch
from eso_core.meta.errors import FinalizerError, NotFound
from eso_core.meta.finalizers import add_finalizer_ops, has_finalizer, remove_finalizer_ops
from eso_core.meta.gvk import JsonObject, gvk_of
from eso_core.meta.keys import ObjectKey

__all__ = ["Finalizer", "ensure_finalizer", "finalize", "run_finalizers"]

T = TypeVar("T")
R = TypeVar("R")


class PatchClient(Protocol):
    """What these functions use of a client."""

    async def patch(self, kind: Any, key: ObjectKey, patch: Any, /) -> Any: ...


class Finalizer(Struct, frozen=True):
    """A cleanup with its qualified name (``domain/name``)."""

    name: str
    cleanup: Callable[[Any], Awaitable[None]]


async def ensure_finalizer(client: PatchClient, obj: Any, name: str) -> bool:
    """Adds a finalizer to the live object if it is not there; whether it was added.

    Raises:
        Invalid: The finalizers changed since ``obj`` was read, or the object is being deleted.
        ValueError: The name is not qualified.
    """
    kind, document = _document(obj)
    ops = add_finalizer_ops(document, name)
    if not ops:
        return False
    await client.patch(kind, ObjectKey.of(document), JsonPatch(ops))
    return True


async def finalize(
    client: PatchClient,
    obj: T,
    name: str,
    apply: Callable[[T], Awaitable[R]],
    cleanup: Callable[[T], Awaitable[object]],
) -> R | None:
    """Runs ``apply`` while the object lives and ``cleanup`` before it goes.

    ==========  ==========  ======================================================
    deleting    finalizer   what happens
    ==========  ==========  ======================================================
    no          absent      it is added; the event of that change brings us back
    no          present     ``apply``
    yes         present     ``cleanup``, then the finalizer is removed
    yes         absent      nothing
    ==========  ==========  ======================================================

    Returns:
        What ``apply`` returned, otherwise ``None``.

    Raises:
        TypeError: A function is a plain ``def``; both are looked at before one runs. Of a ``lambda`` only its call tells
            whether it gives something to await.
        ValueError: The name is not qualified.
    """
    _refuse_plain("apply", apply)
    _refuse_plain("cleanup", cleanup)
    kind, document = _document(obj)
    deleting = bool((document.get("metadata") or {}).get("deletionTimestamp"))
    present = has_finalizer(document, name)
    if not deleting:
        if present:
            return await _awaited("apply", apply, obj)
        await ensure_finalizer(client, obj, name)
        return None
    if present:
        await _awaited("cleanup", cleanup, obj)
        await _remove(client, kind, document, name)
    return None


def _refuse_plain(role: str, function: Any) -> None:
    """A plain function would do its work, on the event loop, before the missing awaitable is noticed."""
    while isinstance(function, partial):
        function = function.func
    plain = (inspect.isfunction(function) or inspect.ismethod(function)) and not inspect.iscoroutinefunction(function)
    # A lambda is how arguments are bound, and a wrapper may well return what it wraps.
    if plain and function.__name__ != "<lambda>" and not hasattr(function, "__wrapped__"):
        raise TypeError(f"finalize: {role} {function.__qualname__} is a plain function: declare it with `async def`")


async def _awaited(role: str, function: Callable[[T], Awaitable[R]], obj: T) -> R:
    result = function(obj)
    if not inspect.isawaitable(result):
        raise TypeError(
            f"finalize: {role} returned {type(result).__name__}, nothing to await: declare it with `async def`"
        )
    return await result


async def run_finalizers(client: PatchClient, obj: Any, finalizers: Sequence[Finalizer]) -> bool:
    """Several finalizers at once: adds those that are missing, or cleans up for those that are due.

    Returns:
        Whether the object changed.

    Raises:
        FinalizerError: Cleanups failed. The others ran, and their finalizers are removed.
    """
    kind, document = _document(obj)
    if not (document.get("metadata") or {}).get("deletionTimestamp"):
        changed = False
        for finalizer in finalizers:
            if not has_finalizer(document, finalizer.name):
                document = _document(
                    await client.patch(
                        kind, ObjectKey.of(document), JsonPatch(add_finalizer_ops(document, finalizer.name))
                    )
                )[1]
                changed = True
        return changed
    failures: dict[str, Exception] = {}
    removed = False
    for finalizer in finalizers:
        if not has_finalizer(document, finalizer.name):
            continue
        try:
            await finalizer.cleanup(obj)
        except Exception as exc:
            failures[finalizer.name] = exc
            continue
        document = await _remove(client, kind, document, finalizer.name)
        removed = True
    if failures:
        raise FinalizerError(str(ObjectKey.of(document)), failures)
    return removed


async def _remove(client: PatchClient, kind: Kind, document: JsonObject, name: str) -> JsonObject:
    try:
        answer = await client.patch(kind, ObjectKey.of(document), JsonPatch(remove_finalizer_ops(document, name)))
    except NotFound:
        # Gone already: another replica or a person removed the last finalizer.
        return document
    return _document(answer)[1]


def _document(obj: Any) -> tuple[Kind, JsonObject]:
    if isinstance(obj, dict):
        return gvk_of(obj), obj
    return type(obj), obj.encode()
