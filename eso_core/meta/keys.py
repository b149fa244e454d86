"""Namespace and name of an object."""

from __future__ import annotations

from typing import Any, NamedTuple

from eso_core.meta.gvk import JsonObject

__all__ = ["ObjectKey", "object_key"]


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


def object_key(kind: str, key: object) -> ObjectKey:
    """The key that a caller gave for an object of `kind`: any pair of namespace and name.

    Raises:
        TypeError: It is no pair. A text is none, though one of two letters would unpack into a namespace and a name.
    """
    if isinstance(key, tuple) and len(key) == 2:
        return ObjectKey(*key)
    shown = repr(key) if isinstance(key, str) else f"by {type(key).__name__}"
    raise TypeError(
        f"using {kind} {shown}: pass an ObjectKey(namespace, name), such as request.key, or ObjectKey.parse(text)"
    )
