"""A text where a key belongs is refused, not taken apart into letters that name another object."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from eso_core.aio import TaskScope
from eso_core.cache import CachedClient, InformerSpec
from eso_core.client import Client, MergePatch
from eso_core.manager import Manager, ManagerOptions
from eso_core.meta import ObjectKey
from eso_core.meta.errors import NotFound
from eso_core.meta.keys import object_key
from eso_core.meta.wellknown import CONFIG_MAP, NAMESPACE
from eso_core.testing.clock import FakeClock
from eso_core.testing.fakeclient import FakeClient

CALLS: dict[str, Callable[[CachedClient, Any], Any]] = {
    "get": lambda client, key: client.get(CONFIG_MAP, key),
    "get_frozen": lambda client, key: client.cache.get_frozen(CONFIG_MAP, key),
    "peek": lambda client, key: client.cache.peek(CONFIG_MAP, key),
    "patch": lambda client, key: client.patch(CONFIG_MAP, key, MergePatch({"data": {}})),
    "patch_status": lambda client, key: client.patch_status(CONFIG_MAP, key, {"x": 1}),
    "delete": lambda client, key: client.delete(CONFIG_MAP, key),
    "live get": lambda client, key: client.api.get(CONFIG_MAP, key),
    "live delete": lambda client, key: client.api.delete(CONFIG_MAP, key),
    "token": lambda client, key: client.subresource(CONFIG_MAP, "token").get(key),
}


async def answer(client: CachedClient, call: str, key: Any) -> Any:
    found = CALLS[call](client, key)
    return await found if isinstance(found, Awaitable) else found


async def reader(client: Client, scope: TaskScope, clock: FakeClock, **options: Any) -> tuple[Manager, CachedClient]:
    manager = Manager(client, clock=clock, options=ManagerOptions(**options))
    manager.cache.register(InformerSpec(CONFIG_MAP))
    manager.cache.register(InformerSpec(NAMESPACE))
    scope.spawn(manager.run(), name="manager")
    await clock.advance(1)
    return manager, manager.client


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("key", ["n/a", "na", "a", "", None, ("n", "a", "x")])
async def test_what_is_no_pair_is_refused_with_what_to_pass(call: str, key: Any) -> None:
    """The error names the kind; a NotFound would send people to look for the object."""
    clock = FakeClock()
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}}
    async with FakeClient(made, clock=clock) as fake, TaskScope("manager") as scope:
        manager, client = await reader(fake, scope, clock)
        with pytest.raises(
            TypeError, match=r"using ConfigMap .*: pass an ObjectKey\(namespace, name\), such as request"
        ):
            await answer(client, call, key)
        assert (await client.get(CONFIG_MAP, ("n", "a")))["metadata"]["name"] == "a"
        with pytest.raises(NotFound):
            await client.get(CONFIG_MAP, ("n", "other"))
        manager.stop()
        await clock.advance(60)


async def test_a_text_is_refused_whatever_the_cache_holds() -> None:
    """Cluster-scoped kinds, namespaces that are not watched, and writes that are on their way."""
    clock = FakeClock()
    async with FakeClient(clock=clock, namespaces=["n"]) as fake, TaskScope("manager") as scope:
        manager, client = await reader(fake, scope, clock, namespaces=("default",))
        with pytest.raises(TypeError, match="using Namespace 'default': pass"):
            await client.get(NAMESPACE, "default")  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="using ConfigMap 'n/a': pass"):
            await client.get(CONFIG_MAP, "n/a")  # type: ignore[call-overload]
        await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}})
        with pytest.raises(TypeError, match="using ConfigMap 'n/a': pass"):
            await client.get(CONFIG_MAP, "n/a")  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="using ConfigMap 'n/a': pass"):
            client.cache.stale(CONFIG_MAP, "n/a")  # type: ignore[arg-type]
        confined = fake.with_namespace("n")
        with pytest.raises(TypeError, match="using ConfigMap 'n/a': pass"):
            await confined.get(CONFIG_MAP, "n/a")  # type: ignore[call-overload]
        manager.stop()
        await clock.advance(60)


def test_an_object_in_place_of_its_key_is_not_shown() -> None:
    """It may be a Secret."""
    with pytest.raises(TypeError) as refused:
        object_key("Secret", {"data": {"password": "aHVudGVyMg=="}})
    assert "using Secret by dict: pass" in str(refused.value)
    assert "aHVudGVyMg" not in str(refused.value)
    assert object_key("Secret", ("n", "a")) == ObjectKey("n", "a")
