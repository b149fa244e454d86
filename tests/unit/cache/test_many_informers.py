"""Informers in numbers: twenty through one restart, nine beside a refused one, a thousand that come and go."""

from __future__ import annotations

import asyncio
import gc
import sys
from typing import Any

import pytest

from eso_core.aio import TaskScope
from eso_core.cache import Cache, Change, InformerSpec
from eso_core.meta import GVK, ObjectKey
from eso_core.meta.errors import ConnectError, DecodeError, Forbidden
from eso_core.meta.wellknown import CONFIG_MAP
from eso_core.metrics import RuntimeMetrics
from eso_core.testing.clock import FakeClock
from tests.nightly import whole_or

KINDS = [GVK("example.io", "v1", f"Kind{number}") for number in range(20)]


class Fleet:
    """A server per kind, and when each was asked."""

    def __init__(self, clock: FakeClock, kinds: list[GVK]) -> None:
        from cache_fake_source import FakeServer  # the folder's conftest made it importable

        self.servers: dict[str, Any] = {kind.kind: FakeServer(kind.kind, kind.api_version) for kind in kinds}
        self.asked: dict[str, list[float]] = {kind.kind: [] for kind in kinds}
        self.down: Exception | None = None
        for name, server in self.servers.items():
            server.watch = self._watched(server.watch, self.asked[name], clock)

    def _watched(self, watch: Any, asked: list[float], clock: FakeClock) -> Any:
        def ask(**options: Any) -> Any:
            asked.append(clock.elapsed)
            stream = watch(**options)
            if self.down is not None:
                stream.server.watch_errors.append(self.down)
            return stream

        return ask


async def test_twenty_informers_come_back_spread_over_twenty_seconds(
    clock: FakeClock, scope: TaskScope, metrics: RuntimeMetrics
) -> None:
    """P-13: a restart of the API server that takes a minute; nobody lists, and the returns are at least 20 s apart."""
    fleet = Fleet(clock, KINDS)
    cache = Cache(lambda spec, namespace: fleet.servers[spec.gvk.kind], clock, metrics=metrics.cache)
    for kind in KINDS:
        cache.register(InformerSpec(kind))
    cache.start(scope)
    await clock.advance(10)
    fleet.down = ConnectError("connection refused")
    for server in fleet.servers.values():
        server.put("written", namespace="meanwhile")
        server.close_streams()
    await clock.advance(60)
    fleet.down = None
    back = clock.elapsed
    await clock.advance(61)
    first = sorted(next(at for at in asked if at >= back) for asked in fleet.asked.values())
    assert first[-1] - first[0] >= 20
    for server in fleet.servers.values():
        assert not any("list" in request or "rv= " in request for request in server.requests[1:])
        assert server.streams
    assert all(cache.informer(kind).lookup(("meanwhile", "written")) for kind in KINDS)


async def test_a_refused_informer_leaves_the_pace_of_nine_others_alone(
    clock: FakeClock, scope: TaskScope, metrics: RuntimeMetrics
) -> None:
    """R-19, P-11: each has a back-off of its own: the nine reconnect at once, ten times, while one waits longer and longer."""
    kinds = KINDS[:10]
    fleet = Fleet(clock, kinds)
    refused = fleet.servers["Kind0"]
    refused.watch_errors = [Forbidden("no")] * 100
    cache = Cache(lambda spec, namespace: fleet.servers[spec.gvk.kind], clock, metrics=metrics.cache)
    for kind in kinds:
        cache.register(InformerSpec(kind))
    cache.start(scope)
    for _ in range(10):
        await clock.advance(30)
        for server in fleet.servers.values():
            server.close_streams()
        await clock.settle()
        assert all(server.streams for name, server in fleet.servers.items() if name != "Kind0")
    assert {len(asked) for name, asked in fleet.asked.items() if name != "Kind0"} == {11}
    waits = [late - early for early, late in zip(fleet.asked["Kind0"], fleet.asked["Kind0"][1:], strict=False)]
    assert max(waits) >= 30
    assert len(waits) <= 16


async def test_a_thousand_informers_come_and_go(
    clock: FakeClock, scope: TaskScope, server: Any, metrics: RuntimeMetrics
) -> None:
    """P-73: streams are closed, tasks end, memory is flat."""
    cache = Cache(lambda spec, namespace: server, clock, metrics=metrics.cache)
    for name in range(20):
        server.put(f"o{name}", data={"k": "v" * 100})
    cache.start(scope)

    async def rounds(count: int) -> None:
        for _ in range(count):
            informer = cache.register(InformerSpec(CONFIG_MAP))
            await clock.settle()
            assert len(informer) == 20
            assert len(server.streams) == 1
            await cache.unregister(informer)
            server.requests.clear()
        gc.collect()

    await rounds(50)
    before, tasks = sys.getallocatedblocks(), len(asyncio.all_tasks())
    await rounds(950)
    assert server.streams == []
    assert sys.getallocatedblocks() - before < 950  # not one block per round is left behind
    assert len(asyncio.all_tasks()) == tasks


@pytest.mark.parametrize("count", [whole_or(100_000, 5_000)])
async def test_a_resync_is_paced_over_a_minute(
    clock: FakeClock, scope: TaskScope, server: Any, metrics: RuntimeMetrics, count: int
) -> None:
    """P-52, R-55: so that handlers get a share each second; 100,000 objects nightly, 5,000 otherwise."""
    for number in range(count):
        server.put(f"o{number}")
    server.log.clear()
    cache = Cache(lambda spec, namespace: server, clock, metrics=metrics.cache)
    informer = cache.register(InformerSpec(CONFIG_MAP, resync=1_000.0))
    cache.start(scope)
    for _ in range(1_000):  # long lists take many turns of the loop
        await clock.settle()
        if informer.synced:
            break
    times: list[float] = []
    seen: set[ObjectKey] = set()

    def resynced(change: Change) -> None:
        if not change.initial:
            times.append(clock.elapsed)
            seen.add(change.object.key)

    informer.subscribe(resynced)
    requests = [request for request in server.requests if "list" in request]
    for _ in range(60):
        await clock.advance(20)
        server.bookmark()
    assert len(times) == len(seen) == count
    assert 55 <= times[-1] - times[0] <= 61
    middle = [at for at in times if at - times[0] <= 30]
    assert 0.4 <= len(middle) / count <= 0.6
    assert [request for request in server.requests if "list" in request] == requests


async def test_an_endless_line_degrades_the_informer_and_is_not_tried_in_a_hurry(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """P-07: what cannot be read is known to be missing; the watch is opened again at the same version, slower and slower."""
    server.put("a")
    informer = cache.register(spec)
    cache.start(scope)
    await clock.advance(5)
    assert informer.degraded is None
    before = len(server.requests)
    for _ in range(400):
        server.break_streams(DecodeError("watch: a line is longer than 16777216 bytes"))
        await clock.advance(1)
    tries = server.requests[before:]
    assert 8 <= len(tries) <= 25  # 0.8 s doubling to 30..60 s
    assert set(tries) == {"watch rv=101 initial=False"}
    assert "longer than 16777216 bytes" in (informer.degraded or "")
    assert [entry.key.name for entry in informer.select()] == ["a"]
