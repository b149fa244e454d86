"""How ownership changes when an object does: the rule that updates and applies share."""

from __future__ import annotations

from eso_core.testing.apiserver.managedfields import fieldset
from eso_core.testing.apiserver.managedfields.entries import Entry, Managed, Manager
from eso_core.testing.apiserver.managedfields.fieldset import Node
from eso_core.testing.apiserver.managedfields.typed import Comparison

__all__ = ["conflicts", "without_changed"]


def conflicts(managed: Managed, change: Comparison, actor: Manager) -> dict[Manager, Node]:
    """What others own of the fields that ``actor`` sets to new values."""
    changed = fieldset.union(change.modified, change.added)
    if not changed:
        return {}
    found = {}
    for manager, entry in managed.items():
        if manager != actor:
            common = fieldset.intersection(entry.fields, changed)
            if common:
                found[manager] = common
    return found


def without_changed(managed: Managed, change: Comparison, keep: Manager | None) -> Managed:
    """The entries after a change that all but ``keep`` lose the changed fields to; empty ones are gone."""
    lost = fieldset.union(fieldset.union(change.modified, change.added), change.removed)
    if not lost:
        return managed
    remaining: Managed = {}
    for manager, entry in managed.items():
        if manager == keep:
            remaining[manager] = entry
            continue
        fields = fieldset.difference(entry.fields, lost)
        if fields is entry.fields or fields == entry.fields:
            remaining[manager] = entry
        elif fields:
            remaining[manager] = Entry(fields, entry.api_version, entry.time)
    return remaining
