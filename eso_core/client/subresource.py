"""Subresources: what hangs below an object and has its own shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from eso_core.client.kinds import Kind, loads
from eso_core.client.patch import ApplyPatch, Patch
from eso_core.client.request import ApiRequest
from eso_core.meta.gvk import JsonObject
from eso_core.meta.keys import ObjectKey

if TYPE_CHECKING:
    from eso_core.client.client import Client

__all__ = ["Subresource"]


class Subresource:
    """One subresource of a kind. Bodies and answers are plain JSON: their kind is not that of the object."""

    def __init__(self, client: Client, kind: Kind, name: str) -> None:
        self._client = client
        self._kind = kind
        self._name = name

    async def get(self, key: ObjectKey, *, timeout: float | None = None) -> JsonObject:
        """Reads it."""
        return await self._send("GET", key, "", None, timeout)

    async def create(
        self, key: ObjectKey, body: JsonObject, *, dry_run: bool = False, timeout: float | None = None
    ) -> JsonObject:
        """Posts to it, like a ``TokenRequest`` to ``token`` or an ``Eviction`` to ``eviction``."""
        query = self._client._write_query(None, dry_run, None)
        return await self._send("POST", key, query, body, timeout)

    async def update(
        self,
        key: ObjectKey,
        body: JsonObject,
        *,
        field_manager: str | None = None,
        dry_run: bool = False,
        timeout: float | None = None,
    ) -> JsonObject:
        """Replaces it."""
        query = self._client._write_query(field_manager, dry_run, None)
        return await self._send("PUT", key, query, body, timeout)

    async def patch(
        self,
        key: ObjectKey,
        patch: Patch,
        *,
        field_manager: str | None = None,
        force: bool | None = None,
        dry_run: bool = False,
        timeout: float | None = None,
    ) -> JsonObject:
        """Changes it; ``force`` is for apply patches only."""
        if force is not None and not isinstance(patch, ApplyPatch):
            raise ValueError(f"patching {self._name} of {key}: force is for apply patches only")
        query = self._client._write_query(field_manager, dry_run, None)
        if force:
            query = f"{query}&force=true" if query else "force=true"
        return await self._send("PATCH", key, query, patch, timeout)

    async def _send(
        self, method: str, key: ObjectKey, query: str, body: JsonObject | Patch | None, timeout: float | None
    ) -> JsonObject:
        client = self._client
        binding = client._bindings.get(self._kind) or await client._bind(self._kind)
        request = ApiRequest(
            method,
            binding.object(client._key(binding, key), self._name),
            query,
            kind=f"{binding.gvk.kind}/{self._name}",
            timeout=timeout,
        )
        if isinstance(body, dict):
            request.body = orjson.dumps(body)
        elif body is not None:
            request.body, request.content_type = body.encode(), body.content_type
        return loads((await client._call(request)).body)
