"""The controller: takes keys from its queue and reconciles them, each key by one worker at a time.

What a reconcile's outcome does to its key:

    None, Result()              forget the failures
    Result(requeue_after=d>0)   forget, run again after d
    Result(requeue=True)        run again through the back-off
    TerminalError               forget, no retry
    StaleCache                  run again in 50 ms; no failure
    any other exception         run again through the back-off
    cancelled by shutdown       nothing; the next start lists the object again
    sys.exit(), GeneratorExit   the manager stops in order and fails with it
"""

from __future__ import annotations

import asyncio
import inspect
import random
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

import structlog
from structlog.contextvars import bind_contextvars

from eso_core.aio import TaskScope, Timer
from eso_core.cache import Cache, CachedObject
from eso_core.cache.cache import SYNC_TIMEOUT
from eso_core.cache.spec import resource_name
from eso_core.controller.context import Context, Environment, current_context
from eso_core.controller.event import Event, EventKind
from eso_core.controller.hotloop import HotLoopGuard
from eso_core.controller.options import ControllerOptions
from eso_core.controller.result import ReconcileAborted, ReconcileTimeout, Request, Result, StaleCache, TerminalError
from eso_core.controller.sources import EventSource, KindSource
from eso_core.controller.stacks import task_stack
from eso_core.meta import GVK, ObjectKey
from eso_core.meta.errors import Conflict, NotFound, SyncTimeout
from eso_core.metrics import RuntimeMetrics
from eso_core.metrics.controller import ResultLabel
from eso_core.queue import Taken, WorkQueue
from eso_core.tracing import Attribute, Tracer

__all__ = ["Controller", "Reconcile"]

#: `async def reconcile(ctx, request)`; a plain function runs in a thread.
Reconcile: TypeAlias = Callable[[Context, Request], "Awaitable[Result | None] | Result | None"]

_log = structlog.get_logger("eso_core.controller")

_STALE_DELAY = 0.05
#: A reconcile that goes on this long after its cancellation is reported.
_CANCEL_GRACE = 10.0
#: Keys whose last terminal error is remembered; beyond it the oldest is told with its stack again.
_MAX_TERMINAL = 10_000

#: Exceptions that are mistakes in the program, counted as "panics" because that is what dashboards ask for.
_PROGRAMMING_ERRORS = (
    TypeError,
    AttributeError,
    NameError,
    KeyError,
    IndexError,
    AssertionError,
    RecursionError,
)


