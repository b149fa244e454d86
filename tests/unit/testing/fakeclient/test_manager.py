"""A whole manager on a ``FakeClient`` and a ``FakeClock``."""

from __future__ import annotations

import time

from eso_core.aio import TaskScope
from eso_core.controller import Context, Request, Result
from eso_core.manager import Manager, ManagerOptions
from eso_core.meta import ObjectKey
from eso_core.meta.errors import ConnectionLost
from eso_core.meta.wellknown import CONFIG_MAP
from eso_core.testing.clock import FakeClock
from eso_core.testing.fakeclient import FakeClient
from tests.unit.testing.fakeclient.test_objects import config_map


async def test_a_controller_runs_on_it_and_an_hour_takes_no_time() -> None:
    """T-10: cache, queue, workers and requeues run on the fake client; a failing list is tried again."""
    clock = FakeClock()
    seen: list[str] = []
    failures = 2

    async def flaky(client: FakeClient, *arguments: object, **options: object) -> object:
        nonlocal failures
        if failures:
            failures -= 1
            raise ConnectionLost("made up")
        return None

    async def reconcile(ctx: Context, request: Request) -> Result:
        obj = await ctx.client.get(CONFIG_MAP, request.key)
        seen.append(obj["data"]["n"])
        return Result.after(minutes=10)

    async with FakeClient(config_map(n="1"), clock=clock) as client:
        client.intercept(watch=flaky)
        options = ManagerOptions(metrics_addr="0", health_addr="0", namespaces=("a",))
        manager = Manager(client, clock=clock, options=options)
        manager.controller(reconcile, name="copies").for_(CONFIG_MAP)
        began = time.monotonic()
        async with TaskScope("manager under test") as scope:
            scope.spawn(manager.run(), name="manager")
            await clock.run_until(lambda: "1" in seen)
            await clock.advance(3600)
            assert seen.count("1") >= 6
            await client.update(config_map(n="2"))
            await clock.run_until(lambda: "2" in seen)
            manager.stop()
            await clock.advance(60)
        assert time.monotonic() - began < 20
        assert failures == 0
        assert (await client.get(CONFIG_MAP, ObjectKey("a", "x")))["data"] == {"n": "2"}
