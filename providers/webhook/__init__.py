"""The ``webhook`` backend: any HTTP server, asked by templates.

::

    spec      the fields, shared with the Webhook generator
    http      one request, its status, NTLM
    jsonpath  the value in a JSON answer                    (pure)
    client    templates to request, answer to value
"""

from __future__ import annotations

import base64
import binascii
from typing import ClassVar, Final

from eso_core.meta import parse_duration
from providers.errors import BrokenReference, InvalidSpec, NotSupported, ProviderError
from providers.interface import Capabilities, Provider, SecretsClient, Store, StoreContext, TextTemplates
from providers.spec import ProviderSpec, SecretKeySelector
from providers.vault.tls import tls_context
from providers.webhook.client import Hook, WebhookClient
from providers.webhook.http import Credentials, WebhookHttp
from providers.webhook.spec import WebhookSpec

__all__ = ["WebhookProvider", "connect"]

TYPE_LABEL: Final = "external-secrets.io/type"
_TYPE: Final = "webhook"


class WebhookProvider(Provider):
    """Reads and pushes what templates say."""

    name: ClassVar[str] = "webhook"
    spec: ClassVar[type[ProviderSpec]] = WebhookSpec
    capabilities: ClassVar[Capabilities] = Capabilities.READ_WRITE

    def per_namespace(self, spec: ProviderSpec, store: Store) -> bool:
        # Templates know the consumer's namespace.
        return store.is_cluster

    async def open(self, spec: ProviderSpec, ctx: StoreContext) -> SecretsClient:
        assert isinstance(spec, WebhookSpec)
        checked_only = ctx.store.is_cluster and not ctx.namespace
        hook, http = await connect(spec, ctx, checked_only=checked_only, tolerant=True)
        return WebhookClient(hook, spec, http, namespace=ctx.namespace, clock=ctx.clock)


async def connect(
    spec: WebhookSpec, ctx: StoreContext, *, checked_only: bool = False, tolerant: bool = False
) -> tuple[Hook, WebhookHttp]:
    """What sends the requests of a store or a generator.

    Args:
        spec: The fields.
        ctx: Whose Secrets, and how templates are rendered.
        checked_only: Nothing will be sent but the check of the store, which needs no Secrets.
        tolerant: A Secret that cannot be used fails the requests that need it, and not this: the check of a store is about
            its server alone.

    Raises:
        ProviderError: A Secret cannot be used, or the CA or a field cannot be read.
    """
    secrets: dict[str, dict[str, str]] = {}
    credentials = None
    unusable: ProviderError | None = None
    try:
        if not checked_only:
            for entry in spec.secrets or ():
                # Two Secrets may share a name: templates see the keys of both.
                secrets.setdefault(entry.name, {}).update(_texts(await _labelled(entry.secret_ref, ctx)))
            if spec.auth is not None and spec.auth.ntlm is not None:
                user, password = spec.auth.ntlm.username_secret, spec.auth.ntlm.password_secret
                credentials = Credentials(await _credential(user, ctx), await _credential(password, ctx))
    except (BrokenReference, InvalidSpec) as exc:
        if exc.retryable or not tolerant:
            raise
        unusable = exc
    tls = tls_context(await ctx.resolver.ca_bundle(spec.ca_bundle, spec.ca_provider), None)
    templates = ctx.options.templates if ctx.options.templates is not None else _NoTemplates()
    http = WebhookHttp(clock=ctx.clock, calls=ctx.calls, tls=tls, timeout=_timeout(spec, ctx), credentials=credentials)
    return Hook(spec, secrets, templates, http, unusable=unusable), http


class _NoTemplates(TextTemplates):
    async def render(self, template: str, data: object, *, name: str) -> str:
        raise NotSupported("spec.provider.webhook: this program has no template engine: set ProviderOptions.templates")


def _timeout(spec: WebhookSpec, ctx: StoreContext) -> float:
    if not spec.timeout:
        return ctx.options.request_timeout
    try:
        seconds = parse_duration(spec.timeout)
    except ValueError as exc:
        raise InvalidSpec(f"spec.provider.webhook.timeout: {exc}: write it like 10s") from exc
    return seconds if seconds > 0 else ctx.options.request_timeout


async def _labelled(selector: SecretKeySelector, ctx: StoreContext) -> dict[str, bytes]:
    """All keys of a Secret that may be used with webhooks."""
    name = selector.name or ""
    if ctx.store.is_cluster and not selector.namespace:
        raise InvalidSpec(f"no namespace on ClusterScoped webhook secret {name}")
    try:
        secret = await ctx.resolver.secret(selector)
    except ProviderError as exc:
        text = f"failed to get clustersecretstore webhook secret {name}: {exc}"
        raise type(exc)(text, kind=exc.kind, retryable=exc.retryable) from exc
    kind = (secret["metadata"].get("labels") or {}).get(TYPE_LABEL)
    if kind is None:
        raise BrokenReference(
            f"secret does not contain needed label '{TYPE_LABEL}: {_TYPE}'. Update secret label to use it with webhook: {name}"
        )
    if kind != _TYPE:
        raise BrokenReference(f"secret type is not '{_TYPE}': {name} has the label {TYPE_LABEL}: {kind}")
    try:
        return {key: base64.b64decode(value or "") for key, value in (secret.get("data") or {}).items()}
    except (binascii.Error, ValueError):
        raise BrokenReference(f'Secret "{name}" holds something that is not base64') from None


async def _credential(selector: SecretKeySelector, ctx: StoreContext) -> str:
    data = await _labelled(selector, ctx)
    key = selector.key or ""
    if key not in data:
        raise BrokenReference(f'cannot find secret data for key: "{key}"')
    return data[key].decode("utf-8", "replace")


def _texts(data: dict[str, bytes]) -> dict[str, str]:
    # Bytes that are no text come back as they were when a template writes them.
    return {key: value.decode("utf-8", "surrogateescape") for key, value in data.items()}
