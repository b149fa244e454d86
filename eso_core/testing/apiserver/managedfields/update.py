"""Ownership after a create, update or patch: the manager owns what it changed, and everyone else loses that."""

from __future__ import annotations

from typing import Any, Final

from eso_core.testing.apiserver.managedfields import fieldset, typed
from eso_core.testing.apiserver.managedfields.atoms import STRIPPED, ObjectSchema, compile_schema
from eso_core.testing.apiserver.managedfields.entries import (
    UPDATE,
    Entry,
    Managed,
    Manager,
    merge_oldest,
    parse,
    render,
)
from eso_core.testing.apiserver.managedfields.fieldset import EMPTY, Node
from eso_core.testing.apiserver.managedfields.ownership import without_changed
from eso_core.testing.apiserver.managedfields.typed import Comparison

__all__ = ["current", "difference_of", "keep_times", "record_update", "updated"]

JsonObject = dict[str, Any]

# Metadata that is never owned: comparing it is a waste.
_UNOWNED: Final = frozenset(
    {
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    }
)


def record_update(
    live: JsonObject | None,
    new: JsonObject,
    *,
    manager: str,
    api_version: str,
    time: str,
    schema: JsonObject,
    subresource: str = "",
    ignored: Node = EMPTY,
) -> JsonObject:
    """The new object with metadata.managedFields brought up to date.

    Args:
        live: the stored object, in the same API version; None on create.
        new: the object about to be stored, with server-set fields filled in.
        manager: name of the manager; empty is ``unknown``.
        time: now, as metadata shows times.
        schema: OpenAPI schema of the kind.
        subresource: through which the object is written, or empty.
        ignored: fields this request cannot change (`fieldset.field_set`); nobody comes to own them through it.

    Returns:
        ``new`` itself when its entries are right already, else a copy with new metadata. Entries that only differ in
        their time keep it when nothing else changed, so that such a write is no change.
    """
    compiled = compile_schema(schema)
    metadata = new["metadata"]
    kept = None if live is None else live["metadata"].get("managedFields")
    sent = None if subresource else metadata.get("managedFields")
    managed = managed_of(kept, sent)
    if not managed and live is not None:
        # Nothing was tracked so far: that stays so until the first apply.
        raw: list[JsonObject] | None = None
    else:
        before = compiled.empty if live is None else live
        change = difference_of(compiled, before, new, ignored)
        if not change and (not sent or sent == kept):
            raw = kept
        else:
            actor = Manager(manager or "unknown", UPDATE, api_version, subresource)
            raw = render(updated(change, managed, actor, api_version, time, compiled))
            if not change and live is not None:
                raw = keep_times(live, new, raw)
    if metadata.get("managedFields") == raw:
        return new
    return {**new, "metadata": _with_entries(metadata, raw)}


def _with_entries(metadata: JsonObject, raw: list[JsonObject] | None) -> JsonObject:
    changed = {key: value for key, value in metadata.items() if key != "managedFields"}
    if raw:
        changed["managedFields"] = raw
    return changed


def managed_of(kept: Any, sent: Any) -> Managed:
    """The entries to start from: those the client sent if they can be read, else those of the live object.

    One empty entry stands for "forget all".
    """
    if sent == [{}]:
        return {}
    if sent and sent != kept:
        managed = parse(sent)
        if managed:
            return managed
    return parse(kept, trusted=True) or {}


def updated(
    change: Comparison, managed: Managed, actor: Manager, api_version: str, time: str, schema: ObjectSchema
) -> Managed:
    """The entries after ``actor`` has made a change."""
    if not change:
        return managed
    managed = without_changed(current(managed, schema), change, keep=None)
    gained = fieldset.difference(fieldset.union(change.modified, change.added), STRIPPED)
    if gained:
        own = managed.get(actor)
        fields = gained if own is None else fieldset.union(gained, own.fields)
        managed[actor] = Entry(fields, api_version, time)
        managed = merge_oldest(managed)
    return managed


def current(managed: Managed, schema: ObjectSchema) -> Managed:
    """The entries as today's schema has it: what is below values that have become atomic is taken together."""
    if schema.builtin is not None:
        return managed
    return {
        manager: Entry(typed.collapse(schema.root, entry.fields), entry.api_version, entry.time)
        for manager, entry in managed.items()
    }


def difference_of(schema: ObjectSchema, live: JsonObject, new: JsonObject, ignored: Node) -> Comparison:
    """The fields in which two objects differ, apart from unowned metadata and ignored fields."""
    change = typed.compare(schema.root, _owned_part(live), _owned_part(new), free=schema.free)
    if ignored and change:
        change.added = fieldset.recursive_difference(change.added, ignored)
        change.removed = fieldset.recursive_difference(change.removed, ignored)
        change.modified = fieldset.recursive_difference(change.modified, ignored)
    return change


def _owned_part(obj: JsonObject) -> JsonObject:
    part = dict(obj)
    part.pop("apiVersion", None)
    part.pop("kind", None)
    metadata = obj.get("metadata")
    if isinstance(metadata, dict):
        part["metadata"] = {key: value for key, value in metadata.items() if key not in _UNOWNED}
    else:
        part["metadata"] = {}
    return part


def keep_times(live: JsonObject, new: JsonObject, raw: list[JsonObject]) -> list[JsonObject]:
    """The entries, or those of the live object when they and the objects differ in nothing but entry times."""
    kept = live.get("metadata", {}).get("managedFields")
    if not kept or len(kept) != len(raw) or kept == raw:
        return raw
    for old, fresh in zip(kept, raw, strict=True):
        if {**old, "time": ""} != {**fresh, "time": ""}:
            return raw
    if {**live, "metadata": _plain(live)} != {**new, "metadata": _plain(new)}:
        return raw
    return list(kept)


def _plain(obj: JsonObject) -> JsonObject:
    return {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
