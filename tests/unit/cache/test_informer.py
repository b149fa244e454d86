"""Informers on a fake server: what handlers see through failures, and what readers get."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from eso_core.aio import TaskScope
from eso_core.cache import Cache, CachedObject, Change, ChangeType, InformerSpec, Settings
from eso_core.meta import ObjectKey, Partial
from eso_core.meta.errors import ConnectError, ConnectionLost, Forbidden, Gone, NotFound, SyncTimeout, TooManyRequests
from eso_core.meta.wellknown import CONFIG_MAP
from eso_core.metrics import RuntimeMetrics
from eso_core.testing.clock import FakeClock

KEY = ObjectKey("ns", "a")


class Seen:
    """Collects changes as (type, name) pairs."""

    def __init__(self) -> None:
        self.changes: list[Change] = []

    def __call__(self, change: Change) -> None:
        self.changes.append(change)

    @property
    def story(self) -> list[tuple[str, str]]:
        return [(change.type.value, change.object.key.name) for change in self.changes]

    def clear(self) -> None:
        self.changes.clear()


async def start(cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock) -> tuple[Any, Seen]:
    informer = cache.register(spec)
    seen = Seen()
    informer.subscribe(seen)
    cache.start(scope)
    await clock.settle()
    return informer, seen


async def test_handlers_see_the_initial_list_then_every_change(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """R-51: additions of the initial list are marked; later changes come in order with old and new state."""
    server.put("a", data={"x": "1"})
    informer, seen = await start(cache, spec, scope, clock)
    assert informer.synced
    assert seen.story == [("added", "a")]
    assert seen.changes[0].initial
    server.put("b")
    server.put("a", data={"x": "2"})
    server.delete("b")
    await clock.settle()
    assert seen.story[1:] == [("added", "b"), ("updated", "a"), ("deleted", "b")]
    update = seen.changes[2]
    assert update.old is not None
    assert update.old.decode()["data"] == {"x": "1"}
    assert update.object.decode()["data"] == {"x": "2"}
    assert not seen.changes[1].initial
    assert not seen.changes[3].tombstone


async def test_a_silent_watch_is_cut_and_resumed_without_a_list(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any, metrics: RuntimeMetrics
) -> None:
    """R-31, P-01: a half-open stream delivers nothing; within 80 s the change made meanwhile reaches the handler."""
    informer, seen = await start(cache, spec, scope, clock)
    server.streams[0].live = False
    server.put("a")
    await clock.advance(74)
    assert seen.story == []
    await clock.advance(6)
    assert seen.story == [("added", "a")]
    assert sum("initial=True" in request or "list" in request for request in server.requests) == 1
    assert metrics.registry.get_sample_value("eso_core_watch_idle_timeouts_total", {"kind": "ConfigMap"}) == 1
    assert informer.progress_age < 10


@pytest.mark.parametrize("broken", [False, True])
async def test_a_streamed_list_can_be_checked_against_a_list(
    clock: FakeClock, scope: TaskScope, server: Any, metrics: RuntimeMetrics, broken: bool
) -> None:
    """R-21: one exact list at the version of the stream; a difference is counted and told, and the watch goes on."""
    settings = Settings(check_streams=True)
    cache = Cache(lambda spec, namespace: server, clock, metrics=metrics.cache, settings=settings)
    server.put("a")
    server.put("b")
    if broken:
        server.left_out_of_streams.add("b")
    with capture_logs() as logs:
        informer, seen = await start(cache, InformerSpec(CONFIG_MAP), scope, clock)
    assert server.requests == ["watch rv= initial=True", "list rv=102 limit=500 exact"]
    told = [log for log in logs if log["event"] == "a streamed list differs from a list at the same version"]
    assert [log["examples"] for log in told] == ([["ns/b"]] if broken else [])
    counted = metrics.registry.get_sample_value("eso_core_cache_inconsistencies_total", {"kind": "ConfigMap"})
    assert counted == (1 if broken else None)
    server.put("c")
    await clock.settle()
    assert seen.story[-1] == ("added", "c")
    assert informer.synced


async def test_events_hold_off_the_idle_limit(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """R-31: a stream with a bookmark a minute is never cut before its time."""
    await start(cache, spec, scope, clock)
    for _ in range(4):
        await clock.advance(60)
        server.bookmark()
        await clock.settle()
    assert len(server.requests) == 1


async def test_objects_deleted_in_a_compacted_gap_get_tombstones(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """P-02, P-21: after a relist: tombstones for what is gone, delete and add for what was made anew, updates, no more."""
    for name in ("same", "changed", "gone", "anew"):
        server.put(name)
    _, seen = await start(cache, spec, scope, clock)
    seen.clear()
    server.streams[0].live = False
    server.put("changed", data={"x": "1"})
    server.delete("gone")
    server.delete("anew")
    server.put("anew")
    server.compact()
    server.close_streams()
    await clock.advance(5)
    assert sorted(seen.story) == sorted(
        [("unchanged", "same"), ("updated", "changed"), ("deleted", "gone"), ("deleted", "anew"), ("added", "anew")]
    )
    for change in seen.changes:
        if change.type is ChangeType.DELETED:
            assert change.tombstone
    assert seen.story.index(("deleted", "anew")) < seen.story.index(("added", "anew"))


@pytest.mark.parametrize("watch_list", [True, False])
async def test_gone_in_a_watch_leads_to_one_full_read(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any, watch_list: bool
) -> None:
    """P-05: one relist; afterwards the watch goes on from the new version."""
    server.watch_list = watch_list
    server.put("a")
    _, seen = await start(cache, spec, scope, clock)
    await clock.advance(10)
    before = len(server.requests)
    server.put("b")
    await clock.settle()
    server.error({"code": 410, "reason": "Expired", "message": "too old resource version"})
    server.compact()
    await clock.advance(5)
    full = [request for request in server.requests[before:] if "list" in request or "initial=True" in request]
    assert len(full) == 1
    server.put("c")
    await clock.settle()
    assert seen.story[-1] == ("added", "c")


async def test_gone_at_the_start_of_a_watch_and_at_the_list(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """P-05: 410 as HTTP status: relist at our version, and at the newest when that is gone as well."""
    server.watch_list = False
    _, seen = await start(cache, spec, scope, clock)
    await clock.advance(10)
    server.put("a")
    await clock.settle()
    server.watch_errors.append(Gone("too old", reason="Expired"))
    server.list_errors.append(Gone("too old", reason="Expired"))
    before = len(server.requests)
    server.close_streams()
    await clock.advance(3)
    assert server.requests[before:] == [
        "watch rv=101 initial=False",
        "list rv=101 limit=0",
        "list rv= limit=500",
        "watch rv=101 initial=False",
    ]
    assert seen.story == [("added", "a"), ("unchanged", "a")]


async def test_a_reset_stream_loses_and_doubles_nothing(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """P-06: events after the last applied version come again, each once."""
    _, seen = await start(cache, spec, scope, clock)
    await clock.advance(2)
    server.put("a")
    await clock.settle()
    server.break_streams(ConnectionLost("reset"))
    server.put("b")
    await clock.advance(5)
    server.put("c")
    await clock.settle()
    assert seen.story == [("added", "a"), ("added", "b"), ("added", "c")]


async def test_throttling_is_obeyed_with_the_same_version(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """P-09: `Retry-After: 7` at the start of a watch: the next try is at least 7 s later, without a list."""
    await start(cache, spec, scope, clock)
    await clock.advance(2)
    server.watch_errors.append(TooManyRequests("slow down", retry_after=7.0))
    server.close_streams()
    await clock.advance(6.9)
    assert len(server.requests) == 2
    await clock.advance(0.2)
    assert server.requests[1:] == ["watch rv=100 initial=False"] * 2


async def test_a_forbidden_informer_is_named_with_its_rule_and_does_not_slow_others(
    clock: FakeClock, scope: TaskScope, server: Any, metrics: RuntimeMetrics
) -> None:
    """R-19, R-61, P-11: the error of `wait_for_sync` names kind, reason and RBAC rule; others are synced."""
    from cache_fake_source import FakeServer  # the folder's conftest made it importable

    refused = FakeServer()
    refused.watch_errors = [Forbidden('secrets is forbidden: User "u" cannot list resource') for _ in range(100)]
    cache = Cache(lambda spec, ns: refused if spec.view else server, clock, metrics=metrics.cache)
    good = cache.register(InformerSpec(CONFIG_MAP))
    cache.register(InformerSpec(CONFIG_MAP, view="refused"))
    cache.start(scope)
    waiting = scope.spawn(cache.wait_for_sync(5), name="wait", on_error=lambda error: None)
    await clock.advance(6)
    assert good.synced
    error = waiting.exception()
    assert isinstance(error, SyncTimeout)
    text = str(error)
    assert "ConfigMap/refused" in text
    assert "cannot list resource" in text
    assert 'resources: ["configmaps"]' in text


async def test_a_kind_that_disappears_and_returns(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """P-12: its objects are deleted for handlers and readers; the watch resumes within 10 s of its return."""
    server.put("a")
    informer, seen = await start(cache, spec, scope, clock)
    await clock.advance(2)
    server.watch_errors = [NotFound("no such resource", is_path=True) for _ in range(3)]
    server.objects.clear()
    server.close_streams()
    await clock.advance(1)
    assert seen.story[-1] == ("deleted", "a")
    assert seen.changes[-1].tombstone
    assert len(informer) == 0
    await clock.advance(25)
    server.put("b")
    await clock.advance(10)
    assert seen.story[-1] == ("added", "b")


async def test_a_reflector_killed_by_a_bug_is_restarted_within_a_second(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-10, P-15: unhealthy while it does not run; afterwards the store equals the server again."""
    server.put("a")
    informer, seen = await start(cache, spec, scope, clock)
    shard = informer._shards[""]
    real = shard.driver._feed

    async def broken(given: object) -> object:
        monkeypatch.setattr(shard.driver, "_feed", real)
        raise AssertionError("injected")

    monkeypatch.setattr(shard.driver, "_feed", broken)
    # Two feeds fail on the way out: the event, and the report of its failure.
    monkeypatch.setattr("eso_core.cache.driver.classify", lambda error: (_ for _ in ()).throw(error))
    server.put("b")
    await clock.settle()
    assert not informer.healthy
    monkeypatch.undo()
    await clock.advance(1.1)
    assert informer.healthy
    assert {entry.key.name for entry in informer.select()} == {"a", "b"}
    assert ("added", "b") in seen.story


