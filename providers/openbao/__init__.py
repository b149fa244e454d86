"""The ``openBao`` backend: the KV engines of OpenBao, read only.

It speaks the protocol of ``vault`` and shares its connection and logins; keys, properties and checks are simpler.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from providers.errors import InvalidSpec
from providers.interface import Capabilities, Provider, ProviderCalls, SecretsClient, Store, StoreContext
from providers.openbao.client import OpenBaoClient, UnboundClient
from providers.openbao.spec import OpenBaoSpec
from providers.resolve import FOREIGN_NAMESPACE
from providers.spec import ProviderSpec, SecretKeySelector
from providers.vault.auth import choose_login
from providers.vault.client import VaultConnection
from providers.vault.http import VaultHttp
from providers.vault.spec import VaultAppRole, VaultAuth, VaultUserPassAuth
from providers.vault.tls import tls_context
from providers.vault.token import TokenKeeper

__all__ = ["OpenBaoProvider"]

PRODUCT = "OpenBao"


class OpenBaoProvider(Provider):
    """Reads KV v1 and v2."""

    name: ClassVar[str] = "openBao"
    spec: ClassVar[type[ProviderSpec]] = OpenBaoSpec
    capabilities: ClassVar[Capabilities] = Capabilities.READ_ONLY

    def validate_spec(self, spec: ProviderSpec, store: Store) -> list[str]:
        assert isinstance(spec, OpenBaoSpec)
        for title, selector in _selectors(spec):
            if not store.is_cluster and selector.namespace and selector.namespace != store.namespace:
                raise InvalidSpec(f"invalid {title}: {FOREIGN_NAMESPACE}")
        return []

    def per_namespace(self, spec: ProviderSpec, store: Store) -> bool:
        assert isinstance(spec, OpenBaoSpec)
        if not store.is_cluster:
            return False
        floating_ca = spec.ca_provider is not None and not spec.ca_provider.namespace
        return floating_ca or any(not selector.namespace for _, selector in _selectors(spec))

    async def open(self, spec: ProviderSpec, ctx: StoreContext) -> SecretsClient:
        assert isinstance(spec, OpenBaoSpec)
        self.validate_spec(spec, ctx.store)
        unbound = self.per_namespace(spec, ctx.store) and not ctx.namespace
        auth_namespace = (spec.auth.namespace if spec.auth is not None else None) or spec.namespace or ""
        tls = None if unbound else tls_context(await ctx.resolver.ca_bundle(spec.ca_bundle, spec.ca_provider), None)
        http = VaultHttp(
            spec.server,
            clock=ctx.clock,
            calls=_Relabelled(ctx.calls),
            namespace=spec.namespace or "",
            tls=tls,
            timeout=ctx.options.request_timeout,
            product=PRODUCT,
        )
        login = None if unbound else choose_login(_auth(spec), ctx, namespace=auth_namespace)
        connection = VaultConnection(http, TokenKeeper(http, login, namespace=auth_namespace, clock=ctx.clock))
        try:
            await connection.keeper.token()
        except BaseException:
            await http.aclose()
            raise
        kind = UnboundClient if unbound else OpenBaoClient
        return kind(connection, mount=(spec.path or "kv").strip("/"), version=spec.version, clock=ctx.clock)


class _Relabelled:
    """Counts requests under this backend's name."""

    def __init__(self, calls: ProviderCalls) -> None:
        self._calls = calls

    def observe(self, provider: str, call: str, error: BaseException | None) -> None:
        self._calls.observe(PRODUCT, call, error)


def _auth(spec: OpenBaoSpec) -> VaultAuth | None:
    """The login in the words of the ``vault`` backend, whose requests are the same."""
    auth = spec.auth
    if auth is None:
        return None
    role, user = auth.app_role, auth.user_pass
    return VaultAuth(
        token_secret_ref=auth.token_secret_ref,
        app_role=None
        if role is None
        else VaultAppRole(path=role.path, role_id=role.role_id, role_ref=role.role_ref, secret_ref=role.secret_ref),
        user_pass=None
        if user is None
        else VaultUserPassAuth(path=user.path, username=user.username, secret_ref=user.secret_ref),
    )


def _selectors(spec: OpenBaoSpec) -> Iterator[tuple[str, SecretKeySelector]]:
    """The Secrets that the login reads, as the original names them in its messages."""
    auth = spec.auth
    if auth is None:
        return
    named = (
        ("Auth.AppRole.RoleRef", auth.app_role and auth.app_role.role_ref),
        ("Auth.AppRole.SecretRef", auth.app_role and auth.app_role.secret_ref),
        ("Auth.TokenSecretRef", auth.token_secret_ref),
        ("Auth.UserPass.SecretRef", auth.user_pass and auth.user_pass.secret_ref),
    )
    for title, selector in named:
        if selector:
            yield title, selector
