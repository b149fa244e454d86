"""One event, five thousand reconciles."""

from __future__ import annotations

import asyncio
import gc
import time
from collections import Counter
from typing import Any

from eso_core.cache import InformerSpec
from eso_core.controller import Request
from eso_core.controller.handlers import enqueue_indexed
from eso_core.controller.sources import KindSource
from eso_core.meta.wellknown import CONFIG_MAP, SECRET
from eso_core.testing.clock import FakeClock


class Turns:
    """The most CPU that one turn of the event loop took; what others do on the machine does not count."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.running = True

    async def watch(self) -> None:
        while self.running:
            before = time.thread_time()
            await asyncio.sleep(0)
            self.longest = max(self.longest, time.thread_time() - before)


async def test_a_change_that_five_thousand_objects_refer_to(kit: Any, clock: FakeClock) -> None:
    """P-49, K-11, G-06: each is reconciled once, and no turn of the loop takes 20 ms."""
    kit.sources = {"ConfigMap": kit.load_server("ConfigMap"), "Secret": kit.load_server("Secret")}
    for number in range(5_000):
        kit.sources["ConfigMap"].put(f"o{number}", data={"secret": "shared"})
    kit.sources["ConfigMap"].log.clear()
    kit.cache.register(InformerSpec(CONFIG_MAP))
    kit.cache.index(CONFIG_MAP, "secret", lambda meta, obj: [f"{meta.namespace}/{obj['data']['secret']}"])
    runs: Counter[str] = Counter()

    async def reconcile(ctx: Any, request: Request) -> None:
        runs[request.name] += 1
        await asyncio.sleep(0)

    controller = kit.controller(reconcile, max_concurrent=16)
    controller.add_source(KindSource(kit.cache, InformerSpec(SECRET), enqueue_indexed(CONFIG_MAP, "secret")))
    kit.cache.start(kit.scope)
    kit.start(controller)
    await kit.cache.wait_for_sync(30)
    await clock.settle()
    assert runs == {}
    gc.collect()
    gc.disable()  # a collection of all that the test run holds is not what is measured
    try:
        turns = Turns()
        watching = kit.scope.spawn(turns.watch(), name="turns")
        kit.sources["Secret"].put("shared")
        for _ in range(100_000):
            await asyncio.sleep(0)
            if len(runs) == 5_000:
                break
        turns.running = False
        await watching
    finally:
        gc.enable()
    await clock.settle()
    assert len(runs) == 5_000
    assert set(runs.values()) == {1}
    assert turns.longest < 0.02
