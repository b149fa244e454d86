"""ExternalSecret, version v1beta1: the fields it had, which are fewer, and the defaults that v1 no longer writes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from controllers.api.externalsecret import (
    COLUMNS,
    Conversion,
    Decoding,
    FindName,
    Interval,
    RewriteRegexp,
    RewriteTransform,
    SecretBinding,
    TemplateSource,
)
from controllers.api.references import Condition, StoreRef
from eso_core.model import Model, Resource, Schema
from providers.spec import ObjectName, SecretKey

__all__ = ["ExternalSecretV1Beta1", "ExternalSecretV1Beta1Spec"]

_GENERATOR_KINDS = [
    "ACRAccessToken",
    "ClusterGenerator",
    "ECRAuthorizationToken",
    "Fake",
    "GCRAccessToken",
    "GithubAccessToken",
    "QuayAccessToken",
    "Password",
    "SSHKey",
    "STSSessionToken",
    "UUID",
    "VaultDynamicSecret",
    "Webhook",
    "Grafana",
]


class _GeneratorRef(Model):
    api_version: str = "generators.external-secrets.io/v1alpha1"
    kind: Annotated[str, Schema(extra={"enum": _GENERATOR_KINDS})]
    name: ObjectName


class _SourceRef(Model):
    __schema__ = Schema(extra={"minProperties": 1, "maxProperties": 1})

    store_ref: StoreRef | None = None
    generator_ref: _GeneratorRef | None = None


class _RemoteRef(Model):
    key: str
    property: str | None = None
    version: str | None = None
    metadata_policy: Literal["None", "Fetch"] = "None"
    conversion_strategy: Conversion = "Default"
    decoding_strategy: Decoding = "None"


class _DataEntry(Model):
    secret_key: SecretKey
    remote_ref: _RemoteRef
    source_ref: _SourceRef | None = None


class _Find(Model):
    path: str | None = None
    name: FindName | None = None
    tags: dict[str, str] | None = None
    conversion_strategy: Conversion = "Default"
    decoding_strategy: Decoding = "None"


class _Rewrite(Model):
    __schema__ = Schema(extra={"minProperties": 1, "maxProperties": 1})

    regexp: RewriteRegexp | None = None
    transform: RewriteTransform | None = None


class _DataFromEntry(Model):
    extract: _RemoteRef | None = None
    find: _Find | None = None
    rewrite: list[_Rewrite] | None = None
    source_ref: _SourceRef | None = None


class _TemplateFrom(Model):
    config_map: TemplateSource | None = None
    secret: TemplateSource | None = None
    target: Literal["Data", "Annotations", "Labels"] = "Data"
    literal: str | None = None


class _TemplateMetadata(Model):
    annotations: dict[str, str] | None = None
    labels: dict[str, str] | None = None


class _Template(Model):
    type: str | None = None
    engine_version: Literal["v2"] = "v2"
    metadata: _TemplateMetadata | None = None
    merge_policy: Literal["Replace", "Merge"] = "Replace"
    data: dict[str, str] | None = None
    template_from: list[_TemplateFrom] | None = None


class _Target(Model):
    name: ObjectName | None = None
    creation_policy: Literal["Owner", "Orphan", "Merge", "None"] = "Owner"
    deletion_policy: Literal["Delete", "Merge", "Retain"] = "Retain"
    template: _Template | None = None
    immutable: bool | None = None


class ExternalSecretV1Beta1Spec(Model):
    secret_store_ref: StoreRef | None = None
    target: _Target = _Target(creation_policy="Owner", deletion_policy="Retain")
    refresh_policy: Literal["CreatedOnce", "Periodic", "OnChange"] | None = None
    refresh_interval: Interval = "1h0m0s"
    data: list[_DataEntry] | None = None
    data_from: list[_DataFromEntry] | None = None


class _Status(Model):
    refresh_time: Annotated[str | None, Schema(extra={"format": "date-time"}, nullable=True)] = None
    synced_resource_version: str | None = None
    conditions: list[Condition] | None = None
    binding: SecretBinding | None = None


class ExternalSecretV1Beta1(
    Resource,
    group="external-secrets.io",
    version="v1beta1",
    kind="ExternalSecret",
    short_names=("es",),
    categories=("external-secrets",),
    status_subresource=True,
    printer_columns=COLUMNS,
    deprecated=True,
    deprecation_warning="external-secrets.io/v1beta1 ExternalSecret is deprecated; use external-secrets.io/v1",
):
    """Keeps one Secret in step with values in stores (v1beta1)."""

    spec: ExternalSecretV1Beta1Spec | None = Field(None, description="What the Secret holds and where it comes from.")
    status: _Status | None = Field(None, description="What happened last.")
