"""Targets that are found by the ExternalSecrets that write them, through the kubernetes backend."""

from __future__ import annotations

import json
from typing import Any

from eso_core.meta import ObjectKey
from eso_core.meta.wellknown import SECRET
from providers.kubernetes import KubernetesProvider
from tests.integration.operator.harness import Cluster, running

FIND = [{"find": {"name": {"regexp": "^(seed|one|two)$"}}}]


async def size(cluster: Cluster, name: str) -> int:
    found = await cluster.client.get(SECRET, ObjectKey("t", name))
    return sum(len(value) for value in (found.get("data") or {}).values())


async def kubernetes_store(cluster: Cluster) -> None:
    """A store that reads the test's own namespace."""
    await cluster.secret("kubeconfig", {"config": json.dumps(cluster.kube.kubeconfig())})
    reference = {"name": "kubeconfig", "key": "config", "namespace": "t"}
    spec = {"provider": {"kubernetes": {"authRef": reference, "remoteNamespace": "t"}}}
    metadata = {"name": "here"}
    await cluster.client.create(
        {"apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": metadata, "spec": spec}
    )


async def test_b033_targets_that_find_each_other_stay_as_large_as_they_are() -> None:
    """B033: constant after the first refreshes, with a Warning that says what to do."""
    async with running(provider=lambda probe: KubernetesProvider()) as cluster:
        await kubernetes_store(cluster)
        await cluster.secret("seed", {"password": "s3cret"})
        store: dict[str, Any] = {"kind": "ClusterSecretStore", "name": "here"}
        for name in ("one", "two"):
            template = {"mergePolicy": "Merge", "data": {"note": "of " + name}}
            await cluster.es(name, secretStoreRef=store, dataFrom=FIND, target={"template": template})
            await cluster.ready(name)
        sizes = []
        for turn in range(6):
            for name in ("one", "two"):
                await cluster.poke(name, f"turn {turn}")
            await cluster.quiet()
            sizes.append((await size(cluster, "one"), await size(cluster, "two")))
        assert sizes[3:] == [sizes[2]] * 3
        for name in ("one", "two"):
            assert "find by a name or tags" in await cluster.has_event(name, "Warning", "OwnOutputFound")
            data = await cluster.data(name)
            assert data is not None
            assert json.loads(data["seed"]) == {"password": "s3cret"}
