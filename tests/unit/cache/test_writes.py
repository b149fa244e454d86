"""Read your own writes."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import orjson
import pytest

from eso_core.aio import TaskScope
from eso_core.cache import Cache, CachedClient, InformerSpec
from eso_core.cache.codec import Codec
from eso_core.client import Client
from eso_core.meta import ObjectKey, ObjectMeta, Partial, PartialObject
from eso_core.meta.errors import Conflict, ConnectError, ConnectionLost, NotFound
from eso_core.meta.wellknown import CONFIG_MAP, SECRET
from eso_core.metrics import RuntimeMetrics
from eso_core.testing.clock import FakeClock

KEY = ObjectKey("ns", "a")


class Api:
    """Writes to the fake server; the watch may lag behind the response or be ahead of it."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.errors: list[Exception] = []
        self.commit_before_error = False
        self.gets = 0

    async def get(self, kind: Any, key: ObjectKey) -> Any:
        self.gets += 1
        try:
            found = self.server.objects[key]
        except KeyError:
            raise NotFound(f"{key} not found") from None
        if isinstance(kind, Partial):
            metadata = found["metadata"]
            meta = ObjectMeta(name=key.name, namespace=key.namespace, resource_version=metadata["resourceVersion"])
            return PartialObject(kind.gvk, meta)
        return found

    async def create(self, obj: dict[str, Any], **options: Any) -> Any:
        if self.errors and not self.commit_before_error:
            raise self.errors.pop(0)
        metadata = obj["metadata"]
        result = self.server.put(metadata["name"], metadata["namespace"], labels=metadata.get("labels"))
        if self.errors:
            raise self.errors.pop(0)
        await asyncio.sleep(0)
        return result

    async def delete(self, kind: Any, key: ObjectKey, **options: Any) -> Any:
        uid = self.server.objects[key]["metadata"]["uid"]
        self.server.delete(key.name, key.namespace)
        return {"kind": "Status", "status": "Success", "details": {"name": key.name, "uid": uid}}


class Bench:
    """A client on a cache whose watch can be held back."""

    def __init__(self, cache: Cache, server: Any) -> None:
        self.api = Api(server)
        cache._live = self.api
        self.client = CachedClient(cast(Client, self.api), cache)
        self.server = server
        self.held: list[tuple[str, bytes]] = []

    def hold(self) -> None:
        stream = self.server.streams[0]
        self.push = stream.push
        stream.push = lambda kind, body: self.held.append((kind, body))

    def release(self) -> None:
        for kind, body in self.held:
            self.push(kind, body)
        self.held.clear()
        self.server.streams[0].push = self.push


@pytest.fixture
async def bench(cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any) -> Bench:
    cache.register(spec)
    cache.start(scope)
    await cache.wait_for_sync(5)
    return Bench(cache, server)


def new(name: str = "a", labels: dict[str, str] | None = None, kind: str = "ConfigMap") -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": "ns"}
    if labels:
        metadata["labels"] = labels
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata}


async def test_a_read_waits_for_the_write_to_arrive(bench: Bench, scope: TaskScope, clock: FakeClock) -> None:
    """R-70, P-41: the watch lags behind the response; the read returns the new object, without asking the server."""
    bench.hold()
    await bench.client.create(new())
    reading = scope.spawn(bench.client.get(CONFIG_MAP, KEY), name="get")
    listing = scope.spawn(bench.client.list(CONFIG_MAP), name="list")
    await clock.advance(0.5)
    assert not reading.done()
    assert not listing.done()
    bench.release()
    await clock.settle()
    assert reading.result()["metadata"]["resourceVersion"] == "101"
    assert len(listing.result()) == 1
    assert bench.api.gets == 0
    assert len(bench.client.cache.writes) == 0


