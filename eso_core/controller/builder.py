"""The fluent form of a controller: what it reconciles, owns and watches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Protocol

from eso_core.cache import Cache, IndexFunction, InformerSpec, Kind, gvk_of_kind
from eso_core.controller.context import Environment
from eso_core.controller.controller import Controller, Reconcile
from eso_core.controller.handlers import Handler, enqueue_object, enqueue_owner
from eso_core.controller.options import ControllerOptions
from eso_core.controller.predicates import Predicate
from eso_core.controller.sources import EventSource, KindSource
from eso_core.events import Recorder
from eso_core.meta.wellknown import CONFIG_MAP, EVENT, EVENT_V1, LEASE, NAMESPACE, SECRET, SERVICE_ACCOUNT
from eso_core.metrics import RuntimeMetrics

__all__ = ["ControllerBuilder", "ControllerHost"]

#: Kinds whose objects have no generation: a predicate on it would drop every update.
_WITHOUT_GENERATION = frozenset({SECRET, CONFIG_MAP, SERVICE_ACCOUNT, EVENT, EVENT_V1, LEASE, NAMESPACE})


class ControllerHost(Protocol):
    """What the builder needs of a manager."""

    cache: Cache
    metrics: RuntimeMetrics

    def environment(self, recorder: Recorder) -> Environment: ...
    def recorder(self, component: str) -> Recorder: ...
    def claim_name(self, name: str) -> None: ...
    def concurrency_of(self, kind: str) -> int | None: ...
    @property
    def cache_sync_timeout(self) -> float: ...
    def add_controller(self, controller: Controller) -> None: ...


class ControllerBuilder:
    """Describes a controller. Informers are registered at once, the controller is built when the manager starts.

    Every method but `complete` returns the builder.
    """

    def __init__(self, host: ControllerHost, reconcile: Reconcile, *, name: str = "") -> None:
        self._host = host
        self._reconcile = reconcile
        self._name = name
        self._primary: Kind | None = None
        self._sources: list[EventSource] = []
        self._options = ControllerOptions()
        self._concurrency_given = False
        self._recorder: Recorder | None = None
        self._built: Controller | None = None

    def for_(
        self,
        kind: Kind,
        *,
        predicates: Sequence[Predicate] = (),
        view: str = "",
        label_selector: str = "",
        namespaces: Sequence[str] = (),
        indexes: Mapping[str, IndexFunction] | None = None,
    ) -> ControllerBuilder:
        """The kind to reconcile: each of its objects is a request. Exactly one per controller.

        Args:
            predicates: which of its events count; all must pass.
            view: the informer of this name, where there are several of the kind.
            label_selector: objects that are watched.
            namespaces: that are watched; those of the manager by default.
            indexes: functions by name, as for `Cache.index`; `enqueue_indexed` and `Cache.list` look them up.

        Raises:
            ValueError: there is a kind already, a predicate needs a generation that the kind does not have, or another
                function has the name of an index.
        """
        if self._primary is not None:
            raise ValueError("for_: a controller has exactly one primary kind: use owns or watches for others")
        spec = self._spec(kind, view, label_selector, namespaces)
        self._add(kind, spec, enqueue_object, predicates, indexes, primary=True)
        self._primary = kind
        if not self._name:
            self._name = gvk_of_kind(kind).kind.lower()
        return self

    def owns(
        self,
        kind: Kind,
        *,
        predicates: Sequence[Predicate] = (),
        only_controller: bool = True,
        view: str = "",
        indexes: Mapping[str, IndexFunction] | None = None,
    ) -> ControllerBuilder:
        """A kind whose objects the primary objects own: a change reconciles the owner. `indexes` as for `for_`.

        Raises:
            ValueError: `for_` was not called before.
        """
        if self._primary is None:
            raise ValueError("owns: call for_ first: it says whose objects are owned")
        handler = enqueue_owner(self._primary, only_controller=only_controller)
        self._add(kind, self._spec(kind, view), handler, predicates, indexes)
        return self

    def watches(
        self,
        kind: Kind,
        handler: Handler,
        *,
        predicates: Sequence[Predicate] = (),
        view: str = "",
        indexes: Mapping[str, IndexFunction] | None = None,
    ) -> ControllerBuilder:
        """Another kind, with a handler that says which requests its changes concern. `indexes` as for `for_`."""
        self._add(kind, self._spec(kind, view), handler, predicates, indexes)
        return self

    def watches_raw(self, source: EventSource) -> ControllerBuilder:
        """A source of your own: `Channel`, `Ticker`, `Func`."""
        self._sources.append(source)
        return self

    def named(self, name: str) -> ControllerBuilder:
        """The controller's name in metrics and logs; by default the primary kind in lower case."""
        self._name = name
        return self

    def recorder(self, recorder: Recorder) -> ControllerBuilder:
        """The recorder of its contexts; by default one with the controller's name as component."""
        self._recorder = recorder
        return self

    def workers(self, count: int) -> ControllerBuilder:
        """How many keys are reconciled at a time."""
        return self.options(max_concurrent=count)

    def options(self, options: ControllerOptions | None = None, /, **changes: Any) -> ControllerBuilder:
        """Sets all options, or some of them by the names of `ControllerOptions`.

        Raises:
            TypeError: there is no option of that name.
            ValueError: a value is out of range.
        """
        known = [option.name for option in fields(ControllerOptions)]
        for name in changes:
            if name not in known:
                raise TypeError(f"options of a controller: there is no {name!r}: choose from {', '.join(known)}")
        self._options = replace(options if options is not None else self._options, **changes)
        self._concurrency_given = self._concurrency_given or options is not None or "max_concurrent" in changes
        return self

    def complete(self) -> Controller:
        """Builds the controller and adds it to the manager, unless that was done; returns it.

        The manager calls this for all builders when it starts. For a controller that is added later call it yourself.

        Raises:
            ValueError: it has no source or no name, or the name is taken.
        """
        if self._built is not None:
            return self._built
        if not self._sources or not self._name:
            raise ValueError("building a controller: it needs a source (for_, watches, watches_raw) and a name")
        if not self._options.skip_name_validation:
            self._host.claim_name(self._name)
        gvk = None if self._primary is None else gvk_of_kind(self._primary)
        if gvk is not None and not self._concurrency_given:
            of_kind = self._host.concurrency_of(f"{gvk.kind}.{gvk.group}" if gvk.group else gvk.kind)
            if of_kind is not None:
                self._options = replace(self._options, max_concurrent=of_kind)
        given = self._options.cache_sync_timeout
        if given is None:
            self._options = replace(self._options, cache_sync_timeout=self._host.cache_sync_timeout)
        recorder = self._recorder or self._host.recorder(self._name)
        controller = Controller(
            self._name,
            self._reconcile,
            self._host.environment(recorder),
            self._host.metrics,
            gvk=gvk,
            options=self._options,
        )
        for source in self._sources:
            controller.add_source(source)
            if isinstance(source, KindSource):
                source.skip_echoes = self._options.skip_own_echoes
                if self._options.wait_for_crd and not source.informer.shared:
                    source.informer.required = False
                elif given is not None and not self._options.wait_for_crd:
                    source.informer.limit_sync(given)
        self._built = controller
        self._host.add_controller(controller)
        return controller

    # -- inside --------------------------------------------------------------------------------------------------

    def _spec(self, kind: Kind, view: str, label_selector: str = "", namespaces: Sequence[str] = ()) -> InformerSpec:
        if not label_selector and not namespaces:
            # An informer that is registered already decides what is watched.
            registered = self._host.cache.find(kind, view)
            if registered is not None:
                return registered.spec
        return InformerSpec(kind, view=view, label_selector=label_selector, namespaces=tuple(namespaces))

    def _add(
        self,
        kind: Kind,
        spec: InformerSpec,
        handler: Handler,
        predicates: Sequence[Predicate],
        indexes: Mapping[str, IndexFunction] | None,
        *,
        primary: bool = False,
    ) -> None:
        what = gvk_of_kind(kind).kind
        if not callable(handler):
            raise TypeError(
                f"watching {what}: the handler is {type(handler).__name__}, not a function: "
                "take enqueue_indexed(...) or enqueue_mapped(...) from eso_core"
            )
        for predicate in predicates:
            if not isinstance(predicate, Predicate):
                raise TypeError(
                    f"watching {what}: {predicate!r} is no predicate: "
                    "wrap a function of an event as predicates.fn(function), predicates being in eso_core"
                )
        needy = [predicate.name for predicate in predicates if predicate.needs_generation]
        if needy and gvk_of_kind(kind) in _WITHOUT_GENERATION:
            raise ValueError(
                f"watching {what} with {', '.join(needy)}: objects of this kind have no generation: "
                "use resource_version_changed"
            )
        check_indexes(what, indexes)
        source = KindSource(self._host.cache, spec, handler, predicates, primary=primary)
        for name, function in (indexes or {}).items():
            source.informer.add_index(name, function)
        self._sources.append(source)


def check_indexes(kind: str, indexes: object) -> None:
    """Refuses what is no mapping of names to functions.

    Raises:
        TypeError: it is none.
    """
    if indexes is not None and not isinstance(indexes, Mapping):
        raise TypeError(f"indexes of {kind}: {type(indexes).__name__} is no dictionary: write {{name: function}}")
    for name, function in (indexes or {}).items():
        if not isinstance(name, str) or not callable(function):
            raise TypeError(
                f"indexes of {kind}: {name!r}: {type(function).__name__}: write {{name: function}}, "
                "the function taking metadata and object and returning values"
            )
