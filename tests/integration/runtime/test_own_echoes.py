"""A controller that does not want to be woken by its own writes."""

from __future__ import annotations

from eso_core.aio import TaskScope
from eso_core.client import MergePatch
from eso_core.controller import Context, Request, Result
from eso_core.manager import Manager, ManagerOptions
from eso_core.meta import ObjectKey
from eso_core.meta.wellknown import CONFIG_MAP, NAMESPACE
from eso_core.metrics import new_registry
from eso_core.testing.eventually import consistently, eventually
from tests.integration.cluster import cluster


async def test_own_updates_wake_nobody_and_foreign_ones_always_do() -> None:
    """R-76: one reconcile writes once; an edit by somebody else, or a patch that names no version, comes through."""
    runs: list[str] = []
    async with cluster() as kube:
        manager = Manager(kube.config, registry=new_registry(process=False), options=ManagerOptions(freeze_gc=False))

        async def reconcile(ctx: Context, request: Request) -> Result | None:
            obj = await ctx.client.get(CONFIG_MAP, request.key)
            runs.append(obj["data"]["n"])
            if obj["data"].get("seen") != obj["data"]["n"]:
                obj["data"]["seen"] = obj["data"]["n"]
                await ctx.client.update(obj)
            return None

        builder = manager.controller(reconcile, name="echo")
        builder.for_(CONFIG_MAP, namespaces=("echoes",)).options(skip_own_echoes=True)
        api = manager.api
        await api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "echoes"}})
        key = ObjectKey("echoes", "a")
        async with TaskScope("test") as scope:
            scope.spawn(manager.run(), name="manager")
            metadata = {"namespace": key.namespace, "name": key.name}
            await api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"n": "1"}})
            await eventually(lambda: "1" in runs, 10.0, 0.02)
            await consistently(lambda: runs.count("1") == 1, 0.5, 0.05)
            await api.patch(CONFIG_MAP, key, MergePatch({"data": {"n": "2"}}))
            await eventually(lambda: "2" in runs, 10.0, 0.02)
            await consistently(lambda: runs.count("2") == 1, 0.5, 0.05)
            await api.delete(NAMESPACE, ObjectKey("", "echoes"))
            manager.stop()
