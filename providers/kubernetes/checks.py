"""What can be said about a store without asking anybody. Pure functions of its spec."""

from __future__ import annotations

from providers.errors import InvalidSpec
from providers.interface import Store
from providers.kubernetes.spec import KubernetesSpec
from providers.resolve import FOREIGN_NAMESPACE
from providers.spec import SecretKeySelector, ServiceAccountSelector

__all__ = ["check", "uses_consumer_namespace"]

NO_CA = "No caBundle or caProvider specified; TLS connections will use system certificate roots."


def uses_consumer_namespace(spec: KubernetesSpec) -> bool:
    """Whether a ClusterSecretStore reads its credentials in its consumers' namespaces.

    The original does not count `authRef`; a store whose authRef has no namespace then never becomes ready.
    """
    auth = spec.auth
    selectors: list[SecretKeySelector | ServiceAccountSelector | None] = [spec.auth_ref]
    if auth is not None:
        selectors.append(auth.service_account)
        if auth.cert is not None:
            selectors += [auth.cert.client_cert, auth.cert.client_key]
        if auth.token is not None:
            selectors.append(auth.token.bearer_token)
    return any(selector is not None and not selector.namespace for selector in selectors)


def check(spec: KubernetesSpec, store: Store) -> list[str]:
    """The admission check; returns warnings.

    Raises:
        InvalidSpec: Naming the first field that cannot work.
    """
    server = spec.server
    has_ca = server is not None and (server.ca_bundle or server.ca_provider is not None)
    warnings = [] if has_ca or spec.auth_ref is not None else [NO_CA]
    if server is not None and server.ca_provider is not None:
        if store.is_cluster and not server.ca_provider.namespace:
            raise InvalidSpec("CAProvider.namespace must not be empty with ClusterSecretStore")
        if not store.is_cluster and server.ca_provider.namespace:
            raise InvalidSpec("CAProvider.namespace must be empty with SecretStore")
    auth = spec.auth
    if auth is None:
        return warnings
    if auth.cert is not None:
        if not auth.cert.client_cert.name:
            raise InvalidSpec("ClientCert.Name cannot be empty")
        if not auth.cert.client_cert.key:
            raise InvalidSpec("ClientCert.Key cannot be empty")
        _strict(auth.cert.client_cert, store)
    if auth.token is not None:
        if not auth.token.bearer_token.name:
            raise InvalidSpec("BearerToken.Name cannot be empty")
        if not auth.token.bearer_token.key:
            raise InvalidSpec("BearerToken.Key cannot be empty")
        _strict(auth.token.bearer_token, store)
    if auth.service_account is not None:
        _not_foreign(auth.service_account.namespace, store)
    return warnings


def _strict(selector: SecretKeySelector, store: Store) -> None:
    if store.is_cluster and not selector.namespace:
        raise InvalidSpec("cluster scope requires namespace")
    _not_foreign(selector.namespace, store)


def _not_foreign(namespace: str | None, store: Store) -> None:
    if not store.is_cluster and namespace and namespace != store.namespace:
        raise InvalidSpec(FOREIGN_NAMESPACE)
