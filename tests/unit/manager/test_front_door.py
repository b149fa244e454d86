"""The one-file operator, and signals."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import Any

import pytest

from eso_core.builder import Operator
from eso_core.client import ClientConfig
from eso_core.controller import Context, Request, Result, enqueue_object
from eso_core.manager import LeaderElectionOptions, Manager, stop_on_signals
from eso_core.meta.wellknown import CONFIG_MAP, DEPLOYMENT, SECRET


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    asked: list[tuple[Any, ...]] = []

    async def load(*args: Any) -> ClientConfig:
        asked.append(args)
        return ClientConfig(server="http://127.0.0.1:1")

    monkeypatch.setattr("eso_core.builder.load_config", load)
    return asked


async def test_an_operator_declares_controllers_and_steps(configured: list[tuple[Any, ...]]) -> None:
    """K-41: the decorator says what the builder would; the function stays as it is; steps see the manager."""
    operator = Operator("websites", leader_election=True, kubeconfig="some", context="ctx", namespaces=["one"])

    @operator.controller(DEPLOYMENT, owns=[CONFIG_MAP], watches={SECRET: enqueue_object}, workers=4, hot_loop_runs=7)
    async def reconcile(ctx: Context, request: Request) -> Result:
        return Result.after(minutes=5)

    seen: list[Manager] = []

    @operator.on_manager
    def index(manager: Manager) -> None:
        seen.append(manager)
        manager.cache.index(DEPLOYMENT, "x", lambda meta, obj: [])

    manager = await operator.manager()
    assert await reconcile(None, Request("", "")) == Result(requeue_after=300.0)  # type: ignore[arg-type]
    assert seen == [manager]
    assert configured == [("some", "ctx")]
    assert {informer.spec.gvk for informer in manager.cache.informers()} == {DEPLOYMENT, CONFIG_MAP, SECRET}
    assert {informer.spec.namespaces for informer in manager.cache.informers()} == {("one",)}
    assert manager.options.leader_election == LeaderElectionOptions("websites")
    (builder,) = manager._builders
    controller = builder.complete()
    assert (controller.name, controller.options.max_concurrent, controller.options.hot_loop_runs) == (
        "deployment",
        4,
        7,
    )
    await manager.api.aclose()


async def test_the_first_signal_stops_the_manager_the_second_the_process(
    kit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M-03."""
    exits: list[int] = []
    monkeypatch.setattr("os._exit", exits.append)
    manager = kit.manager()
    with stop_on_signals(manager):
        run = kit.run(manager)
        await kit.clock.settle()
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(5):
            while not run.done():  # noqa: ASYNC110 - signals come when they come
                await asyncio.sleep(0.001)
        assert run.exception() is None
        os.kill(os.getpid(), signal.SIGINT)
        async with asyncio.timeout(5):
            while not exits:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
    assert exits == [1]


async def test_outside_of_the_main_thread_there_are_no_signals(kit: Any) -> None:
    """M-03: the block is entered all the same."""
    entered: list[bool] = []

    def enter() -> None:
        with stop_on_signals(kit.manager()):
            entered.append(True)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert entered == [True]
