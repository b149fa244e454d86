"""The kubernetes backend keeps the contract of all backends, and pushes, on an API server with RBAC."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from eso_core.client import Client
from eso_core.meta import ObjectKey
from eso_core.meta.wellknown import SECRET
from providers import Find, PushData, RemoteRef
from providers.errors import AccessDenied, InvalidData, NotSupported
from providers.kubernetes import KubernetesProvider
from providers.testing import Backend, ProviderContract
from tests.integration.cluster import KubeCluster, cluster

REMOTE = "remote"


@pytest.fixture
async def kube() -> AsyncIterator[KubeCluster]:
    async with cluster(tls=True) as kube:
        yield kube


@pytest.fixture
async def admin(kube: KubeCluster) -> AsyncIterator[Client]:
    async with Client(kube.config, user_agent="test") as client:
        await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": REMOTE}})
        yield client


@pytest.fixture
async def backend(kube: KubeCluster, admin: Client) -> Backend:
    kubeconfig = json.dumps(kube.kubeconfig()).encode()
    stranger = kube.kubeconfig()
    stranger["users"] = [{"name": user["name"], "user": {"token": "nobody"}} for user in stranger["users"]]
    dead = kube.kubeconfig()
    dead["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"

    async def put(key: str, value: bytes) -> None:
        members = json.loads(value)
        texts = {name: item if isinstance(item, str) else json.dumps(item) for name, item in members.items()}
        metadata = {"name": key, "namespace": REMOTE}
        await admin.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": texts})

    def spec(name: str) -> dict[str, Any]:
        return {"authRef": {"name": name, "key": "config"}, "remoteNamespace": REMOTE}

    return Backend(
        KubernetesProvider(),
        spec("good"),
        put,
        secrets={
            "good": {"config": kubeconfig},
            "stranger": {"config": json.dumps(stranger).encode()},
            "dead": {"config": json.dumps(dead).encode()},
        },
        denied=spec("stranger"),
        unreachable=spec("dead"),
        refuses={"auth": {"token": {"bearerToken": {"key": "k"}}}},
        documents=True,
    )


class TestKubernetes(ProviderContract):
    """Secrets of a namespace."""

    @pytest.fixture
    def backend(self, backend: Backend) -> Backend:
        return backend

    async def test_empty_tags_are_on_every_secret(self, backend: Backend) -> None:
        """They come before a name."""
        for name in ("one", "two"):
            await backend.put(name, b'{"k": "v"}')
        async with backend.open() as client:
            assert sorted(await client.get_all_secrets(Find(tags={}, name_regexp="one"))) == ["one", "two"]
            with pytest.raises(NotSupported, match=r"^unexpected find operator"):
                await client.get_all_secrets(Find())

    async def test_what_is_pushed_can_be_read_and_deleted(self, backend: Backend) -> None:
        """By property: the Secret goes with its last one."""
        async with backend.open() as client:
            for prop in ("a", "b"):
                await client.push_secret({"password": b"p4ss"}, PushData("pushed", "password", prop))
            assert await client.get_secret_map(RemoteRef("pushed")) == {"a": b"p4ss", "b": b"p4ss"}
            assert await client.secret_exists(RemoteRef("pushed", "a"))
            assert not await client.secret_exists(RemoteRef("pushed", "c"))
            await client.delete_secret(RemoteRef("pushed", "c"))
            await client.delete_secret(RemoteRef("pushed", "a"))
            assert await client.get_secret_map(RemoteRef("pushed")) == {"b": b"p4ss"}
            await client.delete_secret(RemoteRef("pushed", "b"))
            assert not await client.secret_exists(RemoteRef("pushed"))
            await client.delete_secret(RemoteRef("pushed"))


async def test_an_equal_push_writes_nothing(backend: Backend, admin: Client) -> None:
    """Type, labels and annotations are those of the source; kubectl's copy of the manifest stays behind."""
    data = PushData(
        "copy",
        secret_type="kubernetes.io/basic-auth",
        labels={"team": "blue"},
        annotations={"note": "n", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
    )
    values = {"username": b"u", "password": b"p"}
    async with backend.open() as client:
        await client.push_secret(values, data)
        first = await admin.get(SECRET, ObjectKey(REMOTE, "copy"))
        await client.push_secret(values, data)
        assert await admin.get(SECRET, ObjectKey(REMOTE, "copy")) == first
        assert first["type"] == "kubernetes.io/basic-auth"
        assert first["metadata"]["labels"] == {"team": "blue"}
        assert first["metadata"]["annotations"] == {"note": "n"}
        await client.push_secret({"username": b"u2", "password": b"p"}, data)
        after = await admin.get(SECRET, ObjectKey(REMOTE, "copy"))
        assert base64.b64decode(after["data"]["username"]) == b"u2"


async def test_a_whole_secret_replaces_the_data_and_a_property_keeps_the_rest(backend: Backend, admin: Client) -> None:
    """All keys under a property are one JSON document."""
    async with backend.open() as client:
        await client.push_secret({"a": b"1", "b": b"2"}, PushData("whole"))
        await client.push_secret({"c": b"3"}, PushData("whole"))
        assert await client.get_secret_map(RemoteRef("whole")) == {"c": b"3"}
        await client.push_secret({"x": b"<1>", "y": b"2"}, PushData("whole", property="doc"))
        assert await client.get_secret_map(RemoteRef("whole")) == {"c": b"3", "doc": b'{"x":"<1>","y":"2"}'}
        with pytest.raises(InvalidData, match="^requires property in RemoteRef to push secret value"):
            await client.push_secret({"a": b"1"}, PushData("whole", "a"))
        with pytest.raises(InvalidData, match="^remoteNamespace override is only supported with ClusterSecretStore$"):
            spec = {"remoteNamespace": "default"}
            kind = {"apiVersion": "kubernetes.external-secrets.io/v1alpha1", "kind": "PushSecretMetadata", "spec": spec}
            await client.push_secret({"a": b"1"}, PushData("whole", "a", "p", metadata=kind))


async def test_all_of_a_secret_does_not_go_into_one_of_its_own_keys(backend: Backend, admin: Client) -> None:
    """It would hold itself, and grow with each push; single keys and equal names elsewhere are no such thing."""
    async with backend.open() as client:
        await client.push_secret({"a": b"1"}, PushData("own"))
        uid = (await admin.get(SECRET, ObjectKey(REMOTE, "own")))["metadata"]["uid"]
        with pytest.raises(InvalidData, match=r'^Secret "own" is the source itself: '):
            await client.push_secret({"a": b"1"}, PushData("own", property="all", source_uid=uid))
        await client.push_secret({"a": b"1"}, PushData("own", "a", "b", source_uid=uid))
        await client.push_secret({"a": b"1"}, PushData("own", property="all", source_uid="another"))
        assert await client.get_secret_map(RemoteRef("own")) == {"a": b"1", "b": b"1", "all": b'{"a":"1"}'}
        assert await client.is_object(RemoteRef("own"), uid)
        assert not await client.is_object(RemoteRef("own"), "another")
        assert not await client.is_object(RemoteRef("none"), uid)
        assert not await client.is_object(RemoteRef("own"), "")


async def test_a_user_without_rights_makes_the_store_invalid(kube: KubeCluster, backend: Backend) -> None:
    """The rules of the user are asked for, then the one access; both say no."""
    nobody = kube.server.add_user("nobody", ["system:authenticated"])
    backend.secrets = {**backend.secrets, "nobody": {"config": json.dumps(nobody).encode()}}
    async with backend.open({"authRef": {"name": "nobody", "key": "config"}, "remoteNamespace": REMOTE}) as client:
        with pytest.raises(AccessDenied, match="^client is not allowed to get secrets") as refused:
            await client.validate()
        assert refused.value.retryable
        with pytest.raises(AccessDenied):
            await client.get_secret(RemoteRef("any"))
