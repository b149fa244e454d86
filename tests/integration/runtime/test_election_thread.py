"""Leader election on a thread of its own, in real time: what stalls is the real event loop."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from eso_core.aio import TaskScope
from eso_core.client import Client
from eso_core.manager import LeaderElectionOptions, Manager, ManagerOptions
from eso_core.meta import ObjectKey
from eso_core.meta.errors import LeaderElectionLost, NotFound
from eso_core.meta.wellknown import LEASE
from eso_core.metrics import new_registry
from eso_core.testing.apiserver.background import BackgroundServer
from eso_core.testing.apiserver.options import ApiServerOptions
from eso_core.testing.eventually import eventually

NIGHTLY = bool(os.environ.get("ESO_TEST_NIGHTLY"))
#: lease, renew deadline, retry period; a block that the lease survives on its own thread, and one that nobody survives.
TIMES = (15.0, 10.0, 2.0) if NIGHTLY else (3.0, 2.0, 1.0)
SHORT_BLOCK, LONG_BLOCK = (8.0, 11.0) if NIGHTLY else (1.5, 2.3)
SUSPENSION = 20.0 if NIGHTLY else 3.0


@pytest.fixture
def server() -> Any:
    with BackgroundServer(ApiServerOptions(tls=False)) as server:
        yield server


@pytest.fixture
async def client(server: Any) -> AsyncIterator[Client]:
    from eso_core.client import config_from_kubeconfig

    async with Client(config_from_kubeconfig(server.kubeconfig())) as client:
        yield client


def manager_of(client: Client, **options: Any) -> Manager:
    lease, renew, retry = TIMES
    election = LeaderElectionOptions(
        "demo", namespace="default", lease_duration=lease, renew_deadline=renew, retry_period=retry, **options
    )
    return Manager(
        client.config,
        registry=new_registry(process=False),
        options=ManagerOptions(leader_election=election, freeze_gc=False),
    )


async def lease(client: Client) -> dict[str, Any]:
    try:
        found: dict[str, Any] = (await client.get(LEASE, ObjectKey("default", "demo")))["spec"]
    except NotFound:
        return {}
    return found


async def test_a_stalled_main_loop_keeps_the_lease_for_a_while_and_then_loses_it(client: Client) -> None:
    """P-58, M-33: renewals on their own loop outlive a block; one beyond the deadline ends the manager with an error."""
    manager = manager_of(client, own_thread=True, identity="one")
    async with TaskScope("test") as scope:
        running = scope.spawn(_outcome(manager), name="manager")
        await eventually(lambda: manager.elected, 10.0, 0.02)
        before = (await lease(client))["renewTime"]
        time.sleep(SHORT_BLOCK)  # noqa: ASYNC251 - stalling the loop is the point
        await asyncio.sleep(0.3)
        assert manager.elected
        assert not running.done()
        assert (await lease(client))["renewTime"] > before
        time.sleep(LONG_BLOCK + TIMES[2])  # noqa: ASYNC251
        outcome = await asyncio.wait_for(running, 10.0)
    assert isinstance(outcome, LeaderElectionLost)
    assert not manager.elected


async def test_on_the_same_loop_a_block_beyond_the_deadline_loses_the_lease(client: Client) -> None:
    """P-58: what holds without a thread."""
    manager = manager_of(client, identity="one")
    async with TaskScope("test") as scope:
        running = scope.spawn(_outcome(manager), name="manager")
        await eventually(lambda: manager.elected, 10.0, 0.02)
        time.sleep(LONG_BLOCK)  # noqa: ASYNC251
        outcome = await asyncio.wait_for(running, 10.0)
    assert isinstance(outcome, LeaderElectionLost)


async def test_a_clean_stop_gives_the_lease_back_from_its_thread(client: Client) -> None:
    """M-33, M-36, M-37: the callbacks run on the main loop, and the lease is free afterwards."""
    seen: list[str] = []
    main = asyncio.get_running_loop()

    async def started(scope: TaskScope) -> None:
        assert asyncio.get_running_loop() is main
        seen.append("started")
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("cancelled")

    manager = manager_of(
        client,
        own_thread=True,
        identity="one",
        on_started=started,
        on_stopped=lambda: seen.append("stopped"),
        on_new_leader=lambda identity: seen.append(f"leader {identity}"),
    )
    async with TaskScope("test") as scope:
        running = scope.spawn(_outcome(manager), name="manager")
        await eventually(lambda: "started" in seen, 10.0, 0.02)
        manager.stop()
        assert await asyncio.wait_for(running, 10.0) is None
    assert seen == ["leader one", "started", "cancelled", "stopped"]
    assert (await lease(client))["holderIdentity"] == ""


async def test_who_never_led_is_told_of_the_stop_too(client: Client) -> None:
    """M-36: stopped is always called; started never was."""
    seen: list[str] = []
    first = manager_of(client, identity="one")

    async def started(scope: TaskScope) -> None:
        seen.append("started")

    second = manager_of(
        client,
        own_thread=True,
        identity="two",
        on_started=started,
        on_stopped=lambda: seen.append("stopped"),
        on_new_leader=seen.append,
    )
    async with TaskScope("test") as scope:
        leading = scope.spawn(_outcome(first), name="first")
        await eventually(lambda: first.elected, 10.0, 0.02)
        following = scope.spawn(_outcome(second), name="second")
        await eventually(lambda: seen == ["one"], 10.0, 0.02)
        second.stop()
        assert await asyncio.wait_for(following, 10.0) is None
        assert seen == ["one", "stopped"]
        first.stop()
        assert await asyncio.wait_for(leading, 10.0) is None


async def _outcome(manager: Manager) -> BaseException | None:
    try:
        await manager.run()
    except Exception as error:
        return error
    return None


PROGRAM = """
    import asyncio, sys
    from eso_core.client import MergePatch, load_config
    from eso_core.manager import LeaderElectionOptions, Manager, ManagerOptions
    from eso_core.meta import ObjectKey
    from eso_core.meta.wellknown import CONFIG_MAP

    lease, renew, retry = (float(part) for part in sys.argv[2].split(","))

    class Writer:
        name = "writer"

        async def start(self):
            n = 0
            while True:
                n += 1
                await asyncio.sleep(0.02)
                await manager.client.patch(CONFIG_MAP, ObjectKey("default", "beat"), MergePatch({"data": {"n": str(n)}}))

    async def main():
        global manager
        election = LeaderElectionOptions("demo", namespace="default", identity="suspended", lease_duration=lease,
                                         renew_deadline=renew, retry_period=retry, own_thread=sys.argv[3] == "thread")
        manager = Manager(await load_config(sys.argv[1]), options=ManagerOptions(leader_election=election))
        manager.add(Writer())
        await manager.run()

    asyncio.run(main())
"""


@pytest.mark.parametrize("where", ["thread", "loop"])
async def test_a_suspended_leader_writes_nothing_when_it_wakes_up(
    server: Any, client: Client, tmp_path: Path, where: str
) -> None:
    """P-59, M-35: after SIGCONT the process ends with an error, and no write is sent before that."""
    metadata = {"name": "beat", "namespace": "default"}
    await client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"n": "0"}})
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(server.kubeconfig()))
    times = ",".join(str(part) for part in TIMES)
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), str(kubeconfig), times, where],
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    try:
        await eventually(lambda: _writes(server) > 20, 20.0, 0.05)
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(0.2)  # what was on its way arrives
        before = _writes(server)
        await asyncio.sleep(SUSPENSION)
        assert _writes(server) == before
        process.send_signal(signal.SIGCONT)
        code = await asyncio.to_thread(process.wait, 20)
        assert code != 0
        assert _writes(server) == before
    finally:
        process.kill()
        assert process.stderr is not None
        errors = await asyncio.to_thread(process.stderr.read)
        process.stderr.close()
        process.wait()
    assert b"LeaderElectionLost" in errors


def _writes(server: Any) -> int:
    return len(server.requests(verb="patch", resource="configmaps"))
