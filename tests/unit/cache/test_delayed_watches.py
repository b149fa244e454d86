"""Own writes under a watch that comes before, with, or up to half a second after the answers."""

from __future__ import annotations

import asyncio
import random
from typing import Any, cast

import orjson
import pytest

from eso_core.aio import TaskScope
from eso_core.cache import Cache, CachedClient, InformerSpec
from eso_core.client import Client
from eso_core.meta import ObjectKey
from eso_core.meta.errors import ConnectionLost, NotFound
from eso_core.meta.wellknown import CONFIG_MAP
from eso_core.metrics import RuntimeMetrics
from eso_core.testing.clock import FakeClock


class LateServer:
    """Writes to the fake server whose events take one way and whose answers another."""

    def __init__(self, server: Any, clock: FakeClock, scope: TaskScope, rng: random.Random) -> None:
        self.server = server
        self.clock = clock
        self.rng = rng
        self.gets = 0
        self.early = 0
        stream = server.streams[0]
        #: Events wait in one line, for a watch keeps their order.
        self._line: asyncio.Queue[tuple[float, str, bytes]] = asyncio.Queue()
        self._push = stream.push
        stream.push = lambda kind, body: self._line.put_nowait((clock.monotonic() + self._delay, kind, body))
        self._delay = 0.0
        scope.spawn(self._deliver(), name="watch")

    async def _deliver(self) -> None:
        while True:
            due, kind, body = await self._line.get()
            if due > self.clock.monotonic():
                await self.clock.sleep(due - self.clock.monotonic())
            self._push(kind, body)

    async def _answer(self) -> None:
        if self._delay == 0.0:
            self.early += 1
            await self.clock.sleep(0.05)  # the event is there long before the answer

    async def get(self, kind: Any, key: ObjectKey) -> Any:
        self.gets += 1
        try:
            return orjson.loads(orjson.dumps(self.server.objects[key]))
        except KeyError:
            raise NotFound(f"{key} not found") from None

    async def create(self, obj: dict[str, Any], **options: Any) -> Any:
        self._delay = self.rng.choice([0.0, self.rng.uniform(0.0, 0.5)])
        result = self.server.put(obj["metadata"]["name"], obj["metadata"]["namespace"], data=obj["data"])
        await self._answer()
        return result


@pytest.fixture
async def late(cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any) -> LateServer:
    cache.register(spec)
    cache.start(scope)
    await cache.wait_for_sync(5)
    api = LateServer(server, clock, scope, random.Random(41))
    cache._live = cast(Client, api)
    return api


async def test_a_thousand_creations_are_each_read_at_once(
    cache: Cache, late: LateServer, clock: FakeClock, metrics: RuntimeMetrics
) -> None:
    """P-41: events 0 to 500 ms late, or ahead of the answer: the cached read shows the object, and asks nobody."""
    client = CachedClient(cast(Client, late), cache)
    clock.auto = True
    for number in range(1_000):
        key = ObjectKey("ns", f"o{number}")
        await client.create(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": key._asdict(), "data": {"n": str(number)}}
        )
        assert (await client.get(CONFIG_MAP, key))["data"] == {"n": str(number)}
        if number % 100 == 0:
            assert len(await client.list(CONFIG_MAP)) == number + 1
    assert 300 < late.early < 700
    assert late.gets == 0
    assert not cache.writes.active
    assert metrics.registry.get_sample_value("eso_core_read_your_writes_timeouts_total") == 0
    clock.auto = False


@pytest.mark.parametrize("stored", [True, False])
async def test_no_second_object_is_made_when_the_answer_is_lost(
    cache: Cache, late: LateServer, clock: FakeClock, server: Any, stored: bool
) -> None:
    """P-42: create, no answer, look, create if it is not there: one creation that was stored, whatever became of the first."""
    creations = 0

    async def cut(obj: dict[str, Any], **options: Any) -> Any:
        nonlocal creations
        if stored:
            creations += 1
            late._delay = 0.4
            server.put(obj["metadata"]["name"], obj["metadata"]["namespace"], data=obj["data"])
        raise ConnectionLost("reset")

    client = CachedClient(cast(Client, late), cache)
    answered, late.create = late.create, cut  # type: ignore[method-assign]
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "ns"}, "data": {}}
    with pytest.raises(ConnectionLost):
        await client.create(obj)
    late.create = answered  # type: ignore[method-assign]
    clock.auto = True
    try:
        await client.get(CONFIG_MAP, ("ns", "a"))
    except NotFound:
        creations += 1
        await client.create(obj)
    assert late.gets == 1
    assert (await client.get(CONFIG_MAP, ("ns", "a")))["metadata"]["name"] == "a"
    assert creations == 1
    clock.auto = False


async def test_after_the_live_read_the_cache_never_goes_back(
    cache: Cache, late: LateServer, clock: FakeClock, server: Any
) -> None:
    """P-42: a status whose answer was lost: what the live read showed, later reads of all forms show as well."""
    obj = server.put("a", status={"phase": "old"})
    await clock.settle()
    key = ObjectKey("ns", "a")

    async def patch(kind: Any, key: ObjectKey, patch: Any, **options: Any) -> Any:
        late._delay = 0.4
        changed = server.put("a", **{**{k: v for k, v in obj.items() if k == "data"}, **patch.body})
        if changed["status"]["phase"] == "lost":
            raise ConnectionLost("reset")
        return changed

    late.patch = patch  # type: ignore[attr-defined]
    client = CachedClient(cast(Client, late), cache)
    clock.auto = True
    with pytest.raises(ConnectionLost):
        await client.patch_status(CONFIG_MAP, key, {"phase": "lost"})
    for read in (client.get, cache.get_frozen, cache.get_frozen, client.get):
        assert (await read(CONFIG_MAP, key))["status"]["phase"] == "lost"
    assert late.gets == 1
    clock.auto = False


async def test_a_status_is_written_when_nobody_knows_what_is_there(
    cache: Cache, late: LateServer, clock: FakeClock, server: Any
) -> None:
    """H-33: the cached status is no reason to send nothing after a write whose answer was lost."""
    server.put("a", status={"phase": "one"})
    await clock.settle()
    sent: list[str] = []

    async def patch(kind: Any, key: ObjectKey, patch: Any, **options: Any) -> Any:
        sent.append(patch.body["status"]["phase"])
        late._delay = 5.0
        changed = server.put("a", **patch.body)
        if sent == ["two"]:
            raise ConnectionLost("reset")
        return changed

    late.patch = patch  # type: ignore[attr-defined]
    client = CachedClient(cast(Client, late), cache)
    with pytest.raises(ConnectionLost):
        await client.patch_status(CONFIG_MAP, ("ns", "a"), {"phase": "two"})
    await client.patch_status(CONFIG_MAP, ("ns", "a"), {"phase": "one"})
    assert sent == ["two", "one"]
    await clock.advance(20)
    await client.patch_status(CONFIG_MAP, ("ns", "a"), {"phase": "one"})
    assert sent == ["two", "one"]
