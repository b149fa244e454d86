"""The client as the event sink's writer."""

from __future__ import annotations

from eso_core.client import Client, StrategicMergePatch
from eso_core.meta import GVK, JsonObject, ObjectKey

__all__ = ["ClientEventWriter"]


class ClientEventWriter:
    """Writes events through a client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def create(self, obj: JsonObject, /) -> object:
        return await self._client.create(obj)

    async def patch(self, kind: GVK, key: ObjectKey, body: JsonObject, /) -> object:
        return await self._client.patch(kind, key, StrategicMergePatch(body))
