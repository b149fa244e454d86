"""From a store to a client of its cluster."""

from __future__ import annotations

import asyncio
from typing import Any

import yaml

from eso_core.aio import Clock
from eso_core.client import Client, ClientConfig, config_from_kubeconfig
from eso_core.client.credentials import Anonymous, Credential, Credentials, StaticToken
from eso_core.client.tls import Pem
from eso_core.client.transport import RetryPolicy
from eso_core.meta.errors import ConfigError
from providers.errors import InvalidSpec, ProviderError
from providers.interface import JsonObject, StoreContext
from providers.kubernetes.spec import ClusterAuth, KubernetesSpec, Server
from providers.resolve import Resolver
from providers.spec import SecretKeySelector, ServiceAccountSelector

__all__ = ["connect"]

TOKEN_SECONDS = 3600
_RETRY = RetryPolicy(
    attempts=2, lost_delay=0.25
)  # what fails longer is tried again by the reconcile, with its back-off
# What would make the operator run programs or read its own files for whoever may write a Secret.
_FOREIGN = {
    "exec": "runs a program",
    "tokenFile": "names a file",
    "client-certificate": "names a file",
    "client-key": "names a file",
    "certificate-authority": "names a file",
    "auth-provider": "needs a plug-in",
}


async def connect(spec: KubernetesSpec, ctx: StoreContext) -> Client:
    """A client with the store's credentials; no request is sent to the cluster yet.

    Raises:
        ProviderError: The store names no credentials, or they cannot be read.
    """
    try:
        config = await _config(spec, ctx)
    except ConfigError as exc:
        raise InvalidSpec(f"failed to prepare auth: {exc}") from exc
    except ProviderError as exc:
        raise type(exc)(f"failed to prepare auth: {exc}", kind=exc.kind, retryable=exc.retryable) from exc
    return Client(config, clock=ctx.clock, retry=_RETRY)


async def _config(spec: KubernetesSpec, ctx: StoreContext) -> ClientConfig:
    if spec.auth_ref is not None:
        if spec.auth is not None:
            raise InvalidSpec("authRef and inline auth cannot both be set")
        return await _from_kubeconfig(spec.auth_ref, ctx)
    if spec.auth is None:
        raise InvalidSpec("no auth provider given: set spec.provider.kubernetes.auth or authRef")
    server = spec.server or Server()
    if not server.url:
        raise InvalidSpec("no server URL provided: set spec.provider.kubernetes.server.url")
    given = [name for name in ("token", "service_account", "cert") if getattr(spec.auth, name) is not None]
    if len(given) > 1:
        raise InvalidSpec("multiple auth methods provided: set exactly one of Token, ServiceAccount, or Cert")
    if not given:
        raise InvalidSpec("no auth provider given: set one of auth.token, auth.serviceAccount, auth.cert")
    ca = await ctx.resolver.ca_bundle(server.ca_bundle, server.ca_provider)
    credentials, certificate = await _credentials(spec.auth, ctx.resolver)
    return ClientConfig(
        server=_with_scheme(server.url, secured=ca is not None or certificate is not None),
        ca=None if ca is None else Pem(ca),
        client_cert=None if certificate is None else Pem(certificate[0]),
        client_key=None if certificate is None else Pem(certificate[1]),
        credentials=credentials,
        request_timeout=ctx.options.request_timeout,
        source=f"{ctx.store.kind} {ctx.store.name}",
    )


def _with_scheme(url: str, *, secured: bool) -> str:
    if "://" in url:
        return url
    return f"{'https' if secured else 'http'}://{url}"


async def _credentials(auth: ClusterAuth, resolver: Resolver) -> tuple[Credentials, tuple[bytes, bytes] | None]:
    if auth.token is not None:
        try:
            return StaticToken((await resolver.secret_text(auth.token.bearer_token)).strip()), None
        except ProviderError as exc:
            raise _because("could not fetch Auth.Token.BearerToken", exc) from exc
    if auth.service_account is not None:
        credentials = _ServiceAccountToken(resolver, auth.service_account)
        try:
            await credentials.fetch()
        except ProviderError as exc:
            raise _because("could not fetch Auth.ServiceAccount", exc) from exc
        return credentials, None
    assert auth.cert is not None
    what = "client certificate"
    try:
        certificate = await resolver.secret_value(auth.cert.client_cert)
        what = "client key"
        key = await resolver.secret_value(auth.cert.client_key)
    except ProviderError as exc:
        raise _because(f"could not fetch client key and cert: unable to fetch {what}", exc) from exc
    return Anonymous(), (certificate, key)


def _because(step: str, exc: ProviderError) -> ProviderError:
    return type(exc)(f"{step}: {exc}", kind=exc.kind, retryable=exc.retryable)


class _ServiceAccountToken:
    """Tokens of a ServiceAccount, a new one when the last has used up four fifths of its life or is refused."""

    def __init__(self, resolver: Resolver, account: ServiceAccountSelector) -> None:
        self._resolver = resolver
        self._account = account
        self._credential: Credential | None = None
        self._renew_at = 0.0
        self._turn = asyncio.Lock()

    async def get(self, clock: Clock) -> Credential:
        """The token in use."""
        if self._credential is None or clock.monotonic() >= self._renew_at > 0:
            async with self._turn:
                if self._credential is None or clock.monotonic() >= self._renew_at > 0:
                    await self._renew()
        if self._renew_at == 0.0:
            self._renew_at = clock.monotonic() + TOKEN_SECONDS * 0.8
        assert self._credential is not None
        return self._credential

    async def refresh(self, clock: Clock, rejected: Credential) -> bool:
        """After a 401: one new token, unless another request has fetched it meanwhile."""
        async with self._turn:
            if self._credential is not rejected:
                return True
            await self._renew()
        return True

    async def fetch(self) -> None:
        """The first token; says early that there is none to be had."""
        token = await self._resolver.service_account_token(self._account, expiration_seconds=TOKEN_SECONDS)
        self._credential = Credential({"Authorization": f"Bearer {token}"})
        self._renew_at = 0.0

    async def _renew(self) -> None:
        try:
            await self.fetch()
        except ProviderError as exc:
            raise ConfigError(str(exc)) from exc

    def __repr__(self) -> str:
        return f"ServiceAccountToken({self._account.name!r})"


async def _from_kubeconfig(selector: SecretKeySelector, ctx: StoreContext) -> ClientConfig:
    text = await ctx.resolver.secret_text(selector)
    where = f'the kubeconfig in key "{selector.key}" of Secret "{selector.name}"'
    try:
        document: Any = await asyncio.to_thread(yaml.safe_load, text)
    except yaml.YAMLError:
        # The parser's message quotes the text, which holds credentials.
        raise InvalidSpec(f"reading {where}: it is not YAML") from None
    if not isinstance(document, dict):
        raise InvalidSpec(f"reading {where}: it is not a kubeconfig")
    for section, inner in (("users", "user"), ("clusters", "cluster")):
        for entry in document.get(section) or ():
            body: JsonObject = (entry.get(inner) if isinstance(entry, dict) else None) or {}
            for name, what in _FOREIGN.items():
                if body.get(name):
                    raise InvalidSpec(
                        f"reading {where}: {section}[].{inner}.{name} {what}, which the operator does not do "
                        "for a store: put the certificates or the token into the kubeconfig itself"
                    )
    return config_from_kubeconfig(document, source=where)
