"""`spec.provider.webhook`, and the parts that it shares with the Webhook generator."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from eso_core.model import Model, Schema
from providers.spec import CAProvider, ProviderSpec, SecretKeySelector

__all__ = ["Ntlm", "WebhookAuth", "WebhookResult", "WebhookSecret", "WebhookSpec"]


class Ntlm(Model):
    """NTLM login."""

    username_secret: SecretKeySelector = Field(description="Secret with the user name.")
    password_secret: SecretKeySelector = Field(description="Secret with the password.")


class WebhookAuth(Model):
    """How to log in: exactly one method."""

    __schema__ = Schema(extra={"minProperties": 1, "maxProperties": 1})

    ntlm: Ntlm | None = Field(None, description="NTLM.")


class WebhookResult(Model):
    """Where the value is in the response."""

    json_path: str | None = Field(None, description="JSONPath of the value, as a template.")


class WebhookSecret(Model):
    """A Secret whose keys templates may use, as `{{ .name.key }}`."""

    name: str = Field(description="What templates call it.")
    secret_ref: SecretKeySelector = Field(description="The Secret; its label external-secrets.io/type must be webhook.")


class WebhookSpec(ProviderSpec):
    """Any HTTP server, asked by templates."""

    method: str | None = Field(None, description="HTTP method (default GET for reading, POST for pushing).")
    url: str = Field(description="URL, as a template.")
    headers: dict[str, str] | None = Field(None, repr=False, description="Headers; their values are templates.")
    auth: WebhookAuth | None = Field(None, description="How to log in.")
    body: str | None = Field(None, repr=False, description="Body, as a template.")
    timeout: str | None = Field(None, description="How long one request may take, such as 10s.")
    result: WebhookResult | None = Field(None, description="Where the value is in the response.")
    secrets: list[WebhookSecret] | None = Field(None, description="Secrets that templates may use.")
    ca_bundle: Annotated[str | None, Schema(extra={"format": "byte"})] = Field(
        None, description="CA certificates of the server, PEM in base64."
    )
    ca_provider: CAProvider | None = Field(None, description="Where the CA certificates are kept, instead of caBundle.")
