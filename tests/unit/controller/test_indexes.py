"""Indexes that a controller declares, and functions of theirs that fail."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from structlog.testing import capture_logs

from eso_core.aio import TaskScope
from eso_core.builder import Operator
from eso_core.controller import Context, Request, enqueue_indexed, enqueue_object
from eso_core.manager import Manager, ManagerOptions
from eso_core.meta import ObjectKey, ObjectMeta
from eso_core.meta.wellknown import CONFIG_MAP, SECRET, SERVICE_ACCOUNT
from eso_core.testing.clock import FakeClock
from eso_core.testing.fakeclient import FakeClient

QUIET = ManagerOptions(metrics_addr="0", health_addr="0")


def made(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "n"}, **fields}


def by_secret(meta: ObjectMeta, obj: dict[str, Any]) -> Iterable[str]:
    return [f"{meta.namespace}/{obj['data']['secret']}"] if obj.get("data") else []


def by_name(meta: ObjectMeta, obj: dict[str, Any]) -> Iterable[str]:
    return [meta.name]


async def test_indexes_of_the_decorator_need_no_order() -> None:
    """A change of what is referred to reconciles what refers to it, and lists select by the index."""
    operator = Operator("sites")
    runs: list[str] = []

    @operator.controller(
        CONFIG_MAP,
        owns=[SERVICE_ACCOUNT],
        watches={SECRET: enqueue_indexed(CONFIG_MAP, "by-secret")},
        indexes={"by-secret": by_secret},
        indexes_of={SECRET: {"by-name": by_name}, SERVICE_ACCOUNT: {"by-name": by_name}},
    )
    async def reconcile(ctx: Context, request: Request) -> None:
        if request.namespace == "n" and request.name == "a":
            found = await ctx.client.list(CONFIG_MAP, index=("by-secret", "n/s"))
            runs.append(",".join(each["metadata"]["name"] for each in found))

    clock = FakeClock()
    objects = [made("ConfigMap", "a", data={"secret": "s"}), made("ConfigMap", "b", data={"secret": "other"})]
    async with FakeClient(*objects, clock=clock) as client, TaskScope("manager") as scope:
        manager = await operator.manager(client, QUIET, clock=clock)
        scope.spawn(manager.run(), name="manager")
        await clock.advance(1)
        assert runs == ["a"]
        await client.create(made("Secret", "s"))
        await clock.advance(1)
        assert runs == ["a", "a"]
        assert await manager.cache.keys(SECRET, index=("by-name", "s")) == [ObjectKey("n", "s")]
        manager.stop()
        await clock.advance(60)


async def test_the_fluent_form_has_them_beside_each_kind() -> None:
    """The old way goes on working; one name is one function."""

    async def reconcile(ctx: Context, request: Request) -> None:
        """Does nothing."""

    async with FakeClient() as client:
        manager = Manager(client)
        builder = manager.controller(reconcile).for_(CONFIG_MAP, indexes={"by-secret": by_secret})
        builder.owns(SERVICE_ACCOUNT, indexes={"by-name": by_name}).watches(
            SECRET, enqueue_object, indexes={"by-name": by_name}
        )
        manager.cache.index(CONFIG_MAP, "by-name", by_name)
        for kind, name in ((CONFIG_MAP, "by-secret"), (CONFIG_MAP, "by-name"), (SECRET, "by-name")):
            assert manager.cache.informer(kind).has_index(name)
        with pytest.raises(ValueError, match="adding index 'by-secret' to ConfigMap: another function has this name"):
            manager.controller(reconcile, name="two").for_(CONFIG_MAP, indexes={"by-secret": by_name})


async def test_an_index_function_that_raises_names_the_object_and_the_place_without_values() -> None:
    """R-56: the object is stored, counted, and not in the index; the text of the error could be a secret."""

    def broken(meta: ObjectMeta, obj: dict[str, Any]) -> Iterable[str]:
        if meta.name != "bad":
            return [meta.name]
        raise ValueError(f"what is {obj['data']['password']}?")

    operator = Operator("sites")

    @operator.controller(CONFIG_MAP, indexes={"by-password": broken, "by-name": by_name})
    async def reconcile(ctx: Context, request: Request) -> None:
        """Does nothing."""

    clock = FakeClock()
    with capture_logs() as logs:
        async with FakeClient(made("ConfigMap", "bad", data={"password": "hunter2"}), clock=clock) as client:
            async with TaskScope("manager") as scope:
                manager = await operator.manager(client, QUIET, clock=clock)
                scope.spawn(manager.run(), name="manager")
                await clock.advance(1)
                assert ObjectKey("n", "bad") in await manager.cache.keys(CONFIG_MAP)
                assert await manager.cache.keys(CONFIG_MAP, index=("by-name", "bad")) == [ObjectKey("n", "bad")]
                manager.stop()
                await clock.advance(60)
    told = next(entry for entry in logs if entry["event"].startswith("index function failed"))
    assert (told["kind"], told["index"], told["object"]) == ("ConfigMap", "by-password", "n/bad")
    assert told["error"].startswith("ValueError in ")
    assert "broken, line " in told["error"]
    assert "hunter2" not in str(logs)
    assert manager.registry.get_sample_value("eso_core_transform_errors_total", {"kind": "ConfigMap"}) == 1
