"""Ways to log in to Vault, in the order in which they are looked for when several are set.

Each function turns its part of ``spec.provider.vault.auth`` into a ``Login``: a coroutine function that reads the
credentials anew and gives a token.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from providers.errors import BrokenReference, ErrorKind, InvalidSpec, NotSupported, ProviderError
from providers.interface import StoreContext
from providers.vault.http import VaultHttp, VaultRefused
from providers.vault.spec import (
    VaultAppRole,
    VaultAuth,
    VaultCertAuth,
    VaultJwtAuth,
    VaultKubernetesAuth,
    VaultLdapAuth,
    VaultUserPassAuth,
)
from providers.vault.token import Login, Token, token_from

__all__ = ["choose_login"]

_TOKEN_SECONDS = 600


def choose_login(auth: VaultAuth | None, ctx: StoreContext, *, namespace: str) -> Login | None:
    """How a store logs in; None when it has no ``auth``.

    Args:
        auth: ``spec.provider.vault.auth``.
        ctx: Where credentials come from.
        namespace: Of Vault, in which the login takes place.

    Raises:
        InvalidSpec: ``auth`` is there but names no method.
        NotSupported: It names one that this build cannot do.
    """
    if auth is None:
        return None
    if auth.token_secret_ref is not None:
        return _static_token(auth, ctx)
    if auth.app_role is not None:
        return _app_role(auth.app_role, ctx, namespace)
    if auth.kubernetes is not None:
        return _kubernetes(auth.kubernetes, ctx, namespace)
    if auth.ldap is not None:
        return _password("LDAP", auth.ldap, ctx, namespace)
    if auth.user_pass is not None:
        return _password("userpass", auth.user_pass, ctx, namespace)
    if auth.jwt is not None:
        return _jwt(auth.jwt, ctx, namespace)
    if auth.cert is not None:
        return _certificate(auth.cert, ctx, namespace)
    for method, what in (("iam", "AWS"), ("gcp", "Google Cloud")):
        if getattr(auth, method) is not None:
            raise NotSupported(
                f"logging in to Vault: spec.provider.vault.auth.{method} needs the {what} backend, which this release "
                "does not have yet: use appRole, kubernetes, jwt, userPass, ldap, cert or tokenSecretRef"
            )
    raise InvalidSpec("cannot initialize Vault client: no valid auth method specified")


def _static_token(auth: VaultAuth, ctx: StoreContext) -> Login:
    selector = auth.token_secret_ref
    assert selector is not None

    async def login(http: VaultHttp) -> Token:
        value = await ctx.resolver.secret_text(selector)
        where = f'reading the Vault token: key "{selector.key}" of Secret "{selector.name}"'
        if not value:
            raise BrokenReference(f"{where} is empty")
        if any(char in value for char in "\r\n\0"):
            raise BrokenReference(f"{where} contains a line break: remove it (files often end in one)")
        return Token(value, ctx.clock.monotonic(), None)

    return login


def _app_role(spec: VaultAppRole, ctx: StoreContext, namespace: str) -> Login:
    async def login(http: VaultHttp) -> Token:
        if spec.role_id:
            role_id = spec.role_id.strip()
        elif spec.role_ref is not None:
            role_id = (await ctx.resolver.secret_text(spec.role_ref)).strip()
        else:
            raise InvalidSpec("invalid Auth.AppRole: neither `roleId` nor `roleRef` was supplied")
        secret_id = await ctx.resolver.secret_text(spec.secret_ref)
        if not role_id:
            raise BrokenReference("logging in to Vault with AppRole: the role id is empty")
        if not secret_id:
            raise BrokenReference("logging in to Vault with AppRole: the secret id is empty")
        body = {"role_id": role_id, "secret_id": secret_id}
        return await _log_in(http, ctx, "AppRole", f"auth/{spec.path or 'approle'}/login", body, namespace)

    return login


def _kubernetes(spec: VaultKubernetesAuth, ctx: StoreContext, namespace: str) -> Login:
    async def login(http: VaultHttp) -> Token:
        jwt = await _kubernetes_jwt(spec, ctx)
        body = {"jwt": jwt, "role": spec.role}
        path = f"auth/{spec.mount_path or 'kubernetes'}/login"
        return await _log_in(http, ctx, "Kubernetes", path, body, namespace)

    return login


async def _kubernetes_jwt(spec: VaultKubernetesAuth, ctx: StoreContext) -> str:
    if spec.service_account_ref is not None:
        try:
            return await ctx.resolver.service_account_token(spec.service_account_ref, expiration_seconds=_TOKEN_SECONDS)
        except ProviderError:
            # Clusters that refuse token requests may still keep a token in a Secret of the ServiceAccount.
            try:
                return await ctx.resolver.legacy_service_account_token(spec.service_account_ref)
            except ProviderError as exc:
                raise BrokenReference(
                    "cannot request Kubernetes service account token for service account "
                    f'"{spec.service_account_ref.name}": {exc}',
                    retryable=exc.retryable,
                ) from exc
    if spec.secret_ref is not None:
        return (await ctx.resolver.secret_text(spec.secret_ref, default_key="token")).strip()
    return _own_token(ctx.options.service_account_token_file)


def _own_token(path: str) -> str:
    """The operator pod's own token: a small file in memory, which the kubelet replaces."""
    try:
        return Path(path).read_text().strip()
    except OSError as exc:
        raise BrokenReference(
            f"cannot read Kubernetes service account token from file system: {exc.strerror}: {path}: "
            "set serviceAccountRef or secretRef when the operator does not run in a pod"
        ) from exc


