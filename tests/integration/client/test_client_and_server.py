"""The client against the in-process API server, over TLS."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

import pytest
import trustme

from eso_core.client import (
    Client,
    JsonPatch,
    MergePatch,
    Preconditions,
    StrategicMergePatch,
    config_from_kubeconfig,
    load_config,
)
from eso_core.meta import GVK, GVR, LabelSelector, ObjectKey, Partial, wellknown
from eso_core.meta.errors import (
    AlreadyExists,
    ApplyConflict,
    ConfigError,
    Conflict,
    Gone,
    Invalid,
    NoKindMatch,
    NotFound,
    TlsError,
    Unauthorized,
)
from eso_core.model import Model, Resource, crd_for
from tests.integration.cluster import KubeCluster, cluster

SECRET, CONFIG_MAP, CRD = wellknown.SECRET, wellknown.CONFIG_MAP, wellknown.CRD
KEY = ObjectKey("default", "a")


class Widget(Resource, group="example.io", version="v1", status_subresource=True):
    """A custom kind."""

    class Spec(Model):
        """Its spec."""

        color: str = "red"

    class Status(Model):
        """Its status."""

        seen: int = 0

    spec: Spec
    status: Status | None = None
    marker: ClassVar[str] = "x"


@pytest.fixture
async def kube() -> AsyncIterator[KubeCluster]:
    """A cluster, over TLS."""
    async with cluster(tls=True) as made:
        yield made


@pytest.fixture
async def client(kube: KubeCluster) -> AsyncIterator[Client]:
    """A client of its administrator."""
    async with Client(kube.config, field_manager="test") as made:
        yield made


def secret(name: str = "a", **data: str) -> dict[str, object]:
    """A Secret."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "default", "labels": {"l": name}},
        "stringData": data,
    }


async def serve_widgets(client: Client) -> None:
    """Installs the CRD and waits until it is served."""
    await client.create(crd_for(Widget))
    async with asyncio.timeout(10):
        async with client.watch(CRD, field_selector="metadata.name=widgets.example.io") as events:
            async for event in events:
                assert event.object is not None
                conditions = event.object.get("status", {}).get("conditions", [])
                if any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
                    return


async def test_a_secret_lives_from_create_to_delete(client: Client) -> None:
    """Create, get, list, patch, update, delete, each with its errors."""
    made = await client.create(secret(k="v"))
    assert made["data"] == {"k": "dg=="}
    with pytest.raises(AlreadyExists):
        await client.create(secret())
    assert await client.get(SECRET, KEY) == made
    found = await client.list(SECRET, "default", label_selector="l=a")
    assert [i["metadata"]["name"] for i in found.items] == ["a"]
    assert found.items[0]["kind"] == "Secret"
    patched = await client.patch(SECRET, KEY, MergePatch({"data": {"k": None, "n": "bg=="}}))
    assert patched["data"] == {"n": "bg=="}
    with pytest.raises(Conflict):
        await client.update(made)
    updated = await client.update(patched | {"data": {}})
    assert "data" not in updated or updated["data"] == {}
    with pytest.raises(Conflict):
        await client.delete(SECRET, KEY, preconditions=Preconditions(uid="other"))
    await client.delete(SECRET, KEY, preconditions=Preconditions(uid=made["metadata"]["uid"]))
    with pytest.raises(NotFound) as info:
        await client.get(SECRET, KEY)
    assert not info.value.is_path
    assert info.value.details == {"name": "a", "kind": "secrets"}


async def test_patches_of_every_kind(client: Client) -> None:
    """JSON patch with a failing test is 422; strategic merge works for built-in kinds."""
    await client.create(secret(k="v"))
    done = await client.patch(SECRET, KEY, JsonPatch([{"op": "add", "path": "/data/x", "value": "eA=="}]))
    assert done["data"] == {"k": "dg==", "x": "eA=="}
    with pytest.raises(Invalid):
        await client.patch(SECRET, KEY, JsonPatch([{"op": "test", "path": "/data/x", "value": "no"}]))
    done = await client.patch(SECRET, KEY, StrategicMergePatch({"data": {"x": None}}))
    assert done["data"] == {"k": "dg=="}


async def test_apply_owns_fields_and_reports_conflicts(client: Client) -> None:
    """C-51, C-53: applying again changes nothing; another owner's value is a conflict unless forced."""
    obj = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "default"},
        "data": {"a": "1"},
    }
    first = await client.apply(obj, "one")
    again = await client.apply(first, "one")
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    with pytest.raises(ApplyConflict) as info:
        await client.apply(obj | {"data": {"a": "2"}}, "two", force=False)
    assert [field for field, _ in info.value.conflicts] == [".data.a"]
    forced = await client.apply(obj | {"data": {"a": "2"}}, "two")
    assert forced["data"] == {"a": "2"}