class Controller:
    """Runs one reconcile function over the keys that its sources produce.

    It is a runnable of the manager: `start` runs until cancelled; `warmup` starts the sources only; `drain` stops handing
    out keys and waits for the running reconciles.

    Args:
        name: unique in the process; the label of its metrics and log lines.
        reconcile: the function.
        environment: what its contexts share.
        metrics: the runtime's families.
        gvk: the primary kind; None when there is none.
        options: how it runs.
    """

    def __init__(
        self,
        name: str,
        reconcile: Reconcile,
        environment: Environment,
        metrics: RuntimeMetrics,
        *,
        gvk: GVK | None = None,
        options: ControllerOptions | None = None,
    ) -> None:
        self.name = name
        self.gvk = gvk
        self.options = options or ControllerOptions()
        self._environment = environment
        self.clock = environment.clock
        self.cache: Cache = environment.cache
        self._reconcile: Callable[[Context, Request], Awaitable[Result | None]]
        if _is_coroutine_function(reconcile):
            self._reconcile = reconcile  # type: ignore[assignment]
        else:

            async def in_thread(ctx: Context, request: Request) -> Result | None:
                try:
                    return await asyncio.to_thread(reconcile, ctx, request)  # type: ignore[arg-type]
                except (TypeError, AttributeError) as error:
                    if "coroutine" in str(error):
                        error.add_note(_AWAIT)
                    raise

            self._reconcile = in_thread
        self._metrics_root = metrics
        self._metrics = metrics.controller.controller(name, self.options.max_concurrent)
        self.queue: WorkQueue[Request] = WorkQueue(
            self.clock,
            limiter=self.options.limiter(self.clock),
            metrics=metrics.queue.queue(name),
            options=self.options.queue,
        )
        self._sources: list[EventSource] = []
        self._scope: TaskScope | None = None
        self._guard = HotLoopGuard(self.options.hot_loop_runs)
        #: The terminal error that a key ended with last, for those that have not succeeded since.
        self._terminal: dict[Request, str] = {}
        self._sources_started = False
        #: Makes spans; None for none.
        self.tracer = environment.tracer
        self._origins: dict[Request, object] = {}

    def __repr__(self) -> str:
        return f"Controller({self.name}, {self.queue.statistics()})"

    @property
    def need_leader_election(self) -> bool:
        return self.options.need_leader_election

    @property
    def warms_up(self) -> bool:
        return self.options.warmup

    def add_source(self, source: EventSource) -> None:
        """Adds a source; one that comes after the start begins at once."""
        self._sources.append(source)
        if self._scope is not None and self._sources_started:
            source.start(self, self._scope)

    # -- what sources and handlers see ---------------------------------------------------------------------------

    def add(self, request: Request, *, priority: int = 0) -> None:
        """Enqueues a key."""
        if self.tracer is not None:
            origin = self.tracer.here()
            if origin is not None:
                self._origins[request] = origin
        self.queue.add(request, priority=priority)

    def primary_changed(self, event: Event) -> None:
        """An event of the reconciled kind itself, before predicates."""
        key = event.object.key
        request = Request(key.namespace, key.name)
        if event.kind is EventKind.DELETE:
            self.queue.forget(request)
            self._guard.changed(request)
            self._terminal.pop(request, None)
            return
        if event.kind is not EventKind.UPDATE or event.old is None:
            return
        old, new = event.old.meta, event.object.meta
        if old.generation != new.generation:
            if self.options.forgive_new_generation:
                self.queue.forget(request)
            self._guard.changed(request)
        elif old.labels != new.labels or old.annotations != new.annotations or old.finalizers != new.finalizers:
            self._guard.changed(request)

    # -- running -------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Starts sources, waits for them, and works until cancelled or drained.

        Raises:
            SyncTimeout: a source did not deliver its initial state in time.
        """
        if self._scope is not None:
            await self._work(self._scope)  # warmed up: `warmup` runs the sources
            return
        async with TaskScope(f"controller {self.name}") as scope:
            self._scope = scope
            try:
                await self._start_sources(scope)
                await self._work(scope)
            finally:
                self._stop_sources()
            await scope.cancel()

    async def warmup(self) -> None:
        """Runs the sources until cancelled, so that the queue is full when the controller starts."""
        async with TaskScope(f"warmup of controller {self.name}") as scope:
            self._scope = scope
            try:
                await self._start_sources(scope)
                await asyncio.get_running_loop().create_future()
            finally:
                self._stop_sources()

    async def drain(self, timeout: float | None) -> bool:
        """Hands out no more keys and waits for the running reconciles; False when they were not done in time."""
        return await self.queue.drain(timeout)

    async def release(self, *, keep_series: bool = False) -> None:
        """Gives back what the controller used, when it is removed at run time: its series, and informers of its own.

        Args:
            keep_series: another controller has the same name, and so the same series.
        """
        for source in self._sources:
            if isinstance(source, KindSource):
                await source.release()
        if not keep_series:
            self._metrics_root.controller.drop(self.name)
            self._metrics_root.queue.drop(self.name)

    async def _start_sources(self, scope: TaskScope) -> None:
        for source in self._sources:
            source.start(self, scope)
        self._sources_started = True
        limit = None if self.options.wait_for_crd else self.options.cache_sync_timeout or SYNC_TIMEOUT
        for source in list(self._sources):
            try:
                async with self.clock.timeout(limit):
                    await source.wait_synced()
            except TimeoutError:
                reason = source.last_error() or "no answer so far"
                raise SyncTimeout(
                    f"starting controller {self.name}: source {source.name} did not sync within {limit:g} s: {reason}"
                ) from None

    def _stop_sources(self) -> None:
        for source in self._sources:
            source.stop()
        self._sources_started = False
        self._scope = None

    async def _work(self, scope: TaskScope) -> None:
        async with TaskScope(f"workers of {self.name}") as workers:
            for number in range(self.options.max_concurrent):
                workers.spawn(self._worker(), name=f"{self.name} worker {number}")

    async def _worker(self) -> None:
        gvk = self.gvk
        bind_contextvars(controller=self.name)
        if gvk is not None:
            bind_contextvars(controllerGroup=gvk.group, controllerKind=gvk.kind)
        pacer = self.cache.pacer
        pace = pacer.pace()
        queue, guard = self.queue, self._guard
        while True:
            taken = await queue.get()
            if taken is None:
                return
            try:
                wait = guard.delay(taken.key, taken.started)
                if wait > 0:
                    queue.add_after(taken.key, wait, priority=taken.priority)
                elif self.tracer is None:
                    await self._run(taken)
                else:
                    await self._traced(self.tracer, taken)
            finally:
                queue.done(taken.key)
            # Keys that are handled without waiting would otherwise keep the loop from its sockets and timers.
            if pace.spent(pacer.monotonic()):
                await asyncio.sleep(0)

    # -- one reconcile -------------------------------------------------------------------------------------------

    async def _traced(self, tracer: Tracer, taken: Taken[Request]) -> None:
        request = taken.key
        attributes: dict[str, Attribute] = {
            "k8s.namespace.name": request.namespace,
            "k8s.object.name": request.name,
            "eso_core.attempt": self.queue.failures(request) + 1,
            "eso_core.priority": taken.priority,
            "eso_core.queue_wait": taken.started - taken.ready_since,
        }
        with tracer.span(f"reconcile {self.name}", attributes, link=self._origins.pop(request, None)) as span:
            result, error = await self._run(taken, tracer.exemplar())
            span.set("eso_core.result", result)
            if error is not None:
                span.fail(error)

    async def _run(
        self, taken: Taken[Request], exemplar: Mapping[str, str] | None = None
    ) -> tuple[ResultLabel, BaseException | None]:
        request = taken.key
        metrics = self._metrics
        timeout = self.options.reconcile_timeout
        environment = self._environment
        reconcile_id = _new_id()
        fields: dict[str, object] = {
            "namespace": request.namespace,
            "name": request.name,
            "reconcileID": reconcile_id,
        }
        if self.gvk is not None:
            fields[self.gvk.kind] = {"name": request.name, "namespace": request.namespace}
        bind_contextvars(**fields)
        started = taken.started
        ctx = Context(
            client=environment.client,
            api=environment.api,
            cache=environment.cache,
            recorder=environment.recorder,
            clock=environment.clock,
            log=_log,
            reconcile_id=reconcile_id,
            attempt=self.queue.failures(request) + 1,
            priority=taken.priority,
            deadline=None if timeout is None else started + timeout,
            fencing=environment.fencing(),
        )
        current_context.set(ctx)
        metrics.active_workers.inc()
        try:
            if timeout is None:
                result = await self._reconcile(ctx, request)
            else:
                result = await self._limited(ctx, request, timeout)
        except Exception as error:
            return self._failed(taken, error), error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Something the reconcile awaited was cancelled, not the reconcile.
            return self._failed(taken, error), error
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if isinstance(error, GeneratorExit) and not _in_a_task():
                raise  # the worker itself is being closed, without a loop to stop in order
            raise ReconcileAborted(
                f"reconciling {request}: it raised {type(error).__name__}({error}), which ends the program: raise an Exception "
                "to be run again, TerminalError not to be"
            ) from error
        else:
            return self._succeeded(taken, result), None
        finally:
            metrics.active_workers.dec()
            metrics.time.observe(self.clock.monotonic() - started, exemplar)

    async def _limited(self, ctx: Context, request: Request, timeout: float) -> Result | None:
        # What `clock.timeout` does, at a fifth of its price: the limit is set for each run and hardly ever reached.
        task = asyncio.current_task()
        assert task is not None
        cancelling = task.cancelling()
        expired = False
        overdue: Timer | None = None

        def expire() -> None:
            nonlocal expired, overdue
            expired = True
            overdue = self.clock.call_later(_CANCEL_GRACE, lambda: self._report_overdue(request, task))
            task.cancel()

        timer = self.clock.call_later(timeout, expire)
        try:
            result = await self._reconcile(ctx, request)
        except asyncio.CancelledError as error:
            if not expired or task.uncancel() > cancelling:
                raise  # from outside: a shutdown
            self._metrics.timeouts.inc()
            raise ReconcileTimeout(
                f"reconciling {request}: cancelled after {timeout:g} s: raise reconcile_timeout or make it faster"
            ) from error
        except BaseException:
            if expired:
                task.uncancel()
            raise
        else:
            if expired:
                task.uncancel()
            return result
        finally:
            timer.cancel()
            if overdue is not None:
                overdue.cancel()

    def _report_overdue(self, request: Request, task: asyncio.Task[object]) -> None:
        _log.error(
            "reconcile ignores its cancellation", controller=self.name, request=str(request), stack=task_stack(task)
        )

    def _succeeded(self, taken: Taken[Request], result: Result | None) -> ResultLabel:
        queue, metrics, request = self.queue, self._metrics, taken.key
        if result is None:
            result = _NOTHING
        elif type(result) is not Result:
            return self._failed(taken, TypeError(_wrong_result(result)))
        priority = taken.priority if result.priority is None else result.priority
        after = result.requeue_after
        if after is not None and after > 0:
            queue.forget(request)
            queue.add_after(request, after, priority=priority)
            outcome: ResultLabel = "requeue_after"
        elif result.requeue:
            queue.add_rate_limited(request, priority=priority)
            outcome = "requeue"
        else:
            queue.forget(request)
            outcome = "success"
        metrics.results[outcome].inc()
        if self._terminal:
            self._terminal.pop(request, None)
        if self._guard.ran(request, self.clock.monotonic()):
            self._report_loop(request)
        return outcome

    def _failed(self, taken: Taken[Request], error: BaseException) -> ResultLabel:
        queue, metrics, request = self.queue, self._metrics, taken.key
        if isinstance(error, StaleCache):
            queue.add_after(request, _STALE_DELAY, priority=taken.priority)
            metrics.results["requeue"].inc()
            return "requeue"
        if isinstance(error, NotFound) and self._is_about(error, request):
            # The request's own object is gone: there is nothing left to do for it.
            return self._succeeded(taken, None)
        metrics.results["error"].inc()
        metrics.errors.inc()
        if isinstance(error, TerminalError):
            metrics.terminal_errors.inc()
            queue.forget(request)
            self._report_terminal(request, error)
            return "error"
        if isinstance(error, _PROGRAMMING_ERRORS):
            metrics.panics.inc()
            if not self.options.recover_panic:
                raise error
        failures = queue.failures(request)
        queue.add_rate_limited(request, priority=taken.priority)
        if isinstance(error, Conflict):
            metrics.conflicts.inc()
            self._say(_log.debug, "write conflict: running again", error=str(error))
        elif failures < self.options.log_errors_after:
            self._say(_log.info, "Reconciler error", error=f"{type(error).__name__}: {error}", attempt=failures + 1)
        else:
            self._say(_log.error, "Reconciler error", exc_info=error)
        return "error"

    def _report_terminal(self, request: Request, error: TerminalError) -> None:
        """With its stack once, then in a line: the condition that tells of the error brings one more run, each resync others."""
        text = f"{type(error).__name__}: {error}"
        if self._terminal.get(request) == text:
            self._say(_log.error, "Reconciler error", error=text, terminal=True)
            return
        if len(self._terminal) >= _MAX_TERMINAL:
            del self._terminal[next(iter(self._terminal))]
        self._terminal[request] = text
        self._say(_log.error, "Reconciler error", exc_info=error, terminal=True)

    def _is_about(self, error: NotFound, request: Request) -> bool:
        """Whether a 404 says that the request's object does not exist, as opposed to another one, or its kind."""
        details = error.details
        if self.gvk is None or not details or details.get("name") != request.name:
            return False
        informers = (informer for informer in self.cache.informers() if informer.spec.gvk == self.gvk)
        known = {self.gvk.kind, resource_name(self.gvk), *(resource_name(found.spec.kind) for found in informers)}
        return details.get("kind") in known and (details.get("group") or "") == self.gvk.group

    def _say(self, log: Callable[..., object], event: str, **fields: object) -> None:
        """Logs; a processor that raises costs the line and is counted, not the worker."""
        try:
            log(event, **fields)
        except Exception as problem:
            self._metrics.panics.inc()
            sys.stderr.write(f"logging {event!r} of controller {self.name}: {type(problem).__name__}\n")

    def _report_loop(self, request: Request) -> None:
        self._metrics.hot_loops.inc()
        text = (
            f"reconciled more than {self.options.hot_loop_runs} times in 60 s without an outside change: "
            "slowed down to once per second; usually the controller changes what it watches each time"
        )
        _log.warning("hot loop", detail=text)
        if self.gvk is None:
            return
        entry = self._primary(request)
        reference = {
            "apiVersion": self.gvk.api_version,
            "kind": self.gvk.kind,
            "metadata": {
                "name": request.name,
                "namespace": request.namespace,
                "uid": entry.uid if entry is not None else "",
                "resourceVersion": entry.resource_version if entry is not None else "",
            },
        }
        self._environment.recorder.event(reference, "Warning", "HotLoop", text)

    def _primary(self, request: Request) -> CachedObject | None:
        for informer in self.cache.informers():
            if informer.spec.gvk == self.gvk and informer.watches(request.namespace):
                entry = informer.lookup(ObjectKey(request.namespace, request.name))
                if entry is not None:
                    return entry
        return None


_NOTHING = Result()
_AWAIT = (
    "the reconciler is a plain function, which cannot await what ctx.client gives: declare it with `async def`, and make blocking "
    "calls with `await asyncio.to_thread(function, ...)`"
)


def _in_a_task() -> bool:
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


def _is_coroutine_function(fn: object) -> bool:
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(getattr(fn, "__call__", None))  # noqa: B004


def _wrong_result(result: object) -> str:
    """What to write instead."""
    if inspect.iscoroutine(result):
        result.close()  # nobody will await it
        advice = "declare the reconciler with `async def`, or await what it calls"
    elif isinstance(result, int | float) and not isinstance(result, bool):
        advice = f"to run again after that many seconds, return Result.after(seconds={result})"
    else:
        advice = "return Result.after(seconds=...) to run again, nothing when it is done"
    return f"reconcile returned {type(result).__name__}, not a Result or None: {advice}"


def _new_id() -> str:
    """A random UUID (RFC 9562, version 4) as text, without the object and the system call of the uuid module."""
    digits = f"{random.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
