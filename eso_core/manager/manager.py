"""The manager: what runs in a process, started and stopped in the order that is safe.

Start, each step waits for the one before:

1. health and metrics servers   probes must answer while the rest starts
2. webhook servers              before the caches: conversion webhooks may be needed by the first list
3. caches, until they are full
4. runnables that need no leadership
5. warm-ups: queues of elected controllers fill
6. leader election
7. elected runnables

Stop: not ready, 4 and 5, then 7 (drained), 3, 2, 1; then the lease is released, which must not happen while elected work
runs; then the last events are written.
"""

from __future__ import annotations

import asyncio
import gc
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from prometheus_client import CollectorRegistry

from eso_core.aio import Clock, SystemClock, TaskScope, shielded
from eso_core.cache import Cache, CachedClient, Change, ChangeType, ClientSources, InformerSpec
from eso_core.client import Client, ClientConfig
from eso_core.controller import Controller, Environment
from eso_core.controller.builder import ControllerBuilder
from eso_core.controller.context import FencingToken
from eso_core.controller.controller import Reconcile
from eso_core.events import CoreCorrelator, EventSink, Recorder, RecorderV1, SeriesCorrelator
from eso_core.log import keep_locals_out
from eso_core.manager.debug import debug_server
from eso_core.manager.eventwriter import ClientEventWriter
from eso_core.manager.fence import fence
from eso_core.manager.groups import Group
from eso_core.manager.health import HealthCheck, HealthChecks
from eso_core.manager.leader import LeaderElector, lease_client
from eso_core.manager.options import ManagerOptions
from eso_core.manager.runnable import Runnable, WarmsUp, needs_leader, warms_up
from eso_core.manager.scrapeauth import ScrapeAuth
from eso_core.manager.servers import HttpServer, WebHandler, health_server, metrics_server
from eso_core.meta import Partial
from eso_core.meta.errors import LeaderElectionLost, ManagerError
from eso_core.meta.wellknown import CRD
from eso_core.metrics import RuntimeMetrics, new_registry

if TYPE_CHECKING:
    from eso_core.manager.electionthread import ElectionThread
    from eso_core.tracing import Tracer
    from eso_core.webhook import WebhookServer

__all__ = ["Manager"]

_log = structlog.get_logger("eso_core.manager")

#: Tasks get this long to end after a cancellation that nobody waits for politely.
_HARD_GRACE = 1.0
#: The same at an ordinary stop.
_GRACE = 10.0
_UNLIMITED = 86_400.0 * 365
#: New containers between two collections of the youngest generation.
_GC_THRESHOLD = 10_000


