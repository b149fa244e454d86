"""Starting before the cluster is ready for it."""

from __future__ import annotations

from dataclasses import replace

from controllers.api import all_crds
from controllers.operator import Operator
from eso_core.aio import TaskScope
from eso_core.cache import Settings
from eso_core.client import config_from_kubeconfig
from eso_core.manager import ManagerOptions
from tests.integration.operator.harness import running


async def test_b107_the_operator_waits_for_its_kinds() -> None:
    """B107: started without CRDs it stays up and not ready, and begins when they are installed."""
    async with running(crds=False, start=False) as cluster:
        config = config_from_kubeconfig(cluster.server.kubeconfig())
        options = replace(ManagerOptions(), reflector=Settings(absent_retry=0.2))
        operator = Operator(config, manager_options=options)

        async def ready() -> bool:
            return operator.manager.ready

        async with TaskScope("operator") as scope:
            scope.spawn(operator.run(), name="operator")

            async def asked_twice() -> bool:
                missing = [line for line in cluster.server.requests(user_agent="external-secrets") if line.code == 404]
                return len(missing) >= 2

            await cluster.eventually(asked_twice)
            assert not await ready()
            for manifest in all_crds():
                cluster.server.install(manifest)
            await cluster.eventually(ready)
            await cluster.fake({"k": "1"})
            await cluster.es("app", data=[{"secretKey": "a", "remoteRef": {"key": "k"}}])
            await cluster.synced("app")
            operator.manager.stop()