async def test_pages_and_raw_lists_see_everything(client: Client) -> None:
    """C-39: small pages add up to the whole."""
    for index in range(7):
        await client.create(secret(f"s{index}"))
    names = [i["metadata"]["name"] async for i in client.items(SECRET, "default", limit=3)]
    assert names == [f"s{i}" for i in range(7)]
    pages = [page async for page in client.list_raw(SECRET, limit=3)]
    assert [len(p.items) for p in pages] == [3, 3, 1]
    partial = await client.list(Partial(SECRET), "default")
    assert [o.meta.name for o in partial.items] == names
    assert LabelSelector.parse("l=s3").matches(partial.items[3].meta.labels)


async def test_watches_follow_changes(client: Client) -> None:
    """Initial events end with a bookmark; later changes arrive in order."""
    await client.create(secret())
    async with asyncio.timeout(10):
        async with client.watch(Partial(SECRET), "default", send_initial_events=True) as events:
            first = await anext(events)
            assert (first.type, first.meta.name) == ("ADDED", "a")
            mark = await anext(events)
            assert mark.type == "BOOKMARK"
            assert mark.meta.annotations["k8s.io/initial-events-end"] == "true"
            await client.patch(SECRET, KEY, MergePatch({"metadata": {"labels": {"n": "1"}}}))
            await client.delete(SECRET, KEY)
            changed, gone = await anext(events), await anext(events)
    assert (changed.type, changed.meta.labels["n"]) == ("MODIFIED", "1")
    assert gone.type == "DELETED"


async def test_a_version_out_of_the_window_is_gone(kube: KubeCluster, client: Client) -> None:
    """R-12: an old resource version ends as Gone, by event or by status."""
    old = await client.create(secret())
    for index in range(3):
        await client.patch(SECRET, KEY, MergePatch({"metadata": {"labels": {"n": str(index)}}}))
    kube.server.compact()
    with pytest.raises(Gone):
        async with client.watch(SECRET, resource_version=old["metadata"]["resourceVersion"]) as events:
            await anext(events)


async def test_custom_kinds_typed_and_dynamic(client: Client) -> None:
    """A Resource class needs no discovery, a GVK finds its resource, and what is not served says so."""
    gvk = GVK("example.io", "v1", "Widget")
    with pytest.raises(NoKindMatch, match="is its CRD installed"):
        await client.get(gvk, KEY)
    await serve_widgets(client)
    made = await client.create(
        Widget.decode({"metadata": {"name": "a", "namespace": "default"}, "spec": {"color": "blue"}})
    )
    assert isinstance(made, Widget)
    assert made.spec.color == "blue"
    assert made.key == KEY
    listed = await client.list(Widget, "default")
    assert listed.items[0].spec.color == "blue"
    client.mapper.invalidate()
    assert (await client.mapper.mapping(gvk)).gvr == GVR("example.io", "v1", "widgets")
    dynamic = await client.get(gvk, KEY)
    assert dynamic["spec"] == {"color": "blue"}
    made.status = Widget.Status(seen=3)
    stored = await client.update_status(made)
    assert stored.status is not None
    assert stored.status.seen == 3
    with pytest.raises(ValueError, match="no strategic merge patch"):
        await client.patch(Widget, KEY, StrategicMergePatch({"spec": {}}))


async def test_the_mapper_reads_aggregated_discovery(client: Client) -> None:
    """C-34: kinds of built-in groups with their subresources; an unknown version names the served one."""
    (info,) = await client.mapper.versions("", "ServiceAccount")
    assert (info.gvr.resource, info.namespaced, info.short_names) == ("serviceaccounts", True, ("sa",))
    assert "token" in info.subresources
    await serve_widgets(client)
    with pytest.raises(NoKindMatch, match="it serves version v1"):
        await client.mapper.mapping(GVK("example.io", "v2", "Widget"))


async def test_a_token_for_a_service_account(client: Client) -> None:
    """The subresource token gives a bearer token."""
    body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "sa", "namespace": "default"}}
    await client.create(body)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    token = await client.subresource(wellknown.SERVICE_ACCOUNT, "token").create(ObjectKey("default", "sa"), request)
    assert token["status"]["token"]


async def test_a_kubeconfig_file_leads_to_the_server(kube: KubeCluster, tmp_path: Path) -> None:
    """load_config reads what the server writes."""
    path = tmp_path / "config"
    kube.write_kubeconfig(path)
    config = await load_config(str(path))
    async with Client(config) as client:
        assert "major" in await client.server_version()
    with pytest.raises(ConfigError, match="context 'nope' does not exist: choose one of"):
        await load_config(str(path), "nope")


async def test_a_wrong_ca_and_a_wrong_token_say_what_to_check(kube: KubeCluster) -> None:
    """Errors of the connection name the kubeconfig's field."""
    document = kube.kubeconfig()
    other = trustme.CA().cert_pem.bytes()
    document["clusters"][0]["cluster"]["certificate-authority-data"] = base64.b64encode(other).decode()
    async with Client(config_from_kubeconfig(document)) as client:
        with pytest.raises(TlsError, match="signed by an unknown authority: check certificate-authority-data"):
            await client.server_version()
    document = kube.kubeconfig()
    document["users"][0]["user"] = {"token": "wrong"}
    async with Client(config_from_kubeconfig(document)) as client:
        with pytest.raises(Unauthorized):
            await client.get(SECRET, KEY)
