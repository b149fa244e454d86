"""The front door: an operator in one file.

    from eso_core.builder import Context, Operator, Request, Result

    operator = Operator("websites", leader_election=True)

    @operator.controller(Website, owns=[DEPLOYMENT], workers=4)
    async def reconcile(ctx: Context, request: Request) -> Result:
        site = await ctx.client.get(Website, request.key)
        ...
        return Result.after(minutes=5)

    operator.run()

Whatever this form cannot say, `Manager.controller(...)` and `ControllerBuilder` can: `operator.on_manager` gives access to the
manager before it runs.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar

import structlog

from eso_core.aio import Clock
from eso_core.cache import IndexFunction, Kind, gvk_of_kind
from eso_core.client import Client, ClientConfig, load_config
from eso_core.controller import (
    Context,
    ControllerBuilder,
    ControllerOptions,
    Handler,
    Predicate,
    Reconcile,
    Request,
    Result,
    StaleCache,
    TerminalError,
    predicates,
)
from eso_core.controller.builder import check_indexes
from eso_core.controller.result import ReconcileAborted
from eso_core.log import configure_logging
from eso_core.manager import LeaderElectionOptions, Manager, ManagerOptions, stop_on_signals
from eso_core.meta import GVK, Partial
from eso_core.meta.errors import EsoCoreError, ManagerError

__all__ = [
    "Context",
    "ControllerBuilder",
    "Manager",
    "Operator",
    "Request",
    "Result",
    "StaleCache",
    "TerminalError",
    "predicates",
]

F = TypeVar("F", bound=Reconcile)

#: What the decorator passes on.
_OPTIONS = {option.name for option in fields(ControllerOptions)} - {"max_concurrent"}

_log = structlog.get_logger("eso_core.manager")


class Operator:
    """Controllers, and how to run them, declared before anything runs.

    Args:
        name: of the program: user agent, name of the lease.
        leader_election: True for a lease called like the program in the pod's namespace, or the options of one.
        kubeconfig: a file; by default `KUBECONFIG`, the pod's service account, or `~/.kube/config`.
        context: of the kubeconfig.
        namespaces: to watch; all by default.
        metrics_addr: `host:port` of `/metrics`; "0" means none.
        health_addr: `host:port` of `/healthz` and `/readyz`; "0" means none.
        cache_sync_timeout: seconds for the caches to fill before the start fails; a controller's own option of this name comes
            first.

    Raises:
        TypeError: `leader_election` or `namespaces` is a string, or an address is none.
    """

    def __init__(
        self,
        name: str,
        *,
        leader_election: bool | LeaderElectionOptions = False,
        kubeconfig: str | None = None,
        context: str | None = None,
        namespaces: Sequence[str] = (),
        metrics_addr: str = ":8080",
        health_addr: str = ":8081",
        cache_sync_timeout: float = 120.0,
    ) -> None:
        if isinstance(namespaces, str):
            raise TypeError(f"Operator: namespaces={namespaces!r} is one string: give a list, [{namespaces!r}]")
        for option, address in (("metrics_addr", metrics_addr), ("health_addr", health_addr)):
            if not isinstance(address, str):
                raise TypeError(f"Operator: {option}={address!r} is no string: write ':{address}'")
        if not isinstance(leader_election, bool | LeaderElectionOptions):
            raise TypeError(
                f"Operator: leader_election={leader_election!r}: give True, False, "
                "or LeaderElectionOptions(name, namespace=...) from eso_core.manager"
            )
        if isinstance(leader_election, bool):
            election = LeaderElectionOptions(name) if leader_election else None
        else:
            election = leader_election
        self.name = name
        self._kubeconfig = kubeconfig
        self._context = context
        self._options = ManagerOptions(
            leader_election=election,
            namespaces=tuple(namespaces),
            metrics_addr=metrics_addr,
            health_addr=health_addr,
            cache_sync_timeout=cache_sync_timeout,
        )
        self._steps: list[Callable[[Manager], object]] = []

    def controller(
        self,
        kind: Kind,
        *,
        predicates: Sequence[Predicate] = (),
        owns: Sequence[Kind] = (),
        watches: Mapping[Kind, Handler] | None = None,
        indexes: Mapping[str, IndexFunction] | None = None,
        indexes_of: Mapping[Kind, Mapping[str, IndexFunction]] | None = None,
        workers: int = 1,
        name: str = "",
        **options: Any,
    ) -> Callable[[F], F]:
        """Declares the decorated function as the reconciler of `kind`.

        Args:
            kind: each of its objects is a request.
            predicates: which of its events count.
            owns: kinds whose changes reconcile their controlling owner.
            watches: other kinds, with the handlers that say which requests they concern.
            indexes: of `kind`, by name: functions of metadata and object that return the values it is found by, for
                `enqueue_indexed` and for `ctx.client.list(kind, index=(name, value))`.
            indexes_of: the same for kinds that it owns or watches.
            workers: reconciles at a time.
            name: of the controller; the kind in lower case by default.
            options: the fields of `ControllerOptions`.

        Raises:
            TypeError: the kind is none, a list is none, an option is unknown, or the function cannot be called with a context and a request.
        """
        if inspect.isroutine(kind):
            raise TypeError(
                f"controller: {kind.__qualname__} stands where the kind belongs: write @operator.controller(KIND)"
            )
        gvk_of_kind(kind)
        if not isinstance(workers, int):
            raise TypeError(f"controller: workers={workers!r} is no number")
        for argument, given in (("owns", owns), ("predicates", predicates)):
            # A kind is a tuple of strings, so it would pass for a list of kinds.
            if isinstance(given, str | GVK | Partial) or not isinstance(given, Sequence):
                raise TypeError(f"controller: {argument} is {type(given).__name__}, not a list: write {argument}=[...]")
        if watches is not None and not isinstance(watches, Mapping):
            raise TypeError(
                f"controller: watches is {type(watches).__name__}, not a dictionary: write {{kind: handler}}"
            )
        check_indexes(gvk_of_kind(kind).kind, indexes)
        if indexes_of is not None and not isinstance(indexes_of, Mapping):
            raise TypeError(
                f"controller: indexes_of is {type(indexes_of).__name__}, not a dictionary: write {{kind: {{name: function}}}}"
            )
        others = dict(indexes_of or {})
        for other in others:
            if other not in (watches or {}) and other not in owns:
                raise TypeError(
                    f"controller: indexes_of names {gvk_of_kind(other).kind}, which is neither in owns nor in watches"
                )
        if "max_concurrent" in options:
            raise TypeError("controller: max_concurrent is called workers here")
        for unknown in options.keys() - _OPTIONS:
            from difflib import get_close_matches

            known = sorted(_OPTIONS | {"indexes", "indexes_of", "name", "owns", "predicates", "watches", "workers"})
            near = get_close_matches(unknown, known, n=1)
            advice = f"did you mean {near[0]}?" if near else f"choose from {', '.join(known)}"
            raise TypeError(f"controller: there is no {unknown!r}: {advice}")

        def declare(reconcile: F) -> F:
            _check_reconcile(reconcile)

            def build(manager: Manager) -> None:
                builder = manager.controller(reconcile, name=name)
                builder.for_(kind, predicates=predicates, indexes=indexes)
                for owned in owns:
                    builder.owns(owned, indexes=others.get(owned))
                for watched, handler in (watches or {}).items():
                    builder.watches(watched, handler, indexes=others.get(watched))
                builder.options(max_concurrent=workers, **options)

            self._steps.append(build)
            return reconcile

        return declare

    def on_manager(self, step: Callable[[Manager], object]) -> Callable[[Manager], object]:
        """Calls `step` with the manager before it runs: for metrics, checks, further runnables. Usable as a decorator.

        Steps and controllers are made in the order in which they are declared: an index of a kind comes after the
        controller that watches it, an informer that a controller shall use before it.
        """
        self._steps.append(step)
        return step

    async def manager(
        self,
        config: ClientConfig | Client | None = None,
        options: ManagerOptions | None = None,
        *,
        clock: Clock | None = None,
    ) -> Manager:
        """A new manager with everything declared so far, in the order of its declaration.

        Args:
            config: the server, or a client, where it is not the one that was declared: tests give theirs.
            options: likewise.
            clock: time and waiting; tests give a `FakeClock`.

        Raises:
            ConfigError: no usable configuration was found.
        """
        if config is None:
            config = await load_config(self._kubeconfig, self._context)
        manager = Manager(config, clock=clock, options=options or self._options, user_agent=self.name)
        for step in self._steps:
            step(manager)
        return manager

    async def serve(self) -> None:
        """Runs until stopped by a signal, or until a part fails.

        Raises:
            ManagerError: a part failed.
            LeaderElectionLost: another process may lead now.
        """
        if not structlog.is_configured():
            configure_logging()
        manager = await self.manager()
        with stop_on_signals(manager):
            await manager.run()

    def run(self, *, traceback: bool = False) -> None:
        """`serve` on an event loop of its own: the last line of a program.

        What a user can mend without the program's source (a taken port, a missing kubeconfig, a kind that is not served) is
        told in one line on standard error; its traceback is in the log at level debug.

        Args:
            traceback: raise such an error too.

        Raises:
            SystemExit: with 1 after such an error; with its own code after a `sys.exit()` in a reconcile.
            ManagerError: a part of the program failed.
        """
        try:
            asyncio.run(self.serve())
        except (EsoCoreError, OSError) as error:
            asked = _exit_of(error)
            if traceback or (asked is None and not _is_outside(error)):
                raise
            _log.debug("ended by an error", exc_info=error)
            if asked is None or asked.code not in (None, 0):
                sys.stderr.write(f"{self.name}: {error}\n")
            raise (asked or SystemExit(1)) from None


def _is_outside(error: BaseException | None) -> bool:
    """Whether the error is about the surroundings of the program, not about the program."""
    if isinstance(error, BaseExceptionGroup):
        return all(_is_outside(each) for each in error.exceptions)
    if isinstance(error, ManagerError) and error.__cause__ is not None:
        return _is_outside(error.__cause__)
    return isinstance(error, EsoCoreError | OSError) and not isinstance(error, ReconcileAborted)


def _exit_of(error: BaseException | None) -> SystemExit | None:
    """The `sys.exit()` of a reconcile that led to this."""
    while error is not None and not isinstance(error, SystemExit):
        error = error.__cause__
    return error


def _check_reconcile(reconcile: object) -> None:
    """Finds at once what would otherwise fail in every run."""
    name = getattr(reconcile, "__qualname__", repr(reconcile))
    if not callable(reconcile):
        raise TypeError(f"controller: {name} is no function: decorate `async def reconcile(ctx, request)`")
    if inspect.isgeneratorfunction(reconcile) or inspect.isasyncgenfunction(reconcile):
        raise TypeError(f"controller: {name} is a generator: return a Result instead of yielding")
    try:
        signature = inspect.signature(reconcile)
    except ValueError:
        return  # a callable written in C does not tell
    try:
        signature.bind(None, None)
    except TypeError as error:
        raise TypeError(
            f"controller: {name}{signature} cannot be called with a context and a request: "
            "write `async def reconcile(ctx, request)`"
        ) from error
