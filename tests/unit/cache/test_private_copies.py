"""Whatever a reader does to what it got, the next reader sees the server's state."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

from eso_core.aio import TaskScope
from eso_core.cache import Cache, InformerSpec, Settings
from eso_core.meta import GVK, ObjectKey, Partial
from eso_core.metrics import RuntimeMetrics
from eso_core.model import Model, Resource
from eso_core.testing.clock import FakeClock

KEY = ObjectKey("ns", "a")
THING = GVK("copies.test", "v1", "Thing")


class Spec(Model):
    color: str
    tags: list[str]
    nested: dict[str, dict[str, int]]


class Thing(Resource, group="copies.test", version="v1"):
    spec: Spec


def spoil(value: Any, rng: random.Random) -> None:
    """Changes everything that can be changed, at any depth."""
    if isinstance(value, dict):
        for item in list(value.values()):
            spoil(item, rng)
        key = rng.choice([*value, "new"])
        try:
            value[key] = rng.choice(["spoilt", None, 7])
            if rng.random() < 0.3:
                value.clear()
        except TypeError:
            return  # shared, and says so
    elif isinstance(value, list):
        for item in value:
            spoil(item, rng)
        value.append("spoilt")
        rng.shuffle(value)
    elif isinstance(value, Model) or hasattr(value, "model_fields_set"):
        for name in type(value).model_fields:
            spoil(getattr(value, name), rng)
        if hasattr(value, "color"):
            value.color = "spoilt"
    elif hasattr(value, "meta"):
        spoil(value.meta.labels, rng)
        spoil(value.meta.annotations, rng)


async def test_no_read_shows_what_an_earlier_reader_did(
    clock: FakeClock, scope: TaskScope, server: Any, metrics: RuntimeMetrics
) -> None:
    """P-47: every public way to read, in any order, a thousand times, each result spoilt at all depths."""
    cache = Cache(lambda spec, namespace: server, clock, metrics=metrics.cache, settings=Settings(check_shared=True))
    server.kind, server.api_version = THING.kind, THING.api_version
    server.put(
        "a",
        labels={"app": "x"},
        metadata={"annotations": {"note": "n"}},
        spec={"color": "red", "tags": ["one", "two"], "nested": {"a": {"b": 1}}},
    )
    cache.register(InformerSpec(THING))
    cache.index(THING, "color", lambda meta, obj: [obj["spec"]["color"]])
    cache.index_field(THING, "spec.color")
    cache.start(scope)
    await clock.settle()

    async def one(reading: Awaitable[list[Any]]) -> Any:
        [found] = await reading
        return found

    reads: list[Callable[[], Awaitable[Any]]] = [
        lambda: cache.get(THING, KEY),
        lambda: cache.get(THING, KEY, stale_ok=True),
        lambda: cache.get_frozen(THING, KEY),
        lambda: one(cache.list(THING)),
        lambda: one(cache.list(THING, "ns", label_selector="app=x")),
        lambda: one(cache.list(THING, index=("color", "red"))),
        lambda: one(cache.list(THING, field_selector="spec.color=red")),
        lambda: cache.get(Thing, KEY),
        lambda: one(cache.list(Thing)),
        lambda: cache.get(Partial(THING), KEY),
        lambda: one(cache.list(Partial(THING))),
    ]

    def shown(found: Any) -> Any:
        if isinstance(found, Thing):
            return found.encode()["spec"], dict(found.metadata.labels or {})
        if isinstance(found, dict):
            spec = {**found["spec"], "tags": list(found["spec"]["tags"])}
            return spec, dict(found["metadata"]["labels"])
        return dict(found.meta.labels), dict(found.meta.annotations)

    expected = [shown(await read()) for read in reads]
    rng = random.Random(47)
    for _ in range(1_000):
        number = rng.randrange(len(reads))
        found = await reads[number]()
        assert shown(found) == expected[number]
        spoil(found, rng)
    entry = cache.peek(THING, KEY)
    assert entry is not None
    assert entry.meta.labels == {"app": "x"}
