"""A PushSecret, read: plain values in place of the JSON object, defaults filled in. Pure.

Objects are read one by one when their turn comes, so one that is written badly does not hide the others.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from msgspec import Struct

from controllers.externalsecret.decide import DEFAULT_INTERVAL, due_at
from controllers.externalsecret.keys import RegexpRule, TransformRule
from controllers.externalsecret.names import own_version, sync_version
from controllers.pushsecret.errors import NO_SOURCE, InvalidField
from controllers.secretstore.objects import STORE_KIND
from eso_core.meta import GVK, JsonObject, LabelSelector, ObjectKey, parse_duration, parse_time
from eso_core.meta.errors import SelectorError

__all__ = [
    "FINALIZER",
    "PUSH_SECRET",
    "DataEntry",
    "DataTo",
    "Due",
    "GeneratorSource",
    "KeyRule",
    "NamedSource",
    "PushPlan",
    "SelectedSource",
    "Source",
    "StoreChoice",
    "deletes",
    "plan_of",
    "store_choices",
]

PUSH_SECRET: Final = GVK("external-secrets.io", "v1alpha1", "PushSecret")
FINALIZER: Final = "pushsecret.externalsecrets.io/finalizer"

KeyRule = RegexpRule | TransformRule


class StoreChoice(Struct, frozen=True):
    """One entry of `secretStoreRefs`, or the `storeRef` of a `dataTo`: a name, or a selector that wins over it."""

    kind: str
    name: str = ""
    selector: LabelSelector | None = None


class NamedSource(Struct, frozen=True):
    """`selector.secret.name`."""

    name: str


class SelectedSource(Struct, frozen=True):
    """`selector.secret.selector`."""

    selector: LabelSelector


class GeneratorSource(Struct, frozen=True):
    """`selector.generatorRef`, as written."""

    ref: JsonObject


Source = NamedSource | SelectedSource | GeneratorSource


class DataEntry(Struct, frozen=True):
    """What goes to one place of a store.

    Attributes:
        secret_key: Key of the (converted) Secret; empty for all of it.
        remote_key, property: Where it goes.
        conversion: `None` or `ReverseUnicode`.
        metadata: For the backend.
        keys: Which keys a whole Secret is restricted to; None for no restriction.
    """

    secret_key: str
    remote_key: str
    property: str = ""
    conversion: str = "None"
    metadata: JsonObject | None = None
    keys: frozenset[str] | None = None

    @builtins.property  # the field above hides the decorator's name
    def place(self) -> str:
        """The name under which the status records it."""
        return f"{self.remote_key}/{self.property}" if self.property else self.remote_key


class DataTo(Struct, frozen=True):
    """One entry of `dataTo`."""

    index: int
    store: StoreChoice
    pattern: str | None
    remote_key: str
    rewrite: tuple[KeyRule, ...]
    conversion: str
    metadata: JsonObject | None


class Due(Struct, frozen=True):
    """When the object is to be looked at.

    Attributes:
        interval: Seconds between comparisons with the stores; zero and below mean never.
        synced: `status.syncedResourceVersion`, empty before the first success.
        current: The sync version of the object as it is.
        refresh_time: Start of the last success.
        uid: Decides this object's share of jitter.
        own: `current` without the metadata that tools write for themselves; empty where that counts as a change like any other.
        synced_own: The `own` of the last success, empty if it was the same as `synced`.
        expires: When values have to be made anew, whatever the interval: they do not last longer.
    """

    interval: float
    synced: str
    current: str
    refresh_time: datetime | None
    uid: str
    own: str = ""
    synced_own: str = ""
    expires: datetime | None = None

    def now(self, now: datetime) -> bool:
        """Whether values have to be pushed, whatever the sources and stores say."""
        if self.synced != self.current and not (self.own and self.own == (self.synced_own or self.synced)):
            return True
        if self.interval <= 0 and self.synced:
            return False
        if self.refresh_time is None or self.refresh_time > now:
            return True
        return now >= self._at(self.refresh_time)

    def wait(self, now: datetime) -> float | None:
        """Seconds until the next comparison is due; None for never."""
        if self.interval <= 0:
            return None
        if self.refresh_time is None:
            return self.interval
        return max(0.0, (self._at(self.refresh_time) - now).total_seconds())

    def _at(self, refresh_time: datetime) -> datetime:
        due = due_at(refresh_time, self.interval, self.uid)
        return due if self.expires is None else min(due, self.expires)

    @property
    def retry(self) -> float:
        """Seconds until a failure that back-off cannot heal is tried again."""
        return self.interval if self.interval > 0 else DEFAULT_INTERVAL


@dataclass(frozen=True, slots=True)
class PushPlan:
    """What a PushSecret asks for.

    Attributes:
        key: The object.
        due: When to look at it.
        stores: `secretStoreRefs`.
        source: Where the values come from.
        data, data_to: What goes where.
        template: As written; None without one.
        if_not_exists: Leave alone what is there.
        deletes: Remove what was pushed and no longer is.
    """

    key: ObjectKey
    due: Due
    stores: tuple[StoreChoice, ...]
    source: Source
    data: tuple[DataEntry, ...]
    data_to: tuple[DataTo, ...]
    template: JsonObject | None
    if_not_exists: bool
    deletes: bool
    status: JsonObject = field(repr=False)


def deletes(obj: JsonObject) -> bool:
    """Whether `deletionPolicy` is Delete."""
    return (obj.get("spec") or {}).get("deletionPolicy") == "Delete"


def store_choices(obj: JsonObject) -> list[StoreChoice]:
    """What `secretStoreRefs` names; entries that cannot be read are left out."""
    found = []
    for entry in (obj.get("spec") or {}).get("secretStoreRefs") or ():
        try:
            found.append(_choice(entry, ""))
        except InvalidField:
            continue
    return found


def plan_of(obj: JsonObject) -> PushPlan:
    """Read an object.

    Raises:
        InvalidField: a field cannot be read; the text names it.
    """
    metadata, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    generation = int(metadata.get("generation") or 0)
    labels, annotations = metadata.get("labels"), metadata.get("annotations")
    source = _source(spec.get("selector") or {})
    made = isinstance(source, GeneratorSource)
    due = Due(
        interval=_interval(spec.get("refreshInterval")),
        synced=status.get("syncedResourceVersion") or "",
        current=sync_version(generation, labels, annotations),
        refresh_time=_time(status.get("refreshTime")),
        uid=metadata.get("uid") or "",
        # Values of a generator are new at every push: a tool's note to itself must not change passwords.
        own=own_version(generation, labels, annotations) if made else "",
        synced_own=status.get("syncedOwnVersion") or "",
        expires=_time(status.get("nextRefreshTime")) if made else None,
    )
    stores = tuple(
        _choice(entry, f"spec.secretStoreRefs[{index}]")
        for index, entry in enumerate(spec.get("secretStoreRefs") or ())
    )
    return PushPlan(
        key=ObjectKey(metadata.get("namespace") or "", metadata["name"]),
        due=due,
        stores=stores,
        source=source,
        data=tuple(_data_entry(entry) for entry in spec.get("data") or ()),
        data_to=tuple(_data_to(index, entry, stores) for index, entry in enumerate(spec.get("dataTo") or ())),
        template=spec.get("template"),
        if_not_exists=spec.get("updatePolicy") == "IfNotExists",
        deletes=deletes(obj),
        status=status,
    )


def _interval(value: object) -> float:
    if value is None or value == "":
        return DEFAULT_INTERVAL
    try:
        # A number can only be zero: the schema of the original knows text alone, and 0 is what tutorials write.
        return parse_duration(value if isinstance(value, str) else str(value))
    except ValueError as error:
        raise InvalidField(f"spec.refreshInterval: {error}: write it like 30s, 15m or 1h30m") from error


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        return parse_time(value)
    except ValueError:
        return None  # written by something else than an operator: as if nothing had been pushed


def _selector(value: JsonObject, path: str) -> LabelSelector:
    try:
        return LabelSelector.from_object(value)
    except SelectorError as error:
        raise InvalidField(f"{path}: {error}") from error


def _choice(entry: JsonObject, path: str) -> StoreChoice:
    kind = entry.get("kind") or STORE_KIND
    selector = entry.get("labelSelector")
    if selector is not None:
        return StoreChoice(kind, entry.get("name") or "", _selector(selector, f"{path}.labelSelector"))
    name = entry.get("name") or ""
    if not name:
        text = "refStore Name must be provided"
        raise InvalidField(text, detail=f"{path}: {text}, or a labelSelector")
    return StoreChoice(kind, name)


def _source(selector: JsonObject) -> Source:
    secret = selector.get("secret") or {}
    if secret.get("name"):
        return NamedSource(secret["name"])
    if (generator := selector.get("generatorRef")) is not None:
        return GeneratorSource(generator)
    try:
        if (labels := secret.get("selector")) is not None:
            return SelectedSource(_selector(labels, "spec.selector.secret.selector"))
        raise InvalidField(
            "spec.selector: no secret selector provided: set secret.name, secret.selector or generatorRef"
        )
    except InvalidField as error:
        raise InvalidField(NO_SOURCE, detail=f"{NO_SOURCE}: {error}") from None


def _data_entry(entry: JsonObject) -> DataEntry:
    match = entry.get("match") or {}
    ref = match.get("remoteRef") or {}
    return DataEntry(
        secret_key=match.get("secretKey") or "",
        remote_key=ref.get("remoteKey") or "",
        property=ref.get("property") or "",
        conversion=entry.get("conversionStrategy") or "None",
        metadata=entry.get("metadata"),
    )


def _data_to(index: int, entry: JsonObject, stores: tuple[StoreChoice, ...]) -> DataTo:
    path = f"dataTo[{index}]"
    ref = entry.get("storeRef")
    if ref is None:
        raise InvalidField(f"{path}: storeRef is required")
    if not ref.get("name") and ref.get("labelSelector") is None:
        raise InvalidField(f"{path}: storeRef must have name or labelSelector")
    store = _choice(ref, f"{path}.storeRef")
    if store.selector is None and StoreChoice(store.kind, store.name) not in stores:
        raise InvalidField(f'{path}: storeRef "{store.name}" not found in secretStoreRefs')
    return DataTo(
        index=index,
        store=store,
        pattern=(entry.get("match") or {}).get("regexp") or None,
        remote_key=entry.get("remoteKey") or "",
        rewrite=tuple(_rules(entry.get("rewrite") or (), f"{path}.rewrite")),
        conversion=entry.get("conversionStrategy") or "None",
        metadata=entry.get("metadata"),
    )


def _rules(rules: list[JsonObject] | tuple[()], path: str) -> Iterator[KeyRule]:
    for index, rule in enumerate(rules):
        if (regexp := rule.get("regexp")) is not None:
            yield RegexpRule(regexp.get("source") or "", regexp.get("target") or "")
        elif (template := rule.get("transform")) is not None:
            yield TransformRule(template.get("template") or "")
        else:
            raise InvalidField(f"{path}[{index}]: exactly one of regexp and transform must be set")
