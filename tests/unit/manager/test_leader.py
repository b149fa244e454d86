"""Leader election: who leads, when leadership changes, and that two never lead together."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from eso_core.aio import TaskScope
from eso_core.manager import LeaderElectionOptions, LeaderElector
from eso_core.meta import JsonObject, ObjectKey
from eso_core.meta.errors import AlreadyExists, Conflict, ConnectionLost, Forbidden, NotFound
from eso_core.metrics import RuntimeMetrics
from eso_core.testing.clock import FakeClock
from tests.nightly import whole_or

KEY = ObjectKey("ns", "demo")


class Cluster:
    """One Lease with optimistic locking."""

    def __init__(self) -> None:
        self.lease: JsonObject | None = None
        self.version = 0
        self.watchers: set[asyncio.Event] = set()

    def store(self, lease: JsonObject) -> JsonObject:
        self.version += 1
        metadata = {**lease["metadata"], "resourceVersion": str(self.version)}
        self.lease = {**lease, "metadata": metadata}
        for watcher in self.watchers:
            watcher.set()
        return self.lease

    @property
    def spec(self) -> JsonObject:
        assert self.lease is not None
        return self.lease["spec"]  # type: ignore[no-any-return]


class Access:
    """A candidate's way to the Lease, with faults of its own."""

    def __init__(self, cluster: Cluster, clock: Any) -> None:
        self.cluster = cluster
        self.clock = clock
        self.key = KEY
        self.error: Exception | None = None
        self.hang = False
        self.gate: asyncio.Event | None = None
        self.closed = False
        self.requests: list[str] = []
        self.watch_error: Exception | None = None

    async def _arrive(self, what: str) -> None:
        self.requests.append(what)
        if self.hang:
            await self.clock.sleep(1e6)
        if self.gate is not None:
            await self.gate.wait()
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error

    async def get(self) -> JsonObject:
        await self._arrive("get")
        if self.cluster.lease is None:
            raise NotFound("no lease")
        return self.cluster.lease

    async def create(self, lease: JsonObject) -> JsonObject:
        await self._arrive("create")
        if self.cluster.lease is not None:
            raise AlreadyExists("exists")
        return self.cluster.store(lease)

    async def update(self, lease: JsonObject) -> JsonObject:
        await self._arrive("update")
        if self.cluster.lease is None:
            raise NotFound("no lease")
        if lease["metadata"]["resourceVersion"] != str(self.cluster.version):
            raise Conflict("changed")
        return self.cluster.store(lease)

    @asynccontextmanager
    async def changes(self) -> AsyncIterator[Any]:
        if self.watch_error is not None:
            raise self.watch_error
        event = asyncio.Event()
        self.cluster.watchers.add(event)

        async def stream() -> AsyncIterator[None]:
            while True:
                await event.wait()
                event.clear()
                yield None

        try:
            yield stream()
        finally:
            self.cluster.watchers.discard(event)

    async def aclose(self) -> None:
        self.closed = True


class Offset:
    """The fake clock with another wall time and another rate."""

    def __init__(self, clock: FakeClock, offset: timedelta = timedelta(), rate: float = 1.0) -> None:
        self._clock = clock
        self.offset = offset
        self._rate = rate
        self.slept = 0.0  # seconds that no timer has seen yet

    def now(self) -> datetime:
        return self._clock.now() + self.offset

    def monotonic(self) -> float:
        return self._clock.monotonic() * self._rate + self.slept

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds / self._rate)

    def call_later(self, seconds: float, fn: Any) -> Any:
        return self._clock.call_later(seconds / self._rate, fn)

    def timeout(self, seconds: float | None) -> Any:
        return self._clock.timeout(None if seconds is None else seconds / self._rate)


class Candidate:
    def __init__(self, cluster: Cluster, clock: Any, scope: TaskScope, identity: str, **options: Any) -> None:
        self.access = Access(cluster, clock)
        self.leads = False
        self.lost = 0
        self.started_at: list[float] = []
        self.leaders: list[str] = []
        self.metrics = RuntimeMetrics()
        self._clock = clock
        self.elector = LeaderElector(
            LeaderElectionOptions("demo", namespace="ns", identity=identity, **options),
            self.access,
            clock,
            metrics=self.metrics,
            on_started=self._start,
            on_lost=self._lose,
            on_new_leader=self.leaders.append,
            draw=random.Random(identity).random,
        )
        self.task = scope.spawn(self.elector.run(), name=identity)

    async def _start(self) -> None:
        self.leads = True
        self.started_at.append(self._clock.monotonic())

    def _lose(self) -> None:
        self.leads = False
        self.lost += 1

    async def resign(self) -> None:
        self.leads = False
        await self.elector.resign()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def scope() -> AsyncIterator[TaskScope]:
    with capture_logs():
        async with TaskScope("test") as tasks:
            yield tasks
            await tasks.cancel()


