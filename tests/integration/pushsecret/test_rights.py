"""The rights of the original's ClusterRole are enough for PushSecrets."""

from __future__ import annotations

import asyncio
from typing import Any

from controllers.operator import Operator
from eso_core.aio import TaskScope
from eso_core.client import config_from_kubeconfig
from eso_core.meta.wellknown import CONFIG_MAP, SECRET
from providers.registry import Registry
from tests.integration.operator.harness import SS
from tests.integration.pushsecret.harness import FINALIZER, HOLD, PS, MemoryProvider, entry, pushing

GROUP = "external-secrets.io"
KINDS = [
    "secretstores",
    "clustersecretstores",
    "externalsecrets",
    "clusterexternalsecrets",
    "pushsecrets",
    "clusterpushsecrets",
]
RULES: list[dict[str, Any]] = [
    {"apiGroups": [GROUP], "resources": KINDS, "verbs": ["get", "list", "watch"]},
    {
        "apiGroups": [GROUP],
        "resources": [*KINDS, *(f"{kind}/status" for kind in KINDS), *(f"{kind}/finalizers" for kind in KINDS)],
        "verbs": ["get", "update", "patch"],
    },
    {
        "apiGroups": ["generators.external-secrets.io"],
        "resources": ["*"],
        "verbs": ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"],
    },
    {"apiGroups": [""], "resources": ["namespaces", "serviceaccounts"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]},
    {
        "apiGroups": [""],
        "resources": ["secrets"],
        "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
    },
    {"apiGroups": ["", "events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]},
]


async def test_an_operator_with_the_rights_of_the_original_pushes_and_takes_back() -> None:
    """Finalizers of PushSecret and store, sources, a template's ConfigMap, status and events; nothing is refused."""
    async with pushing(start=False) as push:
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "operator"}}
        await push.cluster.client.create({**role, "kind": "ClusterRole", "rules": RULES})
        await push.cluster.client.create(
            {
                **role,
                "kind": "ClusterRoleBinding",
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "operator"},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "operator"}],
            }
        )
        registry = Registry(plugins=())
        registry.register(MemoryProvider(push.backend))
        config = config_from_kubeconfig(push.cluster.server.add_user("operator", []))
        operator = Operator(config, providers=registry)
        stop = asyncio.Event()
        async with TaskScope("operator under test") as scope:
            scope.spawn(operator.run(stop), name="operator")
            await push.store()
            await push.cluster.secret("src", {"k": "v"})
            layout = {"metadata": {"name": "layout", "namespace": "t"}, "data": {"x": "{{ .k }}!"}}
            await push.cluster.client.create({"apiVersion": "v1", "kind": "ConfigMap", **layout})
            template = {"templateFrom": [{"configMap": {"name": "layout", "items": [{"key": "x"}]}}]}
            await push.push(deletionPolicy="Delete", template=template, data=[entry("x", "a")])
            await push.synced()
            assert push.backend.held() == {"a": {"": "v!"}}
            await push.cluster.patch(CONFIG_MAP, "layout", {"data": {"x": "{{ .k }}?"}})
            await push.holds({"a": {"": "v?"}})
            await push.cluster.patch(SECRET, "src", {"stringData": {"k": "w"}})
            await push.holds({"a": {"": "w?"}})
            await push.cluster.has_event("p", "Normal", "Synced")
            for kind, name, finalizer in ((PS, "p", FINALIZER), (SS, "s", HOLD)):
                obj = await push.cluster.get(kind, name)
                assert obj is not None and obj["metadata"]["finalizers"] == [finalizer]
            await push.cluster.delete(PS, "p")
            await push.gone()
            assert push.backend.held() == {}
            refused = [exchange.uri for exchange in push.cluster.server.requests() if exchange.code == 403]
            assert refused == []
            stop.set()
