"""What was written: `status.syncedPushSecrets`, by store and place, and what of it has to go again. Pure.

A record means "this PushSecret wrote it": only what is recorded is ever deleted. What deletionPolicy None left behind is
kept apart, in `status.retainedPushSecrets`, so that a later change to Delete can still remove it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from controllers.pushsecret.plan import DataEntry
from controllers.secretstore.access import StoreRef
from controllers.secretstore.objects import CLUSTER_STORE_KIND, STORE_KIND
from eso_core.meta import JsonObject
from providers.interface import RemoteRef

__all__ = [
    "RETAINED",
    "SYNCED",
    "Records",
    "Stale",
    "is_empty",
    "merged",
    "record_of",
    "recorded",
    "remote_ref",
    "stale",
    "store_name",
    "store_of",
    "without",
]

SYNCED: Final = "syncedPushSecrets"
RETAINED: Final = "retainedPushSecrets"

Records = dict[str, dict[str, JsonObject]]
"""Entries by `Kind/name` of the store, then by place."""


class Stale(Struct, frozen=True):
    """A record whose value has to go.

    Attributes:
        store: `Kind/name`.
        place: Its key in the records of the store.
        ref: What to delete.
        covered: Its remote key is still written to, so deleting it would take away what is wanted.
    """

    store: str
    place: str
    ref: RemoteRef
    covered: bool


def store_name(kind: str, name: str) -> str:
    """How the status calls a store."""
    return f"{kind}/{name}"


def store_of(recorded_name: str) -> StoreRef | None:
    """The store that a status means; None for a text that names none."""
    kind, slash, name = recorded_name.partition("/")
    return StoreRef(kind, name) if slash and name and kind in (STORE_KIND, CLUSTER_STORE_KIND) else None


def record_of(entry: DataEntry) -> JsonObject:
    """An entry as the status holds it."""
    ref: JsonObject = {"remoteKey": entry.remote_key}
    if entry.property:
        ref["property"] = entry.property
    match: JsonObject = {"remoteRef": ref}
    if entry.secret_key:
        match["secretKey"] = entry.secret_key
    record: JsonObject = {"match": match, "conversionStrategy": entry.conversion}
    if entry.metadata is not None:
        # A merge patch cannot write null; nothing reads metadata back from here.
        record["metadata"] = _without_nulls(entry.metadata)
    return record


def recorded(status: Mapping[str, Any], field: str = SYNCED) -> Records:
    """A copy of the records of a status; what has not the form of one is left out."""
    return {
        store: {place: entry for place, entry in entries.items() if isinstance(entry, dict)}
        for store, entries in (status.get(field) or {}).items()
        if isinstance(entries, dict)
    }


def is_empty(records: Records) -> bool:
    """Whether nothing is recorded for any store."""
    return not any(records.values())


def merged(*parts: Records) -> Records:
    """All records together; later parts win."""
    made: Records = {}
    for part in parts:
        for store, entries in part.items():
            made.setdefault(store, {}).update(entries)
    return made


def without(records: Records, gone: Records) -> Records:
    """The records whose places `gone` does not have; stores without any are left out."""
    kept = {
        store: {place: entry for place, entry in entries.items() if place not in gone.get(store, {})}
        for store, entries in records.items()
    }
    return {store: entries for store, entries in kept.items() if entries}


def stale(before: Records, now: Records) -> Iterator[Stale]:
    """What was written before and is not now."""
    for store, entries in before.items():
        current = now.get(store, {})
        refs = [remote_ref(entry) for entry in current.values()]
        written = {ref.key for ref in refs}
        whole = {ref.key for ref in refs if not ref.property}
        for place, entry in entries.items():
            if place in current:
                continue
            ref = remote_ref(entry)
            # A whole value goes while single properties of it stay, or the other way round: what is there now is ours.
            covered = ref.key in (whole if ref.property else written)
            yield Stale(store, place, ref, covered)


def remote_ref(record: JsonObject) -> RemoteRef:
    """The place that an entry or a record of one means."""
    ref = (record.get("match") or {}).get("remoteRef") or {}
    return RemoteRef(
        str(ref.get("remoteKey") or ""), property=str(ref.get("property") or ""), metadata=record.get("metadata")
    )


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
