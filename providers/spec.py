"""The models that provider specs are made of: selectors of Secrets and ServiceAccounts, CA sources."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from eso_core.model import Model, Schema

__all__ = [
    "CAProvider",
    "NamespaceName",
    "ObjectName",
    "ProviderSpec",
    "SecretKey",
    "SecretKeySelector",
    "ServiceAccountSelector",
]

# RFC 1123: names of objects are subdomains, names of namespaces are labels.
ObjectName = Annotated[
    str,
    Schema(
        extra={
            "minLength": 1,
            "maxLength": 253,
            "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        }
    ),
]
NamespaceName = Annotated[
    str, Schema(extra={"minLength": 1, "maxLength": 63, "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"})
]
SecretKey = Annotated[str, Schema(extra={"minLength": 1, "maxLength": 253, "pattern": r"^[-._a-zA-Z0-9]+$"})]


class ProviderSpec(Model):
    """Base of what stands under a backend's key in `spec.provider`."""


class SecretKeySelector(Model):
    """One key of a Secret."""

    name: ObjectName | None = Field(None, description="Name of the Secret.")
    key: SecretKey | None = Field(None, description="Key in the Secret. Some fields have a default for it.")
    namespace: NamespaceName | None = Field(
        None,
        description="Namespace of the Secret. Only a ClusterSecretStore may set it; without it, the consumer's namespace is meant.",
    )


class ServiceAccountSelector(Model):
    """A ServiceAccount whose token is asked for."""

    name: ObjectName = Field(description="Name of the ServiceAccount.")
    namespace: NamespaceName | None = Field(
        None, description="Namespace of the ServiceAccount; only for a ClusterSecretStore."
    )
    audiences: list[str] | None = Field(
        None, description="Audiences that the token is for, besides those the backend adds."
    )


class CAProvider(Model):
    """Where the CA certificate of a server is kept."""

    type: Literal["Secret", "ConfigMap"] = Field(description="Kind of the object that holds the certificate.")
    name: ObjectName = Field(description="Name of the object.")
    key: SecretKey | None = Field(None, description="Key in the object.")
    namespace: NamespaceName | None = Field(
        None, description="Namespace of the object; a ClusterSecretStore must set it."
    )
