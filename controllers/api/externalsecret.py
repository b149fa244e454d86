"""ExternalSecret, version v1."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from controllers.api.references import Condition, SourceRef, StoreRef
from eso_core.model import Model, PrinterColumn, Resource, Schema
from providers.spec import ObjectName, SecretKey

__all__ = [
    "COLUMNS",
    "DataEntry",
    "DataFromEntry",
    "ExternalSecret",
    "ExternalSecretSpec",
    "ExternalSecretStatus",
    "ExtractRef",
    "Find",
    "FindName",
    "Manifest",
    "RemoteRef",
    "Rewrite",
    "RewriteMerge",
    "RewriteRegexp",
    "RewriteTransform",
    "SecretBinding",
    "StatusCondition",
    "SyncWindow",
    "SyncWindows",
    "Target",
    "Template",
    "TemplateFrom",
    "TemplateItem",
    "TemplateMetadata",
    "TemplateSource",
]

Conversion = Literal["Default", "Unicode"]
Decoding = Literal["Auto", "Base64", "Base64URL", "None"]
NullBytes = Literal["Ignore", "Fail"]

_CRON = r"^(@(annually|yearly|monthly|weekly|daily|midnight|hourly)|@every [^\s]+.*|[^\s]+( [^\s]+){4})$"
_TIME = Schema(extra={"format": "date-time"})

_OPTIONAL = "Go on without this entry while its secret does not exist, whatever the deletion policy says."

# Tutorials write `refreshInterval: 0` without quotes; the number means the same as the text.
Interval = Annotated[int | str | None, Schema(int_or_string=True)]


class RemoteRef(Model):
    """A value in a store."""

    key: str = Field(description="Where the value is, in the words of the store.")
    property: str | None = Field(None, description="Part of the value: a path into a JSON document.")
    version: str | None = Field(None, description="Version of the value, in the words of the store.")
    metadata_policy: Literal["None", "Fetch"] | None = Field(
        None, description="Fetch: read tags or labels instead of the value."
    )
    conversion_strategy: Conversion | None = Field(
        None, description="How characters that a Secret key cannot have are replaced."
    )
    decoding_strategy: Decoding | None = Field(None, description="How the value is decoded.")
    null_byte_policy: NullBytes | None = Field(None, description="Fail: refuse values with NUL bytes.")


class DataEntry(Model):
    """One key of the Secret."""

    secret_key: SecretKey = Field(description="Key in the Secret.")
    remote_ref: RemoteRef = Field(description="Where the value comes from.")
    source_ref: SourceRef | None = Field(None, description="Another store for this entry.")
    optional: bool | None = Field(None, description=_OPTIONAL)


class ExtractRef(RemoteRef):
    """A JSON document in a store: each member becomes a key."""


class FindName(Model):
    """Selection by name."""

    regexp: str | None = Field(None, description="Regular expression (RE2), found anywhere in the name.")


class Find(Model):
    """Selection of many values."""

    path: str | None = Field(None, description="Where to look, in the words of the store.")
    name: FindName | None = Field(None, description="By name.")
    tags: dict[str, str] | None = Field(None, description="By tags: all must be there with these values.")
    conversion_strategy: Conversion | None = Field(
        None, description="How characters that a Secret key cannot have are replaced."
    )
    decoding_strategy: Decoding | None = Field(None, description="How values are decoded.")
    null_byte_policy: NullBytes | None = Field(None, description="Fail: refuse values with NUL bytes.")


class RewriteRegexp(Model):
    """Rewrites keys by regular expression."""

    source: str = Field(description="Regular expression (RE2).")
    target: str = Field(description="Replacement; $1 or ${name} stand for groups.")


class RewriteTransform(Model):
    """Rewrites keys by template."""

    template: str = Field(description="Template; {{ .value }} is the key.")


class RewriteMerge(Model):
    """Merges JSON values into one."""

    into: str = Field("", description="Key of the merged document, with strategy JSON.")
    priority: list[str] | None = Field(None, description="Keys that are merged last, in this order, so that they win.")
    priority_policy: Literal["IgnoreNotFound", "Strict"] = Field(
        "Strict", description="Whether a missing priority key is an error."
    )
    conflict_policy: Literal["Ignore", "Error"] = Field(
        "Error", description="Whether a member that occurs twice is an error."
    )
    strategy: Literal["Extract", "JSON"] = Field(
        "Extract", description="Extract: members become keys. JSON: one document under `into`."
    )


class Rewrite(Model):
    """One step of rewriting; exactly one of its fields is set."""

    __schema__ = Schema(extra={"minProperties": 1, "maxProperties": 1})

    merge: RewriteMerge | None = Field(None, description="Merge JSON values.")
    regexp: RewriteRegexp | None = Field(None, description="Rewrite keys by regular expression.")
    transform: RewriteTransform | None = Field(None, description="Rewrite keys by template.")


class DataFromEntry(Model):
    """Many keys of the Secret at once."""

    extract: ExtractRef | None = Field(None, description="All members of one JSON document.")
    find: Find | None = Field(None, description="All values that match.")
    rewrite: list[Rewrite] | None = Field(None, description="Steps that rewrite the keys, in order.")
    source_ref: SourceRef | None = Field(None, description="Another store for this entry, or a generator.")
    optional: bool | None = Field(None, description=_OPTIONAL)


class TemplateItem(Model):
    """One key of a template source."""

    key: SecretKey = Field(description="Key in the ConfigMap or Secret.")
    template_as: Literal["Values", "KeysAndValues"] = Field(
        "Values", description="Values: one key. KeysAndValues: a YAML map of keys."
    )


class TemplateSource(Model):
    """A ConfigMap or Secret with templates."""

    name: ObjectName = Field(description="Name of the object.")
    items: list[TemplateItem] = Field(description="Keys to take.")


class TemplateFrom(Model):
    """Templates from elsewhere."""

    config_map: TemplateSource | None = Field(None, description="Templates in a ConfigMap.")
    secret: TemplateSource | None = Field(None, description="Templates in a Secret.")
    target: str = Field(
        "Data", description="Where the result goes: Data, Labels, Annotations, or a path of a generic target."
    )
    literal: str | None = Field(None, description="The template itself: a YAML map of keys.")
    values_decoding_strategy: Decoding | None = Field(None, description="How rendered values are decoded.")


class TemplateMetadata(Model):
    """Labels, annotations and finalizers of the Secret."""

    annotations: dict[str, str] | None = Field(None, description="Annotations; values are templates.")
    labels: dict[str, str] | None = Field(None, description="Labels; values are templates.")
    finalizers: list[str] | None = Field(None, description="Finalizers to add.")


class Template(Model):
    """How the Secret is made from the values."""

    type: str | None = Field(None, description="Type of the Secret.")
    engine_version: Literal["v2"] = Field("v2", description="Version of the template engine.")
    metadata: TemplateMetadata | None = Field(None, description="Labels, annotations and finalizers.")
    merge_policy: Literal["Replace", "Merge"] = Field(
        "Replace", description="Merge: values that no template mentions are kept."
    )
    data: dict[str, str] | None = Field(None, description="Templates by key.")
    template_from: list[TemplateFrom] | None = Field(None, description="Templates from elsewhere.")


class Manifest(Model):
    """A kind other than Secret to write to."""

    api_version: Annotated[str, Schema(extra={"minLength": 1})] = Field(description="API version of the object.")
    kind: Annotated[str, Schema(extra={"minLength": 1})] = Field(description="Kind of the object.")


class Target(Model):
    """The Secret that is written."""

    name: ObjectName | None = Field(None, description="Name of the Secret; that of the ExternalSecret unless given.")
    creation_policy: Literal["Owner", "Orphan", "Merge", "None", "CreateOrMerge"] = Field(
        "Owner", description="Who owns the Secret."
    )
    deletion_policy: Literal["Delete", "Merge", "Retain"] = Field(
        "Retain", description="What happens when the values are gone."
    )
    template: Template | None = Field(None, description="How the Secret is made from the values.")
    manifest: Manifest | None = Field(None, description="Write an object of another kind.")
    immutable: bool | None = Field(None, description="Make the Secret immutable.")


class SyncWindow(Model):
    """A span of time that recurs."""

    schedule: Annotated[str, Schema(extra={"minLength": 1, "pattern": _CRON})] = Field(
        description="When it begins, as a cron expression."
    )
    duration: str = Field(description="How long it lasts, such as 2h.")


class SyncWindows(Model):
    """When refreshes may happen."""

    kind: Literal["allow", "deny"] = Field(description="allow: only within a window. deny: never within one.")
    windows: Annotated[list[SyncWindow], Schema(extra={"minItems": 1})] = Field(description="The windows.")


class ExternalSecretSpec(Model):
    """What the Secret holds and where it comes from."""

    secret_store_ref: StoreRef | None = Field(None, description="The store of all entries that name none.")
    target: Target = Field(
        Target(creation_policy="Owner", deletion_policy="Retain"), description="The Secret that is written."
    )
    refresh_policy: Literal["CreatedOnce", "Periodic", "OnChange"] | None = Field(
        None, description="When values are read again."
    )
    refresh_interval: Interval = Field(
        "1h0m0s", description="How often values are read again, such as 15m; 0 for never."
    )
    data: list[DataEntry] | None = Field(None, description="Keys of the Secret, one by one.")
    data_from: list[DataFromEntry] | None = Field(None, description="Keys of the Secret, many at once.")
    sync_windows: SyncWindows | None = Field(None, description="When refreshes may happen.")


class SecretBinding(Model):
    """The Secret, as service bindings refer to it."""

    __schema__ = Schema(map_type="atomic")

    name: str = Field("", description="Name of the Secret.")


class StatusCondition(Condition):
    """One observed condition."""

    type: Annotated[str, Schema(extra={"enum": ["Ready", "Deleted", "Stalled", "Reconciling"]})] = Field(
        description="Ready; Stalled or Reconciling, with the kind of failure as reason, where only a change helps or it is tried again."
    )


class ExternalSecretStatus(Model):
    """What happened last."""

    refresh_time: Annotated[str | None, _TIME, Schema(nullable=True)] = Field(
        None, description="When values were read last with success."
    )
    synced_resource_version: str | None = Field(
        None, description="Generation and hash of labels and annotations that were synced."
    )
    conditions: list[StatusCondition] | None = Field(None, description="Ready: whether the Secret is in step.")
    binding: SecretBinding | None = Field(None, description="The Secret that was written.")
    observed_generation: int | None = Field(None, description="The metadata.generation that this status is about.")
    last_error: str | None = Field(None, description="Why Ready is False, in full; absent while Ready is True.")
    next_refresh_time: Annotated[str | None, _TIME] = Field(
        None, description="When values that expire are made anew, where that is before the refresh interval is over."
    )
    synced_own_version: str | None = Field(
        None,
        description="As syncedResourceVersion, without the labels and annotations that tools write for themselves.",
    )


COLUMNS = (
    PrinterColumn("StoreType", ".spec.secretStoreRef.kind"),
    PrinterColumn("Store", ".spec.secretStoreRef.name"),
    PrinterColumn("Refresh Interval", ".spec.refreshInterval"),
    PrinterColumn("Status", '.status.conditions[?(@.type=="Ready")].reason'),
    PrinterColumn("Ready", '.status.conditions[?(@.type=="Ready")].status'),
    PrinterColumn("Last Sync", ".status.refreshTime", type="date"),
)


class ExternalSecret(
    Resource,
    group="external-secrets.io",
    version="v1",
    short_names=("es",),
    categories=("external-secrets",),
    status_subresource=True,
    printer_columns=COLUMNS,
    # Not .spec.refreshInterval, which the original has: a field that may be a number or text cannot be selectable.
    selectable_fields=(".spec.secretStoreRef.name", ".spec.secretStoreRef.kind", ".spec.target.name"),
):
    """Keeps one Secret in step with values in stores."""

    spec: ExternalSecretSpec | None = Field(None, description="What the Secret holds and where it comes from.")
    status: ExternalSecretStatus | None = Field(None, description="What happened last.")
