"""Reads from the cache."""

from __future__ import annotations

import gc
import weakref
from typing import Any, ClassVar

import pytest

from eso_core.aio import TaskScope
from eso_core.cache import Cache, InformerSpec
from eso_core.meta import GVK, LabelSelector, ObjectKey, ObjectMeta, Partial, PartialObject
from eso_core.meta.errors import NotCached, NotFound, NotIndexed
from eso_core.meta.wellknown import CONFIG_MAP, NAMESPACE, SECRET
from eso_core.testing.clock import FakeClock

KEY = ObjectKey("ns", "a")


class Typed:
    """A typed resource as the cache sees one."""

    gvk: ClassVar[GVK] = CONFIG_MAP
    namespaced: ClassVar[bool] = True

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    @classmethod
    def decode(cls, raw: bytes) -> Typed:
        return cls(raw)


async def synced(cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock) -> None:
    cache.register(spec)
    cache.start(scope)
    await cache.wait_for_sync(5)


async def test_every_reader_gets_an_object_of_its_own(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """R-41, P-47: changing what a read returned never shows in the next read."""
    server.put("a", labels={"app": "x"}, data={"k": "v"})
    await synced(cache, spec, scope, clock)
    for _ in range(2):
        obj = await cache.get(CONFIG_MAP, KEY)
        assert obj["data"] == {"k": "v"}
        assert obj["metadata"]["labels"] == {"app": "x"}
        obj["data"]["k"] = "changed"
        obj["metadata"]["labels"]["app"] = "changed"
        (listed,) = await cache.list(CONFIG_MAP)
        listed["data"].clear()
        partial = await cache.get(Partial(CONFIG_MAP), KEY)
        partial.meta.labels["app"] = "changed"
        partial.meta.annotations["new"] = "x"


async def test_a_kind_is_read_as_dict_typed_or_metadata_from_one_informer(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """R-50: three forms of a kind share the informer."""
    server.put("a")
    await synced(cache, spec, scope, clock)
    assert (await cache.get(CONFIG_MAP, KEY))["kind"] == "ConfigMap"
    assert isinstance(await cache.get(Typed, KEY), Typed)
    partial = await cache.get(Partial(CONFIG_MAP), ("ns", "a"))
    assert isinstance(partial, PartialObject)
    assert partial.meta.uid == "uid-1"
    assert len(server.requests) == 1


async def test_an_informer_without_objects_still_serves(cache: Cache) -> None:
    """R-50: metadata and views of a kind are found before their first object, although an empty informer has length 0."""
    cache.register(InformerSpec(Partial(CONFIG_MAP)))
    cache.register(InformerSpec(CONFIG_MAP, view="v"))
    assert cache.peek(Partial(CONFIG_MAP), KEY) is None
    assert cache.peek(CONFIG_MAP, KEY, view="v") is None
    assert cache.find(CONFIG_MAP) is None


async def test_list_items_get_the_type_that_lists_leave_out(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """C-32: items of built-in lists come without apiVersion and kind."""
    obj = server.put("a")
    del obj["apiVersion"], obj["kind"]
    await synced(cache, spec, scope, clock)
    found = await cache.get(CONFIG_MAP, KEY)
    assert (found["apiVersion"], found["kind"]) == ("v1", "ConfigMap")


async def test_bulk_is_stripped(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """R-43: managedFields and kubectl's annotation are dropped by default, and kept when asked for."""
    metadata = {
        "managedFields": [{"manager": "m"}],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "keep": "me"},
    }
    server.put("a", metadata=metadata)
    cache.register(InformerSpec(CONFIG_MAP, view="whole", strip_managed_fields=False))
    await synced(cache, spec, scope, clock)
    found = (await cache.get(CONFIG_MAP, KEY))["metadata"]
    assert "managedFields" not in found
    assert found["annotations"] == {"keep": "me"}
    assert "managedFields" in (await cache.get(CONFIG_MAP, KEY, view="whole"))["metadata"]


async def test_lists_select_by_namespace_labels_and_index(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """R-56, R-58: terms are combined; the index may be added before or after the objects are there."""

    def by_color(meta: ObjectMeta, obj: dict[str, Any]) -> list[str]:
        return [obj["data"]["color"]] if "data" in obj else []

    def by_raising(meta: ObjectMeta, obj: dict[str, Any]) -> list[str]:
        raise RuntimeError("boom")

    server.put("a", namespace="one", labels={"app": "x"}, data={"color": "red"})
    server.put("b", namespace="one", labels={"app": "y"}, data={"color": "red"})
    server.put("c", namespace="two", labels={"app": "x"}, data={"color": "blue"})
    server.put("d", namespace="two")
    informer = cache.register(spec)
    cache.index(CONFIG_MAP, "early", by_color)
    cache.index(CONFIG_MAP, "broken", by_raising)
    cache.start(scope)
    await cache.wait_for_sync(5)
    cache.index(CONFIG_MAP, "late", by_color)

    async def names(*args: Any, **options: Any) -> list[str]:
        return [obj["metadata"]["name"] for obj in await cache.list(CONFIG_MAP, *args, **options)]

    assert await names() == ["a", "b", "c", "d"]
    assert await names("two") == ["c", "d"]
    assert await names(label_selector="app=x") == ["a", "c"]
    assert await names(label_selector={"app": "x"}, namespace="one") == ["a"]
    assert await names(label_selector=LabelSelector.parse("app!=x")) == ["b", "d"]
    assert await names(limit=2) == ["a", "b"]
    for index in ("early", "late"):
        assert await names(index=(index, "red")) == ["a", "b"]
        assert await names("one", index=(index, "red"), label_selector="app=y") == ["b"]
    assert await names(index=("broken", "x")) == []
    assert len(informer) == 4
    server.put("a", namespace="one", data={"color": "blue"})
    server.delete("c", namespace="two")
    await clock.settle()
    assert await names(index=("late", "red")) == ["b"]
    assert await names(index=("late", "blue")) == ["a"]
    assert await cache.keys(CONFIG_MAP, index=("late", "blue")) == [ObjectKey("one", "a")]
    with pytest.raises(NotIndexed, match="nothing"):
        await cache.list(CONFIG_MAP, index=("nothing", "x"))


async def test_fields_select_through_their_indexes(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """R-57: equalities only, within a namespace or over all, several of them combined."""
    server.put("a", namespace="one", spec={"color": "red", "on": True})
    server.put("b", namespace="one", spec={"color": "red", "on": False})
    server.put("c", namespace="two", spec={"color": "red", "on": True})
    server.put("d", namespace="two", spec={"color": {"not": "a value"}})
    cache.register(spec)
    for path in ("spec.color", "spec.on"):
        cache.index_field(CONFIG_MAP, path)
        cache.index_field(CONFIG_MAP, path)
    cache.start(scope)

    async def names(selector: str, namespace: str | None = None) -> list[str]:
        found = await cache.list(CONFIG_MAP, namespace, field_selector=selector)
        return [obj["metadata"]["name"] for obj in found]

    assert await names("spec.color=red") == ["a", "b", "c"]
    assert await names("spec.color=red", "one") == ["a", "b"]
    assert await names("spec.color=red,spec.on=true") == ["a", "c"]
    assert await names("spec.on=true", "two") == ["c"]
    with pytest.raises(ValueError, match="only equality"):
        await names("spec.color!=red")
    with pytest.raises(NotIndexed, match=r"field:spec\.size"):
        await names("spec.size=1")


async def test_missing_things_say_what_to_do(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """R-62: NotFound for objects, NotCached with a hint for kinds, views and namespaces."""
    await synced(cache, spec, scope, clock)
    with pytest.raises(NotFound) as error:
        await cache.get(CONFIG_MAP, KEY)
    assert error.value.details == {"name": "a", "kind": "ConfigMap", "group": ""}
    with pytest.raises(
        NotCached,
        match=r"let a controller watch it \(owns=, watches=; or cache\.register\), or ask the server with ctx\.api",
    ):
        await cache.get(SECRET, KEY)
    with pytest.raises(NotCached, match="view 'other'"):
        await cache.get(CONFIG_MAP, KEY, view="other")
    narrow = Cache(lambda spec, namespace: server, clock, namespaces=("one",))
    narrow.register(spec)
    narrow.start(scope)
    with pytest.raises(NotCached, match="add the namespace"):
        await narrow.get(CONFIG_MAP, KEY)


async def test_reads_wait_for_the_first_sync(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """R-62: an unsynced cache never answers "nothing there"."""
    server.put("a")
    cache.register(spec)
    reading = scope.spawn(cache.get(CONFIG_MAP, KEY), name="get")
    listing = scope.spawn(cache.list(CONFIG_MAP), name="list")
    await clock.settle()
    assert not reading.done()
    cache.start(scope)
    await clock.settle()
    assert reading.result()["metadata"]["name"] == "a"
    assert len(listing.result()) == 1


async def test_the_namespace_of_cluster_scoped_kinds_is_ignored(scope: TaskScope, clock: FakeClock) -> None:
    """C-36: in cache reads only."""
    from cache_fake_source import FakeServer

    server = FakeServer(kind="Namespace")
    server.put("demo", namespace="")
    cache = Cache(lambda spec, namespace: server, clock, namespaces=("one",))
    cache.register(InformerSpec(NAMESPACE))
    cache.start(scope)
    await cache.wait_for_sync(5)
    assert (await cache.get(NAMESPACE, ("ignored", "demo")))["metadata"]["name"] == "demo"
    assert len(await cache.list(NAMESPACE, "ignored")) == 1


async def test_a_view_is_defined_once(cache: Cache, spec: InformerSpec) -> None:
    """R-50: the same spec is the same informer; other settings need another view."""
    assert cache.register(spec) is cache.register(InformerSpec(CONFIG_MAP))
    with pytest.raises(ValueError, match="own view"):
        cache.register(InformerSpec(CONFIG_MAP, label_selector="a=b"))
    assert cache.register(InformerSpec(CONFIG_MAP, label_selector="a=b", view="v")) is not cache.register(spec)
    with pytest.raises(ValueError, match="another function"):
        cache.index(CONFIG_MAP, "i", lambda meta, obj: [])
        cache.index(CONFIG_MAP, "i", lambda meta, obj: ["x"])


async def test_a_transform_shapes_what_is_kept(cache: Cache, scope: TaskScope, clock: FakeClock, server: Any) -> None:
    """R-43: transforms change objects; None keeps identity only; one that raises drops the object."""

    def transform(obj: dict[str, Any]) -> dict[str, Any] | None:
        name = obj["metadata"]["name"]
        if name == "bad":
            raise RuntimeError("hunter2")
        if name == "hidden":
            return None
        obj["data"] = {"kept": obj["data"]["kept"]}
        return obj

    for name in ("ok", "hidden", "bad"):
        server.put(name, data={"kept": "1", "dropped": "2"})
    await synced(cache, InformerSpec(CONFIG_MAP, transform=transform), scope, clock)
    (found,) = await cache.list(CONFIG_MAP)
    assert found["data"] == {"kept": "1"}
    with pytest.raises(NotFound):
        await cache.get(CONFIG_MAP, ("ns", "hidden"))
    informer = cache.informer(CONFIG_MAP)
    assert len(informer) == 2
    assert informer.degraded is not None
    assert "hunter2" not in informer.degraded


async def test_peek_waits_for_nothing(
    cache: Cache, spec: InformerSpec, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """The cheapest read gives the shared entry, or None."""
    server.put("a")
    await synced(cache, spec, scope, clock)
    entry = cache.peek(CONFIG_MAP, KEY)
    assert entry is not None
    assert entry.meta.uid == "uid-1"
    assert cache.peek(CONFIG_MAP, ("ns", "none")) is None


async def test_a_stopped_cache_can_be_collected(clock: FakeClock, server: Any, spec: InformerSpec) -> None:
    """G-01: nothing global keeps a cache alive."""
    cache = Cache(lambda spec, namespace: server, clock)
    cache.register(spec)
    async with TaskScope("test") as tasks:
        cache.start(tasks)
        await cache.wait_for_sync(5)
        await tasks.cancel()
    dead = weakref.ref(cache)
    del cache, tasks
    gc.collect()
    assert dead() is None


@pytest.mark.parametrize(
    "options", [{"resync": -1}, {"namespaces": ("a", "a")}, {"namespaces": ("",)}, {"label_selector": "a==="}]
)
def test_bad_specs_are_refused(options: dict[str, Any]) -> None:
    """G-08: options are checked when the spec is made."""
    with pytest.raises(ValueError):
        InformerSpec(CONFIG_MAP, **options)
