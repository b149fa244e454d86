"""The rules of the objects in a ``FakeClient``."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from eso_core.client import Client, MergePatch
from eso_core.meta import GVK, ObjectKey
from eso_core.meta.errors import AlreadyExists, ApiError, ConfigError, Conflict, ConnectionLost, Gone, NotFound
from eso_core.meta.object import ObjectMeta
from eso_core.meta.wellknown import CONFIG_MAP, SECRET
from eso_core.testing.clock import FakeClock
from eso_core.testing.fakeclient import FakeClient, declare

WIDGET = GVK("test.example.io", "v1", "Widget")
WIDGETS = declare(WIDGET, "widgets")
KEY = ObjectKey("a", "x")


def config_map(name: str = "x", namespace: str = "a", **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


def widget(name: str = "x", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "a", **more.pop("metadata", {})}
    return {"apiVersion": "test.example.io/v1", "kind": "Widget", "metadata": metadata, **more}


async def test_it_is_a_client() -> None:
    """T-10: whatever takes a Client takes this one."""
    async with FakeClient() as client:
        assert isinstance(client, Client)


async def test_given_objects_have_999_and_each_write_counts_one() -> None:
    """T-10: resource versions."""
    async with FakeClient(config_map(n="1"), config_map("y")) as client:
        first = await client.get(CONFIG_MAP, KEY)
        assert first["metadata"]["resourceVersion"] == "999"
        assert (await client.get(CONFIG_MAP, ObjectKey("a", "y")))["metadata"]["resourceVersion"] == "999"
        second = await client.update({**first, "data": {"n": "2"}})
        assert second["metadata"]["resourceVersion"] == "1000"
        created = await client.create(config_map("z"))
        assert created["metadata"]["resourceVersion"] == "1001"
        same = await client.update(second)
        assert same["metadata"]["resourceVersion"] == "1000"


async def test_a_stale_update_conflicts() -> None:
    """T-10: Conflict."""
    async with FakeClient(config_map(n="1")) as client:
        stale = await client.get(CONFIG_MAP, KEY)
        await client.update({**stale, "data": {"n": "2"}})
        with pytest.raises(Conflict):
            await client.update({**stale, "data": {"n": "3"}})
        assert (await client.get(CONFIG_MAP, KEY))["data"] == {"n": "2"}


async def test_what_is_there_cannot_be_created_and_what_is_not_cannot_be_read() -> None:
    """T-10: AlreadyExists and NotFound."""
    async with FakeClient(config_map()) as client:
        with pytest.raises(AlreadyExists):
            await client.create(config_map())
        with pytest.raises(NotFound):
            await client.get(CONFIG_MAP, ObjectKey("a", "nope"))
        with pytest.raises(NotFound):
            await client.delete(CONFIG_MAP, ObjectKey("a", "nope"))


async def test_the_status_is_apart_where_it_is_a_subresource() -> None:
    """T-10: status isolation, and generations that only the spec moves."""
    given = widget(spec={"size": 1}, status={"ready": False})
    async with FakeClient(given, kinds=[WIDGETS]) as client:
        found = await client.get(WIDGET, KEY)
        assert found["status"] == {"ready": False}
        assert found["metadata"]["generation"] == 1
        changed = await client.update({**found, "spec": {"size": 2}, "status": {"ready": True}})
        assert (changed["spec"], changed["status"]) == ({"size": 2}, {"ready": False})
        assert changed["metadata"]["generation"] == 2
        changed = await client.update_status({**changed, "spec": {"size": 3}, "status": {"ready": True}})
        assert (changed["spec"], changed["status"]) == ({"size": 2}, {"ready": True})
        assert changed["metadata"]["generation"] == 2


async def test_without_the_subresource_the_status_is_a_field_as_any_other() -> None:
    """T-10: only kinds declared with a status subresource isolate it."""
    async with FakeClient(widget(), kinds=[declare(WIDGET, "widgets", status=False)]) as client:
        found = await client.get(WIDGET, KEY)
        changed = await client.update({**found, "status": {"ready": True}})
        assert changed["status"] == {"ready": True}
        assert changed["metadata"]["generation"] == 2


async def test_finalizers_hold_a_deletion() -> None:
    """T-10: deletionTimestamp until the last finalizer is gone."""
    async with FakeClient(widget(metadata={"finalizers": ["t/f"]}), kinds=[WIDGETS]) as client:
        await client.delete(WIDGET, KEY)
        held = await client.get(WIDGET, KEY)
        assert held["metadata"]["deletionTimestamp"]
        await client.patch(WIDGET, KEY, MergePatch({"metadata": {"finalizers": None}}))
        with pytest.raises(NotFound):
            await client.get(WIDGET, KEY)


async def test_a_given_object_can_be_in_deletion_only_with_a_finalizer() -> None:
    """T-10: create with a deletionTimestamp and no finalizer is refused."""
    gone = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    async with FakeClient(widget(metadata=gone), kinds=[WIDGETS]) as client:
        with pytest.raises(ValueError, match="add a finalizer"):
            await client.get(WIDGET, KEY)
    async with FakeClient(widget(metadata={**gone, "finalizers": ["t/f"]}), kinds=[WIDGETS]) as client:
        assert (await client.get(WIDGET, KEY))["metadata"]["deletionTimestamp"] == "2026-01-01T00:00:00Z"


async def test_objects_that_cannot_be_are_refused() -> None:
    """T-10: an object given twice, and one of a kind that nobody declared."""
    async with FakeClient(config_map(), config_map()) as client:
        with pytest.raises(ValueError, match="given twice"):
            await client.get(CONFIG_MAP, KEY)
    async with FakeClient(widget()) as client:
        with pytest.raises(LookupError, match="install its definition"):
            await client.get(CONFIG_MAP, KEY)


async def test_registered_indexes_are_field_selectors() -> None:
    """T-10: selectors with registered indexes; others are refused."""

    def size(meta: ObjectMeta, obj: dict[str, Any]) -> str:
        return str(obj["spec"]["size"])

    objects = [widget("x", spec={"size": 1}), widget("y", spec={"size": 2})]
    async with FakeClient(*objects, kinds=[WIDGETS]) as client:
        with pytest.raises(ApiError, match=r"field label not supported: spec\.size"):
            await client.list(WIDGET, "a", field_selector="spec.size=2")
        await client.index(WIDGET, "spec.size", size)
        found = await client.list(WIDGET, "a", field_selector="spec.size=2")
        assert [item["metadata"]["name"] for item in found.items] == ["y"]


async def test_a_dry_run_changes_nothing() -> None:
    """T-10: dry run."""
    async with FakeClient(config_map()) as client:
        answer = await client.create(config_map("y"), dry_run=True)
        assert answer["metadata"]["uid"]
        with pytest.raises(NotFound):
            await client.get(CONFIG_MAP, ObjectKey("a", "y"))


async def test_a_watch_goes_on_from_999() -> None:
    """T-10: watch."""
    async with FakeClient(config_map()) as client:
        listed = await client.list(CONFIG_MAP, "a")
        assert listed.resource_version == "999"
        async with client.watch(CONFIG_MAP, "a", resource_version=listed.resource_version) as watch:
            await client.create(config_map("y"))
            await client.delete(CONFIG_MAP, ObjectKey("a", "y"))
            shown = [(event.type, event.meta.name) async for event in _first(watch, 2)]
        assert shown == [("ADDED", "y"), ("DELETED", "y")]


async def test_watches_break_and_history_ends_on_request() -> None:
    """T-10: what a cache must bear can be had on the fake client too."""
    async with FakeClient(config_map()) as client:
        async with client.watch(CONFIG_MAP, "a", resource_version="999") as watch:
            client.drop_watches()
            with pytest.raises(ConnectionLost):
                await anext(aiter(watch))
        await client.create(config_map("y"))
        await client.compact()
        with pytest.raises(Gone):
            async with client.watch(CONFIG_MAP, "a", resource_version="999") as watch:
                await anext(aiter(watch))


async def test_watches_that_ended_are_forgotten() -> None:
    """T-10: a long test with many watches holds none of them."""
    async with FakeClient(config_map()) as client:
        for _ in range(3):
            async with client.watch(CONFIG_MAP, "a", resource_version="999"):
                assert len(client._memory._streams) == 1
        assert not client._memory._streams


async def test_dependents_go_when_asked() -> None:
    """T-10: owners' garbage collection is the test's to call."""
    async with FakeClient(config_map("owner")) as client:
        owner = await client.get(CONFIG_MAP, ObjectKey("a", "owner"))
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
        child = config_map("child")
        child["metadata"]["ownerReferences"] = [reference]
        await client.create(child)
        await client.delete(CONFIG_MAP, ObjectKey("a", "owner"))
        for _ in range(5):
            await asyncio.sleep(0)
        assert await client.get(CONFIG_MAP, ObjectKey("a", "child"))
        await client.run_gc()
        with pytest.raises(NotFound):
            await client.get(CONFIG_MAP, ObjectKey("a", "child"))


async def test_a_closed_client_says_so() -> None:
    """T-10: as the real one."""
    client = FakeClient()
    async with client:
        await client.list(SECRET)
    with pytest.raises(ConfigError, match="closed"):
        await client.list(SECRET)


async def test_time_is_the_clocks() -> None:
    """T-10: timestamps come from the injected clock."""
    clock = FakeClock()
    async with FakeClient(config_map(), clock=clock) as client:
        await clock.advance(3600)
        created = await client.create(config_map("y"))
        assert created["metadata"]["creationTimestamp"] == "2026-01-01T01:00:00Z"


async def _first(stream: Any, count: int) -> Any:
    for _ in range(count):
        yield await anext(stream)
