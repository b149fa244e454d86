"""Limits and defaults of informers and reads."""

from __future__ import annotations

import inspect
import tracemalloc
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from eso_core.aio import TaskScope
from eso_core.cache import Cache, Change, InformerSpec, Settings
from eso_core.cache.codec import Codec
from eso_core.meta import ObjectKey
from eso_core.meta.errors import NotCached, SyncTimeout
from eso_core.meta.wellknown import CONFIG_MAP
from eso_core.metrics import RuntimeMetrics
from eso_core.testing.clock import FakeClock


def test_the_numbers_of_the_watch_are_those_of_the_server() -> None:
    """R-17, R-31, 2.2: bookmarks come each 60 s, events are kept for 75 s, delays go from 0.8 to 30 s, watches last 300 s."""
    settings = Settings()
    assert settings.idle_limit == 75.0
    assert settings.watch_timeout == 300.0
    assert (settings.backoff_initial, settings.backoff_maximum, settings.backoff_reset) == (0.8, 30.0, 120.0)
    assert settings.internal_error_limit == 60.0
    assert settings.absent_retry == 10.0
    assert settings.page_size == 500
    assert not settings.check_streams


async def test_a_handler_that_falls_behind_is_told_of_once(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any, metrics: RuntimeMetrics
) -> None:
    """R-51: nothing is dropped; the depth is a metric, and more than 10,000 are a warning."""
    informer = cache.register(spec)
    seen = 0

    async def slow(change: Change) -> None:
        nonlocal seen
        if not seen:
            seen += 1
            await clock.sleep(100)
        else:
            seen += 1

    informer.subscribe(slow)
    cache.start(scope)
    await clock.settle()
    with capture_logs() as logs:
        for number in range(10_000):
            server.put("a", data={"n": str(number)})
        for _ in range(50):
            await clock.settle()
        assert [line["log_level"] for line in logs] == []
        for number in range(50):
            server.put("a", data={"m": str(number)})
        await clock.settle()
    depth = metrics.registry.get_sample_value("eso_core_handler_queued_events", {"kind": "ConfigMap"})
    assert depth == 10_049
    assert [line["log_level"] for line in logs] == ["warning"]
    server.log.clear()
    await clock.advance(101)
    for _ in range(50):
        await clock.settle()
    assert seen == 10_050


async def test_a_resync_comes_every_ten_hours_give_or_take_a_tenth(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """R-55: and none with 0."""
    server.put("a")
    informer = cache.register(spec)
    never = cache.register(InformerSpec(CONFIG_MAP, view="never", resync=0))
    again: dict[str, list[float]] = {"default": [], "never": []}
    for name, of in (("default", informer), ("never", never)):
        of.subscribe(lambda change, name=name: again[name].append(clock.elapsed) if not change.initial else None)
    cache.start(scope)
    for _ in range(1_600):  # 80,000 s in steps that keep the watch alive
        await clock.advance(50)
        server.bookmark()
    first, second, *_ = again["default"]
    assert 32_400 <= first <= 39_660
    assert 32_400 <= second - first <= 39_720
    assert again["never"] == []


async def test_a_list_is_cut_at_its_limit_and_takes_no_versions(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """R-57: a cache has one state, so there is nothing to continue."""
    for number in range(10):
        server.put(f"o{number}")
    cache.register(spec)
    cache.start(scope)
    await clock.settle()
    assert len(await cache.list(CONFIG_MAP, limit=3)) == 3
    assert len(await cache.list(CONFIG_MAP)) == 10
    assert not {"continue_", "resource_version"} & set(inspect.signature(Cache.list).parameters)


async def test_a_sync_that_takes_longer_than_two_minutes_is_an_error(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock
) -> None:
    """R-61: unless another limit is given."""
    cache.register(spec)
    waiting = scope.spawn(cache.wait_for_sync(), name="wait", on_error=lambda error: None)
    await clock.advance(119)
    assert not waiting.done()
    await clock.advance(2)
    assert isinstance(waiting.exception(), SyncTimeout)


async def test_a_read_after_the_informer_was_removed_begins_anew(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """R-63, R-62: by a read alone nothing is watched; registered again it has the present state."""
    server.put("a")
    informer = cache.register(spec)
    cache.start(scope)
    await clock.settle()
    await cache.unregister(informer)
    server.put("b")
    with pytest.raises(NotCached):
        await cache.get(CONFIG_MAP, ObjectKey("ns", "a"))
    assert server.streams == []
    cache.register(spec)
    assert len(await cache.list(CONFIG_MAP)) == 2


def test_a_cached_object_costs_little_more_than_its_text() -> None:
    """The encoder's bytes keep a buffer of kilobytes: what is kept is a copy of just its length."""
    codec = Codec(CONFIG_MAP)
    bodies = [
        orjson.dumps(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": f"cm-{number}", "namespace": "ns", "uid": f"uid-{number}", "resourceVersion": "1"},
                "data": {"a": "x" * 500},
            }
        )
        for number in range(200)
    ]
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        kept = [codec.decode(body).entry for body in bodies]
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / len(kept) - len(kept[0].body) < 700
