"""The manager: order of start and stop, failures, limits, lost leadership."""

from __future__ import annotations

import asyncio
import gc
import random
import socket
import weakref
from typing import Any

import pytest

from eso_core.cache import InformerSpec
from eso_core.controller import Context, Request, Result
from eso_core.controller.context import FencingToken
from eso_core.manager import LeaderElectionOptions, Manager, ManagerOptions
from eso_core.meta.errors import Forbidden, LeaderElectionLost, ManagerError, SyncTimeout
from eso_core.meta.wellknown import CONFIG_MAP, DEPLOYMENT, SECRET


class Part:
    """A runnable that writes a diary."""

    def __init__(
        self,
        name: str,
        diary: list[str],
        *,
        elected: bool = False,
        fails: Exception | None = None,
        drains: float | None = None,
        clock: Any = None,
        stubborn: float = 0.0,
    ) -> None:
        self.name = name
        self.diary = diary
        self.need_leader_election = elected
        self.fails = fails
        self.clock = clock
        self.stubborn = stubborn
        if drains is not None:
            self.drain_time = drains
            self.drain = self._drain

    async def _drain(self, timeout: float | None) -> bool:
        await self.clock.sleep(self.drain_time)
        self.diary.append(f"{self.name} drained")
        return True

    async def start(self) -> None:
        self.diary.append(f"{self.name} starts")
        if self.fails is not None:
            raise self.fails
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            while self.stubborn:
                try:
                    await self.clock.sleep(self.stubborn)
                    self.stubborn = 0.0
                except asyncio.CancelledError:
                    self.diary.append(f"{self.name} ignores cancellation")
            self.diary.append(f"{self.name} ends")


async def test_parts_start_in_order_and_end_in_reverse(kit: Any) -> None:
    """5.1: webhooks, caches, others, elected; then others, elected (drained), caches, webhooks."""
    diary: list[str] = []
    manager = kit.manager()
    manager.add(Part("elected", diary, elected=True, drains=2.0, clock=kit.clock))
    manager.add(Part("other", diary))
    manager.add(Part("webhook", diary), before_caches=True)
    informer = manager.cache.register(InformerSpec(CONFIG_MAP))
    informer.subscribe(lambda change: diary.append("cache filled"))
    kit.api.server(CONFIG_MAP).put("a")
    run = kit.run(manager)
    await kit.clock.advance(1)
    assert diary == ["webhook starts", "cache filled", "other starts", "elected starts"]
    assert manager.ready
    diary.clear()
    manager.stop()
    await kit.clock.advance(5)
    assert diary == ["other ends", "elected drained", "elected ends", "webhook ends"]
    assert run.done()
    assert run.exception() is None
    assert kit.api.server(CONFIG_MAP).streams == []
    assert not kit.api.closed, "a client that was given belongs to the giver"


async def test_a_part_that_fails_stops_the_manager_with_its_error(kit: Any) -> None:
    """M-01, M-02: the first error is the cause; the others end in order."""
    diary: list[str] = []
    manager = kit.manager()
    manager.add(Part("good", diary))
    manager.add(Part("bad", diary, fails=RuntimeError("boom")))
    run = kit.run(manager)
    await kit.clock.advance(1)
    error = run.exception()
    assert isinstance(error, ManagerError)
    assert "Part bad failed: boom" in str(error)
    assert isinstance(error.__cause__, RuntimeError)
    assert diary[-1] == "good ends"


async def test_several_errors_are_kept_together(kit: Any) -> None:
    """M-02: as an ExceptionGroup."""
    manager = kit.manager()
    for text in ("one", "two"):
        manager.add(Part(text, [], fails=RuntimeError(text)))
    run = kit.run(manager)
    await kit.clock.advance(1)
    error = run.exception()
    assert error is not None
    assert isinstance(error.__cause__, ExceptionGroup)
    assert [str(cause) for cause in error.__cause__.exceptions] == ["one", "two"]


async def test_a_manager_that_has_nothing_to_run_says_so_once(kit: Any, logs: list[Any]) -> None:
    """A module of controllers that nobody imports would go unnoticed."""

    async def reconcile(ctx: Context, request: Request) -> None:
        """Does nothing."""

    idle, busy = kit.manager(), kit.manager()
    busy.controller(reconcile).for_(CONFIG_MAP)
    for manager, told in ((idle, 1), (busy, 0)):
        logs.clear()
        kit.run(manager)
        await kit.clock.advance(3600)
        lines = [line for line in logs if line["event"].startswith("nothing to run: no controller")]
        assert [line["log_level"] for line in lines] == ["warning"] * told
        manager.stop()
        await kit.clock.advance(60)


