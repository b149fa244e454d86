"""Upserts and finalizers against the in-process API server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from eso_core.client import (
    Client,
    Finalizer,
    create_or_patch,
    create_or_update,
    ensure_finalizer,
    finalize,
    run_finalizers,
)
from eso_core.meta import ObjectKey, wellknown
from eso_core.meta.errors import FinalizerError, Invalid, NotFound
from tests.integration.cluster import cluster

CONFIG_MAP = wellknown.CONFIG_MAP
KEY = ObjectKey("default", "a")
NAME = "example.io/cleanup"


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A client of a fresh server."""
    async with cluster(tls=True) as kube, Client(kube.config) as made:
        yield made


def config_map(**data: str) -> dict[str, Any]:
    """A ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}, "data": data}


@pytest.mark.parametrize("upsert", [create_or_update, create_or_patch])
async def test_an_upsert_writes_only_differences(client: Client, upsert: Any) -> None:
    """H-20, H-21: created, unchanged, updated; the change may be asynchronous."""

    def set_to(value: str) -> Any:
        async def mutate(obj: dict[str, Any]) -> None:
            obj["data"] = {"k": value}
            obj["metadata"].setdefault("labels", {})

        return mutate

    made, outcome = await upsert(client, config_map(), set_to("1"))
    assert (outcome, made["data"]) == ("created", {"k": "1"})
    same, outcome = await upsert(client, config_map(), set_to("1"))
    assert outcome == "unchanged"
    assert same["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    changed, outcome = await upsert(client, config_map(), set_to("2"))
    assert (outcome, changed["data"]) == ("updated", {"k": "2"})

    def rename(obj: dict[str, Any]) -> None:
        obj["metadata"]["name"] = "b"

    with pytest.raises(ValueError, match="the change renamed it to default/b"):
        await upsert(client, config_map(), rename)


@pytest.mark.parametrize("upsert", [create_or_update, create_or_patch])
async def test_an_upsert_behind_a_stale_cache_reads_once_more(client: Client, upsert: Any) -> None:
    """H-20: AlreadyExists leads to one live read."""

    class Stale:
        """A cache that has seen nothing yet."""

        api = client
        create, update, update_status, patch = client.create, client.update, client.update_status, client.patch

        async def get(self, kind: Any, key: ObjectKey, /) -> Any:
            raise NotFound("not in the cache")

    await client.create(config_map(k="0"))
    found, outcome = await upsert(Stale(), config_map(), lambda obj: obj["data"].update(k="1"))
    assert (outcome, found["data"]) == ("updated", {"k": "1"})


@pytest.mark.parametrize("upsert", [create_or_update, create_or_patch])
async def test_an_upsert_writes_the_status_apart(client: Client, upsert: Any) -> None:
    """H-20: status goes through its subresource."""
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "ws.x.io"},
        "spec": {
            "group": "x.io",
            "scope": "Namespaced",
            "names": {"plural": "ws", "kind": "W"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                    "subresources": {"status": {}},
                }
            ],
        },
    }
    await client.create(body)
    async with client.watch(wellknown.CRD) as events:
        async for event in events:
            conditions = (event.object or {}).get("status", {}).get("conditions", [])
            if any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
                break
    obj = {"apiVersion": "x.io/v1", "kind": "W", "metadata": {"name": "a", "namespace": "default"}, "spec": {"n": 1}}
    await upsert(client, obj, lambda o: None)
    found, outcome = await upsert(client, obj, lambda o: o.update(status={"ok": True}))
    assert (outcome, found["status"]) == ("updated_status_only", {"ok": True})

    def both(o: dict[str, Any]) -> None:
        o["spec"] = {"n": 2}
        o["status"] = {"ok": False}

    found, outcome = await upsert(client, obj, both)
    assert (outcome, found["spec"], found["status"]) == ("updated_status", {"n": 2}, {"ok": False})


async def test_finalize_walks_through_the_life_of_an_object(client: Client) -> None:
    """H-11: add, apply, clean up and remove, nothing."""
    calls: list[str] = []

    async def apply(obj: Any) -> str:
        calls.append("apply")
        return "result"

    async def cleanup(obj: Any) -> None:
        calls.append("cleanup")

    obj = await client.create(config_map(k="v"))
    assert await finalize(client, obj, NAME, apply, cleanup) is None
    obj = await client.get(CONFIG_MAP, KEY)
    assert obj["metadata"]["finalizers"] == [NAME]
    assert await finalize(client, obj, NAME, apply, cleanup) == "result"
    await client.delete(CONFIG_MAP, KEY)
    obj = await client.get(CONFIG_MAP, KEY)
    await finalize(client, obj, NAME, apply, cleanup)
    assert calls == ["apply", "cleanup"]
    with pytest.raises(NotFound):
        await client.get(CONFIG_MAP, KEY)
    await finalize(client, obj | {"metadata": obj["metadata"] | {"finalizers": []}}, NAME, apply, cleanup)
    assert calls == ["apply", "cleanup"]


async def test_a_stale_list_of_finalizers_is_not_overwritten(client: Client) -> None:
    """H-10: the patch tests what it relies on."""
    old = await client.create(config_map())
    assert await ensure_finalizer(client, old, NAME)
    with pytest.raises(Invalid):
        await ensure_finalizer(client, old, "example.io/other")
    fresh = await client.get(CONFIG_MAP, KEY)
    assert not await ensure_finalizer(client, fresh, NAME)
    assert await ensure_finalizer(client, fresh, "example.io/other")


async def test_several_finalizers_run_and_keep_what_failed(client: Client) -> None:
    """H-12: a failure keeps its own finalizer only, and is raised at the end."""
    done: list[str] = []
    broken = True

    async def good(obj: Any) -> None:
        done.append("good")

    async def bad(obj: Any) -> None:
        if broken:
            raise RuntimeError("not yet")

    both = [Finalizer("example.io/bad", bad), Finalizer("example.io/good", good)]
    obj = await client.create(config_map())
    assert await run_finalizers(client, obj, both)
    obj = await client.get(CONFIG_MAP, KEY)
    assert not await run_finalizers(client, obj, both)
    await client.delete(CONFIG_MAP, KEY)
    obj = await client.get(CONFIG_MAP, KEY)
    with pytest.raises(FinalizerError, match="cleaning up default/a: example.io/bad: RuntimeError: not yet") as info:
        await run_finalizers(client, obj, both)
    assert list(info.value.failures) == ["example.io/bad"]
    obj = await client.get(CONFIG_MAP, KEY)
    assert obj["metadata"]["finalizers"] == ["example.io/bad"]
    broken = False
    assert await run_finalizers(client, obj, both)
    assert done == ["good"]
    with pytest.raises(NotFound):
        await client.get(CONFIG_MAP, KEY)
