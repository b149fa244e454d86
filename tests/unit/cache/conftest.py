"""What the cache's tests share: a clock, a server of one kind, a running cache."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from eso_core.aio import TaskScope
from eso_core.cache import Cache, InformerSpec
from eso_core.meta.wellknown import CONFIG_MAP
from eso_core.metrics import RuntimeMetrics
from eso_core.testing.clock import FakeClock


def _load_fake_source() -> Any:
    # The folder is no package; the fake is shared by its tests under a name of its own.
    name = "cache_fake_source"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("fake_source.py"))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


fake_source = _load_fake_source()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def server() -> Any:
    return fake_source.FakeServer()


@pytest.fixture
def metrics() -> RuntimeMetrics:
    return RuntimeMetrics()


@pytest.fixture
async def scope() -> AsyncIterator[TaskScope]:
    """Tasks of the test, cancelled at its end."""
    async with TaskScope("test") as tasks:
        yield tasks
        await tasks.cancel()


@pytest.fixture
def cache(clock: FakeClock, server: Any, metrics: RuntimeMetrics) -> Cache:
    return Cache(lambda spec, namespace: server, clock, metrics=metrics.cache)


@pytest.fixture
def spec() -> InformerSpec:
    return InformerSpec(CONFIG_MAP)


Listener = Callable[[Any], None]