async def test_refused_connections_spread_out_and_keep_the_version(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """P-13: a restart of the API server leads to retries with growing delays and no list."""
    await start(cache, spec, scope, clock)
    await clock.advance(2)
    server.watch_errors = [ConnectError("refused") for _ in range(4)]
    server.close_streams()
    await clock.advance(40)
    assert server.requests[1:] == ["watch rv=100 initial=False"] * 5


async def test_a_raising_handler_gets_the_next_event_and_harms_no_other(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any, metrics: RuntimeMetrics
) -> None:
    """R-53, P-24."""
    informer, seen = await start(cache, spec, scope, clock)
    calls = []

    def bad(change: Change) -> None:
        calls.append(change.object.key.name)
        if change.object.key.name == "a":
            raise RuntimeError("boom")

    informer.subscribe(bad)
    server.put("a")
    server.put("b")
    await clock.settle()
    assert calls == ["a", "b"]
    assert seen.story == [("added", "a"), ("added", "b")]
    assert metrics.registry.get_sample_value("eso_core_handler_errors_total", {"kind": "ConfigMap"}) == 1


async def test_a_slow_handler_delays_only_itself(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """R-51: each handler has a queue of its own; its order is kept."""
    informer, seen = await start(cache, spec, scope, clock)
    slow: list[str] = []

    async def handler(change: Change) -> None:
        await clock.sleep(10)
        slow.append(change.object.key.name)

    registration = informer.subscribe(handler)
    server.put("a")
    server.put("b")
    await clock.settle()
    assert seen.story == [("added", "a"), ("added", "b")]
    assert slow == []
    assert registration.depth == 1
    await clock.advance(21)
    assert slow == ["a", "b"]


async def test_a_late_handler_gets_one_full_replay(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """R-54, P-25: everything as initial additions, then `synced`, then only news."""
    server.put("a")
    server.put("b")
    informer, _ = await start(cache, spec, scope, clock)
    late = Seen()
    registration = informer.subscribe(late)
    assert not registration.synced
    server.put("c")
    await clock.settle()
    assert registration.synced
    assert late.story == [("added", "a"), ("added", "b"), ("added", "c")]
    assert [change.initial for change in late.changes] == [True, True, False]


async def test_a_removed_handler_sees_nothing_new(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """R-54: `aclose` delivers what was queued and stops the rest."""
    informer, _ = await start(cache, spec, scope, clock)
    seen = Seen()
    registration = informer.subscribe(seen)
    server.put("a")
    await clock.settle()
    await registration.aclose()
    server.put("b")
    await clock.settle()
    assert seen.story == [("added", "a")]


async def test_event_handlers_are_called_by_what_happened(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """R-52: on_add, on_update, on_delete with their flags."""
    calls: list[tuple[object, ...]] = []

    class Handler:
        def on_add(self, obj: CachedObject, is_initial_list: bool) -> None:
            calls.append(("add", obj.key.name, is_initial_list))

        def on_update(self, old: CachedObject, new: CachedObject) -> None:
            calls.append(("update", old.resource_version, new.resource_version))

        async def on_delete(self, obj: CachedObject, tombstone: bool) -> None:
            calls.append(("delete", obj.key.name, tombstone))

    server.put("a")
    informer = cache.register(spec)
    informer.add_handler(Handler())
    cache.start(scope)
    await clock.settle()
    server.put("a")
    server.delete("a")
    await clock.settle()
    assert calls == [("add", "a", True), ("update", "101", "102"), ("delete", "a", False)]


async def test_leaving_and_entering_the_selector(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """P-22: the server's DELETED and ADDED for label changes are deletions and additions."""
    obj = server.put("a")
    _, seen = await start(cache, spec, scope, clock)
    left = {**obj, "metadata": {**obj["metadata"], "resourceVersion": "150"}}
    server.streams[0].push("DELETED", orjson.dumps(left))
    await clock.settle()
    server.version = 160
    server.put("a")
    await clock.settle()
    # The fake calls the return MODIFIED; to the store the key is new.
    assert seen.story == [("added", "a"), ("deleted", "a"), ("added", "a")]


async def test_resync_shows_unchanged_objects_again(
    cache: Cache, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """R-55, P-52: after the period each object is shown once, paced, without a request."""
    for number in range(200):
        server.put(f"o{number}")
    _, seen = await start(cache, InformerSpec(CONFIG_MAP, resync=100.0), scope, clock)
    seen.clear()
    for _ in range(5):
        await clock.advance(22)
        server.bookmark()
    await clock.advance(60)
    assert len(seen.changes) == 200
    assert {change.type for change in seen.changes} == {ChangeType.UNCHANGED}


async def test_namespaces_can_be_added_and_removed(clock: FakeClock, scope: TaskScope, metrics: RuntimeMetrics) -> None:
    """R-59: one reflector per namespace; removal deletes its objects; a failure stays in its namespace."""
    from cache_fake_source import FakeServer

    servers = {name: FakeServer() for name in ("one", "two", "three")}
    for name, server in servers.items():
        server.put("a", namespace=name)
    servers["two"].watch_errors = [Forbidden("no")] * 50
    cache = Cache(lambda spec, ns: servers[ns], clock, metrics=metrics.cache, namespaces=("one", "two"))
    informer = cache.register(InformerSpec(CONFIG_MAP))
    seen = Seen()
    informer.subscribe(seen)
    cache.start(scope)
    await clock.advance(1)
    assert not informer.synced
    assert list(informer.last_failures) == ["two"]
    assert [entry.key.namespace for entry in informer.select()] == ["one"]
    await informer.add_namespace("three")
    await clock.settle()
    assert sorted(entry.key.namespace for entry in informer.select()) == ["one", "three"]
    await informer.remove_namespace("one")
    await clock.settle()
    assert seen.changes[-1].type is ChangeType.DELETED
    assert [entry.key.namespace for entry in informer.select()] == ["three"]


async def test_an_unregistered_informer_stops_and_frees_its_store(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any, metrics: RuntimeMetrics
) -> None:
    """R-63, P-73: no stream, no objects, no series; registering again starts anew."""
    server.put("a")
    informer, _ = await start(cache, spec, scope, clock)
    await cache.unregister(informer)
    assert server.streams == []
    assert len(informer) == 0
    assert metrics.registry.get_sample_value("eso_core_cache_objects", {"kind": "ConfigMap"}) is None
    again = cache.register(spec)
    await clock.settle()
    assert again is not informer
    assert len(again) == 1


async def test_unreadable_objects_are_dropped_and_degrade_the_informer(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any, metrics: RuntimeMetrics
) -> None:
    """R-18: objects of another kind or without metadata are counted and skipped."""
    informer, seen = await start(cache, spec, scope, clock)
    for body in (b'{"kind":"Table","metadata":{"name":"x"}}', b'{"kind":"ConfigMap"}', b"{broken"):
        server.streams[0].push("ADDED", body)
    server.streams[0].push("SURPRISE", b"{}")
    server.put("ok")
    await clock.settle()
    assert seen.story == [("added", "ok")]
    assert informer.degraded is not None
    assert metrics.registry.get_sample_value("eso_core_transform_errors_total", {"kind": "ConfigMap"}) == 3


async def test_metadata_only_informers_keep_little(
    cache: Cache, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """R-43, R-44: name, uid, version, labels and owners are kept; data and annotations are not."""
    server.put(
        "a",
        labels={"app": "x"},
        metadata={
            "annotations": {"note": "hidden"},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}],
        },
        data={"password": "hunter2"},
    )
    informer, _ = await start(cache, InformerSpec(Partial(CONFIG_MAP)), scope, clock)
    entry = informer.lookup(KEY)
    assert entry is not None
    assert entry.body == b""
    assert entry.meta.labels == {"app": "x"}
    assert entry.meta.annotations == {}
    assert entry.meta.owner_references[0].name == "p"
    assert "hunter2" not in repr(entry)
