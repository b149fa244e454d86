"""`spec.provider.kubernetes`, and the part that says how to reach a cluster."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from eso_core.model import Model, Schema
from providers.spec import CAProvider, NamespaceName, ProviderSpec, SecretKeySelector, ServiceAccountSelector

__all__ = ["CertAuth", "ClusterAuth", "KubernetesSpec", "Server", "TokenAuth"]


class Server(Model):
    """The API server."""

    url: str | None = Field(
        "kubernetes.default",
        description="URL of the API server; without a scheme it is https when there is a CA or a client certificate, http otherwise.",
    )
    ca_bundle: Annotated[str | None, Schema(extra={"format": "byte"})] = Field(
        None, description="PEM certificate of the CA, base64 encoded; the system's unless given."
    )
    ca_provider: CAProvider | None = Field(None, description="Object that holds the CA certificate.")


class CertAuth(Model):
    """A client certificate."""

    client_cert: SecretKeySelector = Field(description="Secret with the certificate.")
    client_key: SecretKeySelector = Field(description="Secret with the key.")


class TokenAuth(Model):
    """A bearer token that is kept in a Secret."""

    bearer_token: SecretKeySelector = Field(description="Secret with the token.")


class ClusterAuth(Model):
    """Who reads: exactly one of the three."""

    cert: CertAuth | None = Field(None, description="A client certificate.")
    token: TokenAuth | None = Field(None, description="A bearer token.")
    service_account: ServiceAccountSelector | None = Field(
        None, description="A ServiceAccount of this cluster, whose tokens the other cluster must accept."
    )


class KubernetesSpec(ProviderSpec):
    """Secrets of a namespace of this or another cluster."""

    server: Server | None = Field(None, description="The API server.")
    auth: Annotated[ClusterAuth | None, Schema(extra={"minProperties": 1, "maxProperties": 1})] = Field(
        None, description="Who reads."
    )
    auth_ref: SecretKeySelector | None = Field(
        None, description="Secret with a kubeconfig, which names server, CA and user; instead of auth and server."
    )
    remote_namespace: NamespaceName | None = Field("default", description="Namespace of the Secrets.")
