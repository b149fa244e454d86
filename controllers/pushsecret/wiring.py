"""Puts the PushSecret controller into an operator: informers, indexes, and what wakes it."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from controllers.credentials import SourceWaker
from controllers.externalsecret.sources import TemplateSources
from controllers.externalsecret.target import SECRETS
from controllers.externalsecret.watches import Test, namespace_matters, secret_matters
from controllers.metrics import ObjectMetrics
from controllers.pushsecret import watches
from controllers.pushsecret.claims import CLAIM_INDEX, Claims, by_claim
from controllers.pushsecret.generated import Generators
from controllers.pushsecret.plan import PUSH_SECRET
from controllers.pushsecret.push import Pusher
from controllers.pushsecret.reconciler import PushSecretReconciler
from controllers.pushsecret.sources import SOURCE_INDEX, SourceReader
from controllers.pushsecret.stores import PushStores
from controllers.pushsecret.sync import PushTools
from controllers.pushsecret.templates import PushTemplates
from controllers.pushsecret.templatesources import TemplateWatch
from controllers.secretstore.access import StoreAccess
from controllers.secretstore.holds import HOLD_INDEX, StoreHolds, by_held_store
from controllers.secretstore.objects import CLUSTER_STORE, STORE
from controllers.templating.stage import TemplateSettings
from eso_core.cache import InformerSpec
from eso_core.controller import (
    Controller,
    Enqueue,
    Event,
    EventKind,
    Func,
    Handler,
    KindSource,
    Predicate,
    Reconcile,
)
from eso_core.manager import Manager
from eso_core.meta import GVK
from eso_core.meta.wellknown import NAMESPACE
from providers.pool import ClientPool

__all__ = ["PushSettings", "add_push_secrets"]

COMPONENT = "pushsecret"

MakeController = Callable[[str, GVK, Reconcile, str], Controller]


class PushSettings(Struct, frozen=True):
    """What the operator's flags say about PushSecrets.

    Attributes:
        namespaces: Which are watched; empty means all.
        controller_class: Stores that name another class are left to other operators.
        cluster_stores: Whether ClusterSecretStores are in the cache.
        templates: Delimiters and limits of templates.
        extended_metric_labels: Label metrics with the object's `app.kubernetes.io` labels.
    """

    namespaces: tuple[str, ...] = ()
    controller_class: str = "default"
    cluster_stores: bool = True
    templates: TemplateSettings | None = None
    extended_metric_labels: bool = False


def add_push_secrets(
    manager: Manager,
    controller_of: MakeController,
    pool: ClientPool,
    waker: SourceWaker,
    template_sources: TemplateSources,
    settings: PushSettings,
    generators: Generators | None = None,
) -> StoreHolds:
    """Add the controller to `manager`; what it returns says which stores PushSecrets need.

    Args:
        manager: Gets informers, indexes and the controller.
        controller_of: Makes a controller of a name, kind, reconciler and event component.
        pool: Open clients of stores.
        waker: Tells of changed credentials.
        template_sources: Reads what templates name.
        settings: Flags.
        generators: Makes values for `generatorRef`.
    """
    cache = manager.cache
    namespaces = settings.namespaces
    # Every annotation counts for the sync version.
    objects = InformerSpec(PUSH_SECRET, namespaces=namespaces, strip_last_applied=False)
    cache.register(objects)
    for name, function in (
        (SOURCE_INDEX, watches.by_source),
        (watches.SELECTOR_INDEX, watches.by_selector),
        (watches.STORE_INDEX, watches.by_store),
        (HOLD_INDEX, by_held_store),
        (CLAIM_INDEX, by_claim),
    ):
        cache.index(PUSH_SECRET, name, function)
    access = StoreAccess(
        cache,
        controller_class=settings.controller_class,
        flood_gate=False,
        cluster_stores=settings.cluster_stores,
    )
    stores = PushStores(cache, access, cluster_stores=settings.cluster_stores)
    watch_templates = TemplateWatch(cache, manager.clock, namespaces=namespaces)
    holds = StoreHolds(cache, manager.api, controller_class=settings.controller_class)
    claims = Claims(cache)
    tools = PushTools(
        pool=pool,
        stores=stores,
        sources=SourceReader(cache, manager.api, manager.clock),
        templates=PushTemplates(template_sources, settings.templates),
        watch=watch_templates,
        pusher=Pusher(pool, stores, claims),
        claims=claims,
        generators=generators,
    )
    reconciler = PushSecretReconciler(
        tools,
        holds,
        manager.recorder(COMPONENT),
        ObjectMetrics("pushsecret", extended=settings.extended_metric_labels, registry=manager.registry),
        watch_namespaces=not namespaces,
    )
    controller = controller_of("pushsecret", PUSH_SECRET, reconciler, COMPONENT)

    def watch(spec: InformerSpec, handler: Handler, matters: Test, *, primary: bool = False) -> None:
        predicate = Predicate(matters.__name__, matters)
        controller.add_source(KindSource(cache, spec, handler, [predicate], primary=primary))

    watch(objects, watches.enqueue_self, watches.object_matters, primary=True)

    def secret_changed(event: Event, enqueue: Enqueue) -> None:
        gone = event.kind is EventKind.DELETE
        tools.sources.changed(event.object.key, "" if gone else event.object.resource_version)
        if gone:
            tools.sources.deleted(event.object.key, event.object.meta.labels)
        watches.enqueue_by_secret(event, enqueue)

    watch(InformerSpec(SECRETS, namespaces=namespaces), secret_changed, secret_matters)
    watch(InformerSpec(STORE, namespaces=namespaces), watches.enqueue_by_store, watches.store_matters)
    if settings.cluster_stores:
        watch(InformerSpec(CLUSTER_STORE), watches.enqueue_by_store, watches.store_matters)
    if not namespaces:
        watch(InformerSpec(NAMESPACE), watches.enqueue_in_namespace, namespace_matters)
    controller.add_source(Func(watch_templates.attach, name="templates"))
    controller.add_source(Func(claims.attach, name="values of several objects"))
    controller.add_source(Func(waker.attach_users(watches.enqueue_users_of), name="changed credentials"))
    return holds