class Manager:
    """Caches, controllers, servers and leader election of one process. Two managers share nothing.

    Args:
        target: a configuration (the manager then makes and closes its own client) or a client.
        clock: time and waiting.
        registry: where metrics go; one of its own by default.
        options: how it runs.
        user_agent: program name and version for the client it makes.
        tracer: makes spans of reconciles, and of the requests of the client it makes.

    Attributes:
        client: reads from the cache and writes to the server; waits for own writes before reading.
        api: the live client.
        cache: the informers.
        registry: the metrics.
        metrics: the runtime's families on it.
    """

    def __init__(
        self,
        target: ClientConfig | Client,
        *,
        clock: Clock | None = None,
        registry: CollectorRegistry | None = None,
        options: ManagerOptions | None = None,
        user_agent: str = "eso-core",
        tracer: Tracer | None = None,
    ) -> None:
        self.clock: Clock = clock if clock is not None else SystemClock()
        self.options = options or ManagerOptions()
        self.registry = registry if registry is not None else new_registry()
        self.metrics = RuntimeMetrics(self.registry)
        self._user_agent = user_agent
        self._tracer = tracer
        self._owns_client = isinstance(target, ClientConfig)
        self.api: Client = (
            Client(target, clock=self.clock, user_agent=user_agent, metrics=self.registry, tracer=tracer)
            if isinstance(target, ClientConfig)
            else target
        )
        self._base = self.api
        self._leadership = _Leadership()
        if self.options.leader_election is not None:
            self.api = self.api.with_interceptor(fence(self._leadership.expired))
        self.cache = Cache(
            ClientSources(self.api),
            self.clock,
            metrics=self.metrics.cache,
            live=self.api,
            namespaces=self.options.namespaces,
            scopes=self.options.scopes,
            settings=self.options.reflector,
        )
        self.client = CachedClient(self.api, self.cache)
        self._sink = EventSink(
            ClientEventWriter(self.api), self.clock, dropped=self.metrics.events_dropped, options=self.options.events
        )
        self._correlator = CoreCorrelator(self.clock)
        self._series = SeriesCorrelator(self.clock, self._sink)
        self._names: set[str] = set()
        self._builders: list[ControllerBuilder] = []
        self._errors: list[tuple[str, BaseException]] = []
        self._stopping = asyncio.Event()
        self._state = "new"
        self._lost = False
        self._elector: LeaderElector | None = None
        self._election_thread: ElectionThread | None = None
        self._servers = self._group("servers")
        self._webhooks = self._group("webhooks")
        self._caches = self._group("caches")
        self._others = self._group("others")
        self._warmups = self._group("warm-ups")
        self._elected = self._group("elected")
        self._events = self._group("events")
        self._election = self._group("leader election")
        self.checks = HealthChecks(self)
        if self.options.leader_election is not None and not self.options.leader_election.ready_as_follower:
            self.checks.readiness["leader-election"] = self._must_lead
        #: The running servers, to ask them for their ports; None when switched off.
        self.health_server: HttpServer | None = None
        self.metrics_server: HttpServer | None = None
        self.debug_server: HttpServer | None = None
        self._webhook_servers: list[WebhookServer] = []
        self._extra_paths: dict[str, WebHandler] = {}

    # -- building ------------------------------------------------------------------------------------------------

    def controller(self, reconcile: Reconcile, *, name: str = "") -> ControllerBuilder:
        """Begins a controller: `.for_(Kind)`, `.owns(Kind)`, `.watches(Kind, handler)`, `.options(...)`."""
        builder = ControllerBuilder(self, reconcile, name=name)
        self._builders.append(builder)
        return builder

    def environment(self, recorder: Recorder) -> Environment:
        """What the contexts of a controller share."""
        return Environment(
            self.client, self.api, self.cache, recorder, self.clock, self._leadership.token, self._tracer
        )

    def recorder(self, component: str) -> Recorder:
        """A recorder of core/v1 events whose source is `component`."""
        return Recorder(component, self._correlator, self._sink, dropped=self.metrics.events_dropped)

    def recorder_v1(self, controller: str, instance: str) -> RecorderV1:
        """A recorder of events.k8s.io/v1 events."""
        return RecorderV1(controller, instance, self._series, dropped=self.metrics.events_dropped)

    def concurrency_of(self, kind: str) -> int | None:
        """What the options say of controllers of this kind (`Kind.group`)."""
        return self.options.group_kind_concurrency.get(kind)

    @property
    def cache_sync_timeout(self) -> float:
        """Seconds that kinds get to fill their cache where their controller does not say."""
        return self.options.cache_sync_timeout

    def claim_name(self, name: str) -> None:
        """Reserves a controller's name.

        Raises:
            ValueError: another controller has it; their metrics would mix.
        """
        if name in self._names:
            raise ValueError(f"adding controller {name!r}: another one has this name: pass name= to tell them apart")
        self._names.add(name)

    def add_controller(self, controller: Controller) -> None:
        """Adds a controller that was built; builders do that themselves."""
        self.add(controller)

    def add(self, runnable: Runnable, *, before_caches: bool = False) -> None:
        """Adds a runnable to the group it belongs to; while the manager runs it starts at once.

        Args:
            before_caches: start it before the caches, as webhook servers must be.
        """
        if before_caches:
            self._webhooks.add(runnable)
        elif needs_leader(runnable):
            self._elected.add(runnable)
            warming = warms_up(runnable)
            if warming is not None:
                self._warmups.add(_Warmup(warming))
        else:
            self._others.add(runnable)

    def webhooks(self, cert_dir: str | Path, **options: Any) -> WebhookServer:
        """Adds a webhook server, with the certificate of `cert_dir` and the options of `WebhookServer`.

        It listens before the caches start, since a conversion webhook must answer their first list.
        """
        from eso_core.webhook import WebhookServer

        server = WebhookServer(cert_dir, clock=self.clock, metrics=self.metrics, **options)
        self._webhook_servers.append(server)
        self.add(server, before_caches=True)
        self.add_ready_check("webhook", server.check)
        return server

    async def remove(self, controller: Controller) -> None:
        """Stops and removes a controller while the manager runs, and the informers that only it used."""
        group = self._elected if needs_leader(controller) else self._others
        await group.remove(controller, self._grace())
        namesake = any(other.name == controller.name for other in self.controllers())
        await controller.release(keep_series=namesake)
        if not namesake:
            self._names.discard(controller.name)

    def add_health_check(self, name: str, check: HealthCheck) -> None:
        """Adds a check to `/healthz`: it returns when all is well, else it raises."""
        self.checks.health[name] = check

    def add_ready_check(self, name: str, check: HealthCheck) -> None:
        """Adds a check to `/readyz`."""
        self.checks.readiness[name] = check

    def add_metrics_handler(self, path: str, handler: WebHandler) -> None:
        """Serves another path beside `/metrics`, behind the same authorization; before the manager runs."""
        self._extra_paths[path] = handler

    def controllers(self) -> list[Controller]:
        """The controllers that were built so far."""
        runnables = self._others.runnables + self._elected.runnables
        return [runnable for runnable in runnables if isinstance(runnable, Controller)]

    # -- state ---------------------------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether the caches are full and no stop has begun."""
        return self._state == "running"

    @property
    def elected(self) -> bool:
        """Whether the elected runnables run here."""
        return self._elected.running

    def _definition_changed(self, change: Change) -> None:
        if not change.initial and change.type is not ChangeType.UNCHANGED:
            self.api.mapper.invalidate()

    def _must_lead(self) -> None:
        if not self.elected:
            raise RuntimeError("another process leads, or nobody does")

    @property
    def lease_overdue(self) -> float:
        """Seconds by which a lease that is ours is beyond the limit of the health check."""
        return self._elector.overdue if self._elector is not None else 0.0

    @property
    def elector(self) -> LeaderElector | None:
        """The leader elector, once it runs."""
        return self._elector

    # -- running -------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Asks `run` to stop and return; may be called at any time, also by signal handlers of the loop."""
        self._stopping.set()

    async def run(self) -> None:
        """Starts everything and runs until cancelled, stopped, or until a part fails.

        If cancelled, the ordered stop has happened.

        Raises:
            ManagerError: a part failed; the errors are its cause (an ExceptionGroup when there are several).
            LeaderElectionLost: another process may be the leader now; the process should exit at once.
        """
        if self._state != "new":
            raise ManagerError("running the manager: it ran already: make a new one")
        self._state = "starting"
        keep_locals_out()
        cancelled: asyncio.CancelledError | None = None
        try:
            await self._interruptible(self._start())
            if not self._stopping.is_set():
                self._state = "running"
            await self._stopping.wait()
        except asyncio.CancelledError as error:
            cancelled = error
        except Exception as error:
            self._errors.append(("start", error))
        finally:
            ran = self._state == "running"
            self._state = "stopping"
            limit = self._grace() + self.options.shutdown_delay + 60.0
            try:
                await shielded(self._stop(linger=ran), seconds=limit, clock=self.clock)
            finally:
                self._state = "stopped"
        if self._lost:
            raise LeaderElectionLost("leader election lost: another process may lead now: exit")
        if self._errors:
            raise self._error()
        if cancelled is not None:
            raise cancelled

    async def _interruptible(self, start: Coroutine[object, object, None]) -> None:
        """Runs the start, but not beyond a stop or a failure."""
        async with TaskScope("manager start") as scope:
            starting = scope.spawn(start, name="manager start", on_error=lambda error: self._fail("start", error))
            stopping = scope.spawn(self._stopping.wait(), name="manager stop")
            await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
            await scope.cancel()

    async def _start(self) -> None:
        for builder in self._builders:
            builder.complete()
        if self.options.watch_definitions:
            definitions = self.cache.register(InformerSpec(Partial(CRD), view="definitions"))
            definitions.subscribe(self._definition_changed)
        if not any(group.runnables for group in (self._webhooks, self._others, self._elected)):
            _log.warning(
                "nothing to run: no controller, webhook or other runnable was added: "
                "declare one before the manager runs, unless some are added later"
            )
        await self._events.start()
        self._events.spawn(self._sink.run(), name="event sink")
        await self._servers.start()
        await self._start_servers()
        stalls = self.metrics.loop_stalls.observe
        limit = self.options.loop_watchdog
        # The watchdog sees every stall; the health check's own ticks only those that last.
        self._servers.spawn(self.checks.watch_loop((lambda _: None) if limit else stalls), name="event loop watch")
        if limit:
            from eso_core.manager.watchdog import LoopWatchdog

            self._servers.spawn(LoopWatchdog(limit, stalls).run(), name="event loop watchdog")
        for webhooks in self._webhook_servers:
            await webhooks.listen()
        await self._webhooks.start()
        await self._caches.start()
        self._caches.spawn(self.cache.run(), name="cache")
        with self._frozen_gc():
            await self.cache.wait_for_sync(self.options.cache_sync_timeout)
        await self._others.start()
        await self._warmups.start()
        await self._elect()

    async def _start_servers(self) -> None:
        serving = self.options.metrics_server
        tls: ssl.SSLContext | None = None
        if serving.secure and self.options.metrics_addr not in ("", "0"):
            # Certificates are 5 MiB of code that most processes never need.
            from eso_core.webhook.certificates import CertWatcher, self_signed

            if serving.cert_file:
                certificate = CertWatcher(serving.cert_file, serving.key_file, self.clock, self.metrics)
                await certificate.load()
                self._servers.add(certificate)
                tls = certificate.context
            else:
                tls = await asyncio.to_thread(self_signed, self.clock)
        self.metrics_server = metrics_server(
            self.options.metrics_addr,
            self.registry,
            tls=tls,
            auth=ScrapeAuth(self.api.create, self.clock) if serving.auth else None,
            extra=self._extra_paths,
        )
        self.health_server = health_server(self.options.health_addr, self.checks)
        self.debug_server = debug_server(self.options.debug_addr, self)
        for server in (self.health_server, self.metrics_server, self.debug_server):
            if server is not None:
                await server.listen()
                self._servers.add(server)

    async def _elect(self) -> None:
        election = self.options.leader_election
        if election is None:
            await self._elected.start()
            return
        run: Coroutine[Any, Any, None]
        if election.own_thread:
            from eso_core.manager.electionthread import ElectionThread

            self._election_thread = ElectionThread(
                election,
                lease_client(self.api, self._user_agent, election, clock=SystemClock()),
                metrics=self.metrics,
                recorder=self.recorder(election.name),
                on_started=self._won,
                on_lost=self._lost_leadership,
                on_new_leader=election.on_new_leader,
            )
            self._elector = self._election_thread.elector
            run = self._election_thread.run()
        else:
            self._elector = LeaderElector(
                election,
                lease_client(self.api, self._user_agent, election),
                self.clock,
                metrics=self.metrics,
                recorder=self.recorder(election.name),
                on_started=self._won,
                on_lost=self._lost_leadership,
                on_new_leader=election.on_new_leader,
            )
            run = self._elector.run()
        self._leadership.elector = self._elector
        await self._election.start()
        self._election.spawn(run, name="leader election")

    async def _won(self) -> None:
        if self._stopping.is_set():
            return
        await self._elected.start()
        election = self.options.leader_election
        if election is not None and election.on_started is not None:
            self._elected.spawn(self._lead(election.on_started), name="on_started")

    @staticmethod
    async def _lead(work: Callable[[TaskScope], Awaitable[None]]) -> None:
        async with TaskScope("leading") as scope:
            await work(scope)

    def _lost_leadership(self) -> None:
        self._lost = True
        self.stop()

    async def _stop(self, *, linger: bool) -> None:
        if self._lost:
            # Somebody else may lead already: nothing here may write any more.
            await self._elected.stop(drain=0, grace=_HARD_GRACE)
        elif linger and self.options.shutdown_delay:
            # Not ready any more, and still serving: whoever routes requests here needs time to see that.
            await self.clock.sleep(self.options.shutdown_delay)
        timeout = self.options.graceful_shutdown_timeout
        ends = self.clock.monotonic() + timeout
        for group in (self._others, self._warmups, self._elected, self._caches, self._webhooks, self._servers):
            # One limit for all: what the first group takes the others do not get.
            left = max(0.0, ends - self.clock.monotonic())
            if self._lost:
                await group.stop(drain=0, grace=_HARD_GRACE)
            elif timeout < 0:
                await group.stop(drain=None, grace=_GRACE)
            else:
                await group.stop(drain=left, grace=min(_GRACE, max(_HARD_GRACE, left)))
        if self._elector is not None and not self._lost:
            with suppress(TimeoutError):
                await (self._election_thread or self._elector).resign()
        await self._election.stop(drain=0, grace=_HARD_GRACE)
        self._tell_stopped()
        if self._events.running:
            if not await self._sink.flush():
                _log.warning("events left unwritten", count=len(self._sink))
            await self._events.stop(drain=0, grace=_HARD_GRACE)
        if self._owns_client:
            await self._base.aclose()

    def _tell_stopped(self) -> None:
        election = self.options.leader_election
        if election is not None and election.on_stopped is not None:
            try:
                election.on_stopped()
            except Exception as error:
                self._fail("on_stopped", error)

    # -- inside --------------------------------------------------------------------------------------------------

    @contextmanager
    def _frozen_gc(self) -> Iterator[None]:
        """Keeps the garbage collector away while the caches fill, and from what they hold for ever after.

        Scanning tens of thousands of objects that live for long, again and again, would stall the loop.
        """
        if not self.options.freeze_gc or not gc.isenabled():
            yield
            return
        gc.disable()
        try:
            yield
            gc.freeze()
            # Requests make many short-lived objects and hardly any cycles: at the default of 700 the collector takes a
            # fifteenth of the CPU under load.
            gc.set_threshold(_GC_THRESHOLD, 20, 20)
        finally:
            gc.enable()

    def _group(self, name: str) -> Group:
        return Group(name, self.clock, self._fail)

    def _grace(self) -> float:
        timeout = self.options.graceful_shutdown_timeout
        return _UNLIMITED if timeout < 0 else timeout

    def _fail(self, name: str, error: BaseException) -> None:
        if self._state in ("stopping", "stopped"):
            _log.error("failure during the stop", part=name, exc_info=error)
        if isinstance(error, LeaderElectionLost):
            # A write of an elected runnable was refused before the elector has noticed.
            self._lost = True
        self._errors.append((name, error))
        self.stop()

    def _error(self) -> ManagerError:
        name, first = self._errors[0]
        error = ManagerError(f"running the manager: {name} failed: {str(first) or type(first).__name__}")
        if len(self._errors) == 1:
            error.__cause__ = first
        else:
            error.__cause__ = BaseExceptionGroup("parts of the manager failed", [cause for _, cause in self._errors])
        return error


class _Leadership:
    """Where contexts find the fencing token; apart from the manager, which they must not keep alive."""

    def __init__(self) -> None:
        self.elector: LeaderElector | None = None

    def expired(self) -> bool:
        """Whether this process led and may not write any more."""
        return self.elector is not None and self.elector.expired

    def token(self) -> FencingToken | None:
        elector = self.elector
        return None if elector is None else FencingToken(elector.identity, elector.transitions)


class _Warmup:
    """The warm-up of an elected runnable as a runnable of its own."""

    def __init__(self, runnable: WarmsUp) -> None:
        self._runnable = runnable
        self.name = getattr(runnable, "name", type(runnable).__name__)

    async def start(self) -> None:
        await self._runnable.warmup()
