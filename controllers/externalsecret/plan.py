"""What an ExternalSecret asks for, read once: references, entries, policies, durations in seconds.

The object is read as plain JSON. The API server's schema guarantees its shape, but not that durations and schedules can
be read; those fail here, one object at a time and with the path of the field.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from msgspec import Struct

from controllers.externalsecret.decide import DEFAULT_INTERVAL, RefreshFacts
from controllers.externalsecret.errors import InvalidField
from controllers.externalsecret.keys import RegexpRule, RewriteRule, TransformRule
from controllers.externalsecret.merge import MergeRule
from controllers.externalsecret.names import own_version, sync_version
from controllers.externalsecret.render import Owner, TargetPolicy
from controllers.externalsecret.windows import SyncWindows
from controllers.generating.references import GeneratorRef
from controllers.secretstore.access import StoreRef
from controllers.secretstore.objects import STORE_KIND
from eso_core.meta import JsonObject, ObjectKey, parse_duration, parse_time
from providers.interface import Find, MetadataPolicy, RemoteRef

__all__ = [
    "DataEntry",
    "Entry",
    "ExtractEntry",
    "FindEntry",
    "GeneratorEntry",
    "GeneratorRef",
    "Plan",
    "Treatment",
    "plan_of",
    "store_refs",
    "target_name",
]


class Treatment(Struct, frozen=True):
    """What is done to fetched keys and values; empty strings stand for absent strategies."""

    conversion: str = ""
    decoding: str = ""
    nul_policy: str = ""
    rewrite: tuple[RewriteRule, ...] = ()


class DataEntry(Struct, frozen=True):
    """An entry of `spec.data`: one value under one key."""

    index: int
    secret_key: str
    ref: RemoteRef
    store: StoreRef
    treatment: Treatment
    optional: bool = False

    @property
    def title(self) -> str:
        """The entry as conditions name it."""
        return f"{self.secret_key} (key: {self.ref.key})"

    @property
    def label(self) -> str:
        """The entry as error texts name it."""
        return f"spec.data[{self.index}] (key: {self.ref.key})"

    @property
    def missing(self) -> str:
        """The entry as the event about a missing secret names it (the original's wording, also for data)."""
        return f"spec.dataFrom[{self.index}] (key={self.ref.key})"


class ExtractEntry(Struct, frozen=True):
    """An entry of `spec.dataFrom` with `extract`: the members of one secret."""

    index: int
    ref: RemoteRef
    store: StoreRef
    treatment: Treatment
    optional: bool = False

    @property
    def label(self) -> str:
        """The entry as error texts name it."""
        return f"spec.dataFrom[{self.index}].extract"

    @property
    def title(self) -> str:
        """The entry as conditions name it."""
        return self.label

    @property
    def missing(self) -> str:
        """The entry as the event about a missing secret names it."""
        return f"spec.dataFrom[{self.index}]"


class FindEntry(Struct, frozen=True):
    """An entry of `spec.dataFrom` with `find`: all secrets that match."""

    index: int
    find: Find
    store: StoreRef
    treatment: Treatment
    optional: bool = False

    @property
    def label(self) -> str:
        """The entry as error texts name it."""
        return f"spec.dataFrom[{self.index}].find"

    @property
    def title(self) -> str:
        """The entry as conditions name it."""
        return self.label

    @property
    def missing(self) -> str:
        """The entry as the event about a missing secret names it."""
        return f"spec.dataFrom[{self.index}]"


class GeneratorEntry(Struct, frozen=True):
    """An entry of `spec.dataFrom` with a generator: freshly made values."""

    index: int
    ref: GeneratorRef
    treatment: Treatment
    optional: bool = False

    @property
    def label(self) -> str:
        """The entry as error texts name it."""
        return f"spec.dataFrom[{self.index}].sourceRef.generatorRef"

    @property
    def title(self) -> str:
        """The entry as conditions name it."""
        return self.label

    @property
    def missing(self) -> str:
        """The entry as the event about a missing secret names it."""
        return f"spec.dataFrom[{self.index}]"


Entry = DataEntry | ExtractEntry | FindEntry | GeneratorEntry


@dataclass(frozen=True)
class Plan:
    """One ExternalSecret, read. What only a sync needs is read when it is asked for: most looks at an object find nothing to do.

    Attributes:
        owner: What the target inherits from it.
        generation: `metadata.generation`.
        target: The parts of `spec.target` that shape the Secret.
        deletion_policy: `Retain`, `Delete` or `Merge`.
        template: `spec.target.template` as it is in the object, None without one.
        manifest: `spec.target.manifest` as it is in the object, None for a Secret.
        refresh: What the refresh decision rests on.
        spec: `spec` as it is in the object.
    """

    owner: Owner
    generation: int
    target: TargetPolicy
    deletion_policy: str
    template: JsonObject | None
    manifest: JsonObject | None
    refresh: RefreshFacts
    spec: JsonObject = field(repr=False, compare=False)

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """All entries in the order in which later ones win."""
        default = _store_ref(self.spec.get("secretStoreRef"))
        return (
            *_from_entries(self.spec.get("dataFrom") or (), default),
            *_data_entries(self.spec.get("data") or (), default),
        )

    @property
    def stores(self) -> tuple[StoreRef, ...]:
        """Stores that the object names, for the controller class; each once."""
        return tuple(dict.fromkeys(_store_refs_of(self.spec)))

    @property
    def generators(self) -> tuple[GeneratorRef, ...]:
        """Generators that the object names, each once."""
        return tuple(dict.fromkeys(entry.ref for entry in self.entries if isinstance(entry, GeneratorEntry)))

    @cached_property
    def key(self) -> ObjectKey:
        """Namespace and name of the ExternalSecret."""
        return ObjectKey(self.owner.namespace, self.owner.name)

    @property
    def target_key(self) -> ObjectKey:
        """Namespace and name of its target."""
        return ObjectKey(self.owner.namespace, self.target.name)

    @property
    def transforms(self) -> bool:
        """Whether a rewrite uses a template."""
        return any(isinstance(rule, TransformRule) for entry in self.entries for rule in entry.treatment.rewrite)


def plan_of(obj: JsonObject) -> Plan:
    """Read an ExternalSecret.

    Raises:
        InvalidField: a duration cannot be read; names the field.
    """
    metadata = obj["metadata"]
    spec = obj.get("spec") or {}
    target = spec.get("target") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    owner = Owner(metadata["namespace"], metadata["name"], metadata.get("uid") or "", labels, annotations)
    generation = int(metadata.get("generation") or 0)
    return Plan(
        owner=owner,
        generation=generation,
        target=TargetPolicy(
            name=target.get("name") or owner.name,
            creation=target.get("creationPolicy") or "Owner",
            immutable=bool(target.get("immutable")),
        ),
        deletion_policy=target.get("deletionPolicy") or "Retain",
        template=target.get("template"),
        manifest=target.get("manifest"),
        refresh=_refresh_facts(obj, spec, generation, owner),
        spec=spec,
    )


def target_name(obj: JsonObject) -> str:
    """Name of the target of an ExternalSecret."""
    target = (obj.get("spec") or {}).get("target") or {}
    name: str = target.get("name") or obj["metadata"]["name"]
    return name


def store_refs(obj: JsonObject) -> Iterator[StoreRef]:
    """Every store that an ExternalSecret names, in the order in which the spec does."""
    return _store_refs_of(obj.get("spec") or {})


def _store_refs_of(spec: JsonObject) -> Iterator[StoreRef]:
    if (ref := _store_ref(spec.get("secretStoreRef"))) is not None:
        yield ref
    for entries in (spec.get("data"), spec.get("dataFrom")):
        for entry in entries or ():
            if (source := entry.get("sourceRef")) and (ref := _store_ref(source.get("storeRef"))) is not None:
                yield ref


def _store_ref(value: JsonObject | None) -> StoreRef | None:
    if not value or not value.get("name"):
        return None
    return StoreRef(value.get("kind") or STORE_KIND, value["name"])


def _named_store(value: JsonObject) -> StoreRef:
    """The store of an entry's own source; without a name its look-up fails with the text that users know."""
    return StoreRef(value.get("kind") or STORE_KIND, value.get("name") or "")


def _refresh_facts(obj: JsonObject, spec: JsonObject, generation: int, owner: Owner) -> RefreshFacts:
    status = obj.get("status") or {}
    windows = spec.get("syncWindows")
    return RefreshFacts(
        policy=spec.get("refreshPolicy") or "",
        interval=_interval(spec.get("refreshInterval")),
        synced=status.get("syncedResourceVersion") or "",
        current=sync_version(generation, owner.labels, owner.annotations),
        refresh_time=_time(status.get("refreshTime")),
        uid=owner.uid,
        windows=_windows(windows) if windows else None,
        # Values of generators are new at every refresh: a tool's note to itself must not change passwords.
        own=own_version(generation, owner.labels, owner.annotations) if _makes_values(spec) else "",
        synced_own=status.get("syncedOwnVersion") or "",
        expires=_time(status.get("nextRefreshTime")),
    )


def _makes_values(spec: JsonObject) -> bool:
    return any((entry.get("sourceRef") or {}).get("generatorRef") for entry in spec.get("dataFrom") or ())


def _interval(value: object) -> float:
    if value is None:
        return DEFAULT_INTERVAL
    # A number can only be zero: the schema of the original knows text alone, and 0 is what tutorials write.
    text = value if isinstance(value, str) else str(value)
    return _duration(text, "spec.refreshInterval")


def _windows(value: JsonObject) -> SyncWindows:
    entries = [
        (
            entry.get("schedule") or "",
            _duration(entry.get("duration") or "", f"spec.syncWindows.windows[{index}].duration"),
        )
        for index, entry in enumerate(value.get("windows") or ())
    ]
    return SyncWindows.build(value.get("kind") or "", entries)


def _duration(text: str, path: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InvalidField(path, f"{error}: write it like 30s, 15m or 1h30m") from error


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        return parse_time(value)
    except ValueError:
        return None  # written by something else than an operator: as if there had been no sync


def _data_entries(entries: Sequence[JsonObject], default: StoreRef | None) -> Iterator[DataEntry]:
    for index, entry in enumerate(entries):
        ref = entry.get("remoteRef") or {}
        source = entry.get("sourceRef")
        # A source takes the place of the default store whatever it holds: a generator gives no single value.
        store = default if source is None else _named_store(source.get("storeRef") or {})
        yield DataEntry(
            index=index,
            secret_key=entry.get("secretKey") or "",
            ref=_remote_ref(ref),
            # Without any reference the look-up of the empty name fails with the text that users know.
            store=store or StoreRef(STORE_KIND, ""),
            treatment=_treatment(ref, ()),
            optional=bool(entry.get("optional")),
        )


def _from_entries(entries: Sequence[JsonObject], default: StoreRef | None) -> Iterator[Entry]:
    for index, entry in enumerate(entries):
        source = entry.get("sourceRef") or {}
        named = source.get("storeRef")
        store = (default if named is None else _named_store(named)) or StoreRef(STORE_KIND, "")
        rewrite = entry.get("rewrite") or ()
        if (find := entry.get("find")) is not None:
            name = find.get("name") or {}
            yield FindEntry(
                index=index,
                find=Find(
                    path=find.get("path"),
                    name_regexp=name.get("regexp"),
                    tags=find.get("tags"),
                    conversion_strategy=find.get("conversionStrategy") or "",
                ),
                store=store,
                treatment=_treatment(find, rewrite),
                optional=bool(entry.get("optional")),
            )
        elif (extract := entry.get("extract")) is not None:
            optional = bool(entry.get("optional"))
            yield ExtractEntry(index, _remote_ref(extract), store, _treatment(extract, rewrite), optional)
        elif (generator := source.get("generatorRef")) is not None:
            yield GeneratorEntry(index, GeneratorRef.of(generator), _treatment({}, rewrite))
        # An entry with a store alone contributes nothing and is no error.


def _remote_ref(ref: JsonObject) -> RemoteRef:
    return RemoteRef(
        key=ref.get("key") or "",
        property=ref.get("property") or "",
        version=ref.get("version") or "",
        metadata_policy=MetadataPolicy(ref.get("metadataPolicy") or "None"),
    )


def _treatment(ref: JsonObject, rewrite: Sequence[JsonObject]) -> Treatment:
    return Treatment(
        conversion=ref.get("conversionStrategy") or "",
        decoding=ref.get("decodingStrategy") or "",
        nul_policy=ref.get("nullBytePolicy") or "",
        rewrite=tuple(_rewrite_rule(rule) for rule in rewrite),
    )


def _rewrite_rule(rule: JsonObject) -> RewriteRule:
    if (merge := rule.get("merge")) is not None:
        return MergeRule(
            into=merge.get("into") or "",
            priority=tuple(merge.get("priority") or ()),
            priority_policy=merge.get("priorityPolicy") or "Strict",
            conflict_policy=merge.get("conflictPolicy") or "Error",
            strategy=merge.get("strategy") or "Extract",
        )
    if (regexp := rule.get("regexp")) is not None:
        return RegexpRule(regexp.get("source") or "", regexp.get("target") or "")
    return TransformRule((rule.get("transform") or {}).get("template") or "")