async def test_the_first_candidate_creates_the_lease_and_leads(clock: FakeClock, scope: TaskScope) -> None:
    """5.4, M-32, P-62: six-digit times also at full seconds, whole durations, no transitions yet."""
    cluster = Cluster()
    one = Candidate(cluster, clock, scope, "one", labels={"app": "demo"})
    await clock.settle()
    assert one.leads
    assert one.elector.is_leader
    assert cluster.spec == {
        "holderIdentity": "one",
        "leaseDurationSeconds": 15,
        "renewTime": "2026-01-01T00:00:00.000000Z",
        "acquireTime": "2026-01-01T00:00:00.000000Z",
        "leaseTransitions": 0,
    }
    assert cluster.lease is not None
    assert cluster.lease["metadata"]["labels"] == {"app": "demo"}
    await clock.advance(60)
    assert cluster.spec["renewTime"] == "2026-01-01T00:01:00.000000Z"
    assert cluster.spec["acquireTime"] == "2026-01-01T00:00:00.000000Z"
    assert set(one.access.requests[2:]) == {"update"}
    assert one.metrics.registry.get_sample_value("leader_election_master_status", {"name": "demo"}) == 1


async def test_a_follower_takes_over_a_lease_duration_after_the_last_sign_of_life(
    clock: FakeClock, scope: TaskScope
) -> None:
    """P-61: within 15 + 4.6 s of a crash, and not before 15 s."""
    cluster = Cluster()
    one = Candidate(cluster, clock, scope, "one")
    await clock.settle()
    two = Candidate(cluster, clock, scope, "two")
    await clock.advance(30)
    assert not two.leads
    assert two.leaders == ["one"]
    one.task.cancel()
    crash = clock.elapsed
    while not two.leads:
        await clock.advance(0.1)
    assert 13 <= clock.elapsed - crash <= 19.6
    assert cluster.spec["leaseTransitions"] == 1
    assert two.elector.transitions == 1


@pytest.mark.parametrize(("watch", "limit"), [(True, 0.5), (False, 4.6)])
async def test_a_released_lease_is_taken_at_once(clock: FakeClock, scope: TaskScope, watch: bool, limit: float) -> None:
    """P-61, M-41: with the watch at once, by polling within 4.6 s; the release keeps the transitions."""
    cluster = Cluster()
    one = Candidate(cluster, clock, scope, "one")
    await clock.settle()
    two = Candidate(cluster, clock, scope, "two", watch_lease=watch)
    await clock.advance(33)
    await one.resign()
    assert one.access.closed
    assert one.lost == 0
    released = clock.elapsed
    while not two.leads:
        await clock.advance(0.1)
    assert clock.elapsed - released <= limit
    assert cluster.spec["leaseTransitions"] == 1


async def test_release_writes_an_empty_holder(clock: FakeClock, scope: TaskScope) -> None:
    """5.4: holder empty, duration 1, both times now."""
    cluster = Cluster()
    one = Candidate(cluster, clock, scope, "one")
    await clock.advance(7.5)
    await one.resign()
    assert cluster.spec["holderIdentity"] == ""
    assert cluster.spec["leaseDurationSeconds"] == 1
    assert cluster.spec["renewTime"] == cluster.spec["acquireTime"] == "2026-01-01T00:00:07.500000Z"


async def test_a_lease_that_ran_out_is_lost_and_not_given_back(clock: FakeClock, scope: TaskScope) -> None:
    """M-35: a stop that begins after a suspension, before the deadline's timer has run."""
    cluster = Cluster()
    suspended = Offset(clock)
    one = Candidate(cluster, suspended, scope, "one")
    await clock.settle()
    assert one.elector.is_leader
    suspended.slept = 10.0
    before = list(one.access.requests)
    await one.elector.resign()
    assert one.lost == 1
    assert one.elector.expired
    assert one.access.requests == before
    assert one.access.closed
    assert cluster.spec["holderIdentity"] == "one"


async def test_the_client_stays_open_until_the_lease_is_given_back(clock: FakeClock, scope: TaskScope) -> None:
    """M-37: the renewals see the resignation before the release has its answer."""
    cluster = Cluster()
    one = Candidate(cluster, clock, scope, "one")
    await clock.settle()
    gate = one.access.gate = asyncio.Event()
    resigning = scope.spawn(one.resign(), name="resign")
    await clock.advance(3)
    assert not resigning.done()
    assert not one.access.closed
    gate.set()
    await clock.settle()
    assert resigning.done()
    assert one.access.closed
    assert one.task.done()
    assert cluster.spec["holderIdentity"] == ""


