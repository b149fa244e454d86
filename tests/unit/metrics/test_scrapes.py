"""What a scrape holds, and what it costs."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterable

import aiohttp
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from eso_core.aio import TaskScope
from eso_core.manager.servers import metrics_server
from eso_core.metrics import RuntimeMetrics, new_registry, render


def _controllers(count: int) -> RuntimeMetrics:
    metrics = RuntimeMetrics(new_registry(process=False))
    for number in range(count):
        series = metrics.controller.controller(f"controller-{number}", 4)
        metrics.queue.queue(f"controller-{number}")
        for _ in range(20):
            series.time.observe(0.01 * number)
    return metrics


def _calls(metrics: RuntimeMetrics) -> int:
    """How many functions a scrape calls, which is what it costs, and the same on a busy machine."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        render(metrics.registry)
    finally:
        sys.setprofile(None)
    return calls


def test_a_scrape_costs_no_more_for_each_controller_when_there_are_many() -> None:
    """X-02: a hundred are at most ten times ten; the 50 ms of the rule are printed by tests/benchmarks/runtime.py."""
    many = _controllers(100)
    body, _ = render(many.registry)
    assert body.count(b'controller="controller-99"') > 50
    few = _calls(_controllers(10))
    assert few > 1000
    assert _calls(many) <= 10 * few


class Slow(Collector):
    """A registry that takes its time, and remembers on which thread it was asked."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.threads: list[int] = []

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        self.threads.append(threading.get_ident())
        time.sleep(self.seconds)
        return []


async def _threads_of_three_scrapes(seconds: float) -> list[int]:
    registry = new_registry(process=False)
    slow = Slow(seconds)
    registry.register(slow)
    server = metrics_server("127.0.0.1:0", registry)
    assert server is not None
    await server.listen()
    async with TaskScope("test") as scope:
        scope.spawn(server.start(), name="server")
        async with aiohttp.ClientSession() as http:
            for _ in range(3):
                async with http.get(f"http://127.0.0.1:{server.port}/metrics") as response:
                    assert response.status == 200
        await scope.cancel()
    return slow.threads


async def test_a_slow_scrape_leaves_the_loop() -> None:
    """X-02: a registry that took more than 5 ms once is printed on a thread from then on."""
    here = threading.get_ident()
    first, *later = await _threads_of_three_scrapes(0.02)
    assert first == here
    assert all(thread != here for thread in later)
    await asyncio.get_running_loop().shutdown_default_executor()
