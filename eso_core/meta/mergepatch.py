"""JSON merge patch (RFC 7386): `apply` a patch to a document, or `diff` two documents into the smallest patch.

Neither function changes its arguments. Results share unchanged parts with them, so treat results as frozen or
copy them before editing.
"""

from __future__ import annotations

from typing import Any

from eso_core.meta.jsonpatch import equal

__all__ = ["apply", "diff"]

JsonObject = dict[str, Any]


def apply(document: Any, patch: Any) -> Any:
    """The document after the patch: objects merge key by key, null deletes a key, anything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged: JsonObject = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            # Merging into nothing still matters: it drops the nulls inside the value.
            merged[key] = apply(merged.get(key), value)
        else:
            merged[key] = value
    return merged


def diff(old: JsonObject, new: JsonObject) -> JsonObject:
    """The smallest patch that turns ``old`` into ``new``; empty when they are equal.

    Lists are replaced whole. A merge patch cannot set null: null values in ``new`` count as absent keys.
    """
    patch: JsonObject = {}
    for key in old:
        if old[key] is not None and new.get(key) is None:
            patch[key] = None
    for key, value in new.items():
        if value is None:
            continue
        before = old.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            nested = diff(before, value)
            if nested:
                patch[key] = nested
        elif not equal(before, value):
            patch[key] = value
    return patch
