"""A controller on the fake clock, without an API server."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from eso_core.aio import TaskScope
from eso_core.cache import Cache
from eso_core.controller import Controller, ControllerOptions, Environment
from eso_core.meta.wellknown import DEPLOYMENT
from eso_core.metrics import RuntimeMetrics
from eso_core.testing.clock import FakeClock


class Recorded:
    """Takes events."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, str]] = []

    def event(self, subject: Any, event_type: str, reason: str, message: str) -> None:
        self.events.append((subject["metadata"]["name"], event_type, reason))


def load_server(kind: str) -> Any:
    """An API server of one kind, which the cache's tests have; their folder is no package."""
    name = "cache_fake_source"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / "cache" / "fake_source.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name].FakeServer(kind)


class Kit:
    """Everything a controller needs, and shortcuts to what it did."""

    load_server = staticmethod(load_server)

    def __init__(self, clock: FakeClock, scope: TaskScope) -> None:
        self.clock = clock
        self.scope = scope
        self.metrics = RuntimeMetrics()
        self.recorder = Recorded()
        self.sources: dict[str, Any] = {}
        self.cache = Cache(lambda spec, namespace: self.sources[spec.gvk.kind], clock, metrics=self.metrics.cache)
        self.environment = Environment(
            client=cast(Any, None),
            api=cast(Any, None),
            cache=self.cache,
            recorder=cast(Any, self.recorder),
            clock=clock,
        )

    def controller(self, reconcile: Any, **options: Any) -> Controller:
        return Controller(
            "demo", reconcile, self.environment, self.metrics, gvk=DEPLOYMENT, options=ControllerOptions(**options)
        )

    def start(self, controller: Controller) -> Any:
        return self.scope.spawn(controller.start(), name="controller")

    def count(self, name: str, **labels: str) -> float:
        value = self.metrics.registry.get_sample_value(name, {"controller": "demo", **labels})
        assert value is not None, name
        return value

    def result(self, result: str) -> float:
        return self.count("controller_runtime_reconcile_total", result=result)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[list[Any]]:
    """Failures are part of the tests; printing their tracebacks takes longer than the tests. Gives the lines."""
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def kit(clock: FakeClock) -> AsyncIterator[Kit]:
    async with TaskScope("test") as scope:
        yield Kit(clock, scope)
        await scope.cancel()
