"""Puts generators and the GeneratorState controller into a manager."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from controllers.generating.lookup import GeneratorLookup
from controllers.generating.making import GeneratorService
from controllers.generating.states import GENERATOR_STATE, OWNER_INDEX, States, by_owner
from controllers.generatorstate.reconciler import GeneratorStateReconciler
from eso_core.cache import InformerSpec
from eso_core.controller import Controller, Event, EventKind, KindSource, Predicate, Reconcile
from eso_core.controller.handlers import enqueue_object
from eso_core.manager import Manager
from eso_core.meta import GVK
from generators.registry import GeneratorRegistry
from providers.interface import ProviderCalls, ProviderOptions
from providers.resolve import KubeReader

__all__ = ["GeneratorSettings", "add_generators"]

_COMPONENT: Final = "generator-state"
MakeController = Callable[[str, GVK, Reconcile, str], Controller]


class GeneratorSettings(Struct, frozen=True):
    """What the command line says of generators.

    Attributes:
        namespaces: Where they are watched; empty means everywhere.
        controller_class: Generators of another class are left to other operators.
        grace: Seconds for which replaced values stay good.
    """

    namespaces: tuple[str, ...] = ()
    controller_class: str = "default"
    grace: float = 120.0


def add_generators(
    manager: Manager,
    controller_of: MakeController,
    registry: GeneratorRegistry,
    settings: GeneratorSettings,
    kube: KubeReader,
    calls: ProviderCalls,
    options: ProviderOptions,
) -> GeneratorService:
    """Add the controller of GeneratorStates; returns what makes values.

    Args:
        manager: Gets an informer, an index and the controller.
        controller_of: Makes a controller of a name, kind, reconciler and event component.
        registry: Kinds of generators.
        settings: Flags.
        kube: What generators may read.
        calls: Counts requests to backends.
        options: Settings that generators see.
    """
    cache = manager.cache
    spec = InformerSpec(GENERATOR_STATE, namespaces=settings.namespaces)
    cache.register(spec)
    cache.index(GENERATOR_STATE, OWNER_INDEX, by_owner)
    service = GeneratorService(
        registry,
        GeneratorLookup(cache, manager.api, manager.clock, namespaces=settings.namespaces),
        States(cache, manager.client, grace=settings.grace),
        kube,
        manager.clock,
        calls=calls,
        options=options,
        controller_class=settings.controller_class,
    )
    reconciler = GeneratorStateReconciler(service, manager.recorder(_COMPONENT))
    controller = controller_of("generatorstate", GENERATOR_STATE, reconciler, _COMPONENT)
    controller.add_source(
        KindSource(cache, spec, enqueue_object, [Predicate("spec changed", spec_matters)], primary=True)
    )
    return service


def spec_matters(event: Event) -> bool:
    """Spec, finalizers or deletion changed. The kind has no status subresource, so its generation counts the status as well."""
    if event.kind is not EventKind.UPDATE or event.old is None:
        return not event.resync
    old, new = event.old, event.object
    return (
        old.meta.deletion_timestamp != new.meta.deletion_timestamp
        or old.meta.finalizers != new.meta.finalizers
        or old.decode().get("spec") != new.decode().get("spec")
    )