def _password(method: str, spec: VaultLdapAuth | VaultUserPassAuth, ctx: StoreContext, namespace: str) -> Login:
    default = "ldap" if method == "LDAP" else "userpass"

    async def login(http: VaultHttp) -> Token:
        username = spec.username.strip()
        if not username:
            raise InvalidSpec(f"logging in to Vault with {method}: the username is empty")
        if spec.secret_ref is None:
            raise InvalidSpec(f"logging in to Vault with {method}: secretRef is missing: it names the password")
        password = await ctx.resolver.secret_text(spec.secret_ref)
        path = f"auth/{spec.path or default}/login/{username}"
        return await _log_in(http, ctx, method, path, {"password": password}, namespace)

    return login


def _jwt(spec: VaultJwtAuth, ctx: StoreContext, namespace: str) -> Login:
    async def login(http: VaultHttp) -> Token:
        if spec.secret_ref is not None:
            jwt = (await ctx.resolver.secret_text(spec.secret_ref)).strip()
        elif spec.kubernetes_service_account_token is not None:
            source = spec.kubernetes_service_account_token
            jwt = await ctx.resolver.service_account_token(
                source.service_account_ref,
                audiences=["vault"] if source.audiences is None else source.audiences,
                expiration_seconds=source.expiration_seconds or _TOKEN_SECONDS,
            )
        else:
            raise InvalidSpec(
                "neither `secretRef` nor `kubernetesServiceAccountToken` was supplied as token source for "
                "jwt authentication"
            )
        body = {"role": (spec.role or "").strip(), "jwt": jwt}
        # Counted as a write, as dashboards made for the original expect.
        return await _log_in(
            http, ctx, "JWT", f"auth/{spec.path or 'jwt'}/login", body, namespace, call="WriteSecretData"
        )

    return login


def _certificate(spec: VaultCertAuth, ctx: StoreContext, namespace: str) -> Login:
    async def login(http: VaultHttp) -> Token:
        body = {"name": spec.vault_role} if spec.vault_role else {}
        path = f"auth/{spec.path or 'cert'}/login"
        return await _log_in(http, ctx, "a TLS certificate", path, body, namespace)

    return login


async def _log_in(
    http: VaultHttp,
    ctx: StoreContext,
    method: str,
    path: str,
    body: Mapping[str, str],
    namespace: str,
    *,
    call: str = "Login",
) -> Token:
    doing = f"logging in to {http.product} with {method}"
    asked = ctx.clock.monotonic()
    try:
        answer = await http.request("PUT", path, call=call, namespace=namespace, body=dict(body))
    except ProviderError as exc:
        # Vault answers wrong credentials with 400; 403 and 404 mean a wrong mount or a forbidden role.
        denied = isinstance(exc, VaultRefused) or exc.kind is ErrorKind.DATA
        raise ProviderError(
            f"{doing}: {exc}" + (": check the credentials and the mount path" if denied else ""),
            kind=ErrorKind.CREDENTIALS if denied else exc.kind,
            retryable=exc.retryable,
        ) from exc
    if answer is None:
        raise ProviderError(
            f"{doing}: nothing is mounted at {path.removesuffix('/login')}: check the mount path",
            kind=ErrorKind.SPEC,
        )
    token = token_from(answer, asked)
    if token is None:
        raise ProviderError(f"{doing}: the answer holds no token: check that the role gives one", kind=ErrorKind.SPEC)
    return token
