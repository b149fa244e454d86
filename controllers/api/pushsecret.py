"""PushSecret, version v1alpha1."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from controllers.api.externalsecret import Interval, RewriteRegexp, RewriteTransform, Template
from controllers.api.references import Condition, GeneratorRef, LabelSelector
from eso_core.model import Model, PrinterColumn, Resource, Rule, Schema
from providers.spec import ObjectName

__all__ = [
    "PushData",
    "PushDataTo",
    "PushMatch",
    "PushRemoteRef",
    "PushRewrite",
    "PushSecret",
    "PushSecretSpec",
    "PushSecretStatus",
    "PushSelector",
    "PushStoreRef",
    "SecretSelector",
]

_TIME = Schema(extra={"format": "date-time"})
_ANYTHING = Schema(preserve_unknown_fields=True)

Conversion = Literal["None", "ReverseUnicode"]
_CONVERSION = "How keys of the Secret are turned into names of the backend."


class PushStoreRef(Model):
    """Stores to push to: one by name, or all that a selector finds."""

    name: ObjectName | None = Field(None, description="Name of the store.")
    label_selector: LabelSelector | None = Field(None, description="Stores with these labels, instead of a name.")
    kind: Literal["SecretStore", "ClusterSecretStore"] = Field("SecretStore", description="Kind of the store.")


class SecretSelector(Model):
    """Secrets to push: one by name, or all that a selector finds."""

    name: ObjectName | None = Field(None, description="Name of the Secret.")
    selector: LabelSelector | None = Field(None, description="Secrets with these labels, instead of a name.")


class PushSelector(Model):
    """Where the values come from; exactly one of its fields is set."""

    __schema__ = Schema(extra={"minProperties": 1, "maxProperties": 1})

    secret: SecretSelector | None = Field(None, description="Secrets of this namespace.")
    generator_ref: GeneratorRef | None = Field(None, description="Generator that makes the values.")


class PushRemoteRef(Model):
    """A place in a store."""

    remote_key: str = Field(description="Where the value goes, in the words of the store.")
    property: str | None = Field(None, description="Part of the value there.")


class PushMatch(Model):
    """Which key goes where."""

    secret_key: str | None = Field(None, description="Key of the Secret; the whole Secret unless given.")
    remote_ref: PushRemoteRef = Field(description="Where it goes.")


class PushData(Model):
    """One value to push."""

    match: PushMatch = Field(description="Which key goes where.")
    metadata: Annotated[Any, _ANYTHING] = Field(None, description="Settings that the provider of the store knows.")
    conversion_strategy: Conversion = Field("None", description=_CONVERSION)


class PushRewrite(Model):
    """One step of rewriting; exactly one of its fields is set."""

    __schema__ = Schema(
        rules=(
            Rule(
                "(has(self.regexp) && !has(self.transform)) || (!has(self.regexp) && has(self.transform))",
                message="exactly one of regexp or transform must be set",
            ),
        )
    )

    regexp: RewriteRegexp | None = Field(None, description="Rewrite keys by regular expression.")
    transform: RewriteTransform | None = Field(None, description="Rewrite keys by template.")


class KeyMatch(Model):
    """Selection of keys."""

    regexp: str | None = Field(None, description="Regular expression (RE2), found anywhere in the key.")


class PushDataTo(Model):
    """Many keys of the Secret at once."""

    __schema__ = Schema(
        rules=(
            Rule(
                "has(self.storeRef) && (has(self.storeRef.name) || has(self.storeRef.labelSelector))",
                message="storeRef must specify either name or labelSelector",
            ),
            Rule(
                "!has(self.remoteKey) || !has(self.rewrite) || size(self.rewrite) == 0",
                message="remoteKey and rewrite are mutually exclusive: rewrite is only supported in per-key mode (without remoteKey)",
            ),
        )
    )

    store_ref: PushStoreRef | None = Field(None, description="Which of secretStoreRefs this entry is for.")
    remote_key: str | None = Field(
        None, description="Push all keys as one document to this place, instead of each key to its own."
    )
    match: KeyMatch | None = Field(None, description="Which keys; all unless given.")
    rewrite: list[PushRewrite] | None = Field(None, description="Steps that turn keys into remote keys, in order.")
    metadata: Annotated[Any, _ANYTHING] = Field(None, description="Settings that the provider of the store knows.")
    conversion_strategy: Conversion = Field("None", description=_CONVERSION)


class PushSecretSpec(Model):
    """Which values go to which stores."""

    refresh_interval: Interval = Field(
        "1h0m0s", description="How often values are compared with the stores, such as 15m; 0 for changes only."
    )
    secret_store_refs: list[PushStoreRef] = Field(description="Stores to push to.")
    update_policy: Literal["Replace", "IfNotExists"] = Field(
        "Replace", description="IfNotExists: leave alone what is in the store already."
    )
    deletion_policy: Literal["Delete", "None"] = Field(
        "None", description="Delete: remove from the store what was pushed and no longer is."
    )
    selector: PushSelector = Field(description="Where the values come from.")
    data: list[PushData] | None = Field(None, description="Values to push, one by one.")
    data_to: list[PushDataTo] | None = Field(None, description="Values to push, many at once.")
    template: Template | None = Field(None, description="What is made of the values before they are pushed.")


class PushSecretStatus(Model):
    """What happened last."""

    refresh_time: Annotated[str | None, _TIME, Schema(nullable=True)] = Field(
        None, description="When values were pushed, or compared, last with success."
    )
    synced_resource_version: str | None = Field(
        None, description="Generation and hash of labels and annotations that were pushed."
    )
    synced_push_secrets: dict[str, dict[str, PushData]] | None = Field(
        None, description="What is in the stores: by kind and name of the store, then by place."
    )
    conditions: list[Condition] | None = Field(None, description="Ready: whether the stores are in step.")
    retained_push_secrets: dict[str, dict[str, PushData]] | None = Field(
        None, description="What was left in the stores by deletionPolicy None; deletionPolicy Delete removes it."
    )
    source_version: str | None = Field(None, description="Hash of the versions of sources and stores that were pushed.")
    observed_generation: int | None = Field(None, description="The metadata.generation that this status is about.")
    last_error: str | None = Field(None, description="Why Ready is False, in full; absent while Ready is True.")
    next_refresh_time: Annotated[str | None, _TIME] = Field(
        None, description="When values that expire are made anew, where that is before the refresh interval is over."
    )
    synced_own_version: str | None = Field(
        None,
        description="As syncedResourceVersion, without the labels and annotations that tools write for themselves.",
    )


class PushSecret(
    Resource,
    group="external-secrets.io",
    version="v1alpha1",
    short_names=("ps",),
    categories=("external-secrets",),
    status_subresource=True,
    printer_columns=(
        PrinterColumn("AGE", ".metadata.creationTimestamp", type="date"),
        PrinterColumn("Status", '.status.conditions[?(@.type=="Ready")].reason'),
        PrinterColumn("Last Sync", ".status.refreshTime", type="date"),
    ),
):
    """Keeps values in stores in step with Secrets of the cluster."""

    spec: PushSecretSpec | None = Field(None, description="Which values go to which stores.")
    status: PushSecretStatus | None = Field(None, description="What happened last.")
