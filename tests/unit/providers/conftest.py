"""Fixtures of the provider tests: a cluster in memory, and a provider that records what it is asked."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pytest

from eso_core.testing.clock import FakeClock
from providers import (
    Capabilities,
    DocumentClient,
    Find,
    InvalidData,
    NoSecret,
    Provider,
    Registry,
    RemoteRef,
    SecretsClient,
    Store,
    StoreContext,
)
from providers.spec import ProviderSpec, SecretKeySelector


class MemoryKube:
    """Objects of a cluster; what was asked is in ``reads``."""

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


class RecorderSpec(ProviderSpec):
    """Configuration of the recording provider."""

    auth: SecretKeySelector | None = None
    shared: bool = False


class RecorderClient(DocumentClient[str]):
    """Serves ``values``; ``gate`` holds requests back."""

    def __init__(self, provider: Recorder, number: int) -> None:
        self.provider = provider
        self.number = number
        self.closed = False

    async def read(self, ref: RemoteRef) -> str:
        assert not self.closed
        self.provider.requests.append(ref)
        await self.provider.pause()
        assert not self.closed
        if ref.key not in self.provider.values:
            raise NoSecret
        return self.provider.values[ref.key]

    def select(self, document: str, ref: RemoteRef) -> bytes:
        return f"{document}/{ref.property}".encode() if ref.property else document.encode()

    def select_map(self, document: str, ref: RemoteRef) -> dict[str, bytes]:
        return {"value": self.select(document, ref)}

    async def get_all_secrets(self, find: Find) -> dict[str, bytes]:
        self.provider.finds.append(find)
        await self.provider.pause()
        return {key: value.encode() for key, value in self.provider.values.items()}

    async def aclose(self) -> None:
        self.closed = True
        self.provider.closed.append(self.number)
        if self.provider.close_pause is not None:
            await self.provider.close_pause()
        if self.provider.close_failure is not None:
            raise self.provider.close_failure


class Recorder(Provider):
    """A provider whose opens, reads and closes can be counted, held back and made to fail."""

    name: ClassVar[str] = "recorder"
    spec: ClassVar[type[ProviderSpec]] = RecorderSpec
    capabilities: ClassVar[Capabilities] = Capabilities.READ_ONLY

    def __init__(self) -> None:
        self.values: dict[str, str] = {"a": "A", "b": "B"}
        self.contexts: list[StoreContext] = []
        self.requests: list[RemoteRef] = []
        self.finds: list[Find] = []
        self.closed: list[int] = []
        self.open_failure: Exception | None = None
        self.close_failure: Exception | None = None
        self.close_pause: Callable[[], Any] | None = None
        self.pause: Callable[[], Any] = self._no_pause

    async def _no_pause(self) -> None:
        return None

    def per_namespace(self, spec: ProviderSpec, store: Store) -> bool:
        assert isinstance(spec, RecorderSpec)
        return store.is_cluster and not spec.shared

    async def open(self, spec: ProviderSpec, ctx: StoreContext) -> SecretsClient:
        assert isinstance(spec, RecorderSpec)
        self.contexts.append(ctx)
        number = len(self.contexts)
        if spec.auth is not None:
            await ctx.resolver.secret_value(spec.auth)
        await self.pause()
        if self.open_failure is not None:
            raise self.open_failure
        return RecorderClient(self, number)


def make_store(
    name: str = "s",
    *,
    kind: str = "SecretStore",
    namespace: str = "ns",
    generation: int = 1,
    uid: str = "u1",
    provider: dict[str, Any] | None = None,
) -> Store:
    """A store of the recording provider unless told otherwise."""
    return Store(
        kind=kind,
        name=name,
        namespace="" if kind == "ClusterSecretStore" else namespace,
        uid=uid,
        generation=generation,
        spec={"provider": {"recorder": {}} if provider is None else provider},
    )


@pytest.fixture
def kube() -> MemoryKube:
    return MemoryKube()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def registry(recorder: Recorder) -> Registry:
    registry = Registry(plugins=())
    registry.register(recorder)
    return registry


@pytest.fixture
def store_of() -> Callable[..., Store]:
    return make_store


@pytest.fixture
def plain_failure() -> type[InvalidData]:
    return InvalidData
