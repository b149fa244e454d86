"""Webhook: the members of what an HTTP server answers."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from eso_core.model import Model, Schema
from generators.errors import GeneratorFailed
from generators.interface import Generated, Generator, GeneratorContext
from generators.spec import GeneratorSpec
from providers.errors import InvalidData, InvalidSpec, ProviderError
from providers.gojson import JsonValue
from providers.spec import CAProvider, SecretKey, SecretKeySelector
from providers.spec import ObjectName as Name
from providers.webhook import connect
from providers.webhook.jsonpath import as_map, last_name, parse, pick
from providers.webhook.spec import WebhookAuth, WebhookResult, WebhookSecret, WebhookSpec

__all__ = ["WebhookGenerator", "WebhookGeneratorSpec"]


class LocalSecretRef(Model):
    """A Secret in the namespace of who asks."""

    name: Name | None = Field(None, description="Name of the Secret.")
    key: SecretKey | None = Field(None, description="Not used: templates may use all keys.")


class NamedSecret(Model):
    """A Secret whose keys templates may use, as `{{ .name.key }}`."""

    name: str = Field(description="What templates call it.")
    secret_ref: LocalSecretRef = Field(description="The Secret; its label external-secrets.io/type must be webhook.")


class WebhookGeneratorSpec(GeneratorSpec):
    """Any HTTP server, asked by templates."""

    method: str | None = Field(None, description="HTTP method (default GET).")
    url: str = Field(description="URL, as a template.")
    headers: dict[str, str] | None = Field(None, repr=False, description="Headers; their values are templates.")
    auth: WebhookAuth | None = Field(None, description="How to log in.")
    body: str | None = Field(None, repr=False, description="Body, as a template.")
    timeout: str | None = Field(None, description="How long one request may take, such as 10s.")
    result: WebhookResult = Field(description="Where the object is in the response.")
    secrets: list[NamedSecret] | None = Field(None, description="Secrets that templates may use.")
    ca_bundle: Annotated[str | None, Schema(extra={"format": "byte"})] = Field(
        None, description="CA certificates of the server, PEM in base64."
    )
    ca_provider: CAProvider | None = Field(None, description="Where the CA certificates are kept, instead of caBundle.")


class WebhookGenerator(Generator):
    """Asks the server, and takes the members of the JSON object in its answer."""

    kind: ClassVar[str] = "Webhook"
    plural: ClassVar[str] = "webhooks"
    member: ClassVar[str] = "webhookSpec"
    spec: ClassVar[type[GeneratorSpec]] = WebhookGeneratorSpec

    async def generate(self, spec: GeneratorSpec, ctx: GeneratorContext) -> Generated:
        assert isinstance(spec, WebhookGeneratorSpec)
        try:
            hook, http = await connect(_as_store(spec), ctx.store_context())
        except ProviderError as exc:
            prefix = (
                "failed to parse provider spec"
                if isinstance(exc, InvalidSpec)
                else "failed to prepare provider http client"
            )
            # The backend names fields of a store.
            reason = str(exc).replace("spec.provider.webhook.", "spec.")
            raise GeneratorFailed(f"{prefix}: {reason}", kind=exc.kind, retryable=exc.retryable) from exc
        try:
            body, path = await hook.read(None)
        finally:
            await http.aclose()
        document = parse(body, "failed to parse response json")
        return Generated(_values(document, path))


def _values(document: JsonValue, path: str) -> dict[str, bytes]:
    """The members of the object at the path; of a single value there, the value under the name that the path ends in."""
    value = pick(document, path) if path else document
    name = last_name(path) if path else ""
    if name and isinstance(value, str | int | float) and not (isinstance(value, str) and _holds_object(value)):
        value = {name: value}
    return as_map(value, "reading the response")


def _holds_object(text: str) -> bool:
    try:
        return isinstance(parse(text.encode("utf-8", "replace"), ""), dict)
    except InvalidData:
        return False


def _as_store(spec: WebhookGeneratorSpec) -> WebhookSpec:
    """The same request in the words of the backend."""
    secrets = [
        WebhookSecret(name=entry.name, secret_ref=SecretKeySelector(name=entry.secret_ref.name))
        for entry in spec.secrets or ()
    ]
    return WebhookSpec(
        method=spec.method,
        url=spec.url,
        headers=spec.headers,
        auth=spec.auth,
        body=spec.body,
        timeout=spec.timeout,
        result=spec.result,
        secrets=secrets,
        ca_bundle=spec.ca_bundle,
        ca_provider=spec.ca_provider,
    )
