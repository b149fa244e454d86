"""Which keys of a Secret a field manager owns, from the object's managedFields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

__all__ = ["OwnedFields", "owned_fields"]


class OwnedFields(Struct, frozen=True):
    """Keys of `data`, `metadata.labels` and `metadata.annotations` attributed to one manager."""

    data: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()
    annotations: frozenset[str] = frozenset()


def owned_fields(secret: dict[str, Any], manager: str) -> OwnedFields:
    """What `manager` owns in `secret`, over all its entries (update and apply). Malformed entries own nothing."""
    data: set[str] = set()
    labels: set[str] = set()
    annotations: set[str] = set()
    for entry in secret.get("metadata", {}).get("managedFields") or ():
        if entry.get("manager") != manager or entry.get("subresource"):
            continue
        fields = entry.get("fieldsV1") or {}
        data.update(_names(fields, "f:data"))
        metadata = fields.get("f:metadata") or {}
        labels.update(_names(metadata, "f:labels"))
        annotations.update(_names(metadata, "f:annotations"))
    return OwnedFields(frozenset(data), frozenset(labels), frozenset(annotations))


def _names(fields: dict[str, Any], parent: str) -> Iterator[str]:
    for name in fields.get(parent) or ():
        if name.startswith("f:"):
            yield name[2:]