async def test_returning_early_is_no_failure(kit: Any) -> None:
    """M-01."""

    class Short:
        name = "short"

        async def start(self) -> None:
            return

    manager = kit.manager()
    manager.add(Short())
    run = kit.run(manager)
    await kit.clock.advance(5)
    assert not run.done()
    manager.stop()
    await kit.clock.settle()
    assert run.exception() is None


async def test_cancelling_run_stops_in_order_and_stays_cancelled(kit: Any) -> None:
    """M-02: the ordered stop happens before the cancellation goes on."""
    diary: list[str] = []
    manager = kit.manager()
    manager.add(Part("elected", diary, elected=True, drains=3.0, clock=kit.clock))
    run = kit.run(manager)
    await kit.clock.advance(1)
    run.cancel()
    await kit.clock.advance(5)
    assert run.cancelled()
    assert diary == ["elected starts", "elected drained", "elected ends"]


async def test_a_manager_runs_once(kit: Any) -> None:
    """M-02."""
    manager = kit.manager()
    run = kit.run(manager)
    await kit.clock.settle()
    with pytest.raises(ManagerError, match="make a new one"):
        await manager.run()
    manager.stop()
    await kit.clock.settle()
    assert run.done()


async def test_caches_that_do_not_fill_fail_the_start_and_stop_what_ran(kit: Any) -> None:
    """M-05, P-71, R-61: the error names the informer, the reason and the rule that is missing."""
    diary: list[str] = []
    manager = kit.manager(cache_sync_timeout=5.0)
    manager.add(Part("webhook", diary), before_caches=True)
    manager.add(Part("other", diary))
    manager.cache.register(InformerSpec(CONFIG_MAP))
    kit.api.server(CONFIG_MAP).watch_errors = [Forbidden("configmaps is forbidden")] * 99
    run = kit.run(manager)
    await kit.clock.advance(10)
    error = run.exception()
    assert isinstance(error, ManagerError)
    assert isinstance(error.__cause__, SyncTimeout)
    assert 'resources: ["configmaps"]' in str(error)
    assert diary == ["webhook starts", "webhook ends"]


async def test_between_not_ready_and_the_stop_there_is_time_to_notice(kit: Any) -> None:
    """M-06: probes fail at once, work and webhooks go on for the delay; a manager that never ran does not wait."""
    diary: list[str] = []
    manager = kit.manager(shutdown_delay=5.0)
    manager.add(Part("webhook", diary), before_caches=True)
    manager.add(Part("other", diary))
    run = kit.run(manager)
    await kit.clock.advance(1)
    manager.stop()
    await kit.clock.advance(4.9)
    assert not manager.ready
    assert diary == ["webhook starts", "other starts"]
    await kit.clock.advance(0.2)
    assert diary[2:] == ["other ends", "webhook ends"]
    assert run.done()

    never = kit.manager(shutdown_delay=5.0)
    never.stop()
    run = kit.run(never)
    await kit.clock.settle()
    assert run.done()


class Bad:
    """A part that cannot start."""

    name = "bad"

    async def start(self) -> None:
        raise RuntimeError("cannot start")


