"""The ``vault`` backend: the KV engines of HashiCorp Vault and OpenBao.

::

    paths   where a key is in the API                    (pure)
    http    requests, retries, failures in words
    auth    ways to log in
    token   one token per store, renewed and revoked
    client  reading, extracting, finding
    writing pushing and taking back
    checks  static checks of a store, and whose namespace its credentials come from (pure)

The operator's pod needs no ``VAULT_*`` environment variables, and none is read.
"""

from __future__ import annotations

from typing import ClassVar

from eso_core.meta import parse_duration
from providers.errors import InvalidSpec
from providers.interface import Capabilities, Provider, RetrySettings, SecretsClient, Store, StoreContext
from providers.spec import ProviderSpec
from providers.vault.auth import choose_login
from providers.vault.checks import check, chosen_method, uses_consumer_namespace
from providers.vault.client import UnboundClient, VaultClient, VaultConnection
from providers.vault.http import ReplicationState, RetryPolicy, VaultHttp
from providers.vault.spec import VaultSpec
from providers.vault.tls import tls_context
from providers.vault.token import TokenKeeper

__all__ = ["VaultProvider", "connect"]


class VaultProvider(Provider):
    """Reads and writes KV v1 and v2."""

    name: ClassVar[str] = "vault"
    spec: ClassVar[type[ProviderSpec]] = VaultSpec
    capabilities: ClassVar[Capabilities] = Capabilities.READ_WRITE

    def validate_spec(self, spec: ProviderSpec, store: Store) -> list[str]:
        assert isinstance(spec, VaultSpec)
        check(spec, store)
        return []

    def per_namespace(self, spec: ProviderSpec, store: Store) -> bool:
        assert isinstance(spec, VaultSpec)
        return store.is_cluster and uses_consumer_namespace(spec)

    async def open(self, spec: ProviderSpec, ctx: StoreContext) -> SecretsClient:
        assert isinstance(spec, VaultSpec)
        unbound = self.per_namespace(spec, ctx.store) and not ctx.namespace
        connection = await connect(spec, ctx, unbound=unbound)
        kind = UnboundClient if unbound else VaultClient
        return kind(connection, mount=(spec.path or "").strip("/"), version=spec.version)


async def connect(spec: VaultSpec, ctx: StoreContext, *, unbound: bool = False) -> VaultConnection:
    """A connection with a token, for this backend and for generators that speak to Vault.

    Args:
        spec: ``spec.provider.vault``.
        ctx: Whose credentials.
        unbound: The credentials come with a consumer, and there is none: the connection can do nothing.

    Raises:
        ProviderError: Credentials cannot be read, or the server does not take them. Nothing stays open.
    """
    auth_namespace = (spec.auth.namespace if spec.auth is not None else None) or spec.namespace or ""
    login = choose_login(spec.auth, ctx, namespace=auth_namespace)
    ca = await ctx.resolver.ca_bundle(spec.ca_bundle, spec.ca_provider)
    tls = tls_context(ca, None if unbound else await _client_certificate(spec, ctx))
    tracked = bool(spec.read_your_writes or spec.forward_inconsistent)
    http = VaultHttp(
        spec.server,
        clock=ctx.clock,
        calls=ctx.calls,
        namespace=spec.namespace or "",
        headers=spec.headers,
        tls=tls,
        retry=_retry_policy(ctx.store.retry_settings),
        state=ReplicationState() if tracked else None,
        forward_inconsistent=bool(spec.read_your_writes and spec.forward_inconsistent),
        timeout=ctx.options.request_timeout,
    )
    connection = VaultConnection(
        http, TokenKeeper(http, None if unbound else login, namespace=auth_namespace, clock=ctx.clock)
    )
    try:
        await connection.keeper.token()
    except BaseException:
        await http.aclose()
        raise
    return connection


async def _client_certificate(spec: VaultSpec, ctx: StoreContext) -> tuple[bytes, bytes] | None:
    """The certificate and key that the client shows."""
    auth = spec.auth
    if auth is not None and auth.cert is not None and chosen_method(auth) == "cert":
        if auth.cert.client_cert is None or auth.cert.secret_ref is None:
            raise InvalidSpec("logging in to Vault with a TLS certificate: both clientCert and secretRef are required")
        certificate = await ctx.resolver.secret_value(auth.cert.client_cert, default_key="tls.crt")
        key = await ctx.resolver.secret_value(auth.cert.secret_ref, default_key="tls.key")
        return certificate, key
    tls = spec.tls
    if tls is None or (tls.cert_secret_ref is None and tls.key_secret_ref is None):
        return None
    if tls.cert_secret_ref is None or tls.key_secret_ref is None:
        raise InvalidSpec("when provided, both ClientTLS.ClientCert and ClientTLS.SecretRef should be provided")
    certificate = await ctx.resolver.secret_value(tls.cert_secret_ref, default_key="tls.crt")
    key = await ctx.resolver.secret_value(tls.key_secret_ref, default_key="tls.key")
    return certificate, key


def _retry_policy(settings: RetrySettings | None) -> RetryPolicy:
    if settings is None:
        return RetryPolicy()
    interval: float | None = None
    if settings.retry_interval:
        try:
            interval = parse_duration(settings.retry_interval)
        except ValueError as exc:
            raise InvalidSpec(f"spec.retrySettings.retryInterval: {exc}") from exc
    return RetryPolicy(retries=max(0, settings.max_retries or 0), interval=interval)
