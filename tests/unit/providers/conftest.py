"""Fixtures of the provider tests: a cluster in memory, and a provider that records what it is asked."""

from __future__ import annotations

from collections.abc import Callable
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
from providers.testing import MemoryCluster as MemoryKube


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
