"""The priority work queue.

Four sets hold a key: *waiting* (a heap by due time), *ready* (one FIFO per priority), *processing*, and, remembered on the
processing record, "again". Each entry of the heap and of the FIFOs is an immutable tuple; the dict beside it says which
tuple of a key is the live one, so moving a key is one dict write and the stale tuple is skipped when met. That makes every
operation O(log n) and keeps one timer for all waiting keys.

A waiter is woken, it is not handed a key: it takes the key only when it runs again. A worker that is cancelled in between
has therefore taken nothing, and only has to pass the wake-up on.
"""

from __future__ import annotations

import asyncio
import heapq
from bisect import insort
from collections import Counter, deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from msgspec import Struct

from eso_core.aio import Clock, Timer
from eso_core.metrics.queue import QueueMetrics
from eso_core.queue.limiters import ItemExponential, RateLimiter

__all__ = ["LOW_PRIORITY", "QueueOptions", "QueueStatistics", "Taken", "WorkQueue"]

#: Priority of the initial list and of resyncs: real changes (0) overtake them.
LOW_PRIORITY = -100

#: A positive delay below this would spin; it is also about the timer resolution of the loop.
_MIN_DELAY = 0.001

#: How often aged keys are looked for, seconds; a scan of every level head per `get` would cost more than it gives.
_AGING_INTERVAL = 1.0

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """Fairness switches.

    Attributes:
        fair_share: after this many hand-outs from higher levels one comes from the lowest; 0 switches that off.
        raise_after: seconds after which a ready key moves up one level; 0 switches that off.
        depth_by_priority: whether the depth metric has one series per priority instead of one for all.
    """

    fair_share: int = 16
    raise_after: float = 300.0
    depth_by_priority: bool = False

    def __post_init__(self) -> None:
        if self.fair_share < 0:
            raise ValueError(f"QueueOptions: fair_share={self.fair_share} must be 0 (off) or more")
        if self.raise_after < 0:
            raise ValueError(f"QueueOptions: raise_after={self.raise_after} must be 0 (off) or more seconds")


class QueueStatistics(Struct, frozen=True):
    """Number of keys per state at one instant."""

    ready: int
    waiting: int
    processing: int
    timers: int


class Taken(Generic[K]):
    """A key handed out by `WorkQueue.get`; it stays locked until `WorkQueue.done(key)`."""

    __slots__ = ("_again", "_again_at", "_again_priority", "key", "priority", "ready_since", "started")

    def __init__(self, key: K, priority: int, ready_since: float, started: float) -> None:
        self.key = key
        self.priority = priority
        self.ready_since = ready_since
        self.started = started
        self._again = False
        self._again_at = 0.0
        self._again_priority = 0

    def __repr__(self) -> str:
        return f"Taken({self.key!r}, priority={self.priority})"


