"""A cluster in memory and stores of the server, for the tests of the Vault backend."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from eso_core.aio import SystemClock
from providers import ClientPool, ProviderOptions, Registry, Store
from tests.integration.openbao import BaoServer, openbao

__all__ = ["openbao"]


class Cluster:
    """Secrets and ConfigMaps by namespace and name; ServiceAccount tokens are ``jwt``."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.jwt = "no token"
        self.token_requests: list[dict[str, Any]] = []
        self._version = 0

    def put(self, kind: str, namespace: str, name: str, **data: str | bytes) -> str:
        self._version += 1
        plain = {key: value if isinstance(value, bytes) else value.encode() for key, value in data.items()}
        encoded = {key: base64.b64encode(value).decode() for key, value in plain.items()}
        text = {key: value.decode() for key, value in plain.items()}
        self.objects[kind, namespace, name] = {
            "metadata": {"name": name, "namespace": namespace, "resourceVersion": str(self._version)},
            "data": encoded if kind == "Secret" else text,
        }
        return str(self._version)

    async def get_secret(self, namespace: str, name: str) -> dict[str, Any] | None:
        return self.objects.get(("Secret", namespace, name))

    async def get_config_map(self, namespace: str, name: str) -> dict[str, Any] | None:
        return self.objects.get(("ConfigMap", namespace, name))

    async def get_service_account(self, namespace: str, name: str) -> dict[str, Any] | None:
        return self.objects.get(("ServiceAccount", namespace, name))

    async def create_token(
        self, namespace: str, name: str, *, audiences: Sequence[str], expiration_seconds: int
    ) -> str:
        self.token_requests.append({"namespace": namespace, "name": name, "audiences": list(audiences)})
        return self.jwt


class Calls:
    """Counts backend requests by call and outcome."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, str, str], int] = {}

    def observe(self, provider: str, call: str, error: BaseException | None) -> None:
        key = (provider, call, "success" if error is None else "error")
        self.seen[key] = self.seen.get(key, 0) + 1

    def total(self, call: str) -> int:
        return sum(count for (_, name, _), count in self.seen.items() if name == call)


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster()
    cluster.put("Secret", "ns", "bao-token", token="root")
    return cluster


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
async def pool(cluster: Cluster, calls: Calls) -> AsyncIterator[ClientPool]:
    async with ClientPool(
        Registry(plugins=()), cluster, SystemClock(), calls=calls, options=ProviderOptions(request_timeout=10)
    ) as pool:
        yield pool


@pytest.fixture
def vault_store(openbao: BaoServer) -> Callable[..., Store]:
    """Stores of the session's server; keyword arguments replace parts of the vault spec, None removes them."""

    def make(
        name: str = "bao",
        *,
        kind: str = "SecretStore",
        retries: dict[str, Any] | None = None,
        generation: int = 1,
        **spec: Any,
    ) -> Store:
        vault: dict[str, Any] = {
            "server": openbao.url,
            "path": "secret",
            "version": "v2",
            "auth": {"tokenSecretRef": {"name": "bao-token", "key": "token"}},
            **spec,
        }
        vault = {key: value for key, value in vault.items() if value is not None}
        whole: dict[str, Any] = {"provider": {"vault": vault}, "retrySettings": retries or {"maxRetries": 0}}
        namespace = "" if kind == "ClusterSecretStore" else "ns"
        return Store(kind=kind, name=name, namespace=namespace, uid=name, generation=generation, spec=whole)

    return make
