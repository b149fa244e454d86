"""The manager's client: reads from the cache, writes to the server, and reads its own writes."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from eso_core.cache.cache import Cache
from eso_core.cache.spec import Kind, gvk_of_kind, is_namespaced
from eso_core.cache.transforms import lacks_values
from eso_core.cache.writes import PendingWrite, facts_of
from eso_core.client import Client, MergePatch, Subresource
from eso_core.meta import GVK, ObjectKey, Partial, gvk_of, mergepatch, set_condition
from eso_core.meta.errors import ApiError, MapperError, TransportError
from eso_core.meta.keys import object_key

__all__ = ["CachedClient"]

T = TypeVar("T")


class CachedClient:
    """Reads come from the cache and wait for the writes that this client finished; writes go to the server.

    `get` and `list` are those of `Cache`. Kinds without informer raise `NotCached`: read them with `api`. Write options are
    those of `eso_core.client.Client`.

    Attributes:
        api: the live client.
        cache: the informers.
    """

    def __init__(self, api: Client, cache: Cache) -> None:
        self.api = api
        # The verbs are overloaded by kind; here they only pass through.
        self._verbs: Any = api
        self.cache = cache
        self.get = cache.get
        self.list = cache.list

    async def create(self, obj: T, **options: Any) -> T:
        """Creates an object and returns what the server stored.

        Raises:
            ValueError: a copy of a Secret whose values are not in the cache.
        """
        gvk, key = _identity(obj)
        _refuse_without_values("creating", obj, gvk, key)
        if not key.name:
            return await self._verbs.create(obj, **options)  # type: ignore[no-any-return]  # the server makes up the name
        return await self._write(gvk, key, options, self._verbs.create(obj, **options))  # type: ignore[no-any-return]

    async def update(self, obj: T, **options: Any) -> T:
        """Replaces an object; a Conflict says that it changed since it was read.

        Raises:
            ValueError: a Secret whose values are not in the cache: they would be erased.
        """
        gvk, key = _identity(obj)
        _refuse_without_values("updating", obj, gvk, key)
        based_on = _version_of(obj)
        return await self._write(gvk, key, options, self._verbs.update(obj, **options), based_on=based_on)  # type: ignore[no-any-return]

    async def update_status(self, obj: T, **options: Any) -> T:
        """Replaces an object's status."""
        gvk, key = _identity(obj)
        based_on = _version_of(obj)
        return await self._write(gvk, key, options, self._verbs.update_status(obj, **options), based_on=based_on)  # type: ignore[no-any-return]

    async def patch(self, kind: Kind, key: tuple[str, str], patch: Any, **options: Any) -> Any:
        """Patches an object or a subresource."""
        gvk = gvk_of_kind(kind)
        own = object_key(gvk.kind, key)
        based_on = _version_of(patch.body) if isinstance(patch, MergePatch) else ""
        return await self._write(gvk, own, options, self._verbs.patch(kind, own, patch, **options), based_on=based_on)

    async def patch_status(self, kind: Kind, key: tuple[str, str], status: Any, **options: Any) -> Any:
        """Merges `status` (a model or its JSON) into an object's status.

        No resourceVersion goes along: an edit of the spec in the meantime is no conflict. Nothing is sent when the cached
        status says all that already, and no own write on the object is still on its way, or ended who knows how.
        """
        wanted = (
            status if isinstance(status, Mapping) else status.model_dump(mode="json", by_alias=True, exclude_unset=True)
        )
        gvk, writes = gvk_of_kind(kind), self.cache.writes
        key = object_key(gvk.kind, key)
        unsure = writes.active and writes.must_read_live(gvk, key)
        if self.cache.find(kind) is not None and not unsure and not self.cache.stale(kind, key):
            entry = self.cache.peek(kind, key)
            status = (entry.decode().get("status") or {}) if entry is not None else None
            if status is not None and mergepatch.apply(status, wanted) == status:
                return await self.cache.get(kind, key)
        return await self.patch(kind, key, MergePatch({"status": wanted}), subresource="status", **options)

    async def set_condition(
        self,
        obj: Any,
        *,
        type: str,
        status: str | bool,
        reason: str,
        message: str = "",
        fields: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> bool:
        """Sets a condition in the status of a cached object, and other fields of it, with one write or none.

        The other conditions are those of the newest state that the cache has; `observedGeneration` is that of `obj`, since it
        is what was looked at. The time of the transition moves with the status alone, so that saying the same again
        writes nothing.

        Args:
            obj: typed or as JSON, as it was read.
            type, status, reason, message: as for `eso_core.set_condition`.
            fields: of the status, by their names on the wire; None takes one away.

        Returns:
            Whether the condition changed: reason for an event.

        Raises:
            NotFound: the object is gone.
            NotCached: no informer holds the kind.
            ValueError: type, status or reason do not follow the API conventions.
        """
        gvk, key = _identity(obj)
        newest = await self.cache.get(gvk, key)
        conditions = (newest.get("status") or {}).get("conditions") or []
        changed = set_condition(
            conditions,
            type=type,
            status=status,
            reason=reason,
            message=message,
            now=self.cache.clock.now(),
            observed_generation=_generation_of(obj),
        )
        await self.patch_status(gvk, key, {**(fields or {}), "conditions": conditions}, **options)
        return changed

    async def apply(self, obj: T, owner: str, **options: Any) -> T:
        """Applies an object's fields as `owner` (server-side apply).

        Raises:
            ValueError: a Secret whose values are not in the cache.
        """
        gvk, key = _identity(obj)
        _refuse_without_values("applying", obj, gvk, key)
        return await self._write(gvk, key, options, self._verbs.apply(obj, owner, **options))  # type: ignore[no-any-return]

    async def delete(self, kind: Kind, key: tuple[str, str], **options: Any) -> Any:
        """Deletes an object."""
        gvk = gvk_of_kind(kind)
        own = object_key(gvk.kind, key)
        return await self._write(gvk, own, options, self._verbs.delete(kind, own, **options), deleting=True)

    async def delete_all_of(self, kind: Kind, namespace: str | None = None, **options: Any) -> None:
        """Deletes the objects of a namespace that match; later reads wait until those are gone from the cache.

        Which ones match is the server's to say: what is left is asked for once, as metadata.
        """
        gvk = gvk_of_kind(kind)
        cached = not options.get("dry_run") and self.cache.find(kind) is not None
        keys = [key for key in await self.cache.keys(kind) if key.namespace == (namespace or "")] if cached else []
        uids = {key: entry.uid for key in keys if (entry := self.cache.peek(kind, key)) is not None}
        pending = {key: write for key in uids if (write := self.cache.writes.begin(gvk, key)) is not None}
        try:
            await self._verbs.delete_all_of(kind, namespace, **options)
        except ApiError:
            for write in pending.values():
                write.dropped()
            raise
        except BaseException:
            for write in pending.values():
                write.unknown()
            raise
        if not pending:
            return
        try:
            inner = kind.kind if isinstance(kind, Partial) else kind
            found = await self.api.list(Partial(inner), namespace)
        except BaseException:
            # They are deleted, only which ones is not known.
            for write in pending.values():
                write.unknown()
            raise
        left = {ObjectKey(entry.meta.namespace, entry.meta.name) for entry in found.items}
        for key, write in pending.items():
            if key in left:
                write.dropped()
            else:
                write.deleted(uids[key])

    def subresource(self, kind: Kind, name: str) -> Subresource:
        """The live subresource of a kind: `token`, `scale`, `eviction`. Its writes are not waited for by reads."""
        return self.api.subresource(kind, name)

    async def _write(
        self,
        gvk: GVK,
        key: ObjectKey,
        options: Mapping[str, Any],
        call: Awaitable[Any],
        *,
        deleting: bool = False,
        based_on: str = "",
    ) -> Any:
        if options.get("dry_run"):
            return await call
        pending = self.cache.writes.begin(gvk, key)
        if pending is None:
            return await call
        try:
            result = await call
        except (ApiError, MapperError):
            pending.dropped()
            raise
        except TransportError as error:
            if error.sent:
                pending.unknown()
            else:
                pending.dropped()
            raise
        except BaseException:
            # Cancelled, or the answer could not be read: the server may have done it.
            pending.unknown()
            raise
        if deleting:
            _resolve_delete(pending, result)
        else:
            version, labels, _ = facts_of(result)
            if version:
                self.cache.echoes.wrote(gvk, key, based_on, version)
                pending.finished(version, labels)
            else:
                pending.unknown()
        return result


def _refuse_without_values(doing: str, obj: object, gvk: GVK, key: ObjectKey) -> None:
    if lacks_values(obj):
        raise ValueError(
            f"{doing} {gvk.kind} {key}: the cache has no values of Secrets, they would be lost: read it with "
            "ctx.api, patch it, or register an InformerSpec with values=True"
        )


def _resolve_delete(pending: PendingWrite, result: Any) -> None:
    version, labels, deleting = facts_of(result)
    if version and deleting:
        # Finalizers hold the object; the answer is its new state.
        pending.finished(version, labels)
        return
    if isinstance(result, Mapping):
        details = result.get("details") or {}
        metadata = result.get("metadata") or {}
        pending.deleted(str(details.get("uid") or metadata.get("uid") or ""))
    else:
        metadata = getattr(result, "metadata", None) or getattr(result, "meta", None)
        pending.deleted(getattr(metadata, "uid", "") or "")


def _version_of(obj: Any) -> str:
    """The version that a write names as the one it is based on; "" when it names none."""
    if isinstance(obj, Mapping):
        return str((obj.get("metadata") or {}).get("resourceVersion") or "")
    return getattr(getattr(obj, "metadata", None), "resource_version", "") or ""


def _generation_of(obj: Any) -> int | None:
    if isinstance(obj, Mapping):
        return (obj.get("metadata") or {}).get("generation")
    return getattr(obj.metadata, "generation", None)


def _identity(obj: Any) -> tuple[GVK, ObjectKey]:
    if isinstance(obj, Mapping):
        gvk = gvk_of(dict(obj))
        key = ObjectKey.of(dict(obj))
    else:
        gvk = obj.gvk
        key = ObjectKey(obj.metadata.namespace or "", obj.metadata.name or "")
    if is_namespaced(gvk) is False:
        key = ObjectKey("", key.name)
    return gvk, key
