"""The ``kubernetes`` backend: Secrets in a namespace of this or another cluster.

::

    connect    from a store to a client of its cluster
    documents  picking values out of a Secret         (pure)
    requests   counted, with failures in the classes of providers
    client     reading, finding, checking access
    writing    pushing and deleting
    metadata   what a PushSecret says for this backend (pure)
    checks     static checks of a store                (pure)
"""

from __future__ import annotations

from typing import ClassVar

from providers.interface import Capabilities, Provider, SecretsClient, Store, StoreContext
from providers.kubernetes.checks import check, uses_consumer_namespace
from providers.kubernetes.client import KubernetesClient, UnboundClient
from providers.kubernetes.connect import connect
from providers.kubernetes.spec import KubernetesSpec
from providers.spec import ProviderSpec

__all__ = ["KubernetesProvider"]


class KubernetesProvider(Provider):
    """Reads and writes Secrets."""

    name: ClassVar[str] = "kubernetes"
    spec: ClassVar[type[ProviderSpec]] = KubernetesSpec
    capabilities: ClassVar[Capabilities] = Capabilities.READ_WRITE

    def validate_spec(self, spec: ProviderSpec, store: Store) -> list[str]:
        assert isinstance(spec, KubernetesSpec)
        return check(spec, store)

    def per_namespace(self, spec: ProviderSpec, store: Store) -> bool:
        assert isinstance(spec, KubernetesSpec)
        return store.is_cluster and uses_consumer_namespace(spec)

    async def open(self, spec: ProviderSpec, ctx: StoreContext) -> SecretsClient:
        assert isinstance(spec, KubernetesSpec)
        if self.per_namespace(spec, ctx.store) and not ctx.namespace:
            return UnboundClient()
        namespace = spec.remote_namespace or "default"
        cluster = await connect(spec, ctx)
        return KubernetesClient(cluster, namespace, ctx.calls, is_cluster_store=ctx.store.is_cluster)
