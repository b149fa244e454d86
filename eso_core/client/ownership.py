"""Reading and repairing ``metadata.managedFields``: who owns which field of an object."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from eso_core.client.patch import JsonPatch
from eso_core.meta.gvk import JsonObject

__all__ = ["csa_upgrade", "extract"]


def extract(obj: JsonObject, owner: str, subresource: str = "") -> JsonObject | None:
    """What a field manager applied: the part of the object that it owns through server-side apply.

    The result can be changed and applied again without losing fields.

    Args:
        owner: The field manager.
        subresource: Look at what was applied there, like ``status``.

    Returns:
        ``None`` when the manager applied nothing.
    """
    metadata = obj.get("metadata") or {}
    for entry in metadata.get("managedFields") or ():
        if (
            entry.get("manager") == owner
            and entry.get("operation") == "Apply"
            and (entry.get("subresource") or "") == subresource
        ):
            picked = _pick(obj, entry.get("fieldsV1") or {})
            found: JsonObject = picked if isinstance(picked, dict) else {}
            found["apiVersion"] = entry.get("apiVersion") or obj.get("apiVersion")
            found["kind"] = obj.get("kind")
            identity = {key: metadata[key] for key in ("name", "namespace") if metadata.get(key)}
            found["metadata"] = {**(found.get("metadata") or {}), **identity}
            return found
    return None


def csa_upgrade(obj: JsonObject, old_managers: Iterable[str], new_manager: str) -> JsonPatch | None:
    """A patch that turns the fields that ``old_managers`` own by updates into fields applied by ``new_manager``.

    Without it, fields that a program wrote with updates before it changed to apply stay when it stops applying them. The
    patch tests the resource version.

    Returns:
        ``None`` when there is nothing to change.

    Raises:
        ValueError: The object has no resource version.
    """
    metadata = obj.get("metadata") or {}
    old = set(old_managers)
    entries: list[JsonObject] = list(metadata.get("managedFields") or ())
    updates = [
        e for e in entries if e.get("operation") == "Update" and e.get("manager") in old and not e.get("subresource")
    ]
    if not updates:
        return None
    version = metadata.get("resourceVersion")
    if not version:
        raise ValueError(
            f"changing owners of {metadata.get('name')}: it has no resourceVersion: read it from the server"
        )
    applied = next(
        (
            e
            for e in entries
            if e.get("operation") == "Apply" and e.get("manager") == new_manager and not e.get("subresource")
        ),
        None,
    )
    merged: JsonObject = dict(applied) if applied is not None else dict(updates[0])
    merged["manager"], merged["operation"] = new_manager, "Apply"
    fields: JsonObject = {}
    for entry in ([applied] if applied is not None else []) + updates:
        fields = _union(fields, entry.get("fieldsV1") or {})
    merged["fieldsV1"] = fields
    kept = [e for e in entries if e is not applied and not any(e is u for u in updates)]
    return JsonPatch(
        [
            {"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "replace", "path": "/metadata/managedFields", "value": [merged, *kept]},
        ]
    )


def _pick(value: Any, fields: JsonObject) -> Any:
    """The part of a value that a set of fields names; a leaf (nothing below) names the whole value."""
    inner = {key: sub for key, sub in fields.items() if key != "."}
    if not inner:
        # "." alone owns the container, not what others put into it.
        if "." in fields:
            return {} if isinstance(value, dict) else [] if isinstance(value, list) else value
        return value
    if isinstance(value, dict):
        return {
            key[2:]: _pick(value[key[2:]], sub)
            for key, sub in inner.items()
            if key.startswith("f:") and key[2:] in value
        }
    if isinstance(value, list):
        return [picked for item in value for picked in _pick_item(item, value, inner)]
    return value


def _pick_item(item: Any, items: list[Any], fields: JsonObject) -> list[Any]:
    for key, sub in fields.items():
        if key.startswith("k:"):
            wanted = json.loads(key[2:])
            if isinstance(item, dict) and all(item.get(name) == expected for name, expected in wanted.items()):
                # The keys belong to the entry even where the set names only what lies below.
                return [{**wanted, **_pick(item, sub)}] if sub else [item]
        elif key.startswith("v:"):
            if json.loads(key[2:]) == item:
                return [item]
        elif key.startswith("i:") and items.index(item) == int(key[2:]):
            return [_pick(item, sub)]
    return []


def _union(a: JsonObject, b: JsonObject) -> JsonObject:
    merged = dict(a)
    for key, value in b.items():
        merged[key] = _union(merged[key], value) if key in merged else value
    return merged
