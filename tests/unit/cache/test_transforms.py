"""Ready-made transforms, and what is kept of Secrets by default."""

from __future__ import annotations

import gc
from typing import Any, cast

import pytest

from eso_core.aio import TaskScope
from eso_core.cache import Cache, CachedClient, Change, InformerSpec
from eso_core.cache.transforms import chain, drop_values, hash_values, keep_paths
from eso_core.client import Client
from eso_core.meta import ObjectKey
from eso_core.meta.wellknown import SECRET
from eso_core.testing.clock import FakeClock

SAMPLE = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "s"},
    "type": "Opaque",
    "data": {"a": "MQ=="},
    "stringData": {"b": "2"},
    "spec": {"replicas": 3, "template": {"name": "t", "size": 1}},
}


@pytest.mark.parametrize(
    ("transform", "kept"),
    [
        (drop_values, {"apiVersion", "kind", "metadata", "type", "spec"}),
        (hash_values, {"apiVersion", "kind", "metadata", "type", "spec", "dataHash"}),
        (keep_paths("spec.template.name", "type", "status.phase"), {"apiVersion", "kind", "metadata", "type", "spec"}),
        (chain(drop_values, None, keep_paths("spec")), {"apiVersion", "kind", "metadata", "spec"}),
    ],
)
def test_transforms_are_pure_and_idempotent(transform: Any, kept: set[str]) -> None:
    """R-43: the object stays as it was, and a second time changes nothing."""
    before = repr(SAMPLE)
    once = transform(SAMPLE)
    assert repr(SAMPLE) == before
    assert set(once) == kept
    assert transform(once) == once


def test_only_the_named_paths_are_kept() -> None:
    """R-43: siblings go, absent paths are no error; a path must say something."""
    keep = keep_paths("spec.template.name", "spec.replicas.deeper", "none.at.all")
    assert keep(SAMPLE)["spec"] == {"template": {"name": "t"}}
    for paths in ((), ("",), ("spec..x",)):
        with pytest.raises(ValueError, match="dotted paths"):
            keep_paths(*paths)


def test_a_hash_tells_changes_and_nothing_else() -> None:
    """R-44: equal values, equal hash, whatever their order; another value, another hash; no value in it."""
    first = hash_values({"data": {"a": "MQ==", "b": "Mg=="}})["dataHash"]
    assert hash_values({"data": {"b": "Mg==", "a": "MQ=="}})["dataHash"] == first
    assert hash_values({"data": {"a": "MQ==", "b": "Mw=="}})["dataHash"] != first
    assert len(first) == 32
    assert "MQ" not in first


async def test_secrets_are_cached_without_their_values(
    cache: Cache, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """R-44: metadata, type and a hash that changes with the data; not one value is in memory."""
    server.kind = "Secret"
    value = "".join(["aHVu", "dGVyMg"])
    server.put("s", labels={"app": "x"}, type="Opaque", data={"password": value})
    seen: list[str] = []

    def watch(change: Change) -> None:
        seen.append(change.object.decode()["dataHash"])

    cache.register(InformerSpec(SECRET)).subscribe(watch)
    cache.start(scope)
    await clock.settle()
    found = await cache.get(SECRET, ("ns", "s"))
    assert set(found) == {"apiVersion", "kind", "metadata", "type", "dataHash"}
    server.put("s", labels={"app": "y"}, type="Opaque", data={"password": value})
    server.put("s", labels={"app": "y"}, type="Opaque", data={"password": "b3RoZXI="})
    await clock.settle()
    first, relabelled, changed = seen
    assert first == relabelled != changed
    server.objects.clear()
    server.log.clear()
    gc.collect()
    held = [obj for obj in gc.get_objects() if isinstance(obj, dict) and obj.get("password") == value]
    assert held == []


async def test_values_are_kept_where_somebody_says_whose(
    cache: Cache, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """R-44: by option and with a selector; all values of all Secrets are refused."""
    server.kind = "Secret"
    server.put("s", labels={"mine": "yes"}, data={"password": "MQ=="})
    with pytest.raises(ValueError, match="needs a selector or namespaces"):
        cache.register(InformerSpec(SECRET, values=True))
    cache.register(InformerSpec(SECRET, label_selector="mine=yes", values=True))
    with pytest.raises(ValueError, match="other settings"):
        cache.register(InformerSpec(SECRET, label_selector="mine=yes"))
    cache.start(scope)
    await clock.settle()
    assert (await cache.get(SECRET, ("ns", "s")))["data"] == {"password": "MQ=="}


async def test_a_secret_without_values_cannot_be_written_back(
    cache: Cache, scope: TaskScope, clock: FakeClock, server: Any
) -> None:
    """R-44: an update would erase them, a copy would have none; other kinds are not concerned."""
    server.kind = "Secret"
    server.put("s", data={"password": "MQ=="})
    cache.register(InformerSpec(SECRET))
    cache.start(scope)
    await clock.settle()

    class Api:
        async def update(self, obj: Any, **options: Any) -> Any:
            return obj

    client = CachedClient(cast(Client, Api()), cache)
    found = await client.get(SECRET, ObjectKey("ns", "s"))
    for write in (client.update, client.create, lambda obj: client.apply(obj, "demo")):
        with pytest.raises(ValueError, match="no values of Secrets, they would be lost"):
            await write(found)
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "ns"}, "data": {"a": "b"}}
    assert (await client.update(other))["data"] == {"a": "b"}
