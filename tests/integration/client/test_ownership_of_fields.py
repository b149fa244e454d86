"""Who owns which fields: owners of objects, owners of fields, status apart from spec."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from eso_core.aio import TaskScope
from eso_core.cache import InformerSpec
from eso_core.client import Client, MergePatch
from eso_core.manager import Manager, ManagerOptions
from eso_core.meta import GVK, ObjectKey
from eso_core.meta.errors import Conflict
from eso_core.meta.owners import set_controller_reference
from eso_core.meta.wellknown import CONFIG_MAP
from eso_core.metrics import new_registry
from eso_core.model import Model, Resource, crd_for
from eso_core.testing.eventually import eventually
from tests.integration.cluster import KubeCluster, cluster

KEY = ObjectKey("default", "l")


class Spec(Model):
    color: str


class Status(Model):
    seen: str | None = None
    count: int | None = None


class Lamp(Resource, group="owners.test", version="v1", status_subresource=True):
    spec: Spec
    status: Status | None = None


LAMP = GVK("owners.test", "v1", "Lamp")


@pytest.fixture
async def kube() -> AsyncIterator[KubeCluster]:
    async with cluster() as kube:
        await kube.install(crd_for(Lamp))
        yield kube


@pytest.fixture
async def client(kube: KubeCluster) -> AsyncIterator[Client]:
    async with Client(kube.config) as client:
        yield client


def lamp(color: str = "red") -> Lamp:
    return Lamp(metadata={"name": "l", "namespace": "default"}, spec=Spec(color=color))


async def test_the_kind_of_an_owner_comes_from_the_registry(client: Client) -> None:
    """H-04: items of a list have neither apiVersion nor kind; the reference has both."""
    owner = (await client.create(lamp())).encode()
    owner.pop("apiVersion", None)
    owner.pop("kind", None)
    child: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "default"}}
    assert set_controller_reference(owner, child, LAMP)
    made = await client.create(child)
    [reference] = made["metadata"]["ownerReferences"]
    assert (reference["apiVersion"], reference["kind"], reference["name"]) == ("owners.test/v1", "Lamp", "l")
    assert reference["controller"]
    assert reference["blockOwnerDeletion"]


async def test_an_apply_needs_no_read_and_touches_only_its_own_fields(client: Client) -> None:
    """H-23: again and again it changes nothing; fields of others stay; a field that is not named any more goes."""
    metadata = {"name": "c", "namespace": "default"}
    mine = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "1", "b": "2"}}
    first = await client.apply(mine, "demo")
    assert (await client.apply(mine, "demo"))["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    await client.patch(
        CONFIG_MAP, ObjectKey("default", "c"), MergePatch({"data": {"theirs": "x"}}), field_manager="other"
    )
    after = await client.apply({**mine, "data": {"a": "1"}}, "demo")
    assert after["data"] == {"a": "1", "theirs": "x"}


@pytest.mark.parametrize("owner", ["", "x" * 129])
async def test_a_field_owner_has_1_to_128_characters(client: Client, owner: str) -> None:
    """H-40: refused here, before a request goes out."""
    metadata = {"name": "c", "namespace": "default"}
    with pytest.raises(ValueError, match="a field owner has 1 to 128 characters"):
        await client.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}, owner)


async def test_owners_of_spec_and_status_are_told_apart(client: Client) -> None:
    """H-40: two constants; the server keeps a record of each, and neither takes the other's fields."""
    await client.apply(lamp(), "lamp")
    status = {"apiVersion": "owners.test/v1", "kind": "Lamp", "metadata": {"name": "l", "namespace": "default"}}
    await client.apply({**status, "status": {"seen": "red"}}, "lamp-status", subresource="status")
    found = await client.get(LAMP, KEY)
    owners = {(entry["manager"], entry.get("subresource", "")) for entry in found["metadata"]["managedFields"]}
    assert owners == {("lamp", ""), ("lamp-status", "status")}
    await client.apply(lamp("blue"), "lamp")
    assert (await client.get(LAMP, KEY))["status"] == {"seen": "red"}


async def test_a_status_is_written_when_it_changes_and_never_conflicts_with_the_spec(
    kube: KubeCluster, client: Client
) -> None:
    """H-33: no resourceVersion goes along, and what is there already is not sent again."""
    manager = Manager(kube.config, registry=new_registry(process=False), options=ManagerOptions(freeze_gc=False))
    manager.cache.register(InformerSpec(Lamp))
    stale = await client.create(lamp())
    async with TaskScope("test") as scope:
        scope.spawn(manager.run(), name="manager")
        await eventually(lambda: manager.ready, 10.0, 0.02)
        await client.patch(Lamp, KEY, MergePatch({"spec": {"color": "blue"}}))
        written = await manager.client.patch_status(Lamp, KEY, {"seen": "red", "count": 1})
        assert (written.spec.color, written.status.seen) == ("blue", "red")
        with pytest.raises(Conflict):
            await client.update_status(stale)  # what a whole write would have met
        version = written.metadata.resource_version
        await manager.client.get(Lamp, KEY)
        before = _patches(kube)
        again = await manager.client.patch_status(Lamp, KEY, Status(seen="red"))
        assert again.metadata.resource_version == version
        assert _patches(kube) == before
        changed = await manager.client.patch_status(Lamp, KEY, {"seen": None})
        assert changed.status.seen is None
        assert changed.status.count == 1
        assert _patches(kube) == before + 1
        manager.stop()


def _patches(kube: KubeCluster) -> int:
    return len(kube.server.requests(verb="patch", resource="lamps"))
