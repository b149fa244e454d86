"""The entries of metadata.managedFields: reading them, and writing them in the server's order."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from eso_core.testing.apiserver.managedfields import fieldset
from eso_core.testing.apiserver.managedfields.fieldset import Node
from eso_core.testing.apiserver.schema import gotext

__all__ = ["APPLY", "MAX_UPDATERS", "UPDATE", "Entry", "Managed", "Manager", "merge_oldest", "parse", "render"]

JsonObject = dict[str, Any]

APPLY: Final = "Apply"
UPDATE: Final = "Update"
MAX_UPDATERS: Final = 10
"""More Update entries than this are merged, oldest first, into entries of the manager ``ancient-changes``."""
_ANCIENT: Final = "ancient-changes"


@dataclass(frozen=True, slots=True)
class Manager:
    """Who owns fields. Entries of appliers count as the same in all API versions, so theirs is empty here."""

    name: str
    operation: str
    api_version: str
    subresource: str

    def shown(self) -> str:
        """The manager as conflicts name it."""
        text = gotext.quote(self.name)
        if self.subresource:
            text += f" with subresource {gotext.quote(self.subresource)}"
        if self.operation == UPDATE:
            text += f" using {self.api_version}"
        return text

    def sort_key(self) -> str:
        """Orders managers as their JSON does, which is how conflicts are grouped."""
        parts = {"manager": self.name, "operation": self.operation}
        if self.api_version:
            parts["apiVersion"] = self.api_version
        if self.subresource:
            parts["subresource"] = self.subresource
        return json.dumps(parts, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Entry:
    """What one manager owns. ``time`` is as in the object; empty when there is none."""

    fields: Node
    api_version: str
    time: str


Managed = dict[Manager, Entry]


def parse(raw: Any, *, trusted: bool = False) -> Managed | None:
    """The entries of an object; None when they cannot be read. ``trusted`` ones were written by `render`."""
    if raw is None:
        return {}
    if not isinstance(raw, list):
        return None
    managed: Managed = {}
    for item in raw:
        if not isinstance(item, dict) or item.get("fieldsType") != "FieldsV1":
            return None
        operation = item.get("operation")
        if operation not in (APPLY, UPDATE):
            return None
        api_version = item.get("apiVersion") or ""
        if not api_version:
            return None
        fields = item.get("fieldsV1")
        if fields is not None and not trusted and not fieldset.valid(fields):
            return None
        version = api_version if operation == UPDATE else ""
        manager = Manager(item.get("manager") or "", operation, version, item.get("subresource") or "")
        if fields:
            managed[manager] = Entry(fields, api_version, item.get("time") or "")
    return managed


def render(managed: Managed) -> list[JsonObject]:
    """The entries as they stand in an object: appliers first, then by time and name."""
    ordered = sorted(
        managed.items(),
        key=lambda pair: (
            pair[0].operation,
            pair[1].time,
            pair[0].name,
            pair[1].api_version,
            pair[0].subresource,
        ),
    )
    return [_render(manager, entry) for manager, entry in ordered]


def _render(manager: Manager, entry: Entry) -> JsonObject:
    rendered: JsonObject = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": entry.api_version,
    }
    if entry.time:
        rendered["time"] = entry.time
    rendered["fieldsType"] = "FieldsV1"
    rendered["fieldsV1"] = entry.fields
    if manager.subresource:
        rendered["subresource"] = manager.subresource
    return rendered


def merge_oldest(managed: Managed) -> Managed:
    """The entries with the oldest Update entries merged until there are at most `MAX_UPDATERS`.

    Entries of one API version are merged into one; an entry that is alone in its version stays as it is.
    """
    updaters = [manager for manager in managed if manager.operation == UPDATE]
    excess = len(updaters) - MAX_UPDATERS
    if excess <= 0:
        return managed
    updaters.sort(key=lambda manager: (managed[manager].time, manager.sort_key()))
    merged = dict(managed)
    first_of: dict[str, Manager] = {}
    for manager in updaters:
        if excess <= 0:
            break
        entry = merged[manager]
        first = first_of.setdefault(entry.api_version, manager)
        if first is manager:
            continue
        bucket = Manager(_ANCIENT, UPDATE, entry.api_version, "")
        if bucket not in merged:
            merged[bucket] = merged.pop(first)
        fields = fieldset.union(entry.fields, merged[bucket].fields)
        # The entry merged last is the youngest: its time tells how far the merged history reaches.
        if manager != bucket:
            del merged[manager]
        merged[bucket] = Entry(fields, entry.api_version, entry.time)
        excess -= 1
    return merged
