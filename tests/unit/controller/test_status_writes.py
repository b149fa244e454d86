"""Conditions and statuses from a reconcile: one write when they say something new, none otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from eso_core.aio import TaskScope
from eso_core.builder import Operator
from eso_core.cache import InformerSpec
from eso_core.client import MergePatch
from eso_core.controller import Context, Request
from eso_core.manager import Manager, ManagerOptions
from eso_core.meta import ObjectKey, find_condition, set_condition
from eso_core.meta.errors import NoSubresource, NotCached, NotFound
from eso_core.meta.wellknown import SECRET
from eso_core.model import Model, Resource
from eso_core.testing.clock import FakeClock
from eso_core.testing.fakeclient import FakeClient

KEY = ObjectKey("n", "a")
READY: dict[str, Any] = {"type": "Ready", "reason": "Done"}


class Spec(Model):
    color: str


class Lamp(Resource, group="example.io", version="v1", status_subresource=True):
    spec: Spec
    status: dict[str, Any] | None = None


def lamp() -> Lamp:
    return Lamp.model_validate({"metadata": {"name": "a", "namespace": "n"}, "spec": {"color": "red"}})


class Bench:
    def __init__(self, manager: Manager, client: FakeClient, clock: FakeClock) -> None:
        self.client = manager.client
        self.fake = client
        self.clock = clock

    async def lamp(self) -> Lamp:
        return await self.client.get(Lamp, KEY)

    async def status(self) -> dict[str, Any]:
        return (await self.fake.get(Lamp, KEY)).status or {}

    async def patches(self) -> int:
        return len(await self.fake.requests(verb="patch"))


async def in_a_manager(test: Any) -> None:
    clock = FakeClock()
    async with FakeClient(lamp(), clock=clock) as client, TaskScope("manager") as scope:
        manager = Manager(client, clock=clock)
        manager.cache.register(InformerSpec(Lamp))
        scope.spawn(manager.run(), name="manager")
        await clock.advance(1)
        running = scope.spawn(test(Bench(manager, client, clock)), name="test")
        while not running.done():
            await clock.advance(0.1)
        manager.stop()
        await clock.advance(60)
    await running


async def test_a_condition_is_written_when_it_says_something_new() -> None:
    """The time moves with the status; the generation is that of the object that was looked at."""

    async def run(bench: Bench) -> None:
        seen = await bench.lamp()
        assert await bench.client.set_condition(seen, status=True, message="on", **READY)
        first = find_condition((await bench.status())["conditions"], "Ready")
        assert first is not None
        assert (first["status"], first["message"], first["observedGeneration"]) == ("True", "on", 1)
        assert await bench.patches() == 1

        await bench.clock.sleep(100)
        assert not await bench.client.set_condition(seen, status="True", message="on", **READY)
        assert not await bench.client.set_condition(await bench.lamp(), status="True", message="on", **READY)
        assert await bench.patches() == 1

        assert await bench.client.set_condition(seen, status=True, message="bright", **READY)
        again = find_condition((await bench.status())["conditions"], "Ready")
        assert again is not None
        assert (again["message"], again["lastTransitionTime"]) == ("bright", first["lastTransitionTime"])

        assert await bench.client.set_condition((await bench.lamp()).encode(), status="False", **READY)
        off = find_condition((await bench.status())["conditions"], "Ready")
        assert off is not None
        assert off["lastTransitionTime"] != first["lastTransitionTime"]

    await in_a_manager(run)


async def test_two_conditions_of_one_object_as_it_was_read_do_not_overwrite_each_other() -> None:
    """They start from the newest state of the cache, which waits for the first write."""

    async def run(bench: Bench) -> None:
        seen = await bench.lamp()
        await bench.client.set_condition(seen, status=True, **READY)
        await bench.client.set_condition(seen, type="Bright", status="Unknown", reason="NoSensor")
        assert [each["type"] for each in (await bench.status())["conditions"]] == ["Ready", "Bright"]

    await in_a_manager(run)


async def test_fields_go_along_in_the_same_write() -> None:
    """One that is None goes away, and its absence is nothing new."""

    async def run(bench: Bench) -> None:
        seen = await bench.lamp()
        await bench.client.set_condition(seen, status=True, fields={"url": "u", "lumens": None}, **READY)
        assert (await bench.status())["url"] == "u"
        assert await bench.patches() == 1
        assert not await bench.client.set_condition(seen, status=True, fields={"url": "u", "lumens": None}, **READY)
        assert await bench.patches() == 1
        assert not await bench.client.set_condition(seen, status=True, fields={"url": None}, **READY)
        assert "url" not in await bench.status()
        assert await bench.patches() == 2

    await in_a_manager(run)


async def test_what_cannot_have_a_condition_says_why() -> None:
    """A kind that nobody watches, an object that is gone, a reason that is a sentence."""

    async def run(bench: Bench) -> None:
        seen = await bench.lamp()
        with pytest.raises(ValueError, match="reason must be a CamelCase word, not 'is on'"):
            await bench.client.set_condition(seen, type="Ready", status=True, reason="is on")
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}}
        with pytest.raises(NotCached):
            await bench.client.set_condition(secret, status=True, **READY)
        with pytest.raises(NotCached):
            await bench.client.get(SECRET, ("n", "s"))
        await bench.client.delete(Lamp, KEY)
        with pytest.raises(NotFound):
            await bench.client.set_condition(seen, status=True, **READY)

    await in_a_manager(run)


def test_a_bool_stands_for_its_name() -> None:
    """True is what everybody writes first; other words are still refused."""
    conditions: list[dict[str, Any]] = []
    now = FakeClock().now()
    assert set_condition(conditions, type="Ready", status=True, reason="R", now=now)
    assert not set_condition(conditions, type="Ready", status="True", reason="R", now=now)
    assert set_condition(conditions, type="Ready", status=False, reason="R", now=now)
    assert conditions[0]["status"] == "False"
    with pytest.raises(ValueError, match="status must be True, False or Unknown, not 'yes'"):
        set_condition(conditions, type="Ready", status="yes", reason="R", now=now)


class Bulb(Resource, group="example.io", version="v1"):
    """Its author forgot `status_subresource=True`."""

    spec: Spec
    status: dict[str, Any] | None = None


async def test_a_kind_without_a_status_says_how_to_get_one() -> None:
    """The server answers that the object is not found, which a reconcile of that object would count as done."""
    clock = FakeClock()
    bulb = Bulb.model_validate({"metadata": {"name": "a", "namespace": "n"}, "spec": {"color": "red"}})
    operator, seen = Operator("bulbs"), []

    @operator.controller(Bulb)
    async def reconcile(ctx: Context, request: Request) -> None:
        try:
            await ctx.client.set_condition(await ctx.client.get(Bulb, request.key), status=True, **READY)
        except NoSubresource as error:
            seen.append(str(error))
            raise

    with capture_logs() as logs:
        async with FakeClient(bulb, clock=clock) as client, TaskScope("manager") as scope:
            manager = await operator.manager(client, ManagerOptions(), clock=clock)
            scope.spawn(manager.run(), name="manager")
            await clock.advance(1)
            assert "writing the status of Bulb n/a: objects of this kind have no subresource status" in seen[0]
            assert "status_subresource=True" in seen[0]
            assert len(seen) > 1, "it is a failure, so it is tried again"
            with pytest.raises(NoSubresource):
                await client.update_status(await client.get(Bulb, KEY))
            with pytest.raises(NotFound):
                await client.patch(Bulb, ObjectKey("n", "gone"), MergePatch({"status": {}}), subresource="status")
            manager.stop()
            await clock.advance(60)
    assert any(line["event"] == "Reconciler error" for line in logs)
