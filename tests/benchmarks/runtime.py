"""What the runtime costs: queue cycle, cache reads, watch events, reconcile overhead, memory of a large cache.

Run as a script: `python tests/benchmarks/runtime.py [name ...]`. It prints one line per figure with its budget and the ratio to it. Figures are
CPU time of this process; other load on the machine makes them worse, never better.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson
import structlog

from eso_core.aio import SystemClock, TaskScope
from eso_core.cache import Cache, InformerSpec
from eso_core.controller import (
    Context,
    Controller,
    ControllerOptions,
    Environment,
    KindSource,
    Request,
    Result,
    enqueue_object,
    predicates,
)
from eso_core.events import CoreCorrelator, EventSink, Recorder
from eso_core.meta import ObjectKey, Partial
from eso_core.meta.wellknown import CONFIG_MAP, SECRET
from eso_core.metrics import RuntimeMetrics, render
from eso_core.queue import WorkQueue

OWNER = {
    "apiVersion": "external-secrets.io/v1",
    "kind": "ExternalSecret",
    "name": "es",
    "uid": "00000000-0000-4000-8000-000000000000",
    "controller": True,
    "blockOwnerDeletion": True,
}


def secret(number: int, version: int = 1) -> bytes:
    """A Secret of about 1.2 KiB, as the API server sends it."""
    return orjson.dumps(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": f"secret-{number:05}",
                "namespace": f"ns-{number % 50}",
                "uid": f"{number:08}-1111-4222-8333-444444444444",
                "resourceVersion": str(version * 100_000 + number),
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "labels": {"app": "demo", "reconcile.external-secrets.io/managed": "true"},
                "annotations": {"reconcile.external-secrets.io/data-hash": "a" * 56},
                "ownerReferences": [OWNER],
                "managedFields": [
                    {
                        "manager": "externalsecrets.external-secrets.io/demo",
                        "operation": "Apply",
                        "apiVersion": "v1",
                        "time": "2026-01-01T00:00:00Z",
                        "fieldsType": "FieldsV1",
                        "fieldsV1": {
                            "f:data": {f"f:key-{i}": {} for i in range(5)},
                            "f:metadata": {"f:labels": {"f:app": {}}},
                        },
                    }
                ],
            },
            "type": "Opaque",
            "data": {f"key-{i}": "c2VjcmV0LXZhbHVl" for i in range(5)},
        }
    )


@dataclass(frozen=True, slots=True)
class Event:
    type: str
    body: bytes


class Feed:
    """A source that streams prepared objects and then whatever is pushed."""

    def __init__(self, make: Callable[[int], bytes], count: int) -> None:
        self.make = make
        self.count = count
        self.queue: asyncio.Queue[list[Event]] = asyncio.Queue()

    def pages(self, *, resource_version: str, limit: int, exact: bool = False) -> AsyncIterator[Any]:
        raise NotImplementedError

    @asynccontextmanager
    async def watch(self, *, resource_version: str, initial_events: bool, timeout_seconds: int) -> AsyncIterator[Any]:
        yield self.events()

    async def events(self) -> AsyncIterator[Event]:
        for number in range(self.count):
            yield Event("ADDED", self.make(number))
        end = {"kind": "Secret", "apiVersion": "v1", "metadata": {"resourceVersion": "100000"}}
        end["metadata"]["annotations"] = {"k8s.io/initial-events-end": "true"}  # type: ignore[index]
        yield Event("BOOKMARK", orjson.dumps(end))
        while True:
            for event in await self.queue.get():
                yield event


def report(name: str, value: float, unit: str, budget: float) -> None:
    mark = "ok " if value <= budget else "BAD"
    print(f"{mark} {name:<46} {value:9.2f} {unit:<4} (budget {budget:g}, ratio {value / budget:.2f})")


async def queue_cycle() -> None:
    metrics = RuntimeMetrics()
    queue: WorkQueue[Request] = WorkQueue(SystemClock(), metrics=metrics.queue.queue("bench"))
    keys = [Request("ns", f"name-{number}") for number in range(1000)]
    started = time.process_time()
    for _ in range(100):
        for key in keys:
            queue.add(key)
        for _key in keys:
            taken = await queue.get()
            assert taken is not None
            queue.done(taken.key)
    report("queue add, get, done, with metrics", (time.process_time() - started) * 10, "us", 3.5)


async def delayed_keys() -> None:
    before = rss()
    queue: WorkQueue[int] = WorkQueue(SystemClock())
    started = time.process_time()
    for key in range(1_000_000):
        queue.add_after(key, 1000.0 + key)
    report("1M delayed keys: add_after each", time.process_time() - started, "us", 5)
    report("1M delayed keys: memory", rss() - before, "MiB", 200)
    queue.shutdown()


async def cache_reads() -> None:
    async with synced(secret, 2000, InformerSpec(SECRET, label_selector="!none", values=True)) as (cache, _):
        key = ObjectKey("ns-7", "secret-00007")
        started = time.process_time()
        for _ in range(20_000):
            await cache.get(SECRET, key)
        report("cache.get, a private copy", (time.process_time() - started) / 20_000 * 1e6, "us", 8)
        started = time.process_time()
        for _ in range(100_000):
            cache.peek(SECRET, key)
        report("cache.peek, the shared entry", (time.process_time() - started) / 100_000 * 1e6, "us", 1)


async def initial_sync() -> None:
    bodies = [secret(number) for number in range(10_000)]
    for name, spec, budget in (
        ("full bodies", InformerSpec(SECRET, label_selector="!none", values=True), 1.0),
        ("metadata", InformerSpec(Partial(SECRET)), 0.6),
    ):
        started = time.process_time()
        async with synced(bodies.__getitem__, len(bodies), spec):
            report(f"initial sync of 10k Secrets, {name}", time.process_time() - started, "s", budget)


async def event_to_key() -> None:
    feed = Feed(secret, 1000)
    clock = SystemClock()
    cache = Cache(lambda spec, namespace: feed, clock)
    controller, _ = make_controller(cache, noop, max_concurrent=1)
    source = KindSource(
        cache,
        InformerSpec(SECRET, label_selector="!none", values=True),
        enqueue_object,
        [predicates.resource_version_changed],
        primary=True,
    )
    count = 20_000
    events = [Event("MODIFIED", secret(number % 1000, 2 + number // 1000)) for number in range(count)]
    async with TaskScope("bench") as scope:
        cache.start(scope)
        source.start(controller, scope)
        await cache.wait_for_sync(60)
        await source.wait_synced()
        while controller.queue.get_nowait() is not None:
            pass
        for taken in list(controller.queue._processing):
            controller.queue.done(taken)
        started = time.process_time()
        for start in range(0, count, 100):
            feed.queue.put_nowait(events[start : start + 100])
            while controller.queue.statistics().ready < 100:  # noqa: ASYNC110 - an event would cost what is measured
                await asyncio.sleep(0)
            while (taken_key := controller.queue.get_nowait()) is not None:
                controller.queue.done(taken_key.key)
        report("watch event to ready key", (time.process_time() - started) / count * 1e6, "us", 60)
        await scope.cancel()


async def noop(ctx: Context, request: Request) -> Result | None:
    return None


async def reconcile_overhead() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(20))
    for name, timeout in (("", None), (", with a timeout", 300.0)):
        cache = Cache(lambda spec, namespace: Feed(secret, 0), SystemClock())
        controller, finished = make_controller(cache, noop, max_concurrent=16, reconcile_timeout=timeout)
        count = 20_000
        for number in range(count):
            controller.add(Request("ns", f"name-{number}"))
        async with TaskScope("bench") as scope:
            started = time.process_time()
            scope.spawn(controller.start(), name="controller")
            while finished() < count:  # noqa: ASYNC110 - an event would cost what is measured
                await asyncio.sleep(0)
            spent = time.process_time() - started
            await controller.drain(1)
        report(f"empty reconcile{name}", spent / count * 1e6, "us", 60)


async def event_burst() -> None:
    class Writer:
        count = 0

        async def create(self, obj: dict[str, Any], /) -> None:
            self.count += 1
            await asyncio.sleep(0)

        async def patch(self, kind: object, key: ObjectKey, body: dict[str, Any], /) -> None:
            self.count += 1

    metrics = RuntimeMetrics()
    clock = SystemClock()
    writer = Writer()
    sink = EventSink(writer, clock, dropped=metrics.events_dropped)
    recorder = Recorder("external-secrets", CoreCorrelator(clock), sink, dropped=metrics.events_dropped)
    count = 2000
    subjects = [
        {
            "apiVersion": "external-secrets.io/v1",
            "kind": "ExternalSecret",
            "metadata": {"name": f"es-{n}", "namespace": "ns", "uid": f"uid-{n}", "resourceVersion": str(n)},
        }
        for n in range(count)
    ]
    async with TaskScope("bench") as scope:
        scope.spawn(sink.run(), name="sink")
        started = time.process_time()
        for subject in subjects:
            recorder.event(subject, "Normal", "Created", "secret created")
        recorded = time.process_time() - started
        await sink.flush()
        report("record an event", recorded / count * 1e6, "us", 30)
        report("record and write an event, without HTTP", (time.process_time() - started) / count * 1e6, "us", 60)
        assert writer.count == count
        await scope.cancel()


async def scrape() -> None:
    """The metrics page of a hundred controllers."""
    metrics = RuntimeMetrics()
    for number in range(100):
        series = metrics.controller.controller(f"controller-{number}", 4)
        metrics.queue.queue(f"controller-{number}")
        for _ in range(20):
            series.time.observe(0.01 * number)
    started = time.process_time()
    for _ in range(10):
        render(metrics.registry)
    report("scrape of a hundred controllers", (time.process_time() - started) * 100, "ms", 50)


async def foreign_secrets() -> None:
    before = rss()
    async with synced(secret, 20_000, InformerSpec(Partial(SECRET))):
        gc.collect()
        report("20,000 foreign Secrets as metadata: memory", rss() - before, "MiB", 32)


@asynccontextmanager
async def synced(make: Callable[[int], bytes], count: int, spec: InformerSpec) -> AsyncIterator[tuple[Cache, Feed]]:
    feed = Feed(make, count)
    cache = Cache(lambda spec, namespace: feed, SystemClock())
    informer = cache.register(spec)
    async with TaskScope("bench") as scope:
        cache.start(scope)
        await cache.wait_for_sync(60)
        assert len(informer) == count
        yield cache, feed
        await scope.cancel()


def make_controller(cache: Cache, reconcile: Any, **options: Any) -> tuple[Controller, Callable[[], float]]:
    metrics = RuntimeMetrics()
    environment = Environment(
        client=cast(Any, None), api=cast(Any, None), cache=cache, recorder=cast(Any, None), clock=SystemClock()
    )
    controller = Controller(
        "bench", reconcile, environment, metrics, gvk=CONFIG_MAP, options=ControllerOptions(**options)
    )
    success = metrics.controller.total.labels("bench", "success")
    return controller, lambda: success.value


def rss() -> float:
    """Resident memory in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


BENCHMARKS: dict[str, Callable[[], Awaitable[None]]] = {
    function.__name__: function
    for function in (
        foreign_secrets, queue_cycle, cache_reads, initial_sync, event_to_key, reconcile_overhead, event_burst,
        scrape, delayed_keys,
    )
}  # fmt: skip

if __name__ == "__main__":
    for wanted in sys.argv[1:] or BENCHMARKS:
        asyncio.run(cast(Any, BENCHMARKS[wanted]()))
