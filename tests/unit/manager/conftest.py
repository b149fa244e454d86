"""A manager on the fake clock with an in-memory API."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from eso_core.aio import TaskScope
from eso_core.client import Client
from eso_core.manager import Manager, ManagerOptions
from eso_core.meta import ObjectKey
from eso_core.metrics import new_registry
from eso_core.testing.clock import FakeClock


def _fake_source() -> Any:
    name = "cache_fake_source"
    if name not in sys.modules:
        path = Path(__file__).parents[1] / "cache" / "fake_source.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


class FakeApi:
    """What a manager uses of a client: raw reads of fake servers, and writes that are remembered."""

    def __init__(self) -> None:
        self.config = None
        self.servers: dict[str, Any] = {}
        self.created: list[dict[str, Any]] = []
        self.closed = False

    def with_interceptor(self, interceptor: Any) -> FakeApi:
        return self

    def server(self, kind: Any) -> Any:
        gvk = kind if isinstance(kind, tuple) else kind.gvk
        if gvk[2] not in self.servers:
            self.servers[gvk[2]] = _fake_source().FakeServer(gvk[2])
        return self.servers[gvk[2]]

    def list_raw(self, kind: Any, namespace: str | None, *, resource_version: str, limit: int, **_: Any) -> Any:
        return self.server(kind).pages(resource_version=resource_version, limit=limit)

    def watch_raw(
        self,
        kind: Any,
        namespace: str | None,
        *,
        resource_version: str,
        send_initial_events: bool,
        timeout_seconds: int,
        **_: Any,
    ) -> Any:
        return self.server(kind).watch(
            resource_version=resource_version, initial_events=send_initial_events, timeout_seconds=timeout_seconds
        )

    async def get(self, kind: Any, key: ObjectKey) -> Any:
        return self.server(kind).objects[key]

    async def create(self, obj: dict[str, Any], **_: Any) -> Any:
        await asyncio.sleep(0)
        self.created.append(obj)
        return obj

    async def patch(self, *args: Any, **_: Any) -> Any:
        await asyncio.sleep(0)

    async def aclose(self) -> None:
        self.closed = True


class Kit:
    def __init__(self, scope: TaskScope) -> None:
        self.scope = scope
        self.clock = FakeClock()
        self.api = FakeApi()

    def manager(self, **options: Any) -> Manager:
        return Manager(
            cast(Client, self.api),
            clock=self.clock,
            registry=new_registry(process=False),
            options=ManagerOptions(freeze_gc=False, **options),
        )

    def run(self, manager: Manager) -> asyncio.Task[None]:
        return self.scope.spawn(manager.run(), name="manager", on_error=lambda error: None)


@pytest.fixture
async def kit() -> AsyncIterator[Kit]:
    async with TaskScope("test") as scope:
        yield Kit(scope)
        await scope.cancel()


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[Any]]:
    """Log lines of the test."""
    with capture_logs() as lines:
        yield lines
