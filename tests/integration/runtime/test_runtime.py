"""Manager, caches and controllers against the in-process API server."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from eso_core.aio import TaskScope
from eso_core.cache import InformerSpec, Settings
from eso_core.client import Client, ClientConfig, MergePatch
from eso_core.controller import Context, Request, Result, enqueue_indexed, predicates
from eso_core.manager import LeaderElectionOptions, Manager, ManagerOptions
from eso_core.meta import GVK, ObjectKey, Partial
from eso_core.meta.errors import NotFound
from eso_core.meta.wellknown import CONFIG_MAP, CRD, EVENT, LEASE, SECRET
from eso_core.metrics import new_registry
from eso_core.model import Model, Resource, crd_for
from tests.integration.cluster import KubeCluster, cluster


class Website(Resource, group="example.io", version="v1", status_subresource=True):
    """A custom kind."""

    class Spec(Model):
        """Its spec."""

        host: str = "localhost"

    class Status(Model):
        """Its status."""

        url: str = ""

    spec: Spec
    status: Status | None = None


@pytest.fixture
async def kube() -> AsyncIterator[KubeCluster]:
    async with cluster() as made:
        with capture_logs():
            yield made


@pytest.fixture
def config(kube: KubeCluster) -> ClientConfig:
    return kube.config


@pytest.fixture
async def client(config: ClientConfig) -> AsyncIterator[Client]:
    async with Client(config) as client:
        yield client


def make(config: ClientConfig, **options: Any) -> Manager:
    return Manager(config, registry=new_registry(process=False), options=ManagerOptions(freeze_gc=False, **options))


@asynccontextmanager
async def running(*managers: Manager) -> AsyncIterator[None]:
    async with TaskScope("test") as scope:
        runs = [scope.spawn(manager.run(), name="manager") for manager in managers]
        await eventually(lambda: all(manager.ready or run.done() for manager, run in zip(managers, runs, strict=True)))
        yield
        for manager in managers:
            manager.stop()


async def eventually(condition: Callable[[], object], limit: float = 10.0) -> None:
    async with asyncio.timeout(limit):
        while not condition():  # noqa: ASYNC110 - the server is another party
            await asyncio.sleep(0.002)


def secret(name: str, namespace: str = "default", labels: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
        "data": {"k": base64.b64encode(b"v").decode()},
    }


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": data}


async def test_own_writes_are_read_two_hundred_times(config: ClientConfig) -> None:
    """P-41: create, patch and delete, each followed by a cached read that shows it."""
    manager = make(config)
    manager.cache.register(InformerSpec(CONFIG_MAP))
    async with running(manager):
        client = manager.client
        for number in range(200):
            key = ObjectKey("default", f"o-{number}")
            await client.create(config_map(key.name, n="1"))
            assert (await client.get(CONFIG_MAP, key))["data"] == {"n": "1"}
            await client.patch(CONFIG_MAP, key, MergePatch({"data": {"n": "2"}}))
            assert (await client.get(CONFIG_MAP, key))["data"] == {"n": "2"}
            await client.patch(CONFIG_MAP, key, MergePatch({"data": {"n": "2"}}))
            assert key.name in {obj["metadata"]["name"] for obj in await client.list(CONFIG_MAP, "default")}
            await client.delete(CONFIG_MAP, key)
            with pytest.raises(NotFound):
                await client.get(CONFIG_MAP, key)
        assert not manager.cache.writes.active
        assert manager.registry.get_sample_value("eso_core_read_your_writes_timeouts_total") == 0


async def test_streaming_list_and_plain_list_give_the_same(config: ClientConfig, client: Client) -> None:
    """2.2: with more than a page of objects, whole and as metadata."""
    for number in range(620):
        await client.create(secret(f"s-{number:03}", labels={"even": str(number % 2 == 0).lower()}))
    found = []
    for watch_list in (True, False):
        manager = make(config, reflector=Settings(watch_list=watch_list))
        manager.cache.register(InformerSpec(SECRET, label_selector="even=true", values=True))
        manager.cache.register(InformerSpec(Partial(SECRET)))
        async with running(manager):
            whole = await manager.cache.list(SECRET)
            names = [partial.meta.name for partial in await manager.cache.list(Partial(SECRET), "default")]
            assert len(whole) == 310
            assert {obj["kind"] for obj in whole} == {"Secret"}
            found.append((sorted(obj["metadata"]["name"] for obj in whole), sorted(names)))
    assert found[0] == found[1]
    assert len(found[0][1]) == 620


async def test_compaction_behind_the_back_of_an_informer(
    config: ClientConfig, client: Client, kube: KubeCluster
) -> None:
    """P-02, P-05: the watch is told 410, the state is read anew, and the informer equals the server."""
    manager = make(config)
    informer = manager.cache.register(InformerSpec(CONFIG_MAP))
    await client.create(config_map("before"))
    async with running(manager):
        assert informer.lookup(("default", "before")) is not None
        await client.create(config_map("between"))
        kube.server.compact()
        await client.create(config_map("after"))
        await eventually(lambda: informer.lookup(("default", "after")) is not None)
        await client.delete(CONFIG_MAP, ObjectKey("default", "before"))
        await eventually(lambda: informer.lookup(("default", "before")) is None)
        assert informer.lookup(("default", "between")) is not None


async def test_a_controller_of_a_custom_kind_with_typed_objects(config: ClientConfig, client: Client) -> None:
    """The whole path: definition, typed cache, owned objects, references through an index, status, events."""
    await client.create(crd_for(Website))
    await client.mapper.mapping(Website.gvk)
    runs: list[str] = []

    async def reconcile(ctx: Context, request: Request) -> Result | None:
        runs.append(request.name)
        site = await ctx.client.get(Website, request.key)
        owner = {
            "apiVersion": Website.gvk.api_version,
            "kind": "Website",
            "name": site.metadata.name,
            "uid": site.metadata.uid,
            "controller": True,
        }
        page = config_map(request.name, host=site.spec.host)
        page["metadata"]["ownerReferences"] = [owner]
        try:
            await ctx.client.get(CONFIG_MAP, request.key)
        except NotFound:
            await ctx.client.create(page)
            ctx.recorder.event(site, "Normal", "Created", "page created")
        url = f"https://{site.spec.host}"
        if site.status is None or site.status.url != url:
            await ctx.client.patch(Website, request.key, MergePatch({"status": {"url": url}}), subresource="status")
        return Result.after(minutes=5)

    manager = make(config)
    builder = manager.controller(reconcile)
    builder.for_(Website, predicates=[predicates.generation_changed]).owns(CONFIG_MAP)
    builder.watches(Partial(SECRET), enqueue_indexed(Website, "secret")).workers(4)
    manager.cache.index(Website, "secret", lambda meta, obj: [f"{meta.namespace}/{obj['spec']['host']}"])
    async with running(manager):
        for number in range(10):
            body = {"metadata": {"name": f"w{number}", "namespace": "default"}, "spec": {"host": f"h{number}"}}
            await client.create({"apiVersion": "example.io/v1", "kind": "Website", **body})

        async def complete() -> bool:
            sites = (await client.list(Website, "default")).items
            return all(site.status is not None and site.status.url for site in sites)

        async with asyncio.timeout(10):
            while not await complete():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert sorted(set(runs)) == [f"w{number}" for number in range(10)]
        page = manager.cache.peek(CONFIG_MAP, ("default", "w3"))
        assert page is not None
        await client.delete(CONFIG_MAP, ObjectKey("default", "w3"))

        def is_back() -> bool:
            found = manager.cache.peek(CONFIG_MAP, ("default", "w3"))
            return found is not None and found.uid != page.uid

        await eventually(is_back)
        runs.clear()
        await client.create(secret("h7"))
        await eventually(lambda: "w7" in runs)
        assert set(runs) - {"w3"} == {"w7"}, "the page that is back may wake its owner once more"
    events = [event for event in (await client.list(EVENT, "default")).items if event["reason"] == "Created"]
    assert {event["involvedObject"]["name"] for event in events} == {f"w{number}" for number in range(10)}
    assert {event["source"]["component"] for event in events} == {"website"}


async def test_a_definition_that_comes_later_and_goes_again(config: ClientConfig, client: Client) -> None:
    """K-02, P-12: a controller waits for its kind, runs when it appears, and sees deletions when it disappears."""
    widget = GVK("example.io", "v1", "Website")
    runs: list[str] = []

    async def reconcile(ctx: Context, request: Request) -> None:
        runs.append(request.name)

    fast = Settings(absent_retry=0.05)
    manager = make(config, reflector=fast)
    manager.controller(reconcile).for_(widget).options(wait_for_crd=True)
    async with running(manager):
        await asyncio.sleep(0.2)
        await client.create(crd_for(Website))
        await client.mapper.mapping(Website.gvk)
        manager.api.mapper.invalidate()  # by itself it looks again ten seconds after a miss
        body = {"metadata": {"name": "w", "namespace": "default"}, "spec": {"host": "h"}}
        await client.create({"apiVersion": "example.io/v1", "kind": "Website", **body})
        await eventually(lambda: runs == ["w"], limit=15)
        runs.clear()
        await client.delete(CRD, ObjectKey("", "websites.example.io"))
        await eventually(lambda: runs == ["w"])
        await eventually(lambda: len(manager.cache.informer(widget)) == 0)


async def test_one_of_two_managers_leads_and_the_other_takes_over(config: ClientConfig, client: Client) -> None:
    """P-61: after a clean stop the follower leads at once."""
    leaders: list[str] = []

    def named(name: str) -> Manager:
        election = LeaderElectionOptions("demo", namespace="default", identity=name)
        manager = make(config, leader_election=election)

        async def reconcile(ctx: Context, request: Request) -> None:
            leaders.append(name)

        manager.controller(reconcile).for_(CONFIG_MAP).workers(1)
        return manager

    one, two = named("one"), named("two")
    async with running(one):
        await eventually(lambda: one.elected)
        async with running(two):
            await asyncio.sleep(0.1)
            assert not two.elected
            assert set(leaders) == {"one"}
            one.stop()
            await eventually(lambda: two.elected, limit=3)
            await eventually(lambda: "two" in leaders)
            lease = await client.get(LEASE, ObjectKey("default", "demo"))
            assert lease["spec"]["holderIdentity"] == "two"
            assert lease["spec"]["leaseTransitions"] == 1


async def test_a_start_with_many_objects_costs_no_request_per_object(
    config: ClientConfig, client: Client, kube: KubeCluster
) -> None:
    """A start with ready objects: the lists, and nothing per object."""
    for number in range(300):
        await client.create(config_map(f"c-{number}"))
    runs = 0

    async def reconcile(ctx: Context, request: Request) -> None:
        nonlocal runs
        await ctx.client.get(CONFIG_MAP, request.key)
        runs += 1

    manager = make(config)
    manager.controller(reconcile).for_(CONFIG_MAP).workers(8)
    before = len(kube.server.requests())
    async with running(manager):
        await eventually(lambda: runs >= 300)
    assert len(kube.server.requests()) - before <= 4


async def test_the_resource_of_a_well_known_kind_needs_no_discovery(config: ClientConfig, kube: KubeCluster) -> None:
    """Informers of built-in kinds ask for nothing but their objects."""
    manager = make(config)
    manager.cache.register(InformerSpec(Partial(SECRET)))
    async with running(manager):
        paths = {exchange.uri for exchange in kube.server.requests()}
    assert all("/secrets" in path for path in paths), paths