async def test_an_event_ahead_of_the_response_counts(bench: Bench, clock: FakeClock) -> None:
    """R-71: the event may come before the response; nothing is waited for then."""
    await bench.client.create(new())
    await clock.settle()
    found = await bench.client.get(CONFIG_MAP, KEY)
    assert found["metadata"]["resourceVersion"] == "101"
    assert not bench.client.cache.writes.active


async def test_other_keys_and_stale_reads_do_not_wait(bench: Bench, clock: FakeClock) -> None:
    """R-70: only the written key is waited for, and not with `stale_ok`."""
    bench.server.put("b")
    await clock.settle()
    bench.hold()
    await bench.client.create(new())
    assert (await bench.client.get(CONFIG_MAP, ("ns", "b")))["metadata"]["name"] == "b"
    with pytest.raises(NotFound):
        await bench.client.get(CONFIG_MAP, KEY, stale_ok=True)
    assert [obj["metadata"]["name"] for obj in await bench.client.list(CONFIG_MAP, stale_ok=True)] == ["b"]
    assert [obj["metadata"]["name"] for obj in await bench.client.list(CONFIG_MAP, "other")] == []
    assert bench.client.cache.stale(CONFIG_MAP, KEY)
    assert not bench.client.cache.stale(CONFIG_MAP, ("ns", "b"))


async def test_a_bookmark_is_enough(bench: Bench, scope: TaskScope, clock: FakeClock) -> None:
    """R-72, P-44: the informer's version passes the write's without the object being seen."""
    bench.hold()
    await bench.client.create(new())
    reading = scope.spawn(bench.client.get(CONFIG_MAP, KEY), name="get", on_error=lambda error: None)
    await clock.settle()
    bench.push("BOOKMARK", bench.server._bookmark_body())
    await clock.settle()
    assert isinstance(reading.exception(), NotFound)


async def test_after_ten_seconds_the_server_is_asked(
    bench: Bench, scope: TaskScope, clock: FakeClock, metrics: RuntimeMetrics
) -> None:
    """R-73: one live read, a metric, and no second wait."""
    bench.hold()
    await bench.client.create(new())
    reading = scope.spawn(bench.client.get(CONFIG_MAP, KEY), name="get")
    await clock.advance(10.1)
    assert reading.result()["metadata"]["name"] == "a"
    assert bench.api.gets == 1
    assert metrics.registry.get_sample_value("eso_core_read_your_writes_timeouts_total") == 1
    assert not bench.client.cache.writes.active


async def test_a_write_of_unknown_outcome_makes_the_next_read_live(bench: Bench, clock: FakeClock) -> None:
    """R-71, P-42: the connection broke after the server had stored it: the next read asks the server, once."""
    bench.hold()
    bench.api.commit_before_error = True
    bench.api.errors.append(ConnectionLost("reset"))
    with pytest.raises(ConnectionLost):
        await bench.client.create(new())
    assert (await bench.client.get(CONFIG_MAP, KEY))["metadata"]["name"] == "a"
    assert bench.api.gets == 1
    bench.release()
    await clock.settle()
    await bench.client.get(CONFIG_MAP, KEY)
    assert bench.api.gets == 1


@pytest.mark.parametrize("stored", [True, False])
async def test_a_list_asks_how_a_write_of_unknown_outcome_ended(bench: Bench, clock: FakeClock, stored: bool) -> None:
    """P-42: the list shows what was stored, and does not wait for what was not."""
    bench.hold()
    bench.api.commit_before_error = stored
    bench.api.errors.append(ConnectionLost("reset"))
    with pytest.raises(ConnectionLost):
        await bench.client.create(new())
    listing = asyncio.ensure_future(bench.client.list(CONFIG_MAP))
    await clock.settle()
    assert bench.api.gets == 1
    assert listing.done() is not stored
    bench.release()
    await clock.settle()
    assert [obj["metadata"]["name"] for obj in await listing] == (["a"] if stored else [])
    assert not bench.client.cache.writes.active
    assert bench.api.gets == 1


