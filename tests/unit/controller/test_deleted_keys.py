"""What is left of objects that are gone."""

from __future__ import annotations

from typing import Any

from eso_core.cache import Expectations, InformerSpec
from eso_core.controller import Context, Request
from eso_core.controller.handlers import enqueue_object
from eso_core.controller.sources import KindSource
from eso_core.meta.wellknown import CONFIG_MAP
from eso_core.metrics import render
from eso_core.testing.clock import FakeClock


async def test_an_hour_later_nothing_remembers_deleted_objects(kit: Any, clock: FakeClock) -> None:
    """P-40: five hundred that failed, looped, and were deleted while they waited: no failures, no runs, no series."""
    server = kit.sources["ConfigMap"] = kit.load_server("ConfigMap")
    for number in range(500):
        server.put(f"gone-{number}")
    server.put("alive")

    async def reconcile(ctx: Context, request: Request) -> None:
        found = kit.cache.peek(CONFIG_MAP, request.key)
        if found is None:
            return
        if request.name.startswith("gone") and int(request.name[5:]) % 2:
            raise ConnectionError("the provider is down")

    controller = kit.controller(reconcile, max_concurrent=4)
    controller.add_source(KindSource(kit.cache, InformerSpec(CONFIG_MAP), enqueue_object, primary=True))
    kit.cache.start(kit.scope)
    kit.start(controller)
    await clock.advance(60)
    series = render(kit.metrics.registry)[0].count(b"\n")
    assert len(controller.queue.limiter) == 250
    assert controller.queue.statistics().waiting == 250
    for number in range(500):
        server.delete(f"gone-{number}")
    await clock.advance(1)
    assert len(controller.queue.limiter) == 0
    for _ in range(60):
        await clock.advance(60)
        server.put("alive")
        server.bookmark()
    await clock.settle()
    stats = controller.queue.statistics()
    assert (stats.ready, stats.waiting, stats.processing, stats.timers) == (0, 0, 0, 0)
    assert len(controller.queue.limiter) == 0
    assert set(controller._guard._runs) <= {Request("ns", "alive")}
    text = render(kit.metrics.registry)[0]
    assert b"gone" not in text
    assert text.count(b"\n") <= series + 5  # reasons of watches to restart have series of their own


async def test_expectations_of_keys_that_nobody_asks_for_are_dropped(clock: FakeClock) -> None:
    """P-40, R-75: after their five minutes, at the next expectation of any key."""
    expectations = Expectations(clock)
    for number in range(1_000):
        expectations.expect_creations(f"gone-{number}", 1)
    await clock.advance(200)
    expectations.expect_deletions("later", {"u"})
    assert len(expectations) == 1_001
    await clock.advance(3_600)
    expectations.expect_creations("alive", 1)
    assert len(expectations) == 1
    assert not expectations.satisfied("alive")
