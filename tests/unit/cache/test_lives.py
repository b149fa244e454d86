"""What a watch lives through over hours, and what the cache keeps: rules that need more than one event."""

from __future__ import annotations

import gc
import secrets
from typing import Any

import orjson
import pytest

from eso_core.aio import TaskScope
from eso_core.cache import Cache, Change, ChangeType, InformerSpec
from eso_core.cache.reflection import OpenWatch, Settings, Wake
from eso_core.cache.reflector import initial_state, step
from eso_core.cache.source import ClientSource
from eso_core.client import Client, ClientConfig
from eso_core.meta import ObjectKey, Partial
from eso_core.meta.errors import NotFound
from eso_core.meta.wellknown import CONFIG_MAP, SECRET
from eso_core.metrics import RuntimeMetrics
from eso_core.testing.clock import FakeClock


async def start(cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock) -> tuple[Any, list[Change]]:
    informer = cache.register(spec)
    seen: list[Change] = []
    informer.subscribe(seen.append)
    cache.start(scope)
    await clock.settle()
    return informer, seen


async def test_two_quiet_hours_behind_a_load_balancer_that_drops_idle_connections(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """P-03, R-30, R-34: bookmarks flow for 240 s, then the connection is dead without a word; the age never passes 85 s."""
    informer, _ = await start(cache, spec, scope, clock)
    oldest = 0.0
    age = 0
    for _ in range(2 * 3600 // 5):
        await clock.advance(5)
        age += 5
        oldest = max(oldest, informer.progress_age)
        if server.streams and server.streams[-1].live and age % 60 == 0:
            server.streams[-1].push("BOOKMARK", server._bookmark_body())
            await clock.settle()
        if age >= 240:  # silently, for both sides
            for stream in server.streams:
                stream.live = False
            age = 0
    assert oldest <= 85
    server.put("late")
    await clock.advance(85)
    assert (await cache.get(CONFIG_MAP, ("ns", "late")))["metadata"]["name"] == "late"


async def test_watches_ask_for_bookmarks_and_end_at_different_times() -> None:
    """R-30, R-17: every watch asks for bookmarks; its time-out is drawn between 300 and 600 s."""
    async with Client(ClientConfig("http://nowhere")) as client:
        source = ClientSource(client, InformerSpec(CONFIG_MAP), "")
        watch = source.watch(resource_version="1", initial_events=False, timeout_seconds=450)
        request = await watch._make_request()  # type: ignore[attr-defined]
    assert request.query == "watch=true&allowWatchBookmarks=true&resourceVersion=1&timeoutSeconds=450"
    _, effects = step(initial_state(Settings()), Wake(0.0))
    (opened,) = effects
    assert isinstance(opened, OpenWatch)
    assert opened.timeout == (300.0, 600.0)


async def test_an_object_that_goes_between_two_reads_is_deleted_once(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """P-28: the finalizer is removed and the object is gone while the watch is down: one delete, and NotFound after it."""
    server.put("a", metadata={"finalizers": ["t.io/f"], "deletionTimestamp": "2026-01-01T00:00:00Z"})
    _, seen = await start(cache, spec, scope, clock)
    server.streams[0].live = False
    server.put("a", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    server.delete("a")
    server.compact()
    server.close_streams()
    await clock.advance(5)
    assert [change.type for change in seen if change.type is ChangeType.DELETED] == [ChangeType.DELETED]
    with pytest.raises(NotFound):
        await cache.get(CONFIG_MAP, ("ns", "a"))
    server.close_streams()
    await clock.advance(90)
    assert sum(change.type is ChangeType.DELETED for change in seen) == 1


async def test_a_recreated_object_is_a_delete_and_an_add(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """R-47, P-21: same key, new uid, told by a relist: the old uid goes, the new one comes."""
    first = server.put("a")["metadata"]["uid"]
    _, seen = await start(cache, spec, scope, clock)
    server.streams[0].live = False
    server.delete("a")
    second = server.put("a")["metadata"]["uid"]
    server.compact()
    server.close_streams()
    await clock.advance(5)
    assert [(change.type.value, change.object.uid) for change in seen[1:]] == [("deleted", first), ("added", second)]


async def test_a_list_in_pages_is_stored_object_by_object(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """R-20: without streaming lists the pages are taken one at a time; readers see the whole list or nothing."""
    server.watch_list, server.page_limit = False, 10
    for number in range(95):
        server.put(f"c{number:02}")
    sizes: list[int] = []
    informer = cache.register(spec)
    pages = server.pages

    async def counted(**options: Any) -> Any:
        async for page in pages(**options):
            sizes.append(len(informer))
            yield page

    server.pages = counted
    cache.start(scope)
    await clock.settle()
    assert informer.synced
    assert len(sizes) == 10
    assert set(sizes) == {0}
    assert len(await cache.list(CONFIG_MAP)) == 95


async def test_what_repeats_is_kept_once_and_memory_is_told(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any, metrics: RuntimeMetrics
) -> None:
    """R-42, R-45: namespaces and labels are shared between objects; objects and bytes are metrics, and fall again."""
    for name in ("a", "b"):
        server.put(name, labels={"".join(["te", "am"]): "".join(["pay", "ments"])}, data={"k": "v" * 1000})
    await start(cache, spec, scope, clock)
    one, two = (cache.peek(CONFIG_MAP, ObjectKey("ns", name)) for name in "ab")
    assert one is not None
    assert two is not None
    assert one.meta.namespace is two.meta.namespace
    assert next(iter(one.meta.labels.values())) is next(iter(two.meta.labels.values()))

    def told(name: str) -> float:
        return metrics.registry.get_sample_value(f"eso_core_cache_{name}", {"kind": "ConfigMap"}) or 0.0

    assert told("objects") == 2
    assert 2_000 < told("bytes") < 4_000
    server.delete("a")
    await clock.settle()
    assert told("objects") == 1
    assert told("bytes") < 2_000


async def test_no_secret_value_is_in_memory_under_the_metadata_policy(
    clock: FakeClock, scope: TaskScope, server: Any, metrics: RuntimeMetrics
) -> None:
    """P-81, R-44: after the sync no object that Python can reach holds one of the values."""
    server.kind = "Secret"
    cache = Cache(lambda spec, namespace: server, clock, metrics=metrics.cache)
    halves = [(secrets.token_hex(12), secrets.token_hex(12)) for _ in range(200)]
    for number, (left, right) in enumerate(halves):
        server.put(f"s{number}", data={"password": left + right})
    cache.register(InformerSpec(Partial(SECRET)))
    cache.start(scope)
    await clock.settle()
    assert len(await cache.list(Partial(SECRET))) == 200
    # The server of the test has them; nobody else may.
    server.objects.clear()
    server.log.clear()
    server.streams.clear()
    gc.collect()
    planted = {left + right for left, right in halves}
    raw = {value.encode() for value in planted}
    for obj in gc.get_objects():
        for held in gc.get_referents(obj):
            if isinstance(held, str) and len(held) < 4096:
                assert obj is planted or held not in planted
            elif isinstance(held, bytes) and len(held) < 4096 and obj is not raw:
                assert not any(value in held for value in list(raw)[:20])


async def test_an_event_body_is_decoded_at_once_and_kept_as_bytes(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """R-40, P-47: each reader gets an object of its own; changing it changes nothing for the next one."""
    server.put("a", data={"x": "1"})
    await start(cache, spec, scope, clock)
    first = await cache.get(CONFIG_MAP, ("ns", "a"))
    first["data"]["x"] = "changed"
    first["metadata"]["labels"] = {"a": "b"}
    listed = (await cache.list(CONFIG_MAP))[0]
    assert listed["data"] == {"x": "1"}
    listed["data"].clear()
    entry = cache.peek(CONFIG_MAP, ObjectKey("ns", "a"))
    assert entry is not None
    assert orjson.loads(entry.body)["data"] == {"x": "1"}


async def test_informers_tell_what_client_gos_tell(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any, metrics: RuntimeMetrics
) -> None:
    """7.4: items that wait, time per item, and the version reached; the series go with the informer."""
    server.version = 12_345_678_901_234_567_890
    server.put("a")
    informer, _ = await start(cache, spec, scope, clock)
    labels = {"name": "ConfigMap", "group": "", "version": "v1", "resource": "configmaps"}

    def told(name: str) -> float | None:
        return metrics.registry.get_sample_value(f"informer_{name}", labels)

    assert told("queued_items") == 0
    assert told("processing_latency_seconds_count") == 1
    assert told("store_resource_version") == 678_901_234_567_891
    await informer.stop()
    assert told("queued_items") is None
    assert told("processing_latency_seconds_count") is None
