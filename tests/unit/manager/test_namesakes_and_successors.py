"""Two of a kind: controllers with one name, managers with one lease."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from eso_core.controller import Context, Request
from eso_core.manager import LeaderElectionOptions
from eso_core.meta import ObjectKey
from eso_core.meta.errors import ConnectionLost, Forbidden, LeaderElectionLost, NotFound
from eso_core.meta.wellknown import CONFIG_MAP


async def test_controllers_that_share_a_name_share_its_series(kit: Any) -> None:
    """K-40: only where it is asked for; what one of them leaves the other keeps."""

    async def reconcile(ctx: Context, request: Request) -> None:
        return None

    manager = kit.manager()
    kit.api.server(CONFIG_MAP).put("a")
    run = kit.run(manager)
    await kit.clock.settle()
    controllers = [
        manager.controller(reconcile, name="same").for_(CONFIG_MAP).options(skip_name_validation=True).complete()
        for _ in range(2)
    ]
    await kit.clock.settle()
    labels = {"controller": "same", "result": "success"}
    assert manager.registry.get_sample_value("controller_runtime_reconcile_total", labels) == 2
    await manager.remove(controllers[0])
    assert manager.registry.get_sample_value("controller_runtime_reconcile_total", labels) == 2
    with pytest.raises(ValueError, match="same"):
        manager.controller(reconcile, name="same").for_(CONFIG_MAP).complete()
        manager.controller(reconcile, name="same").for_(CONFIG_MAP).complete()
    await manager.remove(controllers[1])
    manager.stop()
    await kit.clock.settle()
    assert run.exception() is None


class SharedLease:
    """One lease on one server, and a connection to it for each candidate."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0

    def connect(self, *_: Any) -> Connection:
        return Connection(self)


class Connection:
    def __init__(self, server: SharedLease) -> None:
        self.key = ObjectKey("ns", "demo")
        self.server = server
        self.cut = False

    def changes(self) -> Any:
        raise Forbidden("no watch")

    def _reach(self) -> None:
        if self.cut:
            raise ConnectionLost("cut")

    async def get(self) -> dict[str, Any]:
        await asyncio.sleep(0)
        self._reach()
        if self.server.lease is None:
            raise NotFound("leases not found")
        return self.server.lease

    async def _store(self, body: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(0)
        self._reach()
        self.server.version += 1
        metadata = {**body.get("metadata", {}), "resourceVersion": str(self.server.version)}
        self.server.lease = {**body, "metadata": metadata}
        return self.server.lease

    create = update = _store

    async def aclose(self) -> None:
        return None


async def test_what_the_old_leader_does_has_ended_when_the_new_one_begins(
    kit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-65, M-04, M-34: two managers in one process; the first is cut off in the middle of reconciles that take minutes."""
    shared = SharedLease()
    connections: list[Connection] = []

    def connect(*args: Any) -> Connection:
        connections.append(shared.connect())
        return connections[-1]

    monkeypatch.setattr("eso_core.manager.manager.lease_client", connect)
    diary: list[tuple[str, str, float]] = []

    def reconciler(who: str) -> Any:
        async def reconcile(ctx: Context, request: Request) -> None:
            diary.append((who, "starts", kit.clock.elapsed))
            try:
                await ctx.clock.sleep(300)
            finally:
                diary.append((who, "ends", kit.clock.elapsed))

        return reconcile

    for name in "abc":
        kit.api.server(CONFIG_MAP).put(name)
    runs = []
    for who in ("old", "new"):
        election = LeaderElectionOptions("demo", namespace="ns", identity=who, watch_lease=False)
        manager = kit.manager(leader_election=election)
        manager.controller(reconciler(who), name=who).for_(CONFIG_MAP).workers(2)
        runs.append((manager, kit.run(manager)))
        await kit.clock.advance(3)
    assert [(who, what) for who, what, _ in diary] == [("old", "starts")] * 2
    cut = kit.clock.elapsed
    connections[0].cut = True
    await kit.clock.advance(40)
    ends = [at for who, what, at in diary if (who, what) == ("old", "ends")]
    starts = [at for who, what, at in diary if (who, what) == ("new", "starts")]
    assert len(ends) == len(starts) == 2
    assert max(ends) <= cut + 10
    assert min(starts) >= cut + 12  # 15 s after the last renewal that was seen, which was at most 3 s before the cut
    assert max(ends) < min(starts)
    assert isinstance(runs[0][1].exception(), LeaderElectionLost)
    runs[1][0].stop()
    await kit.clock.advance(60)
    assert runs[1][1].exception() is None
