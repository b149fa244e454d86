"""Built-in health checks and their limits, and the clock that leases are measured by."""

from __future__ import annotations

import time
from typing import Any

import pytest

from eso_core.aio import SystemClock
from eso_core.manager import LeaderElectionOptions
from eso_core.meta.errors import Forbidden


async def outcome(manager: Any, checks: dict[str, Any], name: str) -> bool:
    [result] = await manager.checks.run(checks, only=name)
    return bool(result.ok)


async def test_a_stalled_loop_is_unhealthy_from_thirty_seconds_on(kit: Any) -> None:
    """M-11: the first answer after a stall says so, until the loop has ticked again."""
    manager = kit.manager()
    run = kit.run(manager)
    await kit.clock.advance(5)
    checks = manager.checks
    assert await outcome(manager, checks.health, "event-loop")
    checks._last_tick = kit.clock.monotonic() - 29
    assert await outcome(manager, checks.health, "event-loop")
    checks._last_tick = kit.clock.monotonic() - 31
    assert not await outcome(manager, checks.health, "event-loop")
    manager.stop()
    await kit.clock.advance(1)
    assert run.exception() is None


async def test_silence_is_unready_from_180_seconds_on(kit: Any) -> None:
    """M-11, R-34: the watch's own limit is 75 s, so this says that reconnecting does not help."""
    from eso_core.cache import InformerSpec
    from eso_core.meta.wellknown import CONFIG_MAP

    manager = kit.manager()
    informer = manager.cache.register(InformerSpec(CONFIG_MAP))
    run = kit.run(manager)
    await kit.clock.settle()
    informer._shards[""].driver.last_progress = kit.clock.monotonic() - 179
    assert await outcome(manager, manager.checks.readiness, "watch-progress")
    informer._shards[""].driver.last_progress = kit.clock.monotonic() - 181
    assert not await outcome(manager, manager.checks.readiness, "watch-progress")
    manager.stop()
    await kit.clock.advance(1)
    assert run.exception() is None


class NoRight:
    """A lease that this process may not touch."""

    def __init__(self) -> None:
        from eso_core.meta import ObjectKey

        self.key = ObjectKey("ns", "demo")

    async def get(self) -> Any:
        raise Forbidden("leases.coordination.k8s.io is forbidden")

    create = update = get

    def changes(self) -> Any:
        raise Forbidden("leases.coordination.k8s.io is forbidden")

    async def aclose(self) -> None:
        return None


@pytest.mark.parametrize("ready", [True, False])
async def test_a_follower_is_ready_unless_the_program_says_that_only_leaders_are(
    kit: Any, monkeypatch: pytest.MonkeyPatch, ready: bool
) -> None:
    """P-64: without the right to leases the process goes on as a follower; whether that is ready is an option."""
    monkeypatch.setattr("eso_core.manager.manager.lease_client", lambda *args: NoRight())
    election = LeaderElectionOptions("demo", namespace="ns", identity="me", ready_as_follower=ready)
    manager = kit.manager(leader_election=election)
    run = kit.run(manager)
    await kit.clock.advance(60)
    assert not manager.elected
    assert not run.done()
    results = await manager.checks.run(manager.checks.readiness)
    assert [result.name for result in results if not result.ok] == ([] if ready else ["leader-election"])
    manager.stop()
    await kit.clock.advance(40)
    assert run.exception() is None


async def test_a_leader_is_ready(kit: Any) -> None:
    """P-64: without election everybody leads."""
    manager = kit.manager()
    run = kit.run(manager)
    await kit.clock.settle()
    assert manager.elected
    manager.stop()
    await kit.clock.advance(1)
    assert run.exception() is None


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="only Linux has such a clock")
def test_time_in_which_the_machine_slept_counts() -> None:
    """M-35: the system clock's monotonic time is CLOCK_BOOTTIME's."""
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    now = SystemClock().monotonic()
    after = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= now <= after
    # A machine that has never slept has two clocks that agree: which of them is asked can only be looked up.
    asked = SystemClock.monotonic
    assert (asked.func, asked.args) == (time.clock_gettime, (time.CLOCK_BOOTTIME,))
