"""How long a start waits for the kinds of a controller, and what it says when they do not come."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from eso_core.aio import TaskScope
from eso_core.builder import Operator
from eso_core.controller import Context, ControllerOptions, Request
from eso_core.manager import Manager, ManagerOptions
from eso_core.meta import GVK
from eso_core.meta.errors import ManagerError
from eso_core.meta.wellknown import CONFIG_MAP
from eso_core.testing.clock import FakeClock
from eso_core.testing.fakeclient import FakeClient

ABSENT = GVK("nope.example.com", "v1", "Ghost")


async def nothing(ctx: Context, request: Request) -> None:
    """Does nothing."""


async def failure_after(declared: dict[str, Any], options: dict[str, Any], seconds: float) -> BaseException | None:
    """How the manager of a controller of a kind without definition ended within this time; None when it has not."""
    clock = FakeClock()
    operator = Operator("ghosts")
    operator.controller(CONFIG_MAP)(nothing)
    operator.controller(ABSENT, **declared)(nothing)
    with capture_logs():
        async with FakeClient(clock=clock) as client, TaskScope("manager") as scope:
            manager = await operator.manager(client, ManagerOptions(**options), clock=clock)
            run = scope.spawn(manager.run(), name="manager", on_error=lambda error: None)
            await clock.advance(seconds)
            ended = run.exception() if run.done() else None
            manager.stop()
            await clock.advance(60)
    return ended


@pytest.mark.parametrize(
    ("declared", "options", "limit"),
    [
        ({"cache_sync_timeout": 4.0}, {}, 4),
        ({}, {"cache_sync_timeout": 6.0}, 6),
        ({"cache_sync_timeout": 300.0}, {"cache_sync_timeout": 6.0}, 300),
        ({}, {}, 120),
    ],
)
async def test_the_controllers_own_limit_comes_before_that_of_the_manager(
    declared: dict[str, Any], options: dict[str, Any], limit: int
) -> None:
    """K-01, K-02: as the original has it; the error names the kind and what to do."""
    assert await failure_after(declared, options, limit - 1) is None
    error = await failure_after(declared, options, limit + 1)
    assert isinstance(error, ManagerError)
    assert f"not synced within {limit} s: Ghost: " in str(error)
    assert "apply the CustomResourceDefinition of Ghost, or wait for it: wait_for_crd=True" in str(error)


async def test_a_controller_that_waits_for_its_kind_has_no_limit() -> None:
    """K-02."""
    assert await failure_after({"wait_for_crd": True, "cache_sync_timeout": 4.0}, {}, 4000) is None


async def test_of_two_controllers_of_a_kind_the_less_patient_decides() -> None:
    """The informer is the same; an operator sets the limit of all others."""
    clock = FakeClock()
    operator = Operator("ghosts", cache_sync_timeout=9.0, metrics_addr="0", health_addr="0")
    operator.controller(ABSENT, name="one", cache_sync_timeout=50.0)(nothing)
    operator.controller(ABSENT, name="two", cache_sync_timeout=5.0)(nothing)
    operator.controller(CONFIG_MAP)(nothing)
    async with FakeClient(clock=clock) as client:
        manager = await operator.manager(client, clock=clock)
        assert manager.options.cache_sync_timeout == 9.0
        limits = {each.name: each.options.cache_sync_timeout for each in (b.complete() for b in manager._builders)}
        assert limits == {"one": 50.0, "two": 5.0, "configmap": 9.0}
        assert manager.cache.informer(ABSENT).sync_timeout == 5.0
        assert manager.cache.informer(CONFIG_MAP).sync_timeout is None


async def test_a_controller_that_is_added_later_says_the_same() -> None:
    """K-42: its sources have the limit; the manager goes down with the error, as with that of any part."""
    clock = FakeClock()
    with capture_logs():
        async with FakeClient(clock=clock) as client, TaskScope("manager") as scope:
            manager = Manager(client, clock=clock)
            run = scope.spawn(manager.run(), name="manager", on_error=lambda error: None)
            await clock.advance(1)
            manager.controller(nothing).for_(ABSENT).options(ControllerOptions(cache_sync_timeout=4.0)).complete()
            await clock.advance(3)
            assert not run.done()
            await clock.advance(2)
            error = run.exception()
    assert "source kind Ghost did not sync within 4 s" in str(error)
    assert "apply the CustomResourceDefinition of Ghost" in str(error)
