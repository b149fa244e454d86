"""An election on a thread with an event loop of its own.

A callback that computes for seconds stalls the main loop; on the same loop the lease could not be renewed meanwhile and
would be lost. Here the renewals go on. So that a process whose main loop hangs for good does not lead for ever, the main
loop gives a sign of life four times a second, and without one for `renew_deadline` the lease is not renewed any more.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Literal

from eso_core.aio import SystemClock
from eso_core.manager.leader import LeaderElector, LeaseClient, LeaseRecorder
from eso_core.manager.options import LeaderElectionOptions
from eso_core.meta import JsonObject
from eso_core.metrics import RuntimeMetrics

__all__ = ["ElectionThread"]

_BEAT_SECONDS = 0.25


class ElectionThread:
    """A `LeaderElector` whose callbacks run on the loop that made it.

    Args:
        options: names and times.
        client: access to the Lease; used on the thread's loop only.
        metrics: the runtime's families.
        recorder: events about the Lease; used on the main loop.
        on_started, on_lost, on_new_leader: as for `LeaderElector`, called on the main loop.
    """

    def __init__(
        self,
        options: LeaderElectionOptions,
        client: LeaseClient,
        *,
        metrics: RuntimeMetrics,
        recorder: LeaseRecorder,
        on_started: Callable[[], Awaitable[None]],
        on_lost: Callable[[], None],
        on_new_leader: Callable[[str], None] | None = None,
    ) -> None:
        self._options = options
        self._main = asyncio.get_running_loop()
        self._clock = SystemClock()
        self._beat = self._clock.monotonic()
        self._on_started = on_started
        self._on_lost = on_lost
        self._on_new_leader = on_new_leader
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self.elector = LeaderElector(
            options,
            client,
            self._clock,
            metrics=metrics,
            recorder=_Forwarded(self._call, recorder),
            on_started=self._started,
            on_lost=lambda: self._call(self._on_lost),
            on_new_leader=self._new_leader,
            alive=self._main_is_alive,
        )

    async def run(self) -> None:
        """Competes and leads; returns when leadership was lost or given back."""
        ended: asyncio.Future[None] = self._main.create_future()
        thread = threading.Thread(target=self._work, args=(ended,), name="leader election", daemon=True)
        self._beat = self._clock.monotonic()
        thread.start()
        try:
            while not ended.done():
                self._beat = self._clock.monotonic()
                await asyncio.wait([ended], timeout=_BEAT_SECONDS)
            ended.result()
        finally:
            if self._loop is not None and self._task is not None and thread.is_alive():
                self._loop.call_soon_threadsafe(self._task.cancel)
            await asyncio.to_thread(thread.join)

    async def resign(self) -> None:
        """Gives the lease up, when all elected work has ended."""
        if self._loop is None or self._loop.is_closed():
            return
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self.elector.resign(), self._loop))

    def _work(self, ended: asyncio.Future[None]) -> None:
        async def compete() -> None:
            self._loop = asyncio.get_running_loop()
            self._task = asyncio.current_task()
            await self.elector.run()

        failure: BaseException | None = None
        try:
            asyncio.run(compete())
        except asyncio.CancelledError:
            failure = None  # the main loop stops and has asked for it
        except BaseException as error:
            failure = error
        self._call(lambda: _settle(ended, failure))

    def _main_is_alive(self) -> bool:
        return self._clock.monotonic() - self._beat < self._options.renew_deadline

    async def _started(self) -> None:
        async def started() -> None:
            await self._on_started()

        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(started(), self._main))

    def _new_leader(self, identity: str) -> None:
        callback = self._on_new_leader
        if callback is not None:
            self._call(lambda: callback(identity))

    def _call(self, function: Callable[[], object]) -> None:
        if not self._main.is_closed():
            self._main.call_soon_threadsafe(function)


def _settle(ended: asyncio.Future[None], failure: BaseException | None) -> None:
    if ended.done():
        return
    if failure is None:
        ended.set_result(None)
    else:
        ended.set_exception(failure)


class _Forwarded:
    """A recorder that is used from another thread."""

    def __init__(self, call: Callable[[Callable[[], object]], None], recorder: LeaseRecorder) -> None:
        self._call = call
        self._recorder = recorder

    def event(self, subject: JsonObject, event_type: Literal["Normal"], reason: str, message: str) -> None:
        self._call(lambda: self._recorder.event(subject, event_type, reason, message))