@pytest.mark.parametrize("step", ["metrics", "health", "webhook", "caches", "other", "elected", "lease"])
async def test_a_start_that_fails_at_any_step_stops_what_was_started(
    kit: Any, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-71: servers, webhooks, caches, other parts, elected parts, the election: the error is told, nothing is left."""
    diary: list[str] = []
    options: dict[str, Any] = {}
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = taken.getsockname()[1]
    if step in ("metrics", "health"):
        options[f"{step}_addr"] = f"127.0.0.1:{port}"
        if step == "metrics":
            options["health_addr"] = "127.0.0.1:0"
    if step == "caches":
        options["cache_sync_timeout"] = 5.0
        kit.api.server(CONFIG_MAP).watch_errors = [Forbidden("no")] * 99
    if step == "lease":
        options["leader_election"] = LeaderElectionOptions("demo")  # no namespace, and this is no pod
        monkeypatch.delenv("POD_NAMESPACE", raising=False)
    before = asyncio.all_tasks()
    manager = kit.manager(**options)
    manager.cache.register(InformerSpec(CONFIG_MAP))
    manager.add(Part("webhook", diary), before_caches=True)
    manager.add(Part("other", diary))
    manager.add(Part("elected", diary, elected=True))
    if step in ("webhook", "other", "elected"):
        places: dict[str, dict[str, Any]] = {"webhook": {"before_caches": True}, "other": {}, "elected": {}}
        bad = Bad()
        if step == "elected":
            bad.need_leader_election = True  # type: ignore[attr-defined]
        manager.add(bad, **places[step])
    run = kit.run(manager)
    async with asyncio.timeout(10):
        while not run.done():
            await kit.clock.advance(1)
            await asyncio.sleep(0.001)  # sockets need real turns of the loop
    taken.close()
    assert isinstance(run.exception(), ManagerError)
    starts = [line.removesuffix(" starts") for line in diary if line.endswith(" starts")]
    ends = [line.removesuffix(" ends") for line in diary if line.endswith(" ends")]
    assert sorted(starts) == sorted(ends)
    assert kit.api.server(CONFIG_MAP).streams == []
    assert asyncio.all_tasks() - before - {run} == set()


async def test_a_stop_during_the_start_is_obeyed(kit: Any) -> None:
    """A manager that still waits for its caches can be stopped."""
    manager = kit.manager()
    manager.cache.register(InformerSpec(CONFIG_MAP))
    kit.api.server(CONFIG_MAP).watch_errors = [Forbidden("no")] * 99
    run = kit.run(manager)
    await kit.clock.advance(3)
    manager.stop()
    await kit.clock.advance(1)
    assert run.done()
    assert run.exception() is None


async def test_a_part_that_ignores_cancellation_is_left_behind_and_named(kit: Any, logs: list[Any]) -> None:
    """P-74: the stop returns at the grace limit, with the task's name and stack in the log."""
    diary: list[str] = []
    manager = kit.manager(graceful_shutdown_timeout=1.0)
    manager.add(Part("stubborn", diary, stubborn=100.0, clock=kit.clock))
    run = kit.run(manager)
    await kit.clock.advance(1)
    manager.stop()
    await kit.clock.advance(12)
    assert run.done()
    (line,) = [line for line in logs if "left behind" in line["event"]]
    assert line["task"] == "Part stubborn"
    assert "in start" in line["stack"]
    await kit.clock.advance(100)
    assert diary[-1] == "stubborn ends"


async def test_parts_added_while_running_start_at_once(kit: Any) -> None:
    """5.1."""
    diary: list[str] = []
    manager = kit.manager()
    run = kit.run(manager)
    await kit.clock.settle()
    manager.add(Part("late", diary, elected=True))
    await kit.clock.settle()
    assert diary == ["late starts"]
    manager.stop()
    await kit.clock.settle()
    assert run.done()


async def test_a_controller_runs_end_to_end(kit: Any) -> None:
    """4.4, R-70: objects are reconciled through the manager's client; metrics and events are there."""
    runs: list[tuple[str, int]] = []

    async def reconcile(ctx: Context, request: Request) -> Result | None:
        obj = await ctx.client.get(DEPLOYMENT, request)
        runs.append((request.name, obj["spec"]["size"]))
        ctx.recorder.event(obj, "Normal", "Seen", "hello")
        return None

    manager = kit.manager()
    manager.controller(reconcile).for_(DEPLOYMENT).workers(2)
    server = kit.api.server(DEPLOYMENT)
    server.api_version = "apps/v1"
    server.put("a", spec={"size": 1})
    run = kit.run(manager)
    await kit.clock.advance(1)
    server.put("a", spec={"size": 2})
    await kit.clock.advance(1)
    assert runs == [("a", 1), ("a", 2)]
    labels = {"controller": "deployment", "result": "success"}
    assert manager.registry.get_sample_value("controller_runtime_reconcile_total", labels) == 2
    assert [event["reason"] for event in kit.api.created] == ["Seen"]
    assert kit.api.created[0]["source"] == {"component": "deployment"}
    manager.stop()
    await kit.clock.settle()
    assert run.exception() is None


async def test_controllers_come_and_go_at_run_time(kit: Any) -> None:
    """K-42, K-40: a removed controller stops, its informers and series are gone, its name is free."""
    runs: list[str] = []

    async def reconcile(ctx: Context, request: Request) -> None:
        runs.append(request.name)

    manager = kit.manager()
    server = kit.api.server(CONFIG_MAP)
    server.put("a")
    run = kit.run(manager)
    await kit.clock.settle()
    for _ in range(2):
        controller = manager.controller(reconcile).for_(CONFIG_MAP).complete()
        await kit.clock.settle()
        assert runs == ["a"]
        assert len(server.streams) == 1
        await manager.remove(controller)
        assert server.streams == []
        assert manager.cache.informers() == []
        server.put("a")
        await kit.clock.settle()
        assert runs == ["a"]
        labels = {"controller": "configmap", "result": "success"}
        assert manager.registry.get_sample_value("controller_runtime_reconcile_total", labels) is None
        runs.clear()
    with pytest.raises(ValueError, match="configmap"):
        manager.controller(reconcile).for_(CONFIG_MAP).complete()
        manager.controller(reconcile).for_(CONFIG_MAP).complete()
    manager.stop()
    await kit.clock.settle()
    assert run.exception() is None


async def test_two_managers_in_one_process_share_nothing_and_are_collected(kit: Any) -> None:
    """G-01, P-70: side by side, each with its own metrics; after the end nothing keeps them alive."""

    async def reconcile(ctx: Context, request: Request) -> None:
        return None

    dead = []
    for _ in range(2):
        managers = [kit.manager() for _ in range(2)]
        for manager in managers:
            manager.controller(reconcile).for_(CONFIG_MAP)
        runs = [kit.run(manager) for manager in managers]
        await kit.clock.settle()
        for manager in managers:
            manager.stop()
        await kit.clock.settle()
        assert all(run.exception() is None for run in runs)
        dead += [weakref.ref(manager) for manager in managers]
        del managers, manager, runs
    gc.collect()
    assert [reference() for reference in dead] == [None] * 4
    assert len(asyncio.all_tasks()) <= 2


class Lease:
    """A lease that can be taken away."""

    def __init__(self) -> None:
        from eso_core.meta import ObjectKey

        self.key = ObjectKey("ns", "demo")
        self.lease: dict[str, Any] | None = None
        self.closed = False
        self.log: list[str] = []

    async def get(self) -> dict[str, Any]:
        from eso_core.meta.errors import NotFound

        await asyncio.sleep(0)
        if self.lease is None:
            raise NotFound("none")
        return self.lease

    async def create(self, lease: dict[str, Any]) -> dict[str, Any]:
        self.lease = lease
        return lease

    async def update(self, lease: dict[str, Any]) -> dict[str, Any]:
        self.log.append(lease["spec"]["holderIdentity"])
        self.lease = lease
        return lease

    def changes(self) -> Any:
        raise Forbidden("no watch")

    async def aclose(self) -> None:
        self.closed = True


@pytest.fixture
def lease(monkeypatch: pytest.MonkeyPatch) -> Lease:
    lease = Lease()
    monkeypatch.setattr("eso_core.manager.manager.lease_client", lambda *args: lease)
    return lease


def elected_options() -> dict[str, Any]:
    return {"leader_election": LeaderElectionOptions("demo", namespace="ns", identity="me")}


async def test_elected_parts_wait_for_the_lease_and_end_before_its_release(kit: Any, lease: Lease) -> None:
    """M-37, K-38: others run before; the lease is released after all elected work ended."""
    lease.lease = {"metadata": {}, "spec": {"holderIdentity": "other", "leaseDurationSeconds": 15}}
    diary = lease.log
    manager = kit.manager(**elected_options())
    manager.add(Part("elected", diary, elected=True, drains=2.0, clock=kit.clock))
    manager.add(Part("other", diary))
    run = kit.run(manager)
    await kit.clock.advance(5)
    assert diary == ["other starts"]
    assert manager.ready
    assert not manager.elected
    await kit.clock.advance(20)
    assert manager.elected
    diary.clear()
    manager.stop()
    await kit.clock.advance(5)
    assert [line for line in diary if line != "me"] == ["other ends", "elected drained", "elected ends", ""]
    assert diary[-1] == ""
    assert lease.closed
    assert run.exception() is None
    reasons = [event["reason"] for event in kit.api.created]
    assert reasons == ["LeaderElection"] * 2


async def test_lost_leadership_ends_elected_work_at_once(kit: Any, lease: Lease) -> None:
    """M-04, P-65: no draining, no release, LeaderElectionLost."""
    diary: list[str] = []
    manager = kit.manager(**elected_options())
    manager.add(Part("elected", diary, elected=True, drains=20.0, clock=kit.clock))
    run = kit.run(manager)
    await kit.clock.advance(1)
    assert diary == ["elected starts"]
    lease.lease = {"metadata": {}, "spec": {"holderIdentity": "thief", "leaseDurationSeconds": 15}}

    async def refused(body: dict[str, Any]) -> dict[str, Any]:
        raise Forbidden("not yours")

    lease.update = refused  # type: ignore[method-assign]
    await kit.clock.advance(12)
    assert isinstance(run.exception(), LeaderElectionLost)
    assert diary == ["elected starts", "elected ends"]
    assert lease.lease["spec"]["holderIdentity"] == "thief"


async def test_a_write_refused_for_a_lease_that_ran_out_is_lost_leadership_too(kit: Any, lease: Lease) -> None:
    """M-35, P-59: woken after a suspension, a runnable may meet the refusal before the elector sees the time."""
    diary: list[str] = []
    manager = kit.manager(**elected_options())
    manager.add(Part("work", diary, elected=True, fails=LeaderElectionLost("not sent")))
    run = kit.run(manager)
    await kit.clock.run_until(run.done)
    assert isinstance(run.exception(), LeaderElectionLost)
    assert diary == ["work starts"]


async def test_cancellation_at_any_point_leaves_no_task(kit: Any, lease: Lease) -> None:
    """P-72: cancelled at 200 random await points, a run ends everything it started."""
    kit.api.server(CONFIG_MAP).put("a")

    async def reconcile(ctx: Context, request: Request) -> None:
        await ctx.clock.sleep(0.5)

    before = len(asyncio.all_tasks())
    rng = random.Random(72)
    for turns in sorted(rng.randrange(400) for _ in range(200)):
        manager = kit.manager(graceful_shutdown_timeout=0.0, **elected_options())
        manager.controller(reconcile).for_(CONFIG_MAP)
        run = kit.run(manager)
        for _ in range(turns):
            await asyncio.sleep(0)
        run.cancel()
        await kit.clock.advance(3)
        assert run.done()
        assert len(asyncio.all_tasks()) == before
        lease.lease = None


def test_bad_options_are_refused() -> None:
    """G-08."""
    for options in ({"shutdown_delay": -1.0}, {"metrics_addr": "nonsense"}, {"health_addr": ":99999"}):
        with pytest.raises(ValueError, match=next(iter(options))):
            ManagerOptions(**options)  # type: ignore[arg-type]


async def test_the_client_made_from_a_configuration_is_closed(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manager closes what it made."""
    from eso_core.client import ClientConfig

    manager = Manager(ClientConfig(server="http://127.0.0.1:1"), options=ManagerOptions(freeze_gc=False))
    closed = []

    async def aclose() -> None:
        closed.append(True)

    monkeypatch.setattr(manager.api, "aclose", aclose)
    manager.stop()
    await manager.run()
    assert closed == [True]


async def test_concurrency_of_a_kind_is_what_its_controllers_begin_with(kit: Any) -> None:
    """K-30: by `Kind.group`; a controller's own number comes first."""

    async def reconcile(ctx: Context, request: Request) -> None:
        return None

    manager = kit.manager(group_kind_concurrency={"ConfigMap": 7})
    assert manager.controller(reconcile).for_(CONFIG_MAP).complete().options.max_concurrent == 7
    own = manager.controller(reconcile, name="own").for_(CONFIG_MAP).workers(2)
    assert own.complete().options.max_concurrent == 2
    other = manager.controller(reconcile, name="other").for_(SECRET)
    assert other.complete().options.max_concurrent == 1
    with pytest.raises(ValueError, match="group_kind_concurrency"):
        kit.manager(group_kind_concurrency={"ConfigMap": 0})


async def test_reconciles_know_which_leadership_they_act_under(kit: Any, lease: Lease) -> None:
    """M-38: identity and leaseTransitions are in the context; without election there is no token."""
    tokens: list[FencingToken | None] = []

    async def reconcile(ctx: Context, request: Request) -> None:
        tokens.append(ctx.fencing)

    lease.lease = {"metadata": {}, "spec": {"holderIdentity": "", "leaseDurationSeconds": 15, "leaseTransitions": 6}}
    kit.api.server(CONFIG_MAP).put("a")
    for options in (elected_options(), {}):
        manager = kit.manager(**options)
        manager.controller(reconcile).for_(CONFIG_MAP)
        run = kit.run(manager)
        await kit.clock.advance(5)
        manager.stop()
        await kit.clock.advance(5)
        assert run.exception() is None
    assert tokens == [FencingToken("me", 7), None]
