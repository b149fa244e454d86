"""A backend that is slow and fails as the weather says."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Any

from providers.errors import Unavailable
from providers.fake import FakeProvider
from providers.interface import Find, RemoteRef, SecretsClient, StoreContext, Validation
from providers.registry import Registry
from providers.spec import ProviderSpec

__all__ = ["Weather", "registry_in"]


@dataclass(slots=True)
class Weather:
    """How the backend is at present."""

    rng: random.Random
    delay: float = 0.0
    """Seconds that a read takes at most."""
    failing: float = 0.0
    """The share of reads that fail."""
    reads: int = 0

    async def strike(self) -> None:
        """One read in this weather.

        Raises:
            Unavailable: By chance.
        """
        self.reads += 1
        if self.delay:
            await asyncio.sleep(self.rng.random() * self.delay)
        if self.rng.random() < self.failing:
            raise Unavailable("the backend is struck by the storm")


class _StormyClient(SecretsClient):
    """The fake backend's client, in this weather."""

    def __init__(self, inner: SecretsClient, weather: Weather) -> None:
        self._inner = inner
        self._weather = weather

    async def get_secret(self, ref: RemoteRef) -> bytes:
        await self._weather.strike()
        return await self._inner.get_secret(ref)

    async def get_secret_map(self, ref: RemoteRef) -> dict[str, bytes]:
        await self._weather.strike()
        return await self._inner.get_secret_map(ref)

    async def get_all_secrets(self, find: Find) -> dict[str, bytes]:
        await self._weather.strike()
        return await self._inner.get_all_secrets(find)

    async def validate(self) -> Validation:
        return await self._inner.validate()


class _StormyProvider(FakeProvider):
    def __init__(self, weather: Weather) -> None:
        super().__init__()
        self._weather = weather

    async def open(self, spec: ProviderSpec, ctx: StoreContext) -> Any:
        return _StormyClient(await super().open(spec, ctx), self._weather)


def registry_in(weather: Weather) -> Registry:
    """The backends of an operator in this weather: the fake one."""
    registry = Registry(plugins=())
    registry.register(_StormyProvider(weather))
    return registry
