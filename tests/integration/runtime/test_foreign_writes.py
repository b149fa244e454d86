"""Writes of others while a reconcile is under way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from eso_core.client import MergePatch
from eso_core.controller import Context, Request
from eso_core.manager import Manager, ManagerOptions
from eso_core.meta import ObjectKey
from eso_core.meta.errors import Conflict, NotFound, ServiceUnavailable
from eso_core.model import Model, Resource
from eso_core.testing.eventually import eventually
from eso_core.testing.fakeclient import FakeClient, Interceptor


class Spec(Model):
    color: str


class Status(Model):
    seen: str | None = None


class Lamp(Resource, group="foreign.test", version="v1", status_subresource=True):
    spec: Spec
    status: Status | None = None


KEY = ObjectKey("default", "l")


def lamp(color: str) -> Lamp:
    return Lamp(metadata={"name": "l", "namespace": "default"}, spec=Spec(color=color))


async def test_a_spec_that_changes_while_the_status_is_written_is_reconciled() -> None:
    """P-46: the edit lands between our read and our status patch; no conflict, and the last status is of the last spec."""
    edited = asyncio.Event()

    async with FakeClient(lamp("red")) as client:

        async def reconcile(ctx: Context, request: Request) -> None:
            found = await ctx.client.get(Lamp, request.key)
            if not edited.is_set():
                edited.set()
                await client.patch(Lamp, KEY, MergePatch({"spec": {"color": "blue"}}))
            await ctx.client.patch_status(Lamp, request.key, {"seen": found.spec.color})

        manager = Manager(client, options=ManagerOptions(metrics_addr="0", health_addr="0"))
        manager.controller(reconcile).for_(Lamp)
        task = asyncio.create_task(manager.run())

        async def settled() -> bool:
            found = await client.get(Lamp, KEY)
            return found.status is not None and found.status.seen == "blue"

        await eventually(settled)
        assert (
            manager.registry.get_sample_value("controller_runtime_reconcile_errors_total", {"controller": "lamp"}) == 0
        )
        manager.stop()
        await task


async def test_a_stale_replica_cannot_undo_what_the_new_leader_wrote() -> None:
    """P-45: both read the same version; the one that has lost its lease writes last, and is refused."""
    async with FakeClient(lamp("red")) as client:
        stale: Any = await client.get(Lamp, KEY)
        fresh: Any = await client.get(Lamp, KEY)
        fresh.spec.color = "blue"
        await client.update(fresh)
        stale.spec.color = "green"
        with pytest.raises(Conflict):
            await client.update(stale)
        assert (await client.get(Lamp, KEY)).spec.color == "blue"


async def test_deleting_all_makes_the_next_read_go_to_the_server() -> None:
    """R-70: what may be gone is not read from a cache that has not heard of it yet."""
    async with FakeClient(lamp("red")) as client:
        left: list[int] = []

        async def reconcile(ctx: Context, request: Request) -> None:
            if not left:
                await ctx.client.delete_all_of(Lamp, "default")
                left.append(len(await ctx.client.list(Lamp, "default")))

        manager = Manager(client, options=ManagerOptions(metrics_addr="0", health_addr="0"))
        manager.controller(reconcile).for_(Lamp)
        task = asyncio.create_task(manager.run())
        await eventually(lambda: left == [0])
        manager.stop()
        await task


async def test_when_it_is_not_known_what_was_deleted_the_next_read_asks_the_server() -> None:
    """R-71: the deletion succeeded, asking for what is left failed: no stale answer from the cache."""

    async def fail(inner: FakeClient, *args: Any, **options: Any) -> Any:
        raise ServiceUnavailable("try later")

    async with FakeClient(lamp("red"), interceptor=Interceptor(list=fail)) as client:
        answers: list[str] = []

        async def reconcile(ctx: Context, request: Request) -> None:
            if answers:
                return
            with pytest.raises(ServiceUnavailable):
                await ctx.client.delete_all_of(Lamp, "default")
            try:
                await ctx.client.get(Lamp, KEY)
                answers.append("still there")
            except NotFound:
                answers.append("gone")

        manager = Manager(client, options=ManagerOptions(metrics_addr="0", health_addr="0"))
        manager.controller(reconcile).for_(Lamp)
        task = asyncio.create_task(manager.run())
        await eventually(lambda: answers == ["gone"])
        manager.stop()
        await task