class WorkQueue(Generic[K]):
    """Hands out keys, each to one worker at a time.

    Not thread-safe; other threads use `add_threadsafe`. All methods but `get` and `drain` are synchronous.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        limiter: RateLimiter | None = None,
        metrics: QueueMetrics | None = None,
        options: QueueOptions | None = None,
    ) -> None:
        self._clock = clock
        self._limiter = limiter if limiter is not None else ItemExponential(clock=clock)
        self._options = options or QueueOptions()
        self._metrics = metrics
        self._ready: dict[K, tuple[K, int, float]] = {}
        self._levels: dict[int, deque[tuple[K, int, float]]] = {}
        self._order: list[int] = []  # priorities of the levels, ascending
        self._waiting: dict[K, tuple[float, int, K, int]] = {}
        self._heap: list[tuple[float, int, K, int]] = []
        self._sequence = 0
        self._processing: dict[K, Taken[K]] = {}
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._drained: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self._high_streak = 0
        self._next_aging = 0.0
        self._shut_down = False
        if metrics is not None:
            metrics.bind(self._depths, self._running_since, clock)

    def __len__(self) -> int:
        """Number of ready keys."""
        return len(self._ready)

    @property
    def shutting_down(self) -> bool:
        return self._shut_down

    @property
    def limiter(self) -> RateLimiter:
        return self._limiter

    def statistics(self) -> QueueStatistics:
        return QueueStatistics(
            ready=len(self._ready),
            waiting=len(self._waiting),
            processing=len(self._processing),
            timers=0 if self._timer is None else 1,
        )

    def running(self) -> list[tuple[K, float]]:
        """The keys in processing, and for how many seconds."""
        now = self._clock.monotonic()
        return [(taken.key, now - taken.started) for taken in self._processing.values()]

    # -- adding --------------------------------------------------------------------------------------------------

    def add(self, key: K, *, priority: int = 0) -> None:
        """Makes `key` ready now, or after its current run."""
        if self._shut_down:
            return
        taken = self._processing.get(key)
        if taken is not None:
            self._remember(taken, 0.0, priority)
            return
        entry = self._ready.get(key)
        if entry is not None:
            if priority > entry[1]:
                self._push_ready(key, priority, entry[2])
            return
        if self._waiting:
            waiting = self._waiting.pop(key, None)
            if waiting is not None:
                priority = max(priority, waiting[3])
                self._compact()
        self._make_ready(key, priority, self._clock.monotonic())

    def add_after(self, key: K, delay: float, *, priority: int = 0) -> None:
        """Makes `key` ready in `delay` seconds unless it is due earlier; a delay of 0 or less means now."""
        if self._shut_down:
            return
        if delay <= 0:
            self.add(key, priority=priority)
            return
        if self._metrics is not None:
            self._metrics.retries.inc()
        due = self._clock.monotonic() + max(delay, _MIN_DELAY)
        taken = self._processing.get(key)
        if taken is not None:
            self._remember(taken, due, priority)
            return
        entry = self._ready.get(key)
        if entry is not None:
            if priority > entry[1]:
                self._push_ready(key, priority, entry[2])
            return
        self._make_waiting(key, due, priority)

    def add_rate_limited(self, key: K, *, priority: int = 0) -> None:
        """Adds `key` after the delay its limiter asks for."""
        if not self._shut_down:
            self.add_after(key, self._limiter.when(key), priority=priority)

    def add_threadsafe(self, key: K, *, priority: int = 0) -> None:
        """`add` from another thread.

        Raises:
            RuntimeError: before the first `get`, when the queue does not know its event loop yet.
        """
        if self._loop is None:
            raise RuntimeError("adding to the work queue from a thread: no loop runs it yet: start the workers first")
        self._loop.call_soon_threadsafe(lambda: self.add(key, priority=priority))

    def forget(self, key: K) -> None:
        """Resets the failure count of `key`, nothing else."""
        self._limiter.forget(key)

    def failures(self, key: K) -> int:
        """How often `key` was added rate limited since it was forgotten."""
        return self._limiter.failures(key)

    def discard(self, key: K) -> None:
        """Drops `key` if it is waiting or ready, as for an object that is gone before any worker ran."""
        if self._waiting.pop(key, None) is not None:
            self._compact()
        self._ready.pop(key, None)

    # -- taking --------------------------------------------------------------------------------------------------

    async def get(self) -> Taken[K] | None:
        """The next key, or None once the queue is shut down. If cancelled, nothing was taken."""
        while True:
            taken = self.get_nowait()
            if taken is not None or self._shut_down:
                return taken
            loop = self._loop
            if loop is None:
                loop = self._loop = asyncio.get_running_loop()
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake_one()  # the wake-up was for a key that is still there
                elif not waiter.done():
                    waiter.cancel()
                raise

    def get_nowait(self) -> Taken[K] | None:
        """The next key if one is ready, else None."""
        if self._shut_down or not self._ready:
            return None
        now = self._clock.monotonic()
        order = self._order
        if len(order) > 1:
            entry = self._choose(now)
        else:
            entry = self._pop_level(order[-1])
        key, priority, since = entry
        taken = Taken(key, priority, since, now)
        self._processing[key] = taken
        if self._metrics is not None:
            self._metrics.queue_duration.observe(now - since)
        return taken

    def done(self, key: K) -> None:
        """Unlocks `key`; it becomes ready or waiting again if it was added meanwhile.

        Raises:
            ValueError: when the key is not being processed: `done` belongs to exactly one `get`.
        """
        taken = self._processing.pop(key, None)
        if taken is None:
            raise ValueError(f"finishing work on {key!r}: it is not being processed: call done once per get")
        now = self._clock.monotonic()
        if self._metrics is not None:
            self._metrics.work_duration.observe(now - taken.started)
        if self._shut_down:
            self._settle_drain()
            return
        if taken._again:
            if taken._again_at <= now:
                self._make_ready(key, taken._again_priority, now)
            else:
                self._make_waiting(key, taken._again_at, taken._again_priority)

    # -- ending --------------------------------------------------------------------------------------------------

    def shutdown(self) -> None:
        """Drops all keys that are not being processed and wakes all workers; idempotent."""
        if self._shut_down:
            return
        self._shut_down = True
        self._ready.clear()
        self._levels.clear()
        self._order.clear()
        self._waiting.clear()
        self._heap.clear()
        self._cancel_timer()
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)

    async def drain(self, timeout: float | None = None) -> bool:
        """Shuts down and waits until no key is processed; False when `timeout` seconds were not enough."""
        self.shutdown()
        if not self._processing:
            return True
        if self._drained is None:
            self._drained = asyncio.get_running_loop().create_future()
        try:
            async with self._clock.timeout(timeout):
                await asyncio.shield(self._drained)
        except TimeoutError:
            return False
        return True

    # -- inside --------------------------------------------------------------------------------------------------

    def _make_ready(self, key: K, priority: int, now: float) -> None:
        if self._metrics is not None:
            self._metrics.adds.inc()
        self._push_ready(key, priority, now)
        if self._waiters:
            self._wake_one()

    def _push_ready(self, key: K, priority: int, since: float) -> None:
        entry = (key, priority, since)
        self._ready[key] = entry
        level = self._levels.get(priority)
        if level is None:
            level = self._levels[priority] = deque()
            insort(self._order, priority)
        level.append(entry)

    def _make_waiting(self, key: K, due: float, priority: int) -> None:
        old = self._waiting.get(key)
        if old is not None:
            priority = max(priority, old[3])
            if old[0] <= due:
                if priority == old[3]:
                    return
                due = old[0]
        self._sequence += 1
        entry = (due, self._sequence, key, priority)
        self._waiting[key] = entry
        heapq.heappush(self._heap, entry)
        if old is not None:
            self._compact()
        self._arm_timer()

    def _remember(self, taken: Taken[K], due: float, priority: int) -> None:
        if taken._again:
            taken._again_at = min(taken._again_at, due)
            taken._again_priority = max(taken._again_priority, priority)
        else:
            taken._again = True
            taken._again_at = due
            taken._again_priority = priority

    def _pop_level(self, priority: int) -> tuple[K, int, float]:
        """Takes the oldest live entry; levels that only hold stale entries are removed on the way."""
        ready = self._ready
        while True:
            level = self._levels[priority]
            while level:
                entry = level.popleft()
                if ready.get(entry[0]) is entry:
                    del ready[entry[0]]
                    if not level and len(self._order) > 1:
                        self._drop_level(priority)
                    return entry
            self._drop_level(priority)
            priority = self._order[-1]

    def _drop_level(self, priority: int) -> None:
        del self._levels[priority]
        self._order.remove(priority)

    def _choose(self, now: float) -> tuple[K, int, float]:
        """The next entry when several levels exist: highest first, with the starvation guard."""
        raise_after = self._options.raise_after
        if raise_after and now >= self._next_aging:
            self._next_aging = now + _AGING_INTERVAL
            self._raise_aged(now - raise_after)
        self._prune_levels()
        highest, lowest = self._order[-1], self._order[0]
        if highest == lowest:
            return self._pop_level(highest)
        fair_share = self._options.fair_share
        if fair_share and self._high_streak >= fair_share:
            self._high_streak = 0
            return self._pop_level(lowest)
        self._high_streak += 1
        return self._pop_level(highest)

    def _prune_levels(self) -> None:
        """Removes levels at both ends that hold no live entry."""
        for end in (0, -1):
            while len(self._order) > 1:
                priority = self._order[end]
                level = self._levels[priority]
                while level and self._ready.get(level[0][0]) is not level[0]:
                    level.popleft()
                if level:
                    break
                self._drop_level(priority)

    def _raise_aged(self, before: float) -> None:
        for lower, upper in reversed(list(zip(self._order[:-1], self._order[1:], strict=True))):
            level = self._levels[lower]
            while level:
                entry = level[0]
                if self._ready.get(entry[0]) is not entry:
                    level.popleft()
                    continue
                if entry[2] > before:
                    break
                level.popleft()
                self._push_ready(entry[0], upper, entry[2])

    def _wake_one(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _arm_timer(self) -> None:
        while self._heap:
            head = self._heap[0]
            if self._waiting.get(head[2]) is head:
                break
            heapq.heappop(self._heap)
        if not self._heap:
            self._cancel_timer()
            return
        due = self._heap[0][0]
        if self._timer is not None:
            if self._timer_at <= due:
                return  # it fires early at worst and arms itself again
            self._timer.cancel()
        self._timer_at = due
        self._timer = self._clock.call_later(max(0.0, due - self._clock.monotonic()), self._fire)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        now = self._clock.monotonic()
        heap, waiting = self._heap, self._waiting
        while heap:
            head = heap[0]
            if waiting.get(head[2]) is not head:
                heapq.heappop(heap)
                continue
            if head[0] > now:
                break
            heapq.heappop(heap)
            del waiting[head[2]]
            self._make_ready(head[2], head[3], now)
        self._arm_timer()

    def _compact(self) -> None:
        if len(self._heap) > 64 and len(self._heap) > 2 * len(self._waiting):
            self._heap = list(self._waiting.values())
            heapq.heapify(self._heap)

    def _settle_drain(self) -> None:
        if not self._processing and self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def _depths(self) -> dict[str, int]:
        if not self._options.depth_by_priority:
            return {"": len(self._ready)}
        return {str(priority): count for priority, count in Counter(e[1] for e in list(self._ready.values())).items()}

    def _running_since(self) -> list[float]:
        return [taken.started for taken in list(self._processing.values())]
