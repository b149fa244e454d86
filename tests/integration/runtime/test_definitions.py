"""A manager that watches definitions."""

from __future__ import annotations

import asyncio

import pytest

from eso_core.aio import TaskScope
from eso_core.manager import Manager, ManagerOptions
from eso_core.meta import GVK
from eso_core.meta.errors import NoKindMatch
from eso_core.metrics import new_registry
from eso_core.model import Model, Resource, crd_for
from eso_core.testing.eventually import eventually
from tests.integration.cluster import cluster


class Spec(Model):
    size: int


class Late(Resource, group="late.test", version="v1"):
    spec: Spec


LATE = GVK("late.test", "v1", "Late")


@pytest.mark.parametrize("watched", [True, False])
async def test_a_kind_that_comes_is_known_at_once(watched: bool) -> None:
    """C-35: with the watch of definitions; without it ten seconds pass after somebody asked in vain."""
    async with cluster() as kube:
        options = ManagerOptions(freeze_gc=False, watch_definitions=watched)
        manager = Manager(kube.config, registry=new_registry(process=False), options=options)
        async with TaskScope("test") as scope:
            scope.spawn(manager.run(), name="manager")
            await eventually(lambda: manager.ready, 10.0, 0.02)
            for _ in range(2):
                with pytest.raises(NoKindMatch):
                    await manager.api.mapper.mapping(LATE)
            await kube.install(crd_for(Late))

            async def known() -> bool:
                try:
                    return (await manager.api.mapper.mapping(LATE)).gvr.resource == "lates"
                except NoKindMatch:
                    return False

            if watched:
                await eventually(known, 5.0, 0.02)
            else:
                await asyncio.sleep(0.3)
                assert not await known()
            manager.stop()
