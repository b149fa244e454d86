"""The client on a network that misbehaves."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator

import pytest

from eso_core.aio import TaskScope
from eso_core.client import Client, MergePatch, RetryPolicy, config_from_kubeconfig
from eso_core.meta import ObjectKey, wellknown
from eso_core.meta.errors import ConnectError, ConnectionLost, ReadTimeout, TransportError
from eso_core.testing.apiserver.options import ApiServerOptions
from eso_core.testing.apiserver.server import ApiServer
from eso_core.testing.clock import FakeClock
from eso_core.testing.faults import FaultProxy
from eso_core.testing.leaks import check_leaks

CONFIG_MAP = wellknown.CONFIG_MAP
KEY = ObjectKey("default", "a")
OBJ = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}}


@pytest.fixture(autouse=True)
async def leaks() -> AsyncIterator[None]:
    """Broken connections leave nothing behind."""
    async with check_leaks():
        yield


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    """A server with one object."""
    running = await ApiServer.start(ApiServerOptions())
    async with Client(config_from_kubeconfig(running.kubeconfig())) as client:
        await client.create(OBJ)
    yield running
    await running.aclose()


@pytest.fixture
async def proxy(server: ApiServer) -> AsyncIterator[FaultProxy]:
    """The way to it."""
    async with FaultProxy(server.url) as made:
        yield made


@pytest.fixture
def clock() -> FakeClock:
    """Time stands still."""
    return FakeClock()


@pytest.fixture
async def client(server: ApiServer, proxy: FaultProxy, clock: FakeClock) -> AsyncIterator[Client]:
    """A client behind the proxy."""
    config = dataclasses.replace(config_from_kubeconfig(server.kubeconfig()), server=proxy.url)
    async with Client(config, clock=clock, retry=RetryPolicy(attempts=3)) as made:
        yield made


async def test_a_half_open_watch_is_found_by_its_silence(
    client: Client, proxy: FaultProxy, clock: FakeClock, server: ApiServer
) -> None:
    """R-31: a path that lost its route looks alive; 75 s of silence end it, and the next watch resumes."""
    live = await client.get(CONFIG_MAP, KEY)
    version = live["metadata"]["resourceVersion"]
    async with client.watch_raw(CONFIG_MAP, resource_version=version) as events:
        proxy.freeze()
        async with Client(config_from_kubeconfig(server.kubeconfig())) as direct:
            await direct.patch(CONFIG_MAP, KEY, MergePatch({"data": {"k": "v"}}))
        with pytest.raises(ReadTimeout, match="nothing arrived for 75 s"):
            async with TaskScope("wait") as scope:
                scope.spawn(anext(events), name="next")  # type: ignore[arg-type]
                await clock.advance(75)
    proxy.reset()
    proxy.thaw()
    async with client.watch(CONFIG_MAP, resource_version=version) as resumed:
        event = await anext(resumed)
    assert event.type == "MODIFIED"
    assert event.object is not None
    assert event.object["data"] == {"k": "v"}


async def test_a_reset_ends_a_watch_at_once(client: Client, proxy: FaultProxy) -> None:
    """R-14: a broken connection is not mistaken for the end of the stream."""
    async with client.watch_raw(CONFIG_MAP, field_selector="metadata.name=a") as events:
        assert (await anext(events)).type == "ADDED"
        proxy.reset()
        with pytest.raises(ConnectionLost):
            await anext(events)


async def test_reads_survive_a_reset_between_requests(client: Client, proxy: FaultProxy, clock: FakeClock) -> None:
    """C-62: a pooled connection that died is replaced."""
    await client.get(CONFIG_MAP, KEY)
    proxy.reset()
    clock.auto = True
    assert (await client.get(CONFIG_MAP, KEY))["metadata"]["name"] == "a"


async def test_a_refused_write_is_tried_again_until_the_server_is_back(
    client: Client, proxy: FaultProxy, clock: FakeClock
) -> None:
    """C-62: a refused connection proves that nothing was sent."""
    await proxy.refuse()
    async with TaskScope("write") as scope:
        task = scope.spawn(client.patch(CONFIG_MAP, KEY, MergePatch({"data": {"n": "1"}})), name="patch")
        await clock.settle()
        await proxy.restore()
        await clock.advance(1)
    assert task.result()["data"] == {"n": "1"}
    await proxy.refuse()
    proxy.reset()
    clock.auto = True
    with pytest.raises(TransportError) as info:
        await client.patch(CONFIG_MAP, KEY, MergePatch({"data": {"n": "2"}}))
    assert isinstance(info.value, ConnectError | ConnectionLost)


async def test_a_frozen_request_ends_at_its_limit(client: Client, proxy: FaultProxy, clock: FakeClock) -> None:
    """C-03: a request that gets no answer is given up after its timeout."""
    await client.get(CONFIG_MAP, KEY)
    proxy.freeze()
    with pytest.raises(ReadTimeout, match="no answer within 5 s after 1 try"):
        async with TaskScope("get") as scope:
            scope.spawn(client.get(CONFIG_MAP, KEY, timeout=5), name="get")
            await clock.advance(5)
    proxy.thaw()
    assert (await client.get(CONFIG_MAP, KEY))["metadata"]["name"] == "a"
