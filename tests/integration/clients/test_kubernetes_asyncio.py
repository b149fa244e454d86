"""kubernetes-asyncio: watches and leader election with a Lease."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes_asyncio import client, config, watch
from kubernetes_asyncio.leaderelection import electionconfig, leaderelection
from kubernetes_asyncio.leaderelection.resourcelock.leaselock import LeaseLock

from eso_core.aio import TaskScope


@pytest.fixture
async def api(kubeconfig: Path) -> AsyncIterator[Any]:
    configuration = client.Configuration()
    await config.load_kube_config(str(kubeconfig), client_configuration=configuration)
    async with client.ApiClient(configuration) as made:
        yield made


async def test_a_watch_sees_what_is_written(api: Any, kube_namespace: str) -> None:
    """Create, update and delete arrive as events, in order."""
    core = client.CoreV1Api(api)
    seen: list[str] = []
    began = asyncio.Event()

    async def follow() -> None:
        version = (await core.list_namespaced_secret(kube_namespace)).metadata.resource_version
        began.set()
        stream = watch.Watch().stream(
            core.list_namespaced_secret, kube_namespace, resource_version=version, timeout_seconds=20
        )
        async with stream as events:
            async for event in events:
                seen.append(event["type"])
                if event["type"] == "DELETED":
                    return

    async with TaskScope("test") as scope, asyncio.timeout(10):
        scope.spawn(follow(), name="follow")
        await began.wait()
        secret = client.V1Secret(metadata=client.V1ObjectMeta(name="s"), string_data={"k": "v"})
        created = await core.create_namespaced_secret(kube_namespace, secret)
        assert created.data == {"k": "dg=="}
        created.data = {"k": "dw=="}
        await core.replace_namespaced_secret("s", kube_namespace, created)
        await core.delete_namespaced_secret("s", kube_namespace)
    assert seen == ["ADDED", "MODIFIED", "DELETED"]


async def test_one_candidate_is_elected_and_releases(api: Any, kube_namespace: str) -> None:
    """The lock is a Lease; its holder renews it, others wait until it is given back."""

    async def nothing() -> None:
        return None

    def candidate(identity: str) -> Any:
        lock = LeaseLock("lock", kube_namespace, identity, api)
        settings = electionconfig.Config(lock, 15, 10, 1, onstarted_leading=nothing, onstopped_leading=nothing)
        return leaderelection.LeaderElection(settings)

    first, second = candidate("one"), candidate("two")
    assert await first.acquire()
    assert await first.try_acquire_or_renew()
    assert not await second.try_acquire_or_renew()
    leases = client.CoordinationV1Api(api)
    lease = await leases.read_namespaced_lease("lock", kube_namespace)
    assert lease.spec.holder_identity == "one"
    await leases.delete_namespaced_lease("lock", kube_namespace)
    assert await second.try_acquire_or_renew()
