"""The leak check finds each sort of thing that a test can leave behind, and nothing where nothing is left."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from eso_core.aio import TaskScope
from eso_core.testing.clock import FakeClock
from eso_core.testing.fakeclient import FakeClient
from eso_core.testing.leaks import check_leaks


async def test_what_is_cleaned_up_is_no_leak() -> None:
    """A scope, a socket, a thread and a timer that ended within the block."""
    async with check_leaks(timers=True):
        async with TaskScope("t") as scope:
            scope.spawn(asyncio.sleep(0), name="short")
        socket.socket().close()
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
        asyncio.get_running_loop().call_later(60, print).cancel()


async def test_a_task_is_found() -> None:
    """By its name."""
    async with TaskScope("t") as scope:
        with pytest.raises(AssertionError, match="task '.*forgotten'"):
            async with check_leaks():
                scope.spawn(asyncio.Event().wait(), name="forgotten")
        await scope.cancel()


async def test_a_thread_is_found() -> None:
    """By its name."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait, name="forgotten")
    try:
        with pytest.raises(AssertionError, match="thread 'forgotten'"):
            async with check_leaks():
                thread.start()
    finally:
        end.set()
        thread.join()


async def test_a_socket_is_found_unless_files_do_not_count() -> None:
    """As the system names it."""
    with socket.socket() as first, pytest.raises(AssertionError, match="file socket:"):
        async with check_leaks():
            second = socket.socket()
    assert first.fileno() == -1
    second.close()
    async with check_leaks(files=False):
        third = socket.socket()
    third.close()


async def test_a_timer_is_found_when_asked_for() -> None:
    """Only then: libraries leave harmless ones."""
    with pytest.raises(AssertionError, match="timer <TimerHandle"):
        async with check_leaks(timers=True):
            timer = asyncio.get_running_loop().call_later(60, print)
    timer.cancel()
    async with check_leaks():
        timer = asyncio.get_running_loop().call_later(60, print)
    timer.cancel()


async def test_a_fake_client_leaves_nothing() -> None:
    """No task, socket or timer, on a fake clock and on the system's."""
    async with check_leaks(timers=True), FakeClient(clock=FakeClock()) as client:
        await client.server_version()
    async with check_leaks(timers=True), FakeClient() as client:
        await client.server_version()