async def test_a_new_candidate_waits_a_full_duration_whatever_the_record_says(
    clock: FakeClock, scope: TaskScope
) -> None:
    """M-31: an ancient renewTime proves nothing."""
    cluster = Cluster()
    cluster.store(
        {
            "metadata": {"name": "demo", "namespace": "ns"},
            "spec": {
                "holderIdentity": "dead",
                "leaseDurationSeconds": 15,
                "renewTime": "2020-01-01T00:00:00.000000Z",
                "leaseTransitions": 4,
            },
        }
    )
    one = Candidate(cluster, clock, scope, "one")
    await clock.advance(14.9)
    assert not one.leads
    await clock.advance(5)
    assert one.leads
    assert cluster.spec["leaseTransitions"] == 5


async def test_a_leader_that_cannot_renew_gives_up_before_others_may_take_over(
    clock: FakeClock, scope: TaskScope
) -> None:
    """M-34: at most the renew deadline after its last success; the follower starts later than that."""
    cluster = Cluster()
    one = Candidate(cluster, clock, scope, "one")
    await clock.settle()
    two = Candidate(cluster, clock, scope, "two")
    await clock.advance(30)
    one.access.error = ConnectionLost("partition")
    cut = clock.elapsed
    while one.leads:
        await clock.advance(0.1)
        assert not two.leads
    assert clock.elapsed - cut <= 10.1
    assert one.lost == 1
    while not two.leads:
        await clock.advance(0.1)
    assert clock.elapsed - cut >= 13


async def test_a_hung_renewal_ends_in_time_for_another_try(clock: FakeClock, scope: TaskScope) -> None:
    """P-60: a request that is swallowed ends after 5 s, and a second one inside the deadline saves the lease."""
    cluster = Cluster()
    one = Candidate(cluster, clock, scope, "one")
    await clock.advance(20)
    one.access.hang = True
    await clock.advance(4)
    one.access.hang = False
    await clock.advance(30)
    assert one.leads
    assert one.lost == 0


async def test_a_leader_whose_requests_all_hang_stops_itself(clock: FakeClock, scope: TaskScope) -> None:
    """M-34: even while a request hangs."""
    cluster = Cluster()
    one = Candidate(cluster, clock, scope, "one")
    await clock.advance(20)
    one.access.hang = True
    await clock.advance(10.1)
    assert not one.leads
    assert not one.elector.is_leader


async def test_jumps_of_the_wall_clock_change_nothing(clock: FakeClock, scope: TaskScope) -> None:
    """M-30, P-57: a day forward or back."""
    cluster = Cluster()
    wall = Offset(clock)
    one = Candidate(cluster, wall, scope, "one")
    await clock.settle()
    two = Candidate(cluster, clock, scope, "two")
    for days in (1, -1, 0):
        wall.offset = timedelta(days=days)
        await clock.advance(60)
        assert one.leads
        assert not two.leads
    assert cluster.spec["leaseTransitions"] == 0


async def test_a_deleted_lease_is_made_again_or_lost_but_never_shared(clock: FakeClock, scope: TaskScope) -> None:
    """P-63, M-40."""
    cluster = Cluster()
    one = Candidate(cluster, clock, scope, "one")
    await clock.settle()
    two = Candidate(cluster, clock, scope, "two", watch_lease=False)
    await clock.advance(20)
    for _ in range(10):
        cluster.lease = None
        for _ in range(60):
            await clock.advance(0.1)
            assert not (one.elector.is_leader and two.elector.is_leader)
    assert cluster.spec["holderIdentity"] in ("one", "two")


async def test_somebody_who_took_the_lease_is_respected_at_once(clock: FakeClock, scope: TaskScope) -> None:
    """A leader that sees another holder stops without waiting for its own deadline."""
    cluster = Cluster()
    one = Candidate(cluster, clock, scope, "one")
    await clock.advance(20)
    assert cluster.lease is not None
    cluster.store({**cluster.lease, "spec": {**cluster.spec, "holderIdentity": "thief"}})
    await clock.advance(2.1)
    assert not one.leads
    assert one.lost == 1
    assert one.leaders == ["one", "thief"]


