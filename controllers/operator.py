"""The operator: one manager with its controllers, caches and the pool of store clients."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Final

from prometheus_client import CollectorRegistry

from controllers.credentials import SourceWaker
from controllers.externalsecret import watches
from controllers.externalsecret.extensions import Extensions
from controllers.externalsecret.generictargets import GENERIC_INDEX, GenericTargets, by_generic_target
from controllers.externalsecret.manifest import Manifests
from controllers.externalsecret.names import MANAGED_LABEL, MANAGED_VALUE
from controllers.externalsecret.reconciler import ExternalSecretReconciler, Settings
from controllers.externalsecret.render import IGNORED_ANNOTATIONS
from controllers.externalsecret.report import EXTERNAL_SECRET
from controllers.externalsecret.sources import SOURCE_INDEX, TemplateSources, by_source
from controllers.externalsecret.target import MANAGED_VIEW, OWNER_INDEX, OwnWrites, created_by_index
from controllers.externalsecret.templates import SecretTemplates
from controllers.externalsecret.watchdog import Watchdog
from controllers.fanout.kinds import CLUSTER_EXTERNAL_SECRETS, CLUSTER_PUSH_SECRETS
from controllers.fanout.wiring import add_fan_out
from controllers.generating.states import GENERATOR_STATE
from controllers.generating.users import ForExternalSecrets, ForPushSecrets
from controllers.generatorstate.wiring import GeneratorSettings, add_generators
from controllers.kube import ClusterReader
from controllers.metrics import ExternalSecretMetrics, ObjectMetrics, ProviderCallMetrics
from controllers.pushsecret.plan import PUSH_SECRET
from controllers.pushsecret.wiring import PushSettings, add_push_secrets
from controllers.secretstore.access import StoreAccess
from controllers.secretstore.holds import StoreHolds
from controllers.secretstore.objects import CLUSTER_STORE, STORE
from controllers.secretstore.reconciler import StoreReconciler
from controllers.secretstore.watches import store_matters
from controllers.templating.stage import TemplateSettings
from controllers.templating.texts import StoreTemplates
from eso_core.aio import Clock, TaskScope, shielded
from eso_core.cache import InformerSpec
from eso_core.cache import Settings as ReflectorSettings
from eso_core.client import Client, ClientConfig, RateLimit
from eso_core.controller import Controller, ControllerOptions, Func, Handler, KindSource, Predicate, Reconcile
from eso_core.controller.handlers import enqueue_object
from eso_core.manager import LeaderElectionOptions, Manager, ManagerOptions, MetricsServerOptions
from eso_core.meta import GVK, GVR, Partial, ResourceInfo
from eso_core.meta.wellknown import NAMESPACE, SECRET
from eso_core.queue import ItemExponential, MaxOf, RateLimiter, TokenBucket
from generators.registry import GeneratorRegistry
from providers.interface import ProviderOptions
from providers.pool import ClientPool, PoolOptions
from providers.registry import Registry

__all__ = ["Operator", "OperatorOptions"]

DEFAULT_CONCURRENT: Final = 16
_CRD_POLL_SECONDS: Final = 5.0
"""How often kinds that are not served yet are looked for: an operator is often installed before its CRDs."""

_SERVED: Final = (
    (EXTERNAL_SECRET, "externalsecrets", True),
    (STORE, "secretstores", True),
    (CLUSTER_STORE, "clustersecretstores", False),
    (PUSH_SECRET, "pushsecrets", True),
    (GENERATOR_STATE, "generatorstates", True),
    (CLUSTER_EXTERNAL_SECRETS.kind, "clusterexternalsecrets", False),
    (CLUSTER_PUSH_SECRETS.kind, "clusterpushsecrets", False),
)
"""How our kinds are served; known, so that nothing has to be discovered before the first list."""

_FOREVER: Final = 10 * 365 * 86_400.0

_CLOSE_SECONDS: Final = 15.0
"""How long open store clients get to revoke their tokens at a stop."""


@dataclass(frozen=True, slots=True)
class OperatorOptions:
    """What the command line says.

    Attributes:
        namespace: Watch namespaced kinds in this namespace only; empty means all.
        controller_class: Stores that name another class are left to other operators.
        concurrent: Reconciles at once, per controller; None means 16.
        client_qps, client_burst: Limit of API requests per second and the burst above it; None means no limit.
        store_requeue_interval: Seconds between checks of a store that names no interval of its own.
        enable_secret_store_reconciler, enable_cluster_store_reconciler: Whether these controllers run.
        enable_push_secret_reconciler: Whether PushSecrets are served.
        enable_cluster_external_secret_reconciler, enable_cluster_push_secret_reconciler: Likewise, without `namespace`.
        enable_flood_gate: Sync only from stores that are Ready.
        ignored_annotations: Annotations of ExternalSecrets that their Secrets do not get; one that ends in `/` is a prefix.
        adopt_existing_secrets: Take over a Secret that no ExternalSecret made, with all its keys, as the original does.
        minimal_finalizers: Put a finalizer only on ExternalSecrets whose deletion has something to do.
        enable_generator_state: Keep what generators made outside for ExternalSecrets, to clean it up later.
        generator_grace_period: Seconds for which replaced values of generators stay good.
        allow_generic_targets: Whether ExternalSecrets may write objects of other kinds than Secret.
        templates: Delimiters and limits of templates.
        metrics_addr, health_addr: Listen addresses; `0` for none.
        metrics_secure, metrics_auth, metrics_cert_file, metrics_key_file: How metrics are served.
        extended_metric_labels: Label object metrics with the object's `app.kubernetes.io` labels.
        leader_election: How one of several replicas becomes the leader; None when there is only one.
        graceful_shutdown: Seconds that running reconciles get at a stop.
    """

    namespace: str = ""
    controller_class: str = "default"
    concurrent: int | None = None
    client_qps: float | None = None
    client_burst: int | None = None
    store_requeue_interval: float = 300.0
    enable_secret_store_reconciler: bool = True
    enable_cluster_store_reconciler: bool = True
    enable_push_secret_reconciler: bool = True
    enable_cluster_external_secret_reconciler: bool = True
    enable_cluster_push_secret_reconciler: bool = True
    enable_flood_gate: bool = True
    ignored_annotations: tuple[str, ...] = IGNORED_ANNOTATIONS
    adopt_existing_secrets: bool = True
    minimal_finalizers: bool = False
    allow_generic_targets: bool = False
    enable_generator_state: bool = True
    generator_grace_period: float = 120.0
    templates: TemplateSettings = field(default_factory=TemplateSettings)
    metrics_addr: str = "0"
    health_addr: str = "0"
    metrics_secure: bool = False
    metrics_auth: bool = False
    metrics_cert_file: str = ""
    metrics_key_file: str = ""
    extended_metric_labels: bool = False
    leader_election: LeaderElectionOptions | None = None
    graceful_shutdown: float = 30.0


class Operator:
    """Assembles and runs the operator. Two operators in one process share nothing.

    Args:
        target: A configuration, for which a client is made and closed, or a client.
        options: What the command line says.
        clock: Time and waiting.
        registry: Where metrics go; one of its own by default.
        providers: Which backends there are; the built-in ones and those of installed packages by default.
        provider_options: Settings that backends see.
        pool_options: Limits of the pool of store clients.
        extensions: Replaces templates and generators; for tests.
        generators: Which kinds of generators there are; the built-in ones and those of installed packages by default.
        manager_options: Replaces the manager's options that `options` does not name; for tests.

    Attributes:
        manager: Has the caches, from construction on.
        pool: Open clients of stores.
    """

    def __init__(
        self,
        target: ClientConfig | Client,
        options: OperatorOptions | None = None,
        *,
        clock: Clock | None = None,
        registry: CollectorRegistry | None = None,
        providers: Registry | None = None,
        provider_options: ProviderOptions | None = None,
        pool_options: PoolOptions | None = None,
        extensions: Extensions | None = None,
        generators: GeneratorRegistry | None = None,
        manager_options: ManagerOptions | None = None,
    ) -> None:
        self.options = options or OperatorOptions()
        self.manager = Manager(
            _limited(target, self.options),
            clock=clock,
            registry=registry,
            options=_manager_options(self.options, manager_options or ManagerOptions()),
            user_agent="external-secrets",
        )
        manager = self.manager
        for kind, plural, namespaced in _SERVED:
            resource = GVR(kind.group, kind.version, plural)
            manager.api.mapper.register(ResourceInfo(resource, namespaced, singular=kind.kind.lower(), kind=kind.kind))
        calls = ProviderCallMetrics(manager.registry)
        backend_options = _with_templates(provider_options or ProviderOptions(), self.options.templates)
        reader = ClusterReader(manager.api)
        self.pool = ClientPool(
            providers if providers is not None else Registry(),
            reader,
            manager.clock,
            calls=calls,
            options=backend_options,
            pool=pool_options,
        )
        self._generators = add_generators(
            manager,
            self._controller,
            generators if generators is not None else GeneratorRegistry(),
            GeneratorSettings(
                namespaces=self._namespaces,
                controller_class=self.options.controller_class,
                grace=self.options.generator_grace_period,
            ),
            reader,
            calls,
            backend_options,
        )
        self._waker = SourceWaker(self.pool)
        self._access = StoreAccess(
            manager.cache,
            controller_class=self.options.controller_class,
            flood_gate=self.options.enable_flood_gate,
            cluster_stores=self.options.enable_cluster_store_reconciler,
        )
        self._sources = TemplateSources(manager.cache, manager.api, namespaces=self._namespaces)
        self._holds = self._add_push_secrets() if self.options.enable_push_secret_reconciler else None
        self._add_stores()
        self._add_external_secrets(extensions)
        self._add_fan_out()
        manager.add(_PoolKeeper(self.pool))

    async def run(self, stop: asyncio.Event | None = None) -> None:
        """Run until cancelled, until `stop` is set, or until a part fails; store clients are closed on the way out.

        Raises:
            ManagerError: a part failed.
            LeaderElectionLost: another replica may lead now: the process should exit.
        """
        try:
            if stop is None:
                await self.manager.run()
            else:
                await _run_until(self.manager, stop)
        finally:
            await shielded(self.pool.aclose(), seconds=_CLOSE_SECONDS, clock=self.manager.clock)

    # -- assembly ------------------------------------------------------------------------------------------------

    def _add_push_secrets(self) -> StoreHolds:
        options = self.options
        settings = PushSettings(
            namespaces=self._namespaces,
            controller_class=options.controller_class,
            cluster_stores=options.enable_cluster_store_reconciler,
            templates=options.templates,
            extended_metric_labels=options.extended_metric_labels,
        )
        return add_push_secrets(
            self.manager,
            self._controller,
            self.pool,
            self._waker,
            self._sources,
            settings,
            ForPushSecrets(self._generators),
        )

    def _add_fan_out(self) -> None:
        options = self.options
        if options.namespace:
            return  # whoever watches one namespace cannot put anything into others
        for fan, enabled in (
            (CLUSTER_EXTERNAL_SECRETS, options.enable_cluster_external_secret_reconciler),
            (
                CLUSTER_PUSH_SECRETS,
                options.enable_cluster_push_secret_reconciler and options.enable_push_secret_reconciler,
            ),
        ):
            if enabled:
                add_fan_out(self.manager, self._controller, fan, extended=options.extended_metric_labels)

    def _add_stores(self) -> None:
        options, manager = self.options, self.manager
        for kind, enabled, name, component in (
            (STORE, options.enable_secret_store_reconciler, "secretstore", "secret-store"),
            (CLUSTER_STORE, options.enable_cluster_store_reconciler, "clustersecretstore", "cluster-secret-store"),
        ):
            if kind is CLUSTER_STORE and not enabled:
                continue  # an operator without them may have no right to list them
            # SecretStores are in the cache in any case: ExternalSecrets look them up.
            spec = InformerSpec(kind, namespaces=() if kind is CLUSTER_STORE else self._namespaces)
            manager.cache.register(spec)
            if not enabled:
                continue
            reconciler = StoreReconciler(
                kind,
                self.pool,
                manager.recorder(component),
                ObjectMetrics(name, extended=options.extended_metric_labels, registry=manager.registry),
                controller_class=options.controller_class,
                interval=options.store_requeue_interval,
                holds=self._holds,
            )
            controller = self._controller(name, kind, reconciler, component)
            matters = Predicate("store spec changed", store_matters)
            controller.add_source(KindSource(manager.cache, spec, enqueue_object, [matters], primary=True))
            controller.add_source(Func(self._waker.attach(kind.kind), name="changed credentials"))

    def _add_external_secrets(self, extensions: Extensions | None) -> None:
        options, manager = self.options, self.manager
        cache = manager.cache
        sources = self._sources
        if extensions is None:
            extensions = Extensions(
                templates=SecretTemplates(sources, options.templates),
                generators=ForExternalSecrets(self._generators, with_states=options.enable_generator_state),
            )
        # Every annotation counts for the sync version.
        objects = InformerSpec(EXTERNAL_SECRET, namespaces=self._namespaces, strip_last_applied=False)
        secrets = InformerSpec(Partial(SECRET), namespaces=self._namespaces)
        managed = InformerSpec(
            SECRET,
            namespaces=self._namespaces,
            view=MANAGED_VIEW,
            label_selector=f"{MANAGED_LABEL}={MANAGED_VALUE}",
            # Rendering finds its own keys in managedFields, and what is written back must be whole.
            strip_managed_fields=False,
            strip_last_applied=False,
            values=True,
        )
        cache.register(objects)
        cache.register(secrets)
        cache.register(managed)
        cache.index(SECRET, OWNER_INDEX, created_by_index, view=MANAGED_VIEW)
        cache.index(EXTERNAL_SECRET, watches.TARGET_INDEX, watches.by_target)
        cache.index(EXTERNAL_SECRET, SOURCE_INDEX, by_source)
        generic = None
        if options.allow_generic_targets:
            cache.index(EXTERNAL_SECRET, GENERIC_INDEX, by_generic_target)
            manifests = Manifests(sources, options.templates)
            generic = GenericTargets(cache, manager.api, manifests, namespaces=self._namespaces)
        cache.index(EXTERNAL_SECRET, watches.STORE_INDEX, watches.by_store)
        cache.index(EXTERNAL_SECRET, watches.CLUSTER_STORE_INDEX, watches.by_cluster_store)
        writes = OwnWrites()
        reconciler = ExternalSecretReconciler(
            self.pool,
            self._access,
            manager.recorder("external-secrets"),
            ExternalSecretMetrics(extended=options.extended_metric_labels, registry=manager.registry),
            writes=writes,
            extensions=extensions,
            sources=sources,
            generic=generic,
            settings=Settings(
                cluster_stores=options.enable_cluster_store_reconciler,
                watch_namespaces=not options.namespace,
                ignored_annotations=options.ignored_annotations,
                adopt=options.adopt_existing_secrets,
                minimal_finalizers=options.minimal_finalizers,
            ),
        )
        controller = self._controller("externalsecret", EXTERNAL_SECRET, reconciler, "external-secrets")

        def watch(spec: InformerSpec, handler: Handler, matters: watches.Test, *, primary: bool = False) -> None:
            predicate = Predicate(matters.__name__, matters)
            controller.add_source(KindSource(cache, spec, handler, [predicate], primary=primary))

        usable = watches.store_matters(options.enable_flood_gate)
        watch(objects, watches.enqueue_self, watches.object_matters, primary=True)
        watch(managed, watches.enqueue_by_target, watches.managed_secret_matters(writes))
        watch(secrets, watches.enqueue_by_target, watches.foreign_secret_matters)
        watch(secrets, self._waker.secret_changed, watches.secret_matters)
        watch(secrets, sources.secret_changed, watches.source_matters)
        controller.add_source(Func(sources.attach, name="template sources"))
        watchdog = Watchdog(cache, manager.clock, manager.registry)
        controller.add_source(Func(watchdog.attach, name="overdue objects"))
        manager.add(watchdog)
        if generic is not None:
            controller.add_source(Func(generic.attach, name="generic targets"))
        watch(InformerSpec(STORE, namespaces=self._namespaces), watches.enqueue_by_store, usable)
        if options.enable_cluster_store_reconciler:
            watch(InformerSpec(CLUSTER_STORE), watches.enqueue_by_store, usable)
        if not options.namespace:
            watch(InformerSpec(NAMESPACE), watches.enqueue_in_namespace, watches.namespace_matters)

    def _controller(self, name: str, kind: GVK, reconcile: Reconcile, component: str) -> Controller:
        manager = self.manager
        manager.claim_name(name)
        controller = Controller(
            name,
            reconcile,
            manager.environment(manager.recorder(component)),
            manager.metrics,
            gvk=kind,
            options=ControllerOptions(
                max_concurrent=self.options.concurrent or DEFAULT_CONCURRENT,
                rate_limiter=_retry_limiter,
                wait_for_crd=True,
                hot_loop_runs=0,  # objects with an interval of a second are no loop
            ),
        )
        manager.add(controller)
        return controller

    @property
    def _namespaces(self) -> tuple[str, ...]:
        return (self.options.namespace,) if self.options.namespace else ()


class _PoolKeeper:
    """Closes retired and idle store clients while the manager runs."""

    name = "store clients"

    def __init__(self, pool: ClientPool) -> None:
        self._pool = pool

    async def start(self) -> None:
        await self._pool.start()


async def _run_until(manager: Manager, stop: asyncio.Event) -> None:
    async with TaskScope("operator") as scope:

        async def watch() -> None:
            await stop.wait()
            manager.stop()

        watching = scope.spawn(watch(), name="stop signal")
        try:
            await manager.run()
        finally:
            watching.cancel()


def _retry_limiter(clock: Clock) -> RateLimiter:
    """One second doubling to seven minutes per object, and ten retries a second over all."""
    return MaxOf(ItemExponential(1.0, 420.0, clock=clock), TokenBucket(10.0, 100, clock=clock))


def _with_templates(options: ProviderOptions, settings: TemplateSettings) -> ProviderOptions:
    return options if options.templates is not None else replace(options, templates=StoreTemplates(settings.budget))


def _limited(target: ClientConfig | Client, options: OperatorOptions) -> ClientConfig | Client:
    if not isinstance(target, ClientConfig) or options.client_qps is None:
        return target
    return replace(target, rate_limit=RateLimit(options.client_qps, options.client_burst or 100))


def _manager_options(options: OperatorOptions, base: ManagerOptions) -> ManagerOptions:
    return replace(
        base,
        leader_election=options.leader_election,
        metrics_addr=options.metrics_addr,
        metrics_server=MetricsServerOptions(
            secure=options.metrics_secure,
            auth=options.metrics_auth,
            cert_file=options.metrics_cert_file,
            key_file=options.metrics_key_file,
        ),
        health_addr=options.health_addr,
        graceful_shutdown_timeout=options.graceful_shutdown,
        # Without CRDs the operator stays up, not ready, and says in the log what it waits for.
        cache_sync_timeout=_FOREVER,
        reflector=base.reflector or ReflectorSettings(absent_retry=_CRD_POLL_SECONDS),
    )
