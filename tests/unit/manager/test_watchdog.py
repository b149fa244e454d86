"""Stalls of the event loop are caught in the act; in real time, as nothing else stalls a real loop."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from structlog.testing import capture_logs

from eso_core.aio import TaskScope
from eso_core.manager import ManagerOptions
from eso_core.manager.watchdog import LoopWatchdog
from eso_core.testing.eventually import eventually


def computes_for(seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        pass


async def test_a_stall_is_logged_once_with_what_the_loop_was_doing() -> None:
    """G-06: longer than the limit of 100 ms; shorter ones are no stalls; the length is observed."""
    lengths: list[float] = []
    with capture_logs() as logs:
        async with TaskScope("test") as scope:
            watching = scope.spawn(LoopWatchdog(0.1, lengths.append).run(), name="watchdog")
            await asyncio.sleep(0.05)
            computes_for(0.4)
            await eventually(lambda: lengths, 5.0, 0.01)
            watching.cancel()
    told = [line for line in logs if line["event"] == "the event loop stands still"]
    assert len(told) == 1
    assert "computes_for" in told[0]["stack"]
    assert 0.1 < told[0]["seconds"] < lengths[0] + 0.1
    assert lengths[0] >= 0.3
    assert not [thread for thread in threading.enumerate() if thread.name == "event loop watchdog"]


async def test_a_manager_watches_its_loop_when_it_is_told_to(kit: Any) -> None:
    """G-06: stalls feed eso_core_event_loop_stall_seconds; it is off by default, and gone after the stop."""
    assert ManagerOptions().loop_watchdog == 0.0
    with pytest.raises(ValueError, match="loop_watchdog"):
        ManagerOptions(loop_watchdog=-1.0)
    manager = kit.manager(loop_watchdog=0.05)
    run = kit.run(manager)
    await kit.clock.settle()
    await asyncio.sleep(0.03)
    computes_for(0.3)
    name = "eso_core_event_loop_stall_seconds_count"
    await eventually(lambda: manager.registry.get_sample_value(name), 5.0, 0.01)
    manager.stop()
    await kit.clock.advance(1)
    assert run.exception() is None
    assert not [thread for thread in threading.enumerate() if thread.name == "event loop watchdog"]
