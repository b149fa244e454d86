"""Reads of the operator's own cluster for providers: credentials, CA bundles, ServiceAccount tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from eso_core.client import Client
from eso_core.meta import GVK, JsonObject, ObjectKey
from eso_core.meta.errors import NotFound
from eso_core.meta.wellknown import CONFIG_MAP, SECRET, SERVICE_ACCOUNT

__all__ = ["ClusterReader"]

_TOKEN_REQUEST: Final = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}


class ClusterReader:
    """Live reads: clients of stores are opened rarely, and nothing of what they read is kept in memory.

    Args:
        api: The live client.
    """

    def __init__(self, api: Client) -> None:
        self._api = api

    async def get_secret(self, namespace: str, name: str) -> JsonObject | None:
        """A Secret, None if there is none."""
        return await self._get(SECRET, namespace, name)

    async def get_config_map(self, namespace: str, name: str) -> JsonObject | None:
        """A ConfigMap, None if there is none."""
        return await self._get(CONFIG_MAP, namespace, name)

    async def get_service_account(self, namespace: str, name: str) -> JsonObject | None:
        """A ServiceAccount, None if there is none."""
        return await self._get(SERVICE_ACCOUNT, namespace, name)

    async def create_token(
        self, namespace: str, name: str, *, audiences: Sequence[str], expiration_seconds: int
    ) -> str:
        """A fresh token of a ServiceAccount."""
        body: JsonObject = {
            **_TOKEN_REQUEST,
            "metadata": {"namespace": namespace},
            "spec": {"audiences": list(audiences), "expirationSeconds": expiration_seconds},
        }
        answer: dict[str, Any] = await self._api.subresource(SERVICE_ACCOUNT, "token").create(
            ObjectKey(namespace, name), body
        )
        token: str = answer["status"]["token"]
        return token

    async def _get(self, kind: GVK, namespace: str, name: str) -> JsonObject | None:
        try:
            found: JsonObject = await self._api.get(kind, ObjectKey(namespace, name))
        except NotFound:
            return None
        return found
