"""Under the definitions and the ClusterRole of External Secrets Operator 2.9 everything works; what they do not know costs only itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson

from controllers.operator import Operator
from eso_core.aio import TaskScope
from eso_core.client import MergePatch, config_from_kubeconfig
from eso_core.meta import GVK, ObjectKey
from providers.registry import Registry
from tests.integration.operator.harness import CSS, ES, SS, Cluster, JsonObject, running

GOLDEN = Path(__file__).parents[2] / "unit" / "api" / "golden"
GENERATORS = "generators.external-secrets.io"
PS = GVK("external-secrets.io", "v1alpha1", "PushSecret")
CES = GVK("external-secrets.io", "v1", "ClusterExternalSecret")
KINDS = [
    "secretstores",
    "clustersecretstores",
    "externalsecrets",
    "clusterexternalsecrets",
    "pushsecrets",
    "clusterpushsecrets",
]


def definitions() -> list[JsonObject]:
    """The CustomResourceDefinitions of the original."""
    made = []
    for file in sorted(GOLDEN.glob("*.json")):
        spec = orjson.loads(file.read_bytes())
        for version in spec["versions"]:
            version["schema"] = {"openAPIV3Schema": version["schema"]}
            version["deprecated"] = bool(version.get("deprecated"))
            for name in ("selectableFields", "additionalPrinterColumns", "subresources"):
                if not version.get(name):
                    version.pop(name, None)
        names = spec["names"]
        made.append(
            {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": f"{names['plural']}.{spec['group']}"},
                "spec": {**spec, "conversion": {"strategy": "None"}},
            }
        )
    return made


def rules() -> list[dict[str, Any]]:
    """The ClusterRole of the original's controller."""
    group = "external-secrets.io"
    read = ["get", "list", "watch"]
    return [
        {"apiGroups": [group], "resources": KINDS, "verbs": read},
        {
            "apiGroups": [group],
            "resources": [*KINDS, *(f"{kind}/status" for kind in KINDS), *(f"{kind}/finalizers" for kind in KINDS)],
            "verbs": ["get", "update", "patch"],
        },
        {
            "apiGroups": [group],
            "resources": ["externalsecrets", "pushsecrets"],
            "verbs": ["create", "update", "delete"],
        },
        {
            "apiGroups": [GENERATORS],
            "resources": ["generatorstates"],
            "verbs": [*read, "create", "update", "patch", "delete", "deletecollection"],
        },
        {"apiGroups": [GENERATORS], "resources": ["clustergenerators", "passwords", "uuids", "fakes"], "verbs": read},
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": [*read, "update", "patch"]},
        {"apiGroups": [""], "resources": ["serviceaccounts", "configmaps"], "verbs": read},
        {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": [*read, "create", "update", "patch", "delete"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
    ]


async def _granted(cluster: Cluster) -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "operator"}}
    await cluster.client.create({**role, "kind": "ClusterRole", "rules": rules()})
    await cluster.client.create(
        {
            **role,
            "kind": "ClusterRoleBinding",
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "operator"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "operator"}],
        }
    )


async def test_all_kinds_work_and_what_is_pruned_costs_only_itself() -> None:
    """Secrets, a generator, a push, a fan-out, failures and deletions: no request is refused for want of a right."""
    async with running(crds=False, start=False) as cluster:
        for crd in definitions():
            await cluster.client.create(crd)
        await _granted(cluster)
        registry = Registry(plugins=())
        config = config_from_kubeconfig(cluster.server.add_user("operator", []))
        operator = Operator(config, providers=registry)
        stop = asyncio.Event()
        async with TaskScope("operator under test") as scope:
            scope.spawn(operator.run(stop), name="operator")
            await _everything(cluster)
            refused = {(exchange.verb, exchange.uri) for exchange in cluster.server.requests() if exchange.code == 403}
            assert refused == set()
            # Found out once for each kind whose definition refuses or drops what ours knows.
            invalid = [exchange.uri for exchange in cluster.server.requests() if exchange.code == 422]
            assert len(invalid) <= 2, invalid
            store = await cluster.get(CSS, "fake")
            assert store is not None
            assert "observedGeneration" not in store["status"]
            before = _status_writes(cluster)
            for note in ("1", "2"):
                await cluster.client.patch(
                    CSS, ObjectKey("", "fake"), MergePatch({"metadata": {"annotations": {"note": note}}})
                )
                await cluster.quiet()
            assert _status_writes(cluster) == before, "what the definition drops is not written again and again"
            stop.set()


async def _everything(cluster: Cluster) -> None:
    await cluster.namespace("n1", team="blue")
    await cluster.fake({"k": "v"})
    entry = [{"secretKey": "a", "remoteRef": {"key": "k"}}]
    await cluster.es("app", data=entry, target={"deletionPolicy": "Delete"})
    await cluster.synced("app")
    await cluster.es("broken", data=[{"secretKey": "a", "remoteRef": {"key": "missing"}}])
    await cluster.failed("broken", "could not get secret data from provider")
    broken = await cluster.get(ES, "broken")
    assert broken is not None
    assert [condition["type"] for condition in broken["status"]["conditions"]] == ["Ready"]
    assert "lastError" not in broken["status"] and "observedGeneration" not in broken["status"]
    metadata = {"name": "u", "namespace": "t"}
    await cluster.client.create(
        {"apiVersion": f"{GENERATORS}/v1alpha1", "kind": "UUID", "metadata": metadata, "spec": {}}
    )
    reference = {"apiVersion": f"{GENERATORS}/v1alpha1", "kind": "UUID", "name": "u"}
    await cluster.es("made", dataFrom=[{"sourceRef": {"generatorRef": reference}}])
    await cluster.synced("made")
    push = {
        "secretStoreRefs": [{"name": "fake", "kind": "ClusterSecretStore"}],
        "selector": {"secret": {"name": "app"}},
        "deletionPolicy": "Delete",
        "data": [{"match": {"secretKey": "a", "remoteRef": {"remoteKey": "copy"}}}],
    }
    await cluster.client.create(
        {"apiVersion": PS.api_version, "kind": PS.kind, "metadata": {"name": "p", "namespace": "t"}, "spec": push}
    )

    async def pushed() -> None:
        assert (await cluster.ready("p", kind=PS))["status"] == "True"

    await cluster.eventually(pushed)
    child = {"secretStoreRef": {"kind": "ClusterSecretStore", "name": "fake"}, "data": entry}
    spec = {"externalSecretSpec": child, "namespaceSelectors": [{"matchLabels": {"team": "blue"}}]}
    await cluster.client.create(
        {"apiVersion": CES.api_version, "kind": CES.kind, "metadata": {"name": "c"}, "spec": spec}
    )
    await cluster.synced("c", namespace="n1")
    await cluster.client.create(
        {
            "apiVersion": SS.api_version, "kind": SS.kind, "metadata": {"name": "bad", "namespace": "t"},
            "spec": {"provider": {"fake": {"data": []}}, "refreshInterval": 0},
        }
    )  # fmt: skip
    await cluster.client.delete(CES, ObjectKey("", "c"))
    await cluster.delete(PS, "p")
    await cluster.delete(ES, "app")

    async def gone() -> None:
        assert await cluster.get(ES, "c", namespace="n1") is None
        assert await cluster.get(PS, "p") is None
        assert await cluster.get(ES, "app") is None and await cluster.data("app") is None

    await cluster.eventually(gone)
    await cluster.quiet()


def _status_writes(cluster: Cluster) -> int:
    return sum(1 for exchange in cluster.server.requests() if "/clustersecretstores/fake/status" in exchange.uri)
