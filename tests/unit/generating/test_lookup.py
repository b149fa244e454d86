"""How generators are read: one list for all, and no watch that nobody needs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from controllers.generating.lookup import GeneratorLookup
from eso_core.cache import InformerSpec
from eso_core.meta import GVK, JsonObject, ObjectKey
from eso_core.meta.errors import ApiError, Forbidden, NotFound
from eso_core.testing.clock import FakeClock

UUID = GVK("generators.external-secrets.io", "v1alpha1", "UUID")
CLUSTER = GVK("generators.external-secrets.io", "v1alpha1", "ClusterGenerator")


def refused(status: int, reason: str) -> ApiError:
    return ApiError.from_response("GET", "/x", status, b'{"kind":"Status","reason":"%s"}' % reason.encode(), {})


class Api:
    """The server: counts what it is asked."""

    def __init__(self) -> None:
        self.objects: dict[ObjectKey, JsonObject] = {}
        self.asked: list[ObjectKey] = []
        self.failure: Exception | None = None

    async def get(self, kind: GVK, key: ObjectKey) -> JsonObject:
        self.asked.append(key)
        if self.failure is not None:
            raise self.failure
        if key not in self.objects:
            raise refused(404, "NotFound")
        return self.objects[key]


class Informer:
    def __init__(self, spec: InformerSpec) -> None:
        self.spec = spec
        self.listed = asyncio.Event()

    @property
    def synced(self) -> bool:
        return self.listed.is_set()

    async def wait_synced(self) -> None:
        await self.listed.wait()


class Cached:
    """Informers that sync when the test says so."""

    def __init__(self, api: Api) -> None:
        self.informers: dict[Any, Informer] = {}
        self._api = api

    def find(self, kind: GVK) -> Informer | None:
        return self.informers.get(kind)

    def register(self, spec: InformerSpec) -> Informer:
        return self.informers.setdefault(spec.kind, Informer(spec))

    async def get(self, kind: GVK, key: ObjectKey) -> JsonObject:
        if key not in self._api.objects:
            raise refused(404, "NotFound")
        return self._api.objects[key]


@pytest.fixture
def api() -> Api:
    api = Api()
    api.objects = {ObjectKey("t", name): {"metadata": {"name": name}} for name in ("a", "b", "c")}
    api.objects[ObjectKey("", "shared")] = {"metadata": {"name": "shared"}}
    return api


def lookup(api: Api, clock: FakeClock | None = None) -> tuple[GeneratorLookup, Cached]:
    cached = Cached(api)
    made = GeneratorLookup(cached, api, clock or FakeClock(), namespaces=("t",))  # type: ignore[arg-type]
    return made, cached


async def test_who_comes_after_the_first_waits_for_the_list(api: Api) -> None:
    """A thousand objects after a restart: one question, one list."""
    reads, cached = lookup(api)
    assert (await reads.get(UUID, ObjectKey("t", "a")))["metadata"]["name"] == "a"
    others = [asyncio.ensure_future(reads.get(UUID, ObjectKey("t", name))) for name in ("b", "c") * 50]
    await asyncio.sleep(0)
    cached.informers[UUID].listed.set()
    assert {obj["metadata"]["name"] for obj in await asyncio.gather(*others)} == {"b", "c"}
    assert api.asked == [ObjectKey("t", "a")]
    assert cached.informers[UUID].spec.namespaces == ("t",)


async def test_a_list_that_does_not_come_is_waited_for_once(api: Api) -> None:
    """Without the right to it every object is asked for."""
    clock = FakeClock()
    reads, cached = lookup(api, clock)
    await reads.get(UUID, ObjectKey("t", "a"))
    waiting = asyncio.ensure_future(reads.get(UUID, ObjectKey("t", "b")))
    await clock.advance(4.9)
    assert not waiting.done()
    await clock.advance(0.2)
    assert (await waiting)["metadata"]["name"] == "b"
    assert (await reads.get(UUID, ObjectKey("t", "c")))["metadata"]["name"] == "c"
    cached.informers[UUID].listed.set()
    await reads.get(UUID, ObjectKey("t", "c"))
    assert api.asked == [ObjectKey("t", name) for name in ("a", "b", "c")]


async def test_a_generator_made_a_moment_ago_is_asked_for(api: Api) -> None:
    """Whoever applies a file with both means both."""
    reads, cached = lookup(api)
    await reads.get(UUID, ObjectKey("t", "a"))
    cached.informers[UUID].listed.set()
    with pytest.raises(NotFound):
        await reads.get(UUID, ObjectKey("t", "new"))
    assert api.asked[-1] == ObjectKey("t", "new")


async def test_only_kinds_that_may_be_read_are_watched(api: Api) -> None:
    """A missing object says that its kind is there; a refusal says nothing."""
    reads, cached = lookup(api)
    api.failure = refused(403, "Forbidden")
    with pytest.raises(Forbidden):
        await reads.get(UUID, ObjectKey("t", "a"))
    assert cached.informers == {}
    api.failure = None
    with pytest.raises(NotFound):
        await reads.get(UUID, ObjectKey("t", "new"))
    assert list(cached.informers) == [UUID]


async def test_cluster_generators_are_watched_without_namespaces(api: Api) -> None:
    """Whatever namespaces the operator serves."""
    reads, cached = lookup(api)
    await reads.get(CLUSTER, ObjectKey("", "shared"))
    assert cached.informers[CLUSTER].spec.namespaces == ()