async def test_forbidden_names_the_rule_once_and_goes_on(clock: FakeClock) -> None:
    """M-39, M-41, P-64: one warning with the RBAC rule; the process stays a follower and keeps trying."""
    with capture_logs() as logs:
        async with TaskScope("test") as scope:
            cluster = Cluster()
            one = Candidate(cluster, clock, scope, "one")
            one.access.error = Forbidden("leases is forbidden")
            one.access.watch_error = Forbidden("leases is forbidden")
            await clock.advance(30)
            assert not one.leads
            one.access.error = None
            await clock.advance(5)
            assert one.leads
            await scope.cancel()
    warnings = [line for line in logs if line["log_level"] == "warning"]
    assert len(warnings) == 1
    assert "coordination.k8s.io" in warnings[0]["rule"]


async def test_the_health_check_notices_a_leader_that_cannot_renew(clock: FakeClock, scope: TaskScope) -> None:
    """M-11: only beyond the lease's duration and 20 s."""
    cluster = Cluster()
    one = Candidate(cluster, clock, scope, "one")
    await clock.settle()
    one.elector._renewed_at = clock.monotonic() - 34
    assert one.elector.overdue == 0
    one.elector._renewed_at = clock.monotonic() - 36
    assert one.elector.overdue == 1


@settings(max_examples=whole_or(10_000, 40), deadline=None)
@given(seed=st.integers(0, 2**32), rate=st.sampled_from([1.0, 1.3, 1 / 1.3]))
def test_two_never_lead_together(seed: int, rate: float) -> None:
    """M-30, P-55, P-56: random partitions, crashes and hangs, wall clocks an hour apart, rates that differ by 1.3.

    10,000 schedules nightly, 40 otherwise.
    """
    with capture_logs():
        asyncio.run(_random_schedule(seed, rate))


async def _random_schedule(seed: int, rate: float) -> None:
    rng = random.Random(seed)
    clock, cluster = FakeClock(), Cluster()
    async with TaskScope("test") as scope:
        candidates = [
            Candidate(cluster, Offset(clock, timedelta(hours=1)), scope, "one"),
            Candidate(cluster, Offset(clock, rate=rate), scope, "two"),
        ]
        led = False
        for _ in range(80):
            candidate = rng.choice(candidates)
            fault = rng.random()
            candidate.access.error = ConnectionLost("cut") if fault < 0.25 else None
            candidate.access.hang = 0.25 <= fault < 0.35
            await clock.advance(rng.choice([0.3, 1.0, 2.5, 6.0]))
            leading = [candidate for candidate in candidates if candidate.leads]
            assert len(leading) <= 1
            led = led or bool(leading)
            for stopped in list(candidates):
                if stopped.task.done():
                    candidates.remove(stopped)
                    identity = f"{stopped.elector.identity}+"
                    candidates.append(Candidate(cluster, stopped._clock, scope, identity))
        assert led
        await scope.cancel()


@pytest.mark.parametrize(("rate", "together"), [(1.3, False), (1.49, False), (1.6, True)])
async def test_beyond_a_rate_of_lease_by_renew_two_may_lead_together(rate: float, together: bool) -> None:
    """P-56: a follower whose clock runs more than 15/10 faster takes over too early; below that it never does."""
    with capture_logs():
        seen = [await _leads_beside_a_cut_off_leader(rate, 0.1 * phase) for phase in range(20)]
    assert any(seen) is together


async def _leads_beside_a_cut_off_leader(rate: float, phase: float) -> bool:
    clock, cluster = FakeClock(), Cluster()
    async with TaskScope("test") as scope:
        slow = Candidate(cluster, clock, scope, "slow", watch_lease=False)
        await clock.advance(1 + phase)
        assert slow.leads
        fast = Candidate(cluster, Offset(clock, rate=rate), scope, "fast", watch_lease=True, retry_period=1.0)
        fast.elector._draw = lambda: 0.0
        await clock.advance(20)
        assert not fast.leads
        while clock.monotonic() - slow.elector._renewed_at > 0.1:
            await clock.advance(0.1)
        slow.access.error = ConnectionLost("cut")
        seen = False
        for _ in range(400):
            await clock.advance(0.05)
            seen = seen or (slow.leads and fast.leads)
        assert fast.leads
        await scope.cancel()
    return seen


@pytest.mark.parametrize(
    "times",
    [
        {"lease_duration": 10.0, "renew_deadline": 10.0},
        {"renew_deadline": 2.0, "retry_period": 2.0},
        {"retry_period": 0.5},
    ],
)
def test_unsafe_times_are_refused(times: dict[str, float]) -> None:
    """5.4: lease > renew > 1.2 x retry, each at least 1 s."""
    with pytest.raises(ValueError, match="lease_duration"):
        LeaderElectionOptions("demo", **times)  # type: ignore[arg-type]
