"""Finalizers, changed through patches that test what they rely on."""

from __future__ import annotations

from eso_core.meta.gvk import JsonObject

__all__ = ["add_finalizer", "add_finalizer_ops", "has_finalizer", "remove_finalizer", "remove_finalizer_ops"]


def has_finalizer(obj: JsonObject, name: str) -> bool:
    """Whether the object carries the finalizer."""
    return name in ((obj.get("metadata") or {}).get("finalizers") or ())


def add_finalizer(obj: JsonObject, name: str) -> bool:
    """Adds the finalizer in place; whether that changed anything.

    Raises:
        ValueError: The name is not qualified (``domain/name``).
    """
    _check(name)
    if has_finalizer(obj, name):
        return False
    metadata = obj.setdefault("metadata", {})
    metadata["finalizers"] = [*(metadata.get("finalizers") or ()), name]
    return True


def remove_finalizer(obj: JsonObject, name: str) -> bool:
    """Drops the finalizer in place; whether that changed anything."""
    if not has_finalizer(obj, name):
        return False
    metadata = obj["metadata"]
    kept = [f for f in metadata["finalizers"] if f != name]
    if kept:
        metadata["finalizers"] = kept
    else:
        del metadata["finalizers"]
    return True


def add_finalizer_ops(obj: JsonObject, name: str) -> list[JsonObject]:
    """A JSON patch that adds the finalizer to the live object; empty when ``obj`` has it.

    The patch fails (422) when the list changed since ``obj`` was read. Without a list there is nothing to test but the
    resource version: RFC 6902 cannot test for absence.

    Raises:
        ValueError: The name is not qualified, or there is neither a list nor a resource version to test.
    """
    _check(name)
    if has_finalizer(obj, name):
        return []
    metadata = obj.get("metadata") or {}
    current = metadata.get("finalizers")
    if current:
        return [
            {"op": "test", "path": "/metadata/finalizers", "value": list(current)},
            {"op": "add", "path": "/metadata/finalizers/-", "value": name},
        ]
    version = metadata.get("resourceVersion")
    if not version:
        raise ValueError(f"adding finalizer {name}: the object has no resourceVersion: read it from the server first")
    return [
        {"op": "test", "path": "/metadata/resourceVersion", "value": version},
        {"op": "add", "path": "/metadata/finalizers", "value": [name]},
    ]


def remove_finalizer_ops(obj: JsonObject, name: str) -> list[JsonObject]:
    """A JSON patch that drops the finalizer, testing value and position; empty when ``obj`` does not have it."""
    current = list((obj.get("metadata") or {}).get("finalizers") or ())
    if name not in current:
        return []
    path = f"/metadata/finalizers/{current.index(name)}"
    return [{"op": "test", "path": path, "value": name}, {"op": "remove", "path": path}]


def _check(name: str) -> None:
    domain, slash, rest = name.partition("/")
    if not slash or not domain or not rest:
        raise ValueError(f"adding finalizer {name!r}: the name must be qualified, like example.com/cleanup")
