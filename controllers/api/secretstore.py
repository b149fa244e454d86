"""SecretStore and ClusterSecretStore, versions v1 and v1beta1.

The four classes differ in scope, in the backends that the version knows, and in what `refreshInterval` may be.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from controllers.api.backends import provider_schema, provider_schema_v1beta1
from controllers.api.references import Condition, LabelSelector
from eso_core.model import Model, PrinterColumn, Resource, Schema
from providers.spec import NamespaceName

__all__ = [
    "ClusterSecretStore",
    "ClusterSecretStoreV1Beta1",
    "NamespaceCondition",
    "RetrySettings",
    "SecretStore",
    "SecretStoreSpec",
    "SecretStoreStatus",
    "SecretStoreV1Beta1",
]

_DEPRECATED = "external-secrets.io/v1beta1 {} is deprecated; use external-secrets.io/v1"


class NamespaceCondition(Model):
    """Namespaces that may use a ClusterSecretStore: those that match any of the fields."""

    namespace_selector: LabelSelector | None = Field(None, description="By labels of the namespace.")
    namespaces: list[NamespaceName] | None = Field(None, description="By name.")
    namespace_regexes: list[str] | None = Field(
        None, description="By regular expression (RE2), found anywhere in the name."
    )


class RetrySettings(Model):
    """How requests to the backend are retried, for backends that honour it."""

    max_retries: Annotated[int | None, Schema(extra={"format": "int32"})] = Field(
        None, description="Number of retries."
    )
    retry_interval: str | None = Field(None, description="Time between retries, such as 10s.")


class SecretStoreSpec(Model):
    """Which backend, and how to reach it."""

    controller: str | None = Field(None, description="Controller class that serves this store; empty for any.")
    provider: Annotated[dict[str, Any], Schema(replace=provider_schema)] = Field(
        description="Exactly one backend with its settings.", repr=False
    )
    retry_settings: RetrySettings | None = Field(None, description="How requests are retried.")
    refresh_interval: Annotated[int | str | None, Schema(int_or_string=True)] = Field(
        None, description="How often the store is validated: seconds as a number, or text such as 5m."
    )
    conditions: list[NamespaceCondition] | None = Field(
        None, description="Namespaces that may use a ClusterSecretStore; any of them."
    )


class _SpecV1Beta1(Model):
    controller: str | None = None
    provider: Annotated[dict[str, Any], Schema(replace=provider_schema_v1beta1)] = Field(repr=False)
    retry_settings: RetrySettings | None = None
    refresh_interval: int | None = None
    conditions: list[NamespaceCondition] | None = None


class SecretStoreStatus(Model):
    """What validation found."""

    conditions: list[Condition] | None = Field(None, description="Ready: whether the store can be used.")
    capabilities: str | None = Field(None, description="ReadOnly, WriteOnly or ReadWrite.")
    observed_generation: int | None = Field(None, description="The metadata.generation that this status is about.")


_COLUMNS = (
    PrinterColumn("AGE", ".metadata.creationTimestamp", type="date"),
    PrinterColumn("Status", '.status.conditions[?(@.type=="Ready")].reason'),
    PrinterColumn("Capabilities", ".status.capabilities"),
    PrinterColumn("Ready", '.status.conditions[?(@.type=="Ready")].status'),
)


class SecretStore(
    Resource,
    group="external-secrets.io",
    version="v1",
    short_names=("ss",),
    categories=("external-secrets",),
    status_subresource=True,
    printer_columns=_COLUMNS,
):
    """A backend that ExternalSecrets of the same namespace read from."""

    spec: SecretStoreSpec | None = Field(None, description="Which backend, and how to reach it.")
    status: SecretStoreStatus | None = Field(None, description="What validation found.")


class SecretStoreV1Beta1(
    Resource,
    group="external-secrets.io",
    version="v1beta1",
    kind="SecretStore",
    short_names=("ss",),
    categories=("external-secrets",),
    status_subresource=True,
    printer_columns=_COLUMNS,
    deprecated=True,
    deprecation_warning=_DEPRECATED.format("SecretStore"),
):
    """A backend that ExternalSecrets of the same namespace read from (v1beta1)."""

    spec: _SpecV1Beta1 | None = Field(None, description="Which backend, and how to reach it.")
    status: SecretStoreStatus | None = Field(None, description="What validation found.")


class ClusterSecretStore(
    Resource,
    group="external-secrets.io",
    version="v1",
    scope="Cluster",
    short_names=("css",),
    categories=("external-secrets",),
    status_subresource=True,
    printer_columns=_COLUMNS,
):
    """A backend that ExternalSecrets of all namespaces, or of those it names, read from."""

    spec: SecretStoreSpec | None = Field(None, description="Which backend, and how to reach it.")
    status: SecretStoreStatus | None = Field(None, description="What validation found.")


class ClusterSecretStoreV1Beta1(
    Resource,
    group="external-secrets.io",
    version="v1beta1",
    kind="ClusterSecretStore",
    scope="Cluster",
    short_names=("css",),
    categories=("external-secrets",),
    status_subresource=True,
    printer_columns=_COLUMNS,
    deprecated=True,
    deprecation_warning=_DEPRECATED.format("ClusterSecretStore"),
):
    """A backend that ExternalSecrets of all namespaces, or of those it names, read from (v1beta1)."""

    spec: _SpecV1Beta1 | None = Field(None, description="Which backend, and how to reach it.")
    status: SecretStoreStatus | None = Field(None, description="What validation found.")
