"""The annotation of kubectl's client-side apply, where server-side apply takes over from it."""

from __future__ import annotations

import json
from typing import Any, Final

from eso_core.testing.apiserver.managedfields import fieldset, typed
from eso_core.testing.apiserver.managedfields.atoms import ObjectSchema
from eso_core.testing.apiserver.managedfields.fieldset import Node
from eso_core.testing.apiserver.schema import gotext

__all__ = ["ANNOTATION", "KUBECTL", "refresh", "unchanged_fields"]

JsonObject = dict[str, Any]

KUBECTL: Final = "kubectl"
"""The only field manager for which the annotation has a meaning."""
ANNOTATION: Final = "kubectl.kubernetes.io/last-applied-configuration"
_LIMIT: Final = 256 * 1024


def refresh(merged: JsonObject, applied: JsonObject, manager: str) -> JsonObject:
    """The object with the annotation, if it has one, set to the configuration that kubectl just applied."""
    annotations = merged["metadata"].get("annotations") or {}
    if manager != KUBECTL or not annotations.get(ANNOTATION):
        return merged
    metadata = dict(applied.get("metadata") or {})
    others = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != ANNOTATION}
    if others:
        metadata["annotations"] = others
    else:
        metadata.pop("annotations", None)
    text = gotext.to_json({**applied, "metadata": metadata}) + "\n"
    changed = {**annotations, ANNOTATION: text}
    if sum(len(key.encode()) + len(str(value).encode()) for key, value in changed.items()) > _LIMIT:
        del changed[ANNOTATION]
    return {**merged, "metadata": {**merged["metadata"], "annotations": changed}}


def unchanged_fields(live: JsonObject, schema: ObjectSchema) -> Node | None:
    """The fields that client-side apply set and that still have its values; None when it never ran."""
    text = (live["metadata"].get("annotations") or {}).get(ANNOTATION)
    if not text:
        return None
    try:
        last = json.loads(text)
    except ValueError:
        return None
    if not isinstance(last, dict) or typed.problems(schema.root, last, allow_duplicates=True):
        return None
    change = typed.compare(schema.root, live, last)
    fields = typed.fields_of(schema.root, last)
    for changed in (change.modified, change.added, change.removed):
        fields = fieldset.difference(fields, changed)
    return fields
