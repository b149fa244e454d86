"""The four kinds of patches, and the smallest merge patch between two states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeAlias

import orjson
from msgspec import Struct

from eso_core.meta import mergepatch
from eso_core.meta.gvk import JsonObject

__all__ = ["ApplyPatch", "JsonPatch", "MergePatch", "Patch", "StrategicMergePatch", "merge_from"]


class MergePatch(Struct, frozen=True):
    """RFC 7386: objects are merged, lists are replaced, ``None`` deletes.

    Attributes:
        base: The state that the patch was computed from; returned when the patch is empty and so not sent.
    """

    content_type: ClassVar[str] = "application/merge-patch+json"
    body: JsonObject
    base: JsonObject | None = None

    @property
    def empty(self) -> bool:
        """Whether it changes nothing; a resource version alone only guards."""
        return not self.body or (
            self.base is not None
            and self.body.keys() == {"metadata"}
            and isinstance(self.body["metadata"], dict)
            and self.body["metadata"].keys() == {"resourceVersion"}
        )

    def encode(self) -> bytes:
        return orjson.dumps(self.body)

    def __repr__(self) -> str:
        return f"MergePatch({', '.join(self.body)})"


class JsonPatch(Struct, frozen=True):
    """RFC 6902: a list of operations, all or nothing."""

    content_type: ClassVar[str] = "application/json-patch+json"
    ops: Sequence[JsonObject]

    def encode(self) -> bytes:
        return orjson.dumps(list(self.ops))

    def __repr__(self) -> str:
        return f"JsonPatch({', '.join(str(op.get('op')) + ' ' + str(op.get('path')) for op in self.ops)})"


class StrategicMergePatch(Struct, frozen=True):
    """Kubernetes' merge with list keys; built-in kinds only."""

    content_type: ClassVar[str] = "application/strategic-merge-patch+json"
    body: JsonObject

    def encode(self) -> bytes:
        return orjson.dumps(self.body)

    def __repr__(self) -> str:
        return f"StrategicMergePatch({', '.join(self.body)})"


class ApplyPatch(Struct, frozen=True):
    """Server-side apply: the whole set of fields that the manager wants to own."""

    content_type: ClassVar[str] = "application/apply-patch+yaml"
    body: JsonObject

    def encode(self) -> bytes:
        return orjson.dumps(self.body)

    def __repr__(self) -> str:
        return f"ApplyPatch({', '.join(self.body)})"


Patch: TypeAlias = MergePatch | JsonPatch | StrategicMergePatch | ApplyPatch


def merge_from(base: JsonObject, new: JsonObject, optimistic_lock: bool = False) -> MergePatch:
    """The smallest merge patch that turns ``base`` into ``new``.

    Args:
        optimistic_lock: The server refuses (409) when the object changed since ``base`` was read.

    Raises:
        ValueError: A lock is asked for and ``base`` has no resource version.
    """
    body = mergepatch.diff(base, new)
    if optimistic_lock:
        version = (base.get("metadata") or {}).get("resourceVersion")
        if not version:
            raise ValueError("computing a patch with a lock: the base has no resourceVersion: read it from the server")
        body.setdefault("metadata", {})["resourceVersion"] = version
    return MergePatch(body, base=base)
