"""Namespace and name of an object."""

from __future__ import annotations

from typing import Any, NamedTuple

from eso_core.meta.gvk import JsonObject

__all__ = ["ObjectKey"]


class ObjectKey(NamedTuple):
    """Namespace and name; the namespace is empty for a cluster-scoped object. Its text is ``ns/name`` or ``name``."""

    namespace: str
    name: str

    @classmethod
    def of(cls, obj: JsonObject) -> ObjectKey:
        """The key in an object's metadata; missing parts are empty."""
        meta: dict[str, Any] = obj.get("metadata") or {}
        return cls(meta.get("namespace") or "", meta.get("name") or "")

    @classmethod
    def parse(cls, text: str) -> ObjectKey:
        """Reads ``ns/name`` or ``name``.

        Raises:
            ValueError: More than one slash, or an empty part.
        """
        namespace, slash, name = text.rpartition("/")
        if not name or "/" in namespace or (slash and not namespace):
            raise ValueError(f"reading object key {text!r}: it must look like namespace/name or name")
        return cls(namespace, name)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name
