"""ClusterExternalSecret and ClusterPushSecret: one object, a copy in each of many namespaces."""

from __future__ import annotations

from pydantic import Field

from controllers.api.externalsecret import ExternalSecretSpec
from controllers.api.externalsecret_v1beta1 import ExternalSecretV1Beta1Spec
from controllers.api.pushsecret import PushSecretSpec
from controllers.api.references import Condition, LabelSelector
from eso_core.model import Model, PrinterColumn, Resource
from providers.spec import NamespaceName, ObjectName

__all__ = ["ClusterExternalSecret", "ClusterExternalSecretV1Beta1", "ClusterPushSecret"]


class ChildMetadata(Model):
    """Labels and annotations of the copies."""

    labels: dict[str, str] | None = Field(None, description="Labels; all others are removed.")
    annotations: dict[str, str] | None = Field(None, description="Annotations; all others are removed.")


class NamespaceFailure(Model):
    """A namespace that has no copy."""

    namespace: str = Field(description="Name of the namespace.")
    reason: str | None = Field(None, description="Why.")


class PlainCondition(Model):
    """One observed condition."""

    type: str = Field(description="What is observed.")
    status: str = Field(description="True, False or Unknown.")
    message: str | None = Field(None, description="Why, in a sentence.")


class ClusterExternalSecretSpec(Model):
    """Which ExternalSecret, and where."""

    external_secret_spec: ExternalSecretSpec = Field(description="Spec of the ExternalSecrets.")
    external_secret_name: ObjectName | None = Field(
        None, description="Their name; that of the ClusterExternalSecret unless given."
    )
    external_secret_metadata: ChildMetadata | None = Field(None, description="Their labels and annotations.")
    namespace_selector: LabelSelector | None = Field(None, description="Namespaces by labels; use namespaceSelectors.")
    namespace_selectors: list[LabelSelector] | None = Field(
        None, description="Namespaces by labels; what any of them selects."
    )
    namespaces: list[NamespaceName] | None = Field(None, description="Namespaces by name, besides.")
    refresh_time: str | None = Field(None, description="How often everything is looked at again (default 1h).")


class ClusterExternalSecretStatus(Model):
    """Where the ExternalSecrets are."""

    external_secret_name: str | None = Field(None, description="Their name.")
    failed_namespaces: list[NamespaceFailure] | None = Field(None, description="Namespaces without one, and why.")
    provisioned_namespaces: list[str] | None = Field(None, description="Namespaces that have one.")
    conditions: list[PlainCondition] | None = Field(None, description="Ready: whether every namespace has one.")


_COLUMNS = (
    PrinterColumn("Store", ".spec.externalSecretSpec.secretStoreRef.name"),
    PrinterColumn("Refresh Interval", ".spec.refreshTime"),
    PrinterColumn("Ready", '.status.conditions[?(@.type=="Ready")].status'),
)


class ClusterExternalSecret(
    Resource,
    group="external-secrets.io",
    version="v1",
    scope="Cluster",
    short_names=("ces",),
    categories=("external-secrets",),
    status_subresource=True,
    printer_columns=_COLUMNS,
):
    """An ExternalSecret in each of many namespaces."""

    spec: ClusterExternalSecretSpec | None = Field(None, description="Which ExternalSecret, and where.")
    status: ClusterExternalSecretStatus | None = Field(None, description="Where the ExternalSecrets are.")


class ClusterExternalSecretV1Beta1Spec(Model):
    """Which ExternalSecret, and where."""

    external_secret_spec: ExternalSecretV1Beta1Spec = Field(description="Spec of the ExternalSecrets.")
    external_secret_name: ObjectName | None = Field(
        None, description="Their name; that of the ClusterExternalSecret unless given."
    )
    external_secret_metadata: ChildMetadata | None = Field(None, description="Their labels and annotations.")
    namespace_selector: LabelSelector | None = Field(None, description="Namespaces by labels; use namespaceSelectors.")
    namespace_selectors: list[LabelSelector] | None = Field(
        None, description="Namespaces by labels; what any of them selects."
    )
    namespaces: list[NamespaceName] | None = Field(None, description="Namespaces by name, besides.")
    refresh_time: str | None = Field(None, description="How often everything is looked at again (default 1h).")


class ClusterExternalSecretV1Beta1(
    Resource,
    group="external-secrets.io",
    version="v1beta1",
    kind="ClusterExternalSecret",
    scope="Cluster",
    short_names=("ces",),
    categories=("external-secrets",),
    status_subresource=True,
    printer_columns=_COLUMNS,
    deprecated=True,
    deprecation_warning="external-secrets.io/v1beta1 ClusterExternalSecret is deprecated; use external-secrets.io/v1",
):
    """An ExternalSecret in each of many namespaces (v1beta1)."""

    spec: ClusterExternalSecretV1Beta1Spec | None = Field(None, description="Which ExternalSecret, and where.")
    status: ClusterExternalSecretStatus | None = Field(None, description="Where the ExternalSecrets are.")


class ClusterPushSecretSpec(Model):
    """Which PushSecret, and where."""

    push_secret_spec: PushSecretSpec = Field(description="Spec of the PushSecrets.")
    push_secret_name: ObjectName | None = Field(
        None, description="Their name; that of the ClusterPushSecret unless given."
    )
    push_secret_metadata: ChildMetadata | None = Field(None, description="Their labels and annotations.")
    namespace_selectors: list[LabelSelector] | None = Field(
        None, description="Namespaces by labels; what any of them selects."
    )
    refresh_time: str | None = Field(None, description="How often everything is looked at again (default 1h).")


class ClusterPushSecretStatus(Model):
    """Where the PushSecrets are."""

    push_secret_name: str | None = Field(None, description="Their name.")
    failed_namespaces: list[NamespaceFailure] | None = Field(None, description="Namespaces without one, and why.")
    provisioned_namespaces: list[str] | None = Field(None, description="Namespaces that have one.")
    conditions: list[Condition] | None = Field(None, description="Ready: whether every namespace has one.")


class ClusterPushSecret(
    Resource,
    group="external-secrets.io",
    version="v1alpha1",
    scope="Cluster",
    categories=("external-secrets",),
    status_subresource=True,
    printer_columns=(
        PrinterColumn("AGE", ".metadata.creationTimestamp", type="date"),
        PrinterColumn("Status", '.status.conditions[?(@.type=="Ready")].reason'),
    ),
):
    """A PushSecret in each of many namespaces."""

    spec: ClusterPushSecretSpec | None = Field(None, description="Which PushSecret, and where.")
    status: ClusterPushSecretStatus | None = Field(None, description="Where the PushSecrets are.")
