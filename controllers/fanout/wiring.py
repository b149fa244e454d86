"""Puts the controllers of ClusterExternalSecrets and ClusterPushSecrets into a manager."""

from __future__ import annotations

from collections.abc import Callable

from controllers.fanout import watches
from controllers.fanout.children import by_parent
from controllers.fanout.kinds import FanOut
from controllers.fanout.reconciler import PARENT_INDEX, FanOutReconciler
from controllers.metrics import ObjectMetrics
from eso_core.cache import InformerSpec
from eso_core.controller import Controller, Event, Handler, KindSource, Predicate, Reconcile
from eso_core.manager import Manager
from eso_core.meta import GVK
from eso_core.meta.wellknown import NAMESPACE

__all__ = ["add_fan_out"]

MakeController = Callable[[str, GVK, Reconcile, str], Controller]


def add_fan_out(manager: Manager, controller_of: MakeController, fan: FanOut, *, extended: bool) -> None:
    """Add the controller of one kind.

    Args:
        manager: Gets informers, an index and the controller.
        controller_of: Makes a controller of a name, kind, reconciler and event component.
        fan: The kind.
        extended: Label metrics with the object's `app.kubernetes.io` labels.
    """
    cache = manager.cache
    objects, namespaces = InformerSpec(fan.kind), InformerSpec(NAMESPACE)
    # The same informer as that of the copies' own controller.
    children = InformerSpec(fan.child, strip_last_applied=False)
    for spec in (objects, namespaces, children):
        cache.register(spec)
    cache.index(fan.child, PARENT_INDEX, by_parent)
    component = "external-secrets-controller"
    reconciler = FanOutReconciler(
        fan, manager.recorder(component), ObjectMetrics(fan.name, extended=extended, registry=manager.registry)
    )
    controller = controller_of(fan.name, fan.kind, reconciler, component)

    def watch(spec: InformerSpec, handler: Handler, matters: Callable[[Event], bool], *, primary: bool = False) -> None:
        controller.add_source(KindSource(cache, spec, handler, [Predicate(matters.__name__, matters)], primary=primary))

    watch(objects, watches.enqueue_self, watches.object_matters, primary=True)
    watch(children, watches.enqueue_parent(fan), watches.child_matters)
    watch(namespaces, watches.enqueue_selecting(fan), watches.namespace_matters)
