"""References and conditions that several kinds share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from eso_core.model import Model, Schema
from providers.spec import ObjectName

__all__ = [
    "GENERATOR_KINDS",
    "Condition",
    "GeneratorRef",
    "LabelSelector",
    "LabelSelectorRequirement",
    "SourceRef",
    "StoreRef",
]

GENERATOR_KINDS = (
    "ACRAccessToken",
    "BeyondtrustWorkloadCredentialsDynamicSecret",
    "ClusterGenerator",
    "CloudsmithAccessToken",
    "ECRAuthorizationToken",
    "Fake",
    "GCRAccessToken",
    "GithubAccessToken",
    "GitlabDeployToken",
    "QuayAccessToken",
    "Password",
    "SSHKey",
    "STSSessionToken",
    "UUID",
    "VaultDynamicSecret",
    "Webhook",
    "Grafana",
    "MFA",
)


class LabelSelectorRequirement(Model):
    """One requirement on a label."""

    key: str = Field(description="Label.")
    operator: str = Field(description="In, NotIn, Exists or DoesNotExist.")
    values: Annotated[list[str] | None, Schema(list_type="atomic")] = Field(
        None, description="Values for In and NotIn."
    )


class LabelSelector(Model):
    """Selection by labels; an empty one selects everything."""

    __schema__ = Schema(map_type="atomic")

    match_labels: dict[str, str] | None = Field(None, description="Labels with these values.")
    match_expressions: Annotated[list[LabelSelectorRequirement] | None, Schema(list_type="atomic")] = Field(
        None, description="Requirements, all of which must hold."
    )


class StoreRef(Model):
    """A SecretStore or ClusterSecretStore."""

    name: ObjectName | None = Field(None, description="Name of the store.")
    kind: Literal["SecretStore", "ClusterSecretStore"] | None = Field(
        None, description="Kind of the store; SecretStore unless given."
    )


class GeneratorRef(Model):
    """A generator of values."""

    api_version: str = Field("generators.external-secrets.io/v1alpha1", description="API version of the generator.")
    kind: Annotated[str, Schema(extra={"enum": list(GENERATOR_KINDS)})] = Field(description="Kind of the generator.")
    name: ObjectName = Field(description="Name of the generator.")


class SourceRef(Model):
    """Another source for one entry: a store or a generator."""

    __schema__ = Schema(extra={"minProperties": 1, "maxProperties": 1})

    store_ref: StoreRef | None = Field(None, description="Store to use for this entry instead of spec.secretStoreRef.")
    generator_ref: GeneratorRef | None = Field(None, description="Generator that makes the values.")


class Condition(Model):
    """One observed condition."""

    type: str = Field(description="What is observed.")
    status: str = Field(description="True, False or Unknown.")
    reason: str | None = Field(None, description="Why, in one word.")
    message: str | None = Field(None, description="Why, in a sentence.")
    last_transition_time: Annotated[str | None, Schema(extra={"format": "date-time"})] = Field(
        None, description="When the status changed last."
    )
