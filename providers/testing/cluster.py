"""A cluster in memory, as far as providers look at one."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

__all__ = ["MemoryCluster"]


class MemoryCluster:
    """The Secrets, ConfigMaps and ServiceAccounts that a store may refer to, in memory.

    Attributes:
        reads: what was asked for, as (kind, namespace, name).
        tokens: the token requests.
        failure: raised by every read while it is set.
    """

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.reads: list[tuple[str, str, str]] = []
        self.tokens: list[dict[str, Any]] = []
        self.failure: Exception | None = None
        self._version = 0

    def put(self, kind: str, namespace: str, name: str, **content: Any) -> str:
        """Stores an object; Secret data is given as plain text. Returns its resourceVersion."""
        self._version += 1
        if kind == "Secret":
            content = {"data": {key: base64.b64encode(_bytes(value)).decode() for key, value in content.items()}}
        elif kind == "ConfigMap":
            content = {"data": content}
        version = str(self._version)
        self.objects[kind, namespace, name] = {
            "metadata": {"name": name, "namespace": namespace, "resourceVersion": version},
            **content,
        }
        return version

    def _get(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        self.reads.append((kind, namespace, name))
        if self.failure is not None:
            raise self.failure
        return self.objects.get((kind, namespace, name))

    async def get_secret(self, namespace: str, name: str) -> dict[str, Any] | None:
        return self._get("Secret", namespace, name)

    async def get_config_map(self, namespace: str, name: str) -> dict[str, Any] | None:
        return self._get("ConfigMap", namespace, name)

    async def get_service_account(self, namespace: str, name: str) -> dict[str, Any] | None:
        return self._get("ServiceAccount", namespace, name)

    async def create_token(
        self, namespace: str, name: str, *, audiences: Sequence[str], expiration_seconds: int
    ) -> str:
        if self.failure is not None:
            raise self.failure
        self.tokens.append(
            {"namespace": namespace, "name": name, "audiences": list(audiences), "seconds": expiration_seconds}
        )
        return f"token-of-{namespace}-{name}"


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()