@pytest.mark.parametrize("error", [Conflict("changed"), ConnectError("refused")])
async def test_a_refused_write_leaves_nothing_behind(bench: Bench, error: Exception) -> None:
    """R-71: errors that prove that nothing was stored drop the record."""
    bench.api.errors.append(error)
    with pytest.raises(type(error)):
        await bench.client.create(new())
    assert not bench.client.cache.writes.active
    with pytest.raises(NotFound):
        await bench.client.get(CONFIG_MAP, KEY)
    assert bench.api.gets == 0


async def test_a_write_that_changed_nothing_is_not_waited_for(bench: Bench, clock: FakeClock) -> None:
    """R-72, P-43: the answer has the version that is stored already."""
    bench.server.put("a")
    await clock.settle()
    pending = bench.client.cache.writes.begin(CONFIG_MAP, KEY)
    assert pending is not None
    pending.finished("101")
    assert not bench.client.cache.writes.active


async def test_a_deletion_is_waited_for(bench: Bench, scope: TaskScope, clock: FakeClock) -> None:
    """R-70: after a finished delete the object is not found, although its event is late."""
    await bench.client.create(new())
    await clock.settle()
    bench.hold()
    await bench.client.delete(CONFIG_MAP, KEY)
    reading = scope.spawn(bench.client.get(CONFIG_MAP, KEY), name="get", on_error=lambda error: None)
    await clock.advance(1)
    assert not reading.done()
    bench.release()
    await clock.settle()
    assert isinstance(reading.exception(), NotFound)


async def test_objects_outside_the_selector_are_not_waited_for(
    scope: TaskScope, clock: FakeClock, server: Any, metrics: RuntimeMetrics
) -> None:
    """R-72: labels that do not match say that the informer will never see the object."""
    cache = Cache(lambda spec, namespace: server, clock, metrics=metrics.cache)
    cache.register(InformerSpec(CONFIG_MAP, label_selector="managed=true"))
    cache.start(scope)
    await cache.wait_for_sync(5)
    bench = Bench(cache, server)
    bench.hold()
    await bench.client.create(new(labels={"other": "x"}))
    with pytest.raises(NotFound):
        await bench.client.get(CONFIG_MAP, KEY)
    await bench.client.create(new("b", labels={"managed": "true"}))
    assert cache.stale(CONFIG_MAP, ("ns", "b"))


async def test_versions_that_are_no_numbers_are_compared_for_equality(bench: Bench) -> None:
    """R-72: an opaque version that arrived while the write was in flight counts as seen."""
    cache = bench.client.cache
    informer = cache.informer(CONFIG_MAP)
    for arrives_first in (True, False):
        pending = cache.writes.begin(CONFIG_MAP, KEY)
        assert pending is not None
        if arrives_first:
            obj = new()
            obj["metadata"] |= {"uid": "u", "resourceVersion": "opaque-1"}
            cache.writes.arrived(informer, Codec(CONFIG_MAP).decode(orjson.dumps(obj)).entry)
        pending.finished("opaque-1" if arrives_first else "opaque-2")
        assert cache.writes.active is not arrives_first


async def test_kinds_without_informer_are_written_without_bookkeeping(bench: Bench) -> None:
    """Writes of kinds that nobody caches are not recorded, nor are dry runs."""
    assert bench.client.cache.writes.begin(SECRET, KEY) is None
    bench.hold()
    await bench.client.create(new(), dry_run=True)
    assert not bench.client.cache.writes.active


async def test_the_table_of_writes_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-73: records that never resolve do not pile up."""
    monkeypatch.setattr("eso_core.cache.writes._MAX_RECORDS", 100)
    writes = bench.client.cache.writes
    for number in range(500):
        pending = writes.begin(CONFIG_MAP, ObjectKey("ns", f"o{number}"))
        assert pending is not None
        pending.finished(str(10_000 + number))
    assert len(writes) <= 101
