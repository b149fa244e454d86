"""The fake client, beyond the contract of all levels."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from eso_core.client import Client, MergePatch
from eso_core.controller import Context, Request
from eso_core.manager import Manager, ManagerOptions
from eso_core.meta import ObjectKey
from eso_core.meta.errors import ConfigError, Conflict, NotFound, ServiceUnavailable
from eso_core.meta.wellknown import CONFIG_MAP, SECRET
from eso_core.testing.eventually import eventually
from eso_core.testing.fakeclient import FakeClient, Interceptor

KEY = ObjectKey("team", "c")
MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "team"}, "data": {"a": "1"}}


async def test_given_objects_have_version_999_and_the_first_write_1000() -> None:
    """T-10: as tests of other libraries expect; their namespaces are made."""
    other = {**MAP, "metadata": {"name": "d", "namespace": "team"}}
    async with FakeClient(MAP, other) as client:
        for name in "cd":
            assert (await client.get(CONFIG_MAP, ObjectKey("team", name)))["metadata"]["resourceVersion"] == "999"
        changed = await client.patch(CONFIG_MAP, KEY, MergePatch({"data": {"a": "2"}}))
        assert changed["metadata"]["resourceVersion"] == "1000"
        with pytest.raises(Conflict):
            await client.update({**MAP, "metadata": {**MAP["metadata"], "resourceVersion": "999"}, "data": {}})  # type: ignore[dict-item]


async def test_an_object_that_is_being_deleted_needs_a_finalizer() -> None:
    """T-10: with one it is there and marked, without one the test is told."""
    going = {**MAP, "metadata": {**MAP["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="ConfigMap .c. to a fake client: it is being deleted and has no finalizer"):
        async with FakeClient(going) as client:
            await client.get(CONFIG_MAP, KEY)
    held = {**going, "metadata": {**going["metadata"], "finalizers": ["t.io/f"]}}  # type: ignore[dict-item]
    async with FakeClient(held) as client:
        assert (await client.get(CONFIG_MAP, KEY))["metadata"]["deletionTimestamp"]


async def test_interceptors_raise_delay_and_pass_on() -> None:
    """T-10: each gets the inner client; verbs without one are untouched."""
    calls: list[str] = []

    async def create(inner: Client, obj: Any, **options: Any) -> Any:
        calls.append(obj["metadata"]["name"])
        if len(calls) == 1:
            raise ServiceUnavailable("try later")
        return await inner.create(obj, **options)

    async def get(inner: Client, kind: Any, key: ObjectKey, **options: Any) -> Any:
        found = await inner.get(kind, key, **options)
        return {**found, "data": {"seen": "by the interceptor"}}

    async with FakeClient(namespaces=["team"], interceptor=Interceptor(create=create, get=get)) as client:
        with pytest.raises(ServiceUnavailable):
            await client.create(MAP)
        await client.create(MAP)
        assert calls == ["c", "c"]
        assert (await client.get(CONFIG_MAP, KEY))["data"] == {"seen": "by the interceptor"}
        client.intercept(get=None)
        assert (await client.get(CONFIG_MAP, KEY))["data"] == {"a": "1"}
        assert len((await client.list(CONFIG_MAP, "team")).items) == 2  # and kube-root-ca.crt


async def test_a_manager_runs_on_it() -> None:
    """A controller, its cache and its own writes, in memory; retries after a failure that an interceptor makes."""
    failures = [ServiceUnavailable("once")]

    async def create(inner: Client, obj: Any, **options: Any) -> Any:
        if obj["kind"] == "Secret" and failures:
            raise failures.pop()
        return await inner.create(obj, **options)

    async def reconcile(ctx: Context, request: Request) -> None:
        source = await ctx.client.get(CONFIG_MAP, request.key)
        copy = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": request.key.name, "namespace": "team"}}
        try:
            await ctx.api.get(SECRET, request.key)
        except NotFound:
            await ctx.client.create({**copy, "stringData": source["data"]})

    async with FakeClient(MAP, interceptor=Interceptor(create=create)) as fake:
        manager = Manager(fake, options=ManagerOptions(metrics_addr="0", health_addr="0"))
        manager.controller(reconcile).for_(CONFIG_MAP, namespaces=["team"])
        task = asyncio.create_task(manager.run())

        async def copied() -> bool:
            return (await fake.get(SECRET, KEY))["data"] == {"a": "MQ=="}

        await eventually(copied, retry_on=(NotFound,))
        manager.stop()
        await task
        assert failures == []


async def test_a_closed_client_says_so() -> None:
    """Not a hang, and nothing is left running."""
    client = FakeClient()
    await client.server_version()
    await client.aclose()
    with pytest.raises(ConfigError, match="closed"):
        await client.server_version()
