"""A cache behind a server that fails in every way it can: in the end it holds what the server holds."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable

import pytest

from eso_core.aio import TaskScope
from eso_core.cache import Cache, ClientSources, InformerSpec
from eso_core.client import Client, MergePatch, RetryPolicy, config_from_kubeconfig
from eso_core.meta import ObjectKey, wellknown
from eso_core.meta.errors import NotFound
from eso_core.testing.apiserver.options import ApiServerOptions
from eso_core.testing.apiserver.server import ApiServer
from eso_core.testing.clock import FakeClock
from eso_core.testing.httpfaults import (
    Cut,
    Edit,
    Fault,
    HttpFaultProxy,
    Respond,
    expired,
    is_initial,
    is_watch,
    no_bookmarks,
    twice,
)
from eso_core.testing.leaks import check_leaks

CONFIG_MAP = wellknown.CONFIG_MAP
LABEL = "chaos=yes"


def status(code: int, reason: str) -> bytes:
    """A failure body."""
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": reason,
    }
    return json.dumps(body).encode()


def faults(rng: random.Random) -> list[tuple[str, Fault]]:
    """One of each, by where it strikes."""
    return [
        ("start", Respond(429, status(429, "TooManyRequests"), {"Retry-After": "1"})),
        ("start", Respond(500, b"boom")),
        ("start", Respond(410, status(410, "Expired"))),
        ("start", Cut(after=rng.randrange(200))),
        ("watch", Respond(429, status(429, "TooManyRequests"))),
        ("watch", Respond(503, b"<html>no backend</html>")),
        ("watch", Respond(410, status(410, "Expired"))),
        ("watch", Cut(after=rng.randrange(2_000))),
        ("watch", Edit(expired)),
        ("watch", Edit(twice)),
        ("watch", Edit(no_bookmarks)),
    ]


@pytest.fixture(autouse=True)
async def leaks() -> AsyncIterator[None]:
    """Nothing is left behind."""
    async with check_leaks():
        yield


async def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Waits in real time: the server and the sockets are real."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # there is no event for "equal to the server"
            await asyncio.sleep(0.002)


async def change(client: Client, rng: random.Random, alive: set[str]) -> None:
    """One random write."""
    name = f"c{rng.randrange(12)}"
    key = ObjectKey("default", name)
    if name not in alive:
        metadata = {"name": name, "namespace": "default", "labels": {"chaos": "yes"}}
        await client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"n": "0"}})
        alive.add(name)
    elif rng.random() < 0.4:
        await client.delete(CONFIG_MAP, key)
        alive.discard(name)
    else:
        await client.patch(CONFIG_MAP, key, MergePatch({"data": {"n": str(rng.randrange(1_000))}}))


@pytest.mark.parametrize("seed", range(8))
async def test_the_cache_converges_after_every_kind_of_fault(seed: int) -> None:
    """R-10 to R-18: random writes and random faults; in the end every object is there once, at its last version."""
    rng = random.Random(seed)
    server = await ApiServer.start(ApiServerOptions())
    config = config_from_kubeconfig(server.kubeconfig())
    clock = FakeClock(auto=True)
    try:
        async with (
            HttpFaultProxy(config) as proxy,
            Client(config) as direct,
            Client(proxy.config, clock=clock, retry=RetryPolicy(attempts=2)) as client,
            TaskScope("cache") as scope,
        ):
            cache = Cache(ClientSources(client), clock)
            informer = cache.register(InformerSpec(CONFIG_MAP, label_selector=LABEL))
            assert informer is not None
            cache.start(scope)
            alive: set[str] = set()
            for _ in range(15):
                where, fault = rng.choice(faults(rng))
                struck = proxy.spoiled
                if where == "start":
                    # The list or the initial watch comes again after an expiry.
                    proxy.spoil(Edit(expired), is_watch)
                    proxy.spoil(fault, is_initial, times=rng.randint(1, 2))
                else:
                    proxy.spoil(fault, is_watch, times=rng.randint(1, 2))
                proxy.reset()
                for _ in range(rng.randint(1, 6)):
                    await change(direct, rng, alive)
                await until(lambda before=struck: proxy.spoiled > before)  # type: ignore[misc]
            proxy.clear()
            proxy.reset()
            found = await direct.list(CONFIG_MAP, "default", label_selector=LABEL)
            wanted = {i["metadata"]["name"]: i["metadata"]["resourceVersion"] for i in found.items}

            def equal() -> bool:
                held = {}
                for name in (f"c{i}" for i in range(12)):
                    entry = cache.peek(CONFIG_MAP, ObjectKey("default", name))
                    if entry is not None:
                        held[name] = entry.meta.resource_version
                return held == wanted

            await until(equal)
            assert proxy.spoiled >= 15
            gone = next((f"c{i}" for i in range(12) if f"c{i}" not in wanted), None)
            if gone is not None:
                with pytest.raises(NotFound):
                    await cache.get(CONFIG_MAP, ObjectKey("default", gone))
            await scope.cancel()
    finally:
        await server.aclose()
