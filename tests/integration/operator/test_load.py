"""Who waits for whom: new objects, backlogs, broken backends."""

from __future__ import annotations

from typing import Any

from controllers.operator import OperatorOptions
from eso_core.meta.wellknown import SECRET
from providers.errors import Unavailable
from providers.interface import RemoteRef, StoreContext
from providers.spec import ProviderSpec
from tests.integration.operator.harness import ES, Cluster, ProbeProvider, running

DATA = [{"secretKey": "a", "remoteRef": {"key": "k"}}]


async def test_b102_a_new_object_does_not_wait_behind_the_refresh_backlog() -> None:
    """B102: with one worker and more refreshes due than it can do, a new object is served at once."""
    async with running(options=OperatorOptions(concurrent=1)) as cluster:
        # A key each: one read of a common key would serve all that are due.
        await cluster.fake({"k": "1", **{f"k{number}": "1" for number in range(40)}})
        for number in range(40):
            entry = {"secretKey": "a", "remoteRef": {"key": f"k{number}"}}
            await cluster.es(f"es-{number}", refreshInterval="1s", data=[entry])
        for number in range(40):
            await cluster.synced(f"es-{number}")
        cluster.probe.delay = 0.1  # 40 refreshes a second wanted, less than ten possible
        reads = len(cluster.probe.reads)

        async def behind() -> bool:
            return len(cluster.probe.reads) > reads + 15

        await cluster.eventually(behind)
        await cluster.es("new", data=DATA)
        await cluster.synced("new", within=2)


class _Broken(ProbeProvider):
    """Raises what no provider should for reads of the key `boom`, with a value in the text."""

    async def open(self, spec: ProviderSpec, ctx: StoreContext) -> Any:
        client = await super().open(spec, ctx)
        inner = client.get_secret

        async def get_secret(ref: RemoteRef) -> bytes:
            if ref.key == "boom":
                raise RuntimeError("out of bounds near hunter2")
            return bytes(await inner(ref))

        client.get_secret = get_secret
        return client


async def test_b133_a_defect_of_a_backend_concerns_its_users_only() -> None:
    """B133: an unexpected exception turns one object Ready=False without its text; the target keeps its last value."""
    async with running(provider=_Broken) as cluster:
        await cluster.fake({"k": "1"})
        await cluster.es("app", data=DATA)
        await cluster.synced("app")
        await cluster.patch(ES, "app", {"spec": {"data": [{"secretKey": "a", "remoteRef": {"key": "boom"}}]}})
        await cluster.failed("app", "could not get secret data from provider")
        message = await cluster.has_event("app", "Warning", "UpdateFailed", "internal provider error: RuntimeError")
        obj = await cluster.get(ES, "app")
        assert "hunter2" not in message and "hunter2" not in str(obj)
        assert await cluster.data("app") == {"a": "1"}
        await cluster.es("healthy", data=DATA)
        await cluster.synced("healthy", within=2)


async def test_a_backend_that_is_down_is_tried_with_growing_pauses() -> None:
    """What time heals goes through the back-off: not at once again, and well when the backend is back."""
    async with running() as cluster:
        cluster.probe.failure = Unavailable("503 service unavailable")
        await cluster.fake({"k": "1"})
        await cluster.es("app", data=DATA)
        await cluster.failed("app", "could not get secret data from provider")
        await cluster.quiet()
        assert len(cluster.probe.reads) <= 2
        cluster.probe.failure = None
        await cluster.synced("app", within=5)


async def test_b104_broken_objects_leave_the_healthy_ones_alone() -> None:
    """B104: missing stores, bad durations and typos beside objects that sync."""
    async with running() as cluster:
        await cluster.fake({"k": "1"})
        for number in range(10):
            store = {"name": f"absent-{number}", "kind": "SecretStore"}
            await cluster.es(f"absent-{number}", secretStoreRef=store, data=DATA)
            await cluster.es(f"duration-{number}", refreshInterval="1d", data=DATA)
            await cluster.es(f"typo-{number}", dataFrom=[{"extract": {"key": "nope"}}])
            await cluster.es(f"fine-{number}", data=DATA)
        for number in range(10):
            await cluster.synced(f"fine-{number}")
            await _not_ready(cluster, f"absent-{number}")
            await _not_ready(cluster, f"duration-{number}")
            await _not_ready(cluster, f"typo-{number}")
        await cluster.quiet(0.5)  # nobody storms


async def _not_ready(cluster: Cluster, name: str) -> None:
    async def check() -> bool:
        return bool((await cluster.ready(name)).get("status") == "False")

    await cluster.eventually(check)
    assert await cluster.get(SECRET, name) is None
