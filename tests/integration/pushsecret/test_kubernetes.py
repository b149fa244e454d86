"""PushSecrets into Secrets of another namespace, through the kubernetes backend."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from eso_core.meta import GVK
from eso_core.meta.wellknown import SECRET
from tests.integration.operator.harness import CSS, Cluster, JsonObject, running
from tests.integration.pushsecret.harness import PS, entry

RBAC = "rbac.authorization.k8s.io"
METADATA = {"apiVersion": "kubernetes.external-secrets.io/v1alpha1", "kind": "PushSecretMetadata"}


@asynccontextmanager
async def clusters() -> AsyncIterator[Cluster]:
    """A cluster store `here` of the same API server, whose namespace is `store`; there is a namespace `other` too."""
    async with running() as cluster:
        kubeconfig = cluster.server.kubeconfig()["clusters"][0]["cluster"]
        server = {"url": kubeconfig["server"]}
        if "certificate-authority-data" in kubeconfig:
            server["caBundle"] = kubeconfig["certificate-authority-data"]
        for name in ("store", "other"):
            await cluster.namespace(name)
        account = {"kind": "ServiceAccount", "name": "pusher", "namespace": "store"}
        for obj in (
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "pusher", "namespace": "store"}},
            {
                "apiVersion": f"{RBAC}/v1",
                "kind": "ClusterRole",
                "metadata": {"name": "pusher"},
                "rules": [
                    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create", "update", "delete"]}
                ],
            },
            {
                "apiVersion": f"{RBAC}/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": "pusher"},
                "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "pusher"},
                "subjects": [account],
            },
            {
                "apiVersion": CSS.api_version,
                "kind": CSS.kind,
                "metadata": {"name": "here"},
                "spec": {
                    "provider": {
                        "kubernetes": {
                            "remoteNamespace": "store",
                            "server": server,
                            "auth": {"serviceAccount": {"name": "pusher", "namespace": "store"}},
                        }
                    }
                },
            },
        ):
            await cluster.client.create(obj)
        yield cluster


async def push(cluster: Cluster, *data: JsonObject, **spec: Any) -> None:
    body = {
        "secretStoreRefs": [{"kind": "ClusterSecretStore", "name": "here"}],
        "selector": {"secret": {"name": "src"}},
        "data": list(data),
        **spec,
    }
    metadata = {"name": "p", "namespace": "t"}
    await cluster.client.create({"apiVersion": PS.api_version, "kind": PS.kind, "metadata": metadata, "spec": body})


async def is_ready(cluster: Cluster) -> None:
    async def check() -> bool:
        return (await cluster.ready("p", kind=PS)).get("status") == "True"

    await cluster.eventually(check)


async def gone(cluster: Cluster, kind: GVK, name: str, namespace: str) -> None:
    async def check() -> bool:
        return await cluster.get(kind, name, namespace=namespace) is None

    await cluster.eventually(check)


async def test_what_went_to_another_namespace_is_deleted_there_and_nowhere_else() -> None:
    """A Secret of that name in the namespace of the store is somebody else's."""
    async with clusters() as cluster:
        await cluster.secret("src", {"k": "v"})
        await cluster.secret("copy", {"k": "theirs"}, namespace="store")
        metadata = {**METADATA, "spec": {"remoteNamespace": "other"}}
        await push(cluster, entry("", "copy", metadata=metadata), deletionPolicy="Delete")
        await is_ready(cluster)
        assert await cluster.data("copy", namespace="other") == {"k": "v"}
        await cluster.delete(PS, "p")
        await gone(cluster, PS, "p", "t")
        assert await cluster.get(SECRET, "copy", namespace="other") is None
        assert await cluster.data("copy", namespace="store") == {"k": "theirs"}


async def test_if_not_exists_looks_where_it_would_write() -> None:
    """B066 with `remoteNamespace`."""
    async with clusters() as cluster:
        await cluster.secret("src", {"k": "v"})
        await cluster.secret("copy", {"k": "theirs"}, namespace="other")
        metadata = {**METADATA, "spec": {"remoteNamespace": "other"}}
        await push(cluster, entry("", "copy", metadata=metadata), updatePolicy="IfNotExists", deletionPolicy="Delete")
        await is_ready(cluster)
        await cluster.delete(PS, "p")
        await gone(cluster, PS, "p", "t")
        assert await cluster.data("copy", namespace="other") == {"k": "theirs"}


async def test_a_whole_secret_replaces_and_is_deleted_whole() -> None:
    """B060 and B061."""
    async with clusters() as cluster:
        await cluster.secret("src", {"a": "9"})
        await cluster.secret("copy", {"a": "1", "b": "2"}, namespace="store")
        await push(cluster, entry("", "copy"), deletionPolicy="Delete")
        await is_ready(cluster)
        assert await cluster.data("copy", namespace="store") == {"a": "9"}
        await cluster.delete(PS, "p")
        await gone(cluster, SECRET, "copy", "store")


async def test_the_target_of_an_external_secret_is_pushed_without_its_marks() -> None:
    """A copy with the owner's label would be deleted as that owner's orphan."""
    async with clusters() as cluster:
        await cluster.fake({"k": "v"})
        await cluster.es("src", data=[{"secretKey": "k", "remoteRef": {"key": "k"}}])
        await push(cluster, entry("", "copy"))
        await is_ready(cluster)
        copy = await cluster.get(SECRET, "copy", namespace="store")
        assert copy is not None
        assert not copy["metadata"].get("labels") and not copy["metadata"].get("annotations")
        await cluster.set_fake({"k": "new"})
        await cluster.poke("src")

        async def pushed() -> bool:
            return await cluster.data("copy", namespace="store") == {"k": "new"}

        await cluster.eventually(pushed)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            entry("k", "copy", "k", metadata={**METADATA, "spec": {"remoteNamespace": "nowhere"}}),
            'k to target secretstore here: namespaces "nowhere" not found',
        ),
        (entry("k", "a/b", "k"), "k to target secretstore here: invalid resource name \"a/b\": [may not contain '/']"),
        (
            entry("k", "Not_A_Name", "k"),
            'k to target secretstore here: Secret "Not_A_Name" is invalid: metadata.name: ',
        ),
    ],
)
async def test_what_the_cluster_refuses_is_told_in_its_words(data: JsonObject, said: str) -> None:
    """Without the request around them, which says nothing to who wrote the object."""
    async with clusters() as cluster:
        await cluster.secret("src", {"k": "planted"})
        await push(cluster, data)
        message = await cluster.has_event("p", "Warning", "Errored", "set secret failed: could not write remote ref ")
        assert message.startswith(f"set secret failed: could not write remote ref {said}")
        assert "planted" not in message
